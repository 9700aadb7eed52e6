"""UnFuSeD's claim in miniature: a student of clusters outdoes the teacher that they come from.

The teacher hears all mini sounds; the target is the 44 classes of events, drums and digits, of which the student is
given no labels. Arms: ``random``, an encoder never trained; ``teacher``; ``student``; ``plain``, a student without
self-distillation. Each is measured by LAPE's linear evaluation, tested on sources never heard.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from auricle.represent import _mini
from auricle.represent.unfused.evaluation import frame_means, linear_evaluation
from auricle.represent.unfused.model import Config, Model
from auricle.represent.unfused.stages import ALONE, Task, Teacher, Weighting, pseudo_labels
from auricle.train import Experiment, Optim, Recipe, Schedule, fit

ARMS = ("random", "teacher", "student", "plain")
SEEDS = 3
MINI = Config(channels=16, width=256)
CLUSTERS = {"paper": 1024, "mini": 64, "smoke": 4}


@dataclass
class StagedRecipe(Recipe):
    """A recipe of the teacher, with that of the student in it."""

    student: Recipe = field(default_factory=Recipe)


SGD = Optim(name="sgd", lr=0.03, weight_decay=1e-4)
ADAMW = Optim(name="adamw", lr=1e-3, weight_decay=0.01)
PRESETS = {
    # 90 epochs of FSD50K; 50 epochs of a target of 40,000 clips
    "paper": StagedRecipe(
        steps=9000,
        batch=512,
        optim=Optim(name="sgd", lr=0.005, weight_decay=1e-6),
        schedule=Schedule("cosine", warmup=1000),
        student=Recipe(steps=31_250, batch=64, optim=SGD),
    ),
    "mini": StagedRecipe(
        steps=240,
        batch=32,
        optim=ADAMW,
        schedule=Schedule("cosine", warmup=24),
        student=Recipe(steps=300, batch=32, optim=ADAMW, schedule=Schedule("cosine", warmup=30)),
    ),
    "smoke": StagedRecipe(steps=2, batch=4, optim=ADAMW, student=Recipe(steps=2, batch=8, optim=ADAMW)),
}


class Numbered:
    """The mini sounds, each with its number, cut anew in every epoch."""

    def __init__(self, seed: int, length: int | None = None):
        self.sounds = _mini.Sounds(seed, length)

    def __len__(self) -> int:
        return len(self.sounds)

    def set_epoch(self, epoch: int) -> None:
        self.sounds.set_epoch(epoch)

    def __getitem__(self, index: int) -> dict[str, Any]:
        return {**self.sounds[index], "index": index}


def make_teacher(seed: int, preset: str) -> tuple[Teacher, Numbered]:
    """A small teacher that has heard the mini sounds once, and these."""
    torch.manual_seed(seed)
    sounds = Numbered(seed, 40 if preset == "smoke" else None)
    model = Model(MINI)
    model.measure(torch.from_numpy(np.stack([sounds[place]["wave"] for place in range(0, len(sounds), 8)])))
    teacher = Teacher(model, len(sounds), CLUSTERS[preset], width=64, temperature=0.1)
    teacher.remember(sounds)
    return teacher, sounds


@cache
def taught(seed: int, preset: str) -> Model:
    """A teacher, trained."""
    teacher, sounds = make_teacher(seed, preset)
    fit(teacher, sounds, replace(PRESETS[preset], seed=seed), progress=False)
    return teacher.model


def experiment(preset: str = "mini") -> Experiment:
    """The teacher on the mini sounds, as ``auricle train unfused`` does it; validated by a linear classifier."""
    recipe = PRESETS[preset]
    teacher, sounds = make_teacher(recipe.seed, preset)
    return Experiment(
        teacher,
        sounds,
        recipe,
        lambda task: {"accuracy": _mini.probed(task.model, "valid")},
        monitor="accuracy",
        data=data(),
    )


def replicate(seed: int, arm: str, preset: str = "mini") -> dict[str, float]:
    """LAPE's linear evaluation of an arm's encoder on the target: accuracy ``last`` and ``best``."""
    every = _mini.EVERY[preset]
    waves, targets, names = _mini.labelled("train")
    waves, targets = waves[::every], targets[::every]
    if arm == "random":
        torch.manual_seed(seed)
        model = Model(MINI)
        model.measure(torch.from_numpy(waves))
    elif arm == "teacher":
        model = taught(seed, preset)
    else:
        model = student(seed, arm, preset, waves, len(names))
    heard, truth, _ = _mini.labelled("test")
    train = frame_means(model, waves), torch.from_numpy(targets)
    return linear_evaluation(train, (frame_means(model, heard[::every]), torch.from_numpy(truth[::every])), seed=seed)


def student(seed: int, arm: str, preset: str, waves: NDArray[np.float32], classes: int) -> Model:
    """A fresh encoder that learned the teacher's clusters of ``waves`` [n, samples]; no labels are read."""
    teacher = taught(seed, preset)
    clusters = pseudo_labels(_mini.in_parts(teacher.eval().embed, waves), classes, seed)
    torch.manual_seed(1000 + seed)
    model = Model(MINI)
    model.measure(torch.from_numpy(waves))
    task = Task(model, classes, ALONE if arm == "plain" else Weighting())
    items = [{"wave": wave, "target": cluster} for wave, cluster in zip(waves, clusters, strict=True)]
    fit(task, items, replace(PRESETS[preset].student, seed=seed), progress=False)
    return model


def claims(values: Mapping[str, Mapping[str, NDArray[np.float64]]]) -> dict[str, bool]:
    """Judges the results of all arms; thresholds were fixed before any was seen."""
    last = {arm: values[arm]["last"] for arm in ARMS}
    mean = {arm: each.mean() for arm, each in last.items()}
    better = np.sum(last["student"] > last["teacher"])
    return {
        "the student is one point above its teacher in the mean": bool(mean["student"] - mean["teacher"] >= 0.01),
        "the student is above its teacher with all seeds but one": bool(better >= len(last["teacher"]) - 1),
        "the student is 3 points above a random encoder in the mean": bool(mean["student"] - mean["random"] >= 0.03),
        "with self-distillation the student is no worse than without, in the mean": bool(
            mean["student"] >= mean["plain"]
        ),
    }


def data() -> str:
    """Fingerprints of the sounds."""
    return _mini.data()
