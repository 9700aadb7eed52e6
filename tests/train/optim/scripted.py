"""Twenty steps of an optimiser on a small network whose first two weights are scale-invariant, in float64.

``python -m tests.train.optim.scripted`` wrote ``adamp-0.3.0.npz`` beside it with the package ``adamp`` 0.3.0 (MIT,
NAVER Corp.), its import of ``torch.optim.optimizer.required``, which newer versions of torch lack, taken out.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

FIXTURE = Path(__file__).with_name("adamp-0.3.0.npz")
CASES: dict[str, tuple[str, dict[str, Any]]] = {
    "adamp": ("AdamP", {"lr": 1e-2, "weight_decay": 0.1}),
    "adamp nesterov": ("AdamP", {"lr": 1e-2, "weight_decay": 0.1, "nesterov": True, "betas": (0.8, 0.99)}),
    "sgdp nesterov": ("SGDP", {"lr": 0.1, "momentum": 0.9, "weight_decay": 1e-2, "nesterov": True}),
    "sgdp damped": ("SGDP", {"lr": 0.1, "momentum": 0.9, "dampening": 0.5, "nesterov": True}),
    "sgdp plain": ("SGDP", {"lr": 0.1, "weight_decay": 1e-2}),
}


def network() -> nn.Sequential:
    generator = np.random.default_rng(0)
    convolution = nn.Sequential(
        nn.Unflatten(1, (1, 12)), nn.Conv1d(1, 4, 3, bias=False), nn.BatchNorm1d(4), nn.Flatten()
    )
    dense = [nn.Linear(40, 8), nn.LayerNorm(8), nn.ReLU(), nn.Linear(8, 1)]
    made = nn.Sequential(*convolution, *dense).double()
    for parameter in made.parameters():
        parameter.data = torch.from_numpy(generator.standard_normal(parameter.shape) * 0.3)
    return made


def trained(make: Callable[..., torch.optim.Optimizer], **options: Any) -> tuple[nn.Sequential, torch.optim.Optimizer]:
    generator = np.random.default_rng(1)
    made = network()
    optimiser = make(made.parameters(), **options)
    for _ in range(20):
        x = torch.from_numpy(generator.standard_normal((32, 12)))
        loss = (made(x)[:, 0] - x.sum(1).sin()).square().mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return made, optimiser


def flat(module: nn.Module) -> np.ndarray:
    """All parameters in one row."""
    return np.concatenate([parameter.detach().numpy().ravel() for parameter in module.parameters()])


if __name__ == "__main__":
    import adamp  # pyright: ignore[reportMissingImports]

    np.savez_compressed(
        FIXTURE, **{case: flat(trained(getattr(adamp, name), **options)[0]) for case, (name, options) in CASES.items()}
    )
