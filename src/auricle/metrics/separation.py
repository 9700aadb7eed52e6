"""Metrics of separated sources, in decibels; higher is better.

``reference`` and ``estimate`` are [..., samples]: leading dimensions are sources, channels or clips, one value each. A
silent reference has no such value (NaN), a perfect estimate has infinity.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray

Metric = Callable[[NDArray, NDArray], NDArray]


def si_sdr(reference: ArrayLike, estimate: ArrayLike) -> NDArray[np.float64]:
    """Scale-invariant signal-to-distortion ratio [...], dB (Le Roux et al., "SDR - half-baked or well done?", 2019).

    The signal is the reference scaled as it fits the estimate best, the distortion is the rest. Means are not removed.
    """
    reference, estimate = _pair(reference, estimate)
    energy = (reference**2).sum(axis=-1, keepdims=True)
    scale = np.divide((reference * estimate).sum(axis=-1, keepdims=True), energy, where=energy > 0, out=energy * np.nan)
    return _ratio(scale * reference, estimate - scale * reference)


def snr(reference: ArrayLike, estimate: ArrayLike) -> NDArray[np.float64]:
    """Signal-to-noise ratio [...], dB: whatever differs is noise. The SDR of the Music Demixing challenges."""
    reference, estimate = _pair(reference, estimate)
    return _ratio(reference, estimate - reference)


def sdr(reference: ArrayLike, estimate: ArrayLike, taps: int = 512) -> NDArray[np.float64]:
    """Signal-to-distortion ratio [...], dB, of BSS Eval version 3 (Vincent, Gribonval and Févotte, 2006).

    The signal is the reference through the filter of ``taps`` samples that fits the estimate best: a fixed room or
    equaliser costs nothing. The rest, interference and artefacts together, is distortion.
    """
    from scipy.linalg import LinAlgError, solve_toeplitz
    from scipy.signal import fftconvolve

    reference, estimate = _pair(reference, estimate)
    samples = reference.shape[-1]
    size = 1 << (samples + taps - 1).bit_length()
    values = np.full(reference.shape[:-1], np.nan)
    for index in np.ndindex(values.shape):
        source, heard = reference[index], estimate[index]
        if not source.any():
            continue
        spectrum = np.fft.rfft(source, size)
        own = np.fft.irfft(np.abs(spectrum) ** 2, size)[:taps]
        cross = np.fft.irfft(spectrum.conj() * np.fft.rfft(heard, size), size)[:taps]
        try:
            best = solve_toeplitz(own, cross)
        except LinAlgError:  # a reference so regular that many filters are best
            best = np.linalg.lstsq(own[np.abs(np.subtract.outer(range(taps), range(taps)))], cross)[0]
        signal = fftconvolve(source, best)
        values[index] = _ratio(signal, np.pad(heard, (0, taps - 1)) - signal)
    return values


def improvement(metric: Metric, reference: ArrayLike, estimate: ArrayLike, mixture: ArrayLike) -> NDArray[np.float64]:
    """How much better than the ``mixture`` the estimate is, dB: SI-SDRi, SDRi. The mixture's shape may be [samples]."""
    reference, estimate = _pair(reference, estimate)
    return metric(reference, estimate) - metric(reference, np.broadcast_to(mixture, reference.shape))


def best_order(metric: Metric, reference: ArrayLike, estimate: ArrayLike) -> tuple[NDArray[np.int64], NDArray]:
    """Which estimate is which source when nobody said: the order with the highest mean.

    Args:
        metric: ``si_sdr``, ``snr`` or ``sdr``.
        reference: [sources, samples].
        estimate: [sources, samples], in any order.

    Returns:
        The index of each source's estimate [sources], and the metric of those [sources].
    """
    from scipy.optimize import linear_sum_assignment

    reference, estimate = _pair(reference, estimate)
    n = len(reference)
    table = metric(np.repeat(reference, n, axis=0), np.tile(estimate, (n, 1))).reshape(n, n)
    sources, order = linear_sum_assignment(np.clip(np.nan_to_num(table, nan=0.0), -1e6, 1e6), maximize=True)
    return order, table[sources, order]


def _pair(reference: ArrayLike, estimate: ArrayLike) -> tuple[NDArray, NDArray]:
    reference, estimate = np.asarray(reference, np.float64), np.asarray(estimate, np.float64)
    if reference.shape != estimate.shape or not reference.shape or not reference.shape[-1]:
        raise ValueError(f"a reference of shape {reference.shape} but an estimate of shape {estimate.shape}")
    return reference, estimate


def _ratio(signal: NDArray, noise: NDArray) -> NDArray:
    with np.errstate(divide="ignore", invalid="ignore"):
        return 10 * np.log10((signal**2).sum(axis=-1) / (noise**2).sum(axis=-1))
