"""Recipes: everything about a training run that is not the model or the data, as typed dataclasses.

A system may derive from ``Recipe`` to add options of its own; the command line then offers those too.
"""

from dataclasses import dataclass, field
from typing import Literal


@dataclass
class Optim:
    """Which optimiser, and how far it steps."""

    name: Literal["adamw", "adam", "sgd", "adamp", "sgdp"] = "adamw"
    """The optimiser; adamp and sgdp are those of auricle.train.optim.adamp."""

    lr: float = 1e-3
    """Learning rate at its highest, before the schedule."""

    weight_decay: float = 0.0
    """Weight decay: decoupled for adamw, adamp and sgdp, added to the gradient for adam and sgd."""

    betas: tuple[float, float] = (0.9, 0.999)
    """Decay of the two moments; the Adam family."""

    eps: float = 1e-8
    """What keeps divisions finite; the Adam family and sgdp."""

    momentum: float = 0.9
    """Momentum of sgd and sgdp."""

    nesterov: bool = False
    """Nesterov's momentum; sgd, sgdp and adamp."""

    def __post_init__(self):
        _positive("optim.lr", self.lr)
        _positive("optim.weight_decay", self.weight_decay, zero=True)


@dataclass
class Schedule:
    """How the learning rate changes, as a factor of ``Optim.lr``; counted in optimiser steps."""

    name: Literal["constant", "cosine", "linear", "step", "one_cycle"] = "constant"
    """The shape after the warm-up; one_cycle brings its own warm-up, over the first 30 % of the steps."""

    warmup: int = 0
    """Steps over which the factor rises linearly from near 0 to 1."""

    floor: float = 0.0
    """Factor at the end of cosine and linear."""

    every: int = 1000
    """Steps between two drops of step."""

    gamma: float = 0.1
    """Factor of each drop of step."""

    def __post_init__(self):
        _positive("schedule.warmup", self.warmup, zero=True)
        _positive("schedule.every", self.every)


@dataclass
class Recipe:
    """One training run. The same recipe, data and number of threads give the same bits on a CPU."""

    steps: int = 1000
    """Optimiser steps."""

    batch: int = 32
    """Items of one forward pass, over all processes together: how many processes share the work changes nothing."""

    accumulate: int = 1
    """Forward passes whose gradients are averaged into one step."""

    precision: Literal["no", "fp16", "bf16"] = "no"
    """Mixed precision: fp16 scales the loss and needs a GPU."""

    clip: float | None = None
    """Largest norm of the gradient over all parameters."""

    ema: float | None = None
    """Decay per step of an exponential moving average of the weights, which is then what is evaluated and kept."""

    seed: int = 0
    """Seed of the order of the data and of everything random in the model."""

    evaluate_every: int | None = None
    """Steps between two evaluations (default: only after the last step)."""

    patience: int | None = None
    """Evaluations in a row without improvement after which the run ends."""

    save_every: int | None = None
    """Steps between two checkpoints (default: at each evaluation)."""

    log_every: int = 10
    """Steps averaged into one line of the log."""

    workers: int = 0
    """Processes that load data, for each training process; with 0 it loads its own."""

    optim: Optim = field(default_factory=Optim)

    schedule: Schedule = field(default_factory=Schedule)

    def __post_init__(self):
        for name in ("steps", "batch", "accumulate", "log_every"):
            _positive(name, getattr(self, name))
        for name in ("clip", "evaluate_every", "patience", "save_every"):
            if (value := getattr(self, name)) is not None:
                _positive(name, value)
        if self.ema is not None and not 0 < self.ema < 1:
            raise ValueError(f"ema = {self.ema} where a decay between 0 and 1 is needed")


def _positive(name: str, value: float, *, zero: bool = False) -> None:
    if not (value > 0 or (zero and value == 0)):
        raise ValueError(f"{name} = {value} where a number {'≥' if zero else '>'} 0 is needed")
