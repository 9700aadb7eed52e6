"""Log-mel spectrograms in NumPy: short-time Fourier magnitude, triangular bank on the HTK mel scale, logarithm.

    waveform [samples]
      | frames of `window` samples every `hop`, whole ones only, periodic Hann, zeros up to `fft`
    magnitude [frames, fft // 2 + 1]
      | mel bank
    [frames, bands]
      | ln(mel + offset)
    log-mel [frames, bands]

The transform runs in float64, for beside a loud tone the empty bands hold nothing but its rounding error, which float32
lifts to where the logarithm shows it (1e-3 instead of 1e-6). It costs no time: NumPy's float64 transform is not slower.
"""

from functools import cache

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from auricle.types import Waveform


def hertz_to_mel(hertz: NDArray[np.float64] | float) -> NDArray[np.float64]:
    """The HTK mel scale: ``1127 ln(1 + f / 700)`` for ``f`` in Hz."""
    return 1127.0 * np.log1p(np.asarray(hertz, np.float64) / 700.0)


def mel_bank(sample_rate: int, fft: int, bands: int, low: float, high: float) -> NDArray[np.float64]:
    """Weights [fft // 2 + 1, bands] that turn a magnitude spectrum into mel bands.

    The triangles rise to 1 and overlap by half, with corners equally spaced and sides straight **in mel**, not in Hz;
    the bin at 0 Hz belongs to none. This is TensorFlow's ``linear_to_mel_weight_matrix``.

    Args:
        sample_rate: Hz.
        fft: length of the transform, samples.
        bands: number of triangles.
        low: lower corner of the first triangle, Hz.
        high: upper corner of the last one, Hz.
    """
    mel = hertz_to_mel(np.linspace(0.0, sample_rate / 2, fft // 2 + 1))[:, None]
    corners = np.linspace(hertz_to_mel(low), hertz_to_mel(high), bands + 2)
    left, peak, right = corners[:-2], corners[1:-1], corners[2:]
    bank = np.maximum(0.0, np.minimum((mel - left) / (peak - left), (right - mel) / (right - peak)))
    bank[0] = 0.0
    return bank


def slaney_mel(hertz: NDArray[np.float64] | float) -> NDArray[np.float64]:
    """Hz to mel on Slaney's scale: linear below 1 kHz (15 mel), then 27 mel for each factor of 6.4."""
    hertz = np.asarray(hertz, np.float64)
    factors = np.log(np.maximum(hertz, 1000.0) / 1000.0) / np.log(6.4)
    return 3.0 * np.minimum(hertz, 1000.0) / 200.0 + 27.0 * factors


def slaney_hertz(mel: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mel to Hz, the inverse of ``slaney_mel``."""
    return 200.0 * np.minimum(mel, 15.0) / 3.0 * 6.4 ** (np.maximum(mel - 15.0, 0.0) / 27.0)


def slaney_bank(sample_rate: int, fft: int, bands: int, low: float, high: float) -> NDArray[np.float64]:
    """Weights [fft // 2 + 1, bands]: triangles straight in Hz, corners equally spaced in Slaney's mel, area 1 per Hz.

    This is ``librosa.filters.mel`` with its defaults. Arguments as in ``mel_bank``.
    """
    edges = slaney_hertz(np.linspace(slaney_mel(low), slaney_mel(high), bands + 2))
    return _triangles(edges, sample_rate, fft) * (2.0 / (edges[2:] - edges[:-2]))


def htk_bank(sample_rate: int, fft: int, bands: int, low: float, high: float) -> NDArray[np.float64]:
    """Weights [fft // 2 + 1, bands]: triangles straight in Hz, corners equally spaced in HTK's mel, sum 1 each.

    This is ``librosa.filters.mel`` with ``htk=True, norm=1``. Arguments as in ``mel_bank``.
    """
    edges = 700.0 * np.expm1(np.linspace(hertz_to_mel(low), hertz_to_mel(high), bands + 2) / 1127.0)
    bank = _triangles(edges, sample_rate, fft)
    return bank / np.maximum(bank.sum(axis=0), np.finfo(np.float64).tiny)


def _triangles(edges: NDArray[np.float64], sample_rate: int, fft: int) -> NDArray[np.float64]:
    """Triangles [fft // 2 + 1, bands] straight in Hz, rising to 1 and overlapping by half, with corners ``edges``."""
    bins = np.fft.rfftfreq(fft, 1 / sample_rate)[:, None]
    rising = (bins - edges[:-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[2:] - bins) / (edges[2:] - edges[1:-1])
    return np.maximum(0.0, np.minimum(rising, falling))


@cache
def periodic_hann(length: int) -> NDArray[np.float64]:
    """Hann window [length] of which the first sample, a zero, is also the one after the last."""
    return 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(length) / length)


class LogMel:
    """Log-mel spectrogram of mono waveforms.

    Frames go through in blocks of ``BLOCK``, counted from the first sample; the last block is filled up. So every
    matrix product has the same shape, and a frame's value depends on nothing but its own samples and its place in the
    block: a part of a recording that starts on a multiple of ``BLOCK * hop`` samples gives the same bits as the whole.
    The products are small enough for BLAS to do each on one thread, so the number of threads does not matter either.

    Args:
        sample_rate: Hz.
        window: length of a frame, samples.
        hop: samples between frames.
        fft: length of the transform, samples, at least ``window``.
        bands: number of mel bands.
        low: lower edge of the lowest band, Hz.
        high: upper edge of the highest one, Hz.
        offset: added before the logarithm, so silence is ``ln(offset)``.
    """

    BLOCK = 48  # frames; 48 transforms of 512 points in float64 stay within the second-level cache
    SMALL = 2**18  # multiplications of a matrix product, up to which OpenBLAS does it on one thread

    def __init__(
        self,
        *,
        sample_rate: int,
        window: int,
        hop: int,
        fft: int,
        bands: int,
        low: float,
        high: float,
        offset: float,
    ):
        self.window, self.hop, self.fft, self.bands = window, hop, fft, bands
        self.offset = np.float32(offset)
        self.bank = mel_bank(sample_rate, fft, bands, low, high).astype(np.float32)
        rows = next(rows for rows in (48, 24, 12, 8, 6, 4, 3, 2, 1) if rows * self.bank.size <= self.SMALL or rows == 1)
        self._products = self.BLOCK // rows, rows, -1  # shape of a block: 4 x 12 x 257 for a bank of 257 x 64

    def __call__(self, waveform: Waveform) -> NDArray[np.float32]:
        """Log-mel [frames, bands] of ``waveform`` [samples], with ``1 + (samples - window) // hop`` frames.

        Raises:
            ValueError: the waveform is not mono, or is shorter than one frame.
        """
        if waveform.ndim != 1 or len(waveform) < self.window:
            raise ValueError(f"a waveform of shape {waveform.shape} where [samples >= {self.window}] is needed")
        frames = sliding_window_view(waveform, self.window)[:: self.hop]
        result = np.empty((len(frames), self.bands), np.float32)
        padded = np.zeros((self.BLOCK, self.fft))
        spectrum = np.empty((self.BLOCK, self.fft // 2 + 1), np.complex128)
        magnitude = np.empty(spectrum.shape, np.float32)
        mel = np.empty((self.BLOCK, self.bands), np.float32)
        squares = spectrum.view(np.float64).reshape(*spectrum.shape, 2)
        for start in range(0, len(frames), self.BLOCK):
            block = frames[start : start + self.BLOCK]
            np.multiply(block, periodic_hann(self.window), out=padded[: len(block), : self.window])
            np.fft.rfft(padded, out=spectrum)
            np.multiply(squares, squares, out=squares)
            np.sqrt(squares[..., 0] + squares[..., 1], out=magnitude, casting="same_kind")
            np.matmul(magnitude.reshape(self._products), self.bank, out=mel.reshape(self._products))
            np.add(mel, self.offset, out=mel)
            np.log(mel[: len(block)], out=result[start : start + len(block)])
        return result
