"""Transforms of batches and spectrograms: mixup, SpecAugment, patchout. NumPy arrays and torch tensors alike."""

from typing import Any, TypeVar

import numpy as np

Array = TypeVar("Array", bound=Any)  # a NumPy array or a torch tensor


def mixup(wave: Array, target: Array, rng: np.random.Generator, alpha: float = 0.3) -> tuple[Array, Array]:
    """Mixes every example with another of the batch (Zhang et al. 2018), in one draw of partners.

    Args:
        wave: [batch, ...], waveforms or spectrograms.
        target: [batch, classes]; class numbers must be one-hot first.
        rng: of partners and shares.
        alpha: shares are drawn from Beta(alpha, alpha), and the larger of share and rest goes to the example itself.

    Returns:
        The mixed waves and targets, of the shapes given.
    """
    partner = rng.permutation(len(wave))
    share = rng.beta(alpha, alpha, len(wave)).astype(np.float32)
    share = np.maximum(share, 1 - share)
    return _mixed(wave, partner, share), _mixed(target, partner, share)


def spec_augment(
    mel: Array,
    rng: np.random.Generator,
    time_masks: int = 2,
    time_width: int = 64,
    band_masks: int = 2,
    band_width: int = 8,
    fill: float | None = None,
) -> Array:
    """Masks stretches of time and of bands in every example (SpecAugment, Park et al. 2019, without time warping).

    Args:
        mel: [..., frames, bands]; not changed.
        rng: of places and widths.
        time_masks: masks of time in each example, each of 0 to ``time_width`` frames, evenly drawn.
        time_width: frames, at most.
        band_masks: masks of bands in each example, each of 0 to ``band_width`` bands.
        band_width: bands, at most.
        fill: the value under a mask; None for the mean of the example.

    Returns:
        A masked copy of ``mel``.
    """
    frames, bands = mel.shape[-2:]
    flat = mel.reshape(-1, frames, bands)
    hidden = np.zeros(flat.shape, bool)
    for example in hidden:
        for _ in range(time_masks):
            at, width = _stretch(frames, time_width, rng)
            example[at : at + width] = True
        for _ in range(band_masks):
            at, width = _stretch(bands, band_width, rng)
            example[:, at : at + width] = True
    value = flat.mean((-2, -1))[:, None, None] if fill is None else fill
    mask = _like(hidden.astype(np.float32), flat)
    return (flat * (1 - mask) + value * mask).reshape(mel.shape)


def patchout(
    frames: int, bands: int, rng: np.random.Generator, drop_frames: int = 0, drop_bands: int = 0, drop: int = 0
) -> np.ndarray:
    """Which patches of a grid a transformer keeps in training (PaSST, Koutini et al. 2022).

    Structured patchout drops whole columns and rows of the grid; what is left loses ``drop`` patches more, anywhere.

    Args:
        frames, bands: patches along time and frequency.
        rng: of what is dropped.
        drop_frames, drop_bands: columns and rows dropped.
        drop: single patches dropped.

    Returns:
        int64 [kept], increasing, into the patches flattened as ``band * frames + frame``.

    Raises:
        ValueError: nothing would be left.
    """
    kept_frames = np.sort(rng.permutation(frames)[drop_frames:])
    kept_bands = np.sort(rng.permutation(bands)[drop_bands:])
    kept = (kept_bands[:, None] * frames + kept_frames).ravel()
    if len(kept) <= drop:
        raise ValueError(f"patchout of {drop_frames} x {drop_bands} and {drop} leaves nothing of {frames} x {bands}")
    return np.sort(rng.permutation(kept)[drop:]).astype(np.int64)


def _mixed(values: Array, partner: np.ndarray, share: np.ndarray) -> Array:
    part = _like(share.reshape(-1, *[1] * (values.ndim - 1)), values)
    return values * part + values[_like(partner, values, keep=True)] * (1 - part)


def _like(array: np.ndarray, example: Any, keep: bool = False) -> Any:
    """``array`` as what ``example`` is, in its type unless ``keep``."""
    if isinstance(example, np.ndarray):
        return array if keep else array.astype(example.dtype)
    import torch

    return torch.from_numpy(array).to(example.device, None if keep else example.dtype)


def _stretch(length: int, widest: int, rng: np.random.Generator) -> tuple[int, int]:
    width = int(rng.integers(min(widest, length) + 1))
    return int(rng.integers(length - width + 1)), width
