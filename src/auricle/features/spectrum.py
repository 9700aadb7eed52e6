"""Power spectra in NumPy, for front-ends that put a bank of their own behind them."""

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from auricle.features.mel import periodic_hann
from auricle.types import Waveform


def power_spectrum(waveform: Waveform, window: int, hop: int) -> NDArray[np.float64]:
    """Squared magnitudes [1 + (samples - window) // hop, window // 2 + 1] of the short-time Fourier transform.

    Whole frames only, the first at the first sample, under a periodic Hann window.

    Args:
        waveform: mono [samples].
        window: length of a frame and of the transform, samples.
        hop: samples between frames.

    Raises:
        ValueError: the waveform is not mono, or is shorter than one frame.
    """
    if waveform.ndim != 1 or len(waveform) < window:
        raise ValueError(f"a waveform of shape {waveform.shape} where [samples >= {window}] is needed")
    frames = sliding_window_view(waveform, window)[::hop]
    spectrum = np.fft.rfft(frames * periodic_hann(window))
    return spectrum.real**2 + spectrum.imag**2
