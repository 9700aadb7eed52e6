"""Weights and sounds that anyone can make again, so that references need to hold no more than what came out."""

import zlib

import numpy as np


def sound(samples: int, seed: int = 0) -> np.ndarray:
    """A sweep in noise [samples]."""
    time = np.arange(samples)
    noise = np.random.default_rng(seed).standard_normal(samples)
    return (0.3 * np.sin(2 * np.pi * (0.01 * time + 2e-7 * time * time)) + 0.1 * noise).astype(np.float32)


def fill(name: str, shape: tuple[int, ...], spectrogram: bool) -> np.ndarray:
    """A tensor of a state dict, drawn by its name so that signals keep their size from layer to layer."""
    draw = np.random.default_rng(zlib.crc32(name.encode())).random(shape, dtype=np.float32)
    part = name.rsplit(".", 1)[-1]
    if name.startswith("bn0.running") and spectrogram:  # decibels
        return -40 + 20 * draw if part == "running_mean" else 200 + 200 * draw
    if part == "weight" and len(shape) > 1:
        return (2 * draw - 1) * np.float32(np.sqrt(6 / np.prod(shape[1:])))
    if part == "weight" and ("resnet." in name or ".bn4." in name):  # what residual blocks add to their shortcuts
        return 0.1 + 0.2 * draw
    return 0.5 + draw if part in ("weight", "running_var") else 0.2 * draw - 0.1
