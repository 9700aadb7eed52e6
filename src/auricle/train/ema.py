"""Exponential moving average of weights: noise of the last steps averaged away, at the cost of a second copy."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn


class Ema:
    """A second state of ``module`` that follows the first at ``decay`` per step.

    The decay grows as (1 + t) / (10 + t) up to ``decay``, so that short runs do not average in where they began.
    Floating-point buffers, such as the statistics of batch norm, are averaged with the weights; others are copied.
    """

    def __init__(self, module: nn.Module, decay: float):
        self.module, self.decay, self.steps = module, decay, 0
        self.average = {name: tensor.detach().clone() for name, tensor in module.state_dict().items()}

    @torch.no_grad()
    def update(self) -> None:
        """Takes one step towards the module's present weights."""
        weight = 1 - min(self.decay, (1 + self.steps) / (10 + self.steps))
        self.steps += 1
        for name, new in self.module.state_dict().items():
            old = self.average[name]
            old.lerp_(new, weight) if old.is_floating_point() else old.copy_(new)

    @contextmanager
    def applied(self) -> Iterator[None]:
        """The module with the average as its weights, for as long as the context lasts."""
        own = {name: tensor.detach().clone() for name, tensor in self.module.state_dict().items()}
        self.module.load_state_dict(self.average)
        try:
            yield
        finally:
            self.module.load_state_dict(own)

    def state_dict(self) -> dict[str, Any]:
        return {"steps": self.steps, "average": self.average}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.steps = state["steps"]
        average: dict[str, Tensor] = state["average"]
        for name, tensor in average.items():
            self.average[name].copy_(tensor)
