"""Weights that anyone can make again, by the names of the authors' code."""

import numpy as np

from tests.represent.panns.known import fill, sound

__all__ = ["SIZES", "drawn", "sound"]

SIZES = {"embed_dim": 64, "depth": 3, "num_heads": 1, "num_classes": 5}  # else as published


def drawn(name: str, shape: tuple[int, ...]) -> np.ndarray:
    """A tensor of the authors' state dict; tokens and positions are large enough to matter."""
    tensor = fill(name, shape, spectrogram=False)
    return 5 * tensor if name.endswith(("_embed", "_token")) else tensor
