"""Systems as something to train: found by name, or in a file of one's own that has the same shape."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import torch

from auricle.errors import AuricleError
from auricle.hub.registry import module_of
from auricle.train.recipe import Recipe
from auricle.train.task import Experiment, Metrics


def module(name: str) -> ModuleType:
    """The module of a system, or the one in the file ``name`` when that ends in ``.py``.

    Raises:
        AuricleError: there is neither.
    """
    if not name.endswith(".py"):
        return module_of(name)
    path = Path(name).expanduser()
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if not path.is_file() or spec is None or spec.loader is None:
        raise AuricleError(f"There is no file {path}", "Name a Python file with PRESETS and experiment(preset)")
    made = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = made  # dataclasses look their module up
    spec.loader.exec_module(made)
    return made


def recipe(name: str, preset: str) -> Recipe:
    """The recipe of a preset.

    Raises:
        AuricleError: the system has nothing to train, or no such preset.
    """
    found = module(name)
    if not hasattr(found, "experiment"):
        raise AuricleError(f"{name} has nothing to train", "Its module has no experiment(preset)")
    if preset not in found.PRESETS:
        raise AuricleError(f"{name} has no preset {preset!r}", f"Choose from: {', '.join(found.PRESETS)}")
    return found.PRESETS[preset]


def experiment(name: str, preset: str, changed: Recipe | None = None) -> Experiment:
    """The experiment of a preset, with another recipe if one is given; weights are drawn by the recipe's seed."""
    chosen = changed or recipe(name, preset)
    torch.manual_seed(chosen.seed)
    made: Experiment = module(name).experiment(preset)
    made.recipe = chosen
    return made


def measured(made: Experiment) -> Metrics:
    """Metrics on the test split, or, without one, on the validation split.

    Raises:
        AuricleError: the experiment measures nothing.
    """
    measure: Any = made.test or made.valid
    if measure is None:
        raise AuricleError("This experiment measures nothing", "Give its Experiment a valid or a test")
    made.task.eval()
    with torch.no_grad():
        return {metric: float(value) for metric, value in measure(made.task).items()}


def trained(folder: Path) -> Experiment:
    """The experiment of a run folder, with the weights that were kept.

    Raises:
        AuricleError: the folder holds no finished run of a system.
    """
    import json

    from safetensors.torch import load_file

    from auricle.train.loop import WEIGHTS

    try:
        about = json.loads((folder / "run.json").read_text())
        weights = load_file(folder / WEIGHTS)
        made = experiment(about["system"], about["preset"])
    except (OSError, KeyError) as error:
        raise AuricleError(f"{folder} holds no run of a system", "`auricle train NAME` makes one") from error
    made.task.load_state_dict(weights)
    return made
