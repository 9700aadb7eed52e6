"""Weights that anyone can make again, by the names of the authors' code."""

import numpy as np

from tests.represent.panns.known import fill, sound

__all__ = ["HEADS", "SIZES", "drawn", "sound"]

SIZES = {"embed_dim": 8, "depths": [2, 2, 4, 2], "num_heads": [1, 2, 4, 8], "num_classes": 5}  # else as published
HEADS = tuple(SIZES["num_heads"])


def drawn(name: str, shape: tuple[int, ...]) -> np.ndarray:
    """A tensor of the authors' state dict; biases of attention are large enough to matter."""
    tensor = fill(name, shape, spectrogram=True)
    return 10 * tensor if name.endswith("relative_position_bias_table") else tensor
