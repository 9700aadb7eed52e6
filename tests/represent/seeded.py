"""State dicts drawn from names and shapes, so that a fixture need not hold weights.

The public code was given the same ones when the fixtures were written.
"""

import json
import zlib
from pathlib import Path

import numpy as np
import torch

HERE = Path(__file__).parent


def tensor(name: str, shape: list[int]) -> torch.Tensor:
    """Normal with a deviation of 0.2 and, for the scales of norms, a mean of 1; follows from the name."""
    values = 0.2 * np.random.default_rng(zlib.crc32(name.encode())).standard_normal(shape)
    if "norm" in name and name.endswith("weight"):
        values += 1.0
    return torch.from_numpy(np.asarray(values, np.float32))


def state(shapes: dict[str, list[int]]) -> dict[str, torch.Tensor]:
    return {name: tensor(name, shape) for name, shape in shapes.items()}


def fixture(name: str) -> tuple[dict[str, np.ndarray], dict[str, dict[str, list[int]]]]:
    """Arrays of ``name.npz`` and, by model, the names and shapes in its entry ``shapes``."""
    with np.load(HERE / f"{name}.npz") as file:
        arrays = {key: file[key] for key in file.files}
    return arrays, json.loads(str(arrays.pop("shapes")))
