"""Power in bands half a semitone apart: another pitch is a shift of them, another speed a shift and a stretch.

    waveform [samples] at 8 kHz
      | power STFT, 1024 / 256 samples, periodic Hann
      | triangles, 24 an octave, 125-3900 Hz
    power [frames, 120]; an encoder hears 64 frames of the 96 bands in the middle

The bands above and below are there for query time: what was played higher or lower is read a few bands further up or
down, and what was played faster or slower with fewer or more samples between frames (``played``), without touching the
sound itself.

The same windows also give robust hashes, 32 bits for every 128 ms, which tell moments of recordings that are played as
they were. They are signs of changes of level in bands, after Haitsma and Kalker, "A Highly Robust Audio Fingerprinting
System", ISMIR 2002. Nothing about them is learned.
"""

from functools import cache

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from auricle.features.mel import periodic_hann
from auricle.types import Waveform

RATE = 8_000  # Hz
FFT, HOP = 1024, 256  # samples
FRAMES, BANDS = 64, 96  # heard at once
MARGIN = 12  # bands above and below those, half an octave
SEMITONE = 2  # bands
TOP = 3900.0  # Hz, middle of the highest band
WINDOW = FFT + (FRAMES - 1) * HOP  # samples: 2.1 s
SILENT = 1e-9  # power of a band, with samples in [-1, 1]
FAINT = 0.1  # of the mean power, below which levels do not tell
AROUND = 33  # frames, about 1 s, against whose mean levels are told
STEP = 16  # frames between windows: 0.5 s
EVERY, PARTS = 4, 32  # frames between hashes, and parts of the bands, one bit each
SOON, WIDE = 8, 32  # frames whose mean level is compared with that of those around
AHEAD = (FRAMES - STEP) // 2  # frames of a window before those that its hashes are of


@cache
def bank() -> NDArray[np.float64]:
    """Weights [513, 120] that turn power spectra into bands; each triangle at least three bins wide, its sum 1."""
    count = BANDS + 2 * MARGIN
    octave = 12 * SEMITONE
    middle = TOP * 2.0 ** ((np.arange(count) - count + 1) / octave)
    half = np.maximum(middle * (2 ** (1 / octave) - 1), 1.5 * RATE / FFT)
    bins = np.linspace(0, RATE / 2, FFT // 2 + 1)[:, None]
    weights = np.maximum(0.0, 1 - np.abs(bins - middle) / half)
    return weights / weights.sum(axis=0)


def power(waveform: Waveform, hop: float = HOP) -> NDArray[np.float32]:
    """Power [frames, 120] of mono ``waveform`` in frames every ``hop`` samples, whole ones only.

    Raises:
        ValueError: the waveform is not mono, or is shorter than one frame.
    """
    if waveform.ndim != 1 or len(waveform) < FFT:
        raise ValueError(f"a waveform of shape {waveform.shape} where [samples >= {FFT}] is needed")
    starts = np.round(np.arange(1 + int((len(waveform) - FFT) / hop)) * hop).astype(np.intp)
    frames = sliding_window_view(waveform, FFT)[starts]
    spectrum = np.fft.rfft(frames * periodic_hann(FFT))
    # In float64, so that a frame gives the same float32 whatever is computed beside it.
    return ((spectrum.real**2 + spectrum.imag**2) @ bank()).astype(np.float32)


def windows(power: NDArray[np.float32], step: int = STEP, shift: int = 0) -> NDArray[np.float32]:
    """What the encoder hears [windows, 96, 64], every ``step`` frames, ``shift`` bands higher than as it is."""
    low = MARGIN + shift
    return sliding_window_view(power[:, low : low + BANDS], FRAMES, axis=0)[::step]


def played(waveform: Waveform, tempo: float, pitch: int, step: int = STEP) -> NDArray[np.float32]:
    """Windows [k, 96, 64] of what was played ``tempo`` times as fast and ``pitch`` semitones higher to give this sound.

    Rows are ``step`` frames of the original apart. There are none when the sound is shorter than one window.
    """
    hop = HOP / tempo
    needed = FFT + round((FRAMES - 1) * hop)
    if len(waveform) < needed:
        return np.zeros((0, BANDS, FRAMES), np.float32)
    return windows(power(waveform, hop), step, SEMITONE * pitch)


def levels(waveform: Waveform, tempo: float, pitch: float) -> NDArray[np.float32]:
    """Levels [frames, 96], dB, of what was played otherwise to give this sound (see ``played``): what they change by.

    Each is less the mean of its frame and of its band about it, so that loudness and equalisers make no difference.
    What is much fainter than the mean of all counts as equally faint.
    """
    low = MARGIN + round(SEMITONE * pitch)
    heard = power(waveform, HOP / tempo)[:, low : low + BANDS]
    level = 10 * np.log10(heard + FAINT * heard.mean() + SILENT * FAINT)
    level -= level.mean(axis=1, keepdims=True)
    padded = np.pad(level, ((AROUND // 2 + 1, AROUND // 2), (0, 0)), mode="edge")
    sums = np.cumsum(padded, axis=0, dtype=np.float64)
    return level - ((sums[AROUND:] - sums[:-AROUND]) / AROUND).astype(np.float32)


def hashes(windows: NDArray[np.float32]) -> NDArray[np.uint32]:
    """Hashes [k, 4] of ``windows`` [k, 96, 64], at frames 24, 28, 32 and 36: which parts of the bands are now louder.

    That is: than in the second around, compared with the other parts. 0 for silence.
    """
    found = np.empty((len(windows), STEP // EVERY), np.uint32)
    for row, window in zip(found, windows, strict=True):
        level = np.log(window + FAINT * window.mean() + SILENT).reshape(PARTS, -1, FRAMES).mean(axis=1)
        louder = _contrasts() @ (level - level.mean(axis=0)).T > 0  # exactly 0 when all is silent
        row[:] = np.packbits(louder.ravel()).view("<u4")
    return found


@cache
def _contrasts() -> NDArray[np.float32]:
    """Weights [4, 64] of a window's frames: means of ``SOON`` less means of ``WIDE`` about the same."""
    from_middle = np.arange(FRAMES) + 0.5 - np.arange(AHEAD, AHEAD + STEP, EVERY)[:, None]
    soon, wide = (np.abs(from_middle) < frames / 2 for frames in (SOON, WIDE))
    return (soon / SOON - wide / WIDE).astype(np.float32)
