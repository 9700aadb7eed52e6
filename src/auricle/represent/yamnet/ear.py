"""YAMNet as an ear: NumPy front-end and ONNX graph, on one thread, with no state between calls.

The front-end goes through blocks of 48 frames, one hop of the ear, so the log-mel of a window is two blocks, of which
neighbours share one. Front-end and graph treat every row alike (see ``LogMel`` and ``graph``): a window has the same
bits alone, in any batch, and in any part of a recording that starts on a hop.
"""

from functools import cached_property
from os import PathLike
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from auricle.data.audioset import classes
from auricle.features.mel import LogMel
from auricle.hub import session
from auricle.types import Heard, Waveform, whole_windows

BATCH = 16  # windows at once; more is no faster and takes more memory


class YamnetEar:
    """An ``auricle.types.Ear`` for one thread; every process opens its own.

    Args:
        name: ``yamnet@int8`` or ``yamnet@float``.
        graph: the ONNX file of it.
    """

    sample_rate = 16_000
    window = 15_600  # 96 frames: 400 + 95 x 160 samples
    hop = 7_680  # 48 frames x 160 samples
    dim = 1024

    def __init__(self, name: str, graph: str | PathLike[str]):
        self.name = name
        self.classes = classes()
        self._graph = graph
        self.front_end = LogMel(
            sample_rate=self.sample_rate, window=400, hop=160, fft=512, bands=64, low=125.0, high=7500.0, offset=0.001
        )

    @cached_property
    def _session(self):
        return session(self._graph)  # when first needed: a search by words asks the ear for its classes only

    def hear(self, waveform: Waveform) -> Heard:
        """Hears mono ``waveform`` [window + (k - 1) * hop] in [-1, 1]: embeddings [k, 1024], scores [k, 521].

        Embeddings are means of ReLUs, so none is negative; scores are independent probabilities and do not sum to 1.

        Raises:
            ValueError: the waveform is not mono or does not hold whole windows.
            WeightsError: the graph cannot be run.
        """
        rows = whole_windows(waveform, self.window, self.hop)
        embeddings = np.empty((rows, self.dim), np.float32)
        scores = np.empty((rows, len(self.classes)), np.float32)
        for first in range(0, rows, BATCH):
            last = min(first + BATCH, rows)
            patches = self._patches(waveform[first * self.hop : (last - 1) * self.hop + self.window])
            outputs: Any = self._session.run(["embedding", "scores"], {"logmel": patches})
            embeddings[first:last], scores[first:last] = outputs
        return Heard(embeddings, scores)

    def _patches(self, waveform: Waveform) -> NDArray[np.float32]:
        """Log-mel of every window [k, 96, 64]."""
        frames = self.front_end(waveform)
        return np.ascontiguousarray(sliding_window_view(frames, 96, axis=0)[::48].transpose(0, 2, 1))
