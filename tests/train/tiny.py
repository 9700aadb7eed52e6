"""A small task with everything that has a state: dropout, batch norm, numpy's random numbers, epochs.

``python -m tests.train.tiny FOLDER kill CALL`` trains it until a forward pass kills the process, ``… FOLDER plain`` the
variant without noise, in as many processes as are launched.
"""

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from auricle.train import Optim, Recipe, Run, Schedule, Task, fit

ITEMS = 44


class Noisy:
    """``ITEMS`` points, moved a little by the epoch and by numpy's global random numbers."""

    def __init__(self, noise: float = 0.01):
        generator = np.random.default_rng(0)
        self.x = generator.standard_normal((ITEMS, 6)).astype(np.float32)
        self.y = self.x.sum(axis=1).astype(np.float32)
        self.noise, self.epoch = noise, 0

    def __len__(self) -> int:
        return ITEMS

    def set_epoch(self, epoch: int) -> None:
        self.epoch = epoch

    def __getitem__(self, index: int) -> dict[str, Any]:
        moved = self.x[index] + self.noise * (self.epoch + np.random.standard_normal(6).astype(np.float32))
        return {"x": moved, "y": self.y[index]}


class Regress(Task):
    """Linear regression by a small network; ``stop`` is called at the forward pass of that number."""

    def __init__(self, *, plain: bool = False, at: int = 0, stop: Callable[[], None] = lambda: None):
        super().__init__()
        between = [nn.ReLU()] if plain else [nn.BatchNorm1d(16), nn.ReLU(), nn.Dropout(0.2)]
        self.model = nn.Sequential(nn.Linear(6, 16), *between, nn.Linear(16, 1))
        self.at, self.stop, self.calls = at, stop, 0

    def training_step(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        self.calls += 1
        if self.calls == self.at:
            self.stop()
        error = self.model(batch["x"])[:, 0] - batch["y"]
        return {"loss": error.square().mean(), "bias": error.mean()}


def recipe(**options: Any) -> Recipe:
    standard = {"steps": 24, "batch": 8, "optim": Optim(lr=0.03), "log_every": 4}
    return Recipe(**standard | options)


def rich(**options: Any) -> Recipe:
    """A recipe that uses all there is."""
    return recipe(
        **{"accumulate": 2, "clip": 0.5, "ema": 0.9, "evaluate_every": 6, "seed": 3}
        | {"schedule": Schedule("cosine", warmup=4), "optim": Optim("adamp", lr=0.03, weight_decay=0.1)}
        | options
    )


def train(made: Recipe, folder: Path | None = None, *, plain: bool = False, **options: Any) -> tuple[Regress, Run]:
    torch.manual_seed(1)
    task, data = Regress(plain=plain, **options), Noisy(0.0 if plain else 0.01)

    def valid(task: Regress) -> dict[str, float]:
        return {"loss": float((task.model(torch.from_numpy(data.x))[:, 0] - torch.from_numpy(data.y)).square().mean())}

    return task, fit(task, data, made, valid=valid, folder=folder, progress=False)


if __name__ == "__main__":
    if sys.argv[2] == "kill":
        train(rich(), Path(sys.argv[1]), at=int(sys.argv[3]), stop=lambda: os.kill(os.getpid(), signal.SIGKILL))
    else:
        train(recipe(accumulate=2), Path(sys.argv[1]), plain=True)
