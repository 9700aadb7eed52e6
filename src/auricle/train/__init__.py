"""Training: one loop for every system, its recipes and schedules, and the runner that re-checks a paper's claim.

A system brings a ``Task`` (a module whose ``training_step`` returns the loss) and a ``Recipe`` for each preset;
``fit`` does the rest. What ``auricle train NAME`` needs of a system's module is one function,

    def experiment(preset: str = "mini") -> auricle.train.Experiment

and what ``auricle replicate NAME`` needs is ``ARMS``, ``replicate(seed, arm, preset)`` and ``claims(values)``; see
``auricle.train.replicate``.

Names are imported when first used: recipes can be read, and options parsed, without torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from auricle.train.loop import Run, fit
    from auricle.train.recipe import Optim, Recipe, Schedule
    from auricle.train.task import Experiment, Task

_HOME = {  # public name -> module that defines it
    "Experiment": "auricle.train.task",
    "Optim": "auricle.train.recipe",
    "Recipe": "auricle.train.recipe",
    "Run": "auricle.train.loop",
    "Schedule": "auricle.train.recipe",
    "Task": "auricle.train.task",
    "fit": "auricle.train.loop",
}

__all__ = ["Experiment", "Optim", "Recipe", "Run", "Schedule", "Task", "fit"]


def __getattr__(name: str):
    if name not in _HOME:
        raise AttributeError(f"module 'auricle.train' has no attribute {name!r}")
    return getattr(import_module(_HOME[name]), name)
