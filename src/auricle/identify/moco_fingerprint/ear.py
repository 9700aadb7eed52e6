"""The ear of fingerprints: the front-end in NumPy, the encoder as an ONNX graph on one thread."""

from functools import cached_property
from os import PathLike

import numpy as np
from numpy.typing import NDArray

from auricle.hub import session
from auricle.identify.moco_fingerprint import front_end
from auricle.types import Heard, Waveform, whole_windows

DIM = 64
NEAREST = 3  # of the cohort, whose mean likeness is the commonness of a print


class PrintEar:
    """An ``auricle.types.PrintEar``: a print of 2.1 s every 0.5 s, and hashes of the half second in its middle.

    Args:
        name: ``system@tag``.
        graph: the ONNX file: ``power`` [windows, 96, 64] -> ``prints`` [windows, 64], unit vectors.
        cohort: the file of prints [n, 64] of all sorts of sound.
    """

    classes: tuple[str, ...] = ()
    sample_rate, window, dim = front_end.RATE, front_end.WINDOW, DIM
    hop = front_end.STEP * front_end.HOP
    step = front_end.HOP
    hashes, ahead = front_end.STEP // front_end.EVERY, front_end.AHEAD * front_end.HOP

    def __init__(self, name: str, graph: str | PathLike[str], cohort: str | PathLike[str]):
        self.name, self._graph, self._cohort_file = name, graph, cohort

    @cached_property
    def _session(self):
        return session(self._graph)

    def hear(self, waveform: Waveform) -> Heard:
        """Hears mono ``waveform`` [window + (k - 1) * hop]: embeddings [k, 64] and hashes [k, 4].

        Raises:
            ValueError: the waveform is not mono or does not hold whole windows.
            WeightsError: the graph cannot be run.
        """
        whole_windows(waveform, self.window, self.hop)
        windows = front_end.windows(front_end.power(waveform))
        return Heard(self._prints(windows), None, front_end.hashes(windows))

    def prints_of(
        self, waveform: Waveform, tempo: float = 1.0, pitch: int = 0, step: float = 0.5
    ) -> NDArray[np.float32]:
        """Prints [k, 64] of the recording that gives ``waveform`` when it is played at another tempo and pitch.

        Args:
            waveform: mono [samples].
            tempo: how many times as fast it is played.
            pitch: how many semitones higher; to -6 … 6.
            step: distance of the prints in the recording, in hops.
        """
        return self._prints(front_end.played(waveform, tempo, pitch, round(step * front_end.STEP)))

    def commonness(self, prints: NDArray[np.float32]) -> NDArray[np.float32]:
        """How alike each of ``prints`` [k, 64] is to its nearest among sounds of all sorts [k]; 2 for silence."""
        likeness = np.partition(prints @ self._cohort.T, -NEAREST, axis=1)[:, -NEAREST:].mean(axis=1)
        return np.where(prints.any(axis=1), likeness, 2.0).astype(np.float32)

    def hashes_of(self, waveform: Waveform, later: float = 0.0) -> NDArray[np.uint32]:
        """Hashes [k] of ``waveform`` [samples], 128 ms apart, the first ``later`` times that after its beginning."""
        power = front_end.power(waveform)[round(later * front_end.EVERY) :]
        padded = np.pad(power, ((front_end.AHEAD, front_end.FRAMES - front_end.AHEAD), (0, 0)), mode="edge")
        return front_end.hashes(front_end.windows(padded)).ravel()[: -(-len(power) // front_end.EVERY)]

    def levels(self, waveform: Waveform, tempo: float = 1.0, pitch: float = 0.0) -> NDArray[np.float32]:
        """Levels [frames, 96], dB, against those around, of what gives ``waveform`` when it is played otherwise.

        Frames are ``step`` samples of the recording apart; see ``prints_of``.
        """
        return front_end.levels(waveform, tempo, pitch)

    @cached_property
    def _cohort(self) -> NDArray[np.float32]:
        return np.load(self._cohort_file).astype(np.float32)

    def _prints(self, windows: NDArray[np.float32]) -> NDArray[np.float32]:
        """One at a time: it is faster, and a print has the same bits whatever is heard in the same call."""
        prints = np.zeros((len(windows), self.dim), np.float32)
        for row, window in zip(prints, windows, strict=True):
            if window.max() > front_end.SILENT:
                row[:] = np.asarray(self._session.run(["prints"], {"power": window[None]})[0])[0]
        return prints
