"""The claim in miniature: many workers, balanced, make the encoder that serves most of the tasks that come after.

Notes of eight made-up instruments, 31 pitches and four rates; linear classifiers ask a frozen encoder for each. Arms:
``random``, an encoder never trained; one worker alone (``logmel``, ``mfcc``, ``chroma``, ``tempogram``); all four: with
values as they are (``raw``), where the one with the largest numbers rules, normalised (``equal``), or as they are with
learned weights (``uncertainty``).
"""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray

from auricle.represent import _notes
from auricle.represent.multitask_music_ssl.model import Config, Model
from auricle.represent.multitask_music_ssl.workers import Targets, Task
from auricle.train import Experiment, Optim, Recipe, Schedule, fit

SINGLE = ("logmel", "mfcc", "chroma", "tempogram")
MULTIPLE = ("raw", "equal", "uncertainty")
ARMS = ("random", *SINGLE, *MULTIPLE)
SEEDS = 3
SECONDS = 1.5
NOTES = {"paper": 900, "mini": 900, "smoke": 60}  # to pretrain on, and as many for each probe
MINI = Config(
    kernels=(65, 11, 11, 11, 11), strides=(5, 4, 2, 2, 2), channels=(24, 32, 48, 64, 64), width=48, sample_rate=8000
)

ADAM = Optim(name="adam", lr=1e-3)
PRESETS = {
    # PASE+: 400 epochs of 2 s chunks, the workers at half of the encoder's rate
    "paper": Recipe(steps=400_000, batch=16, optim=ADAM, schedule=Schedule("linear")),
    "mini": Recipe(
        steps=500, batch=16, optim=replace(ADAM, name="adamw", lr=2e-3), schedule=Schedule("cosine", warmup=50)
    ),
    "smoke": Recipe(steps=2, batch=4, optim=ADAM),
}


def mini_task(arm: str, seed: int, preset: str) -> Task:
    """A small encoder with the workers of an arm."""
    torch.manual_seed(seed)
    model = Model(MINI)
    targets = Targets(MINI, (arm,) if arm in SINGLE else SINGLE, low=65.4, octaves=4, lags=32)
    sounds = torch.from_numpy(_notes.notes(NOTES[preset], seed, SECONDS).waves[:200])
    raw = arm in ("raw", "uncertainty")
    return Task(model, targets, None if raw else sounds, "uncertainty" if arm == "uncertainty" else "equal", hidden=64)


def experiment(preset: str = "mini") -> Experiment:
    """All workers, normalised, as ``auricle train multitask_music_ssl`` does it; validated by linear classifiers."""
    recipe = PRESETS[preset]
    return Experiment(
        mini_task("equal", recipe.seed, preset),
        _notes.notes(NOTES[preset], recipe.seed, SECONDS).items(),
        recipe,
        lambda task: measured(task.model, preset),
        monitor="mean",
        data=data(),
    )


def replicate(seed: int, arm: str, preset: str = "mini") -> dict[str, float]:
    """Pretrains with an arm's workers: accuracy of linear classifiers of family, pitch and pulse, and their mean."""
    task = mini_task(arm, seed, preset)
    if arm != "random":
        sounds = _notes.notes(NOTES[preset], seed, SECONDS).items()
        fit(task, sounds, replace(PRESETS[preset], seed=seed), progress=False)
    return measured(task.model, preset)


def measured(model: Model, preset: str) -> dict[str, float]:
    """Accuracy of linear classifiers on the embeddings."""
    found = _notes.probed(model.eval().embed, NOTES[preset], seconds=SECONDS)
    return {**found, "mean": float(np.mean(list(found.values())))}


def claims(values: Mapping[str, Mapping[str, NDArray[np.float64]]]) -> dict[str, bool]:
    """Judges the results of all arms; thresholds were fixed before any was seen."""
    mean = {arm: values[arm]["mean"].mean() for arm in ARMS}
    pitch = {arm: values[arm]["pitch"].mean() for arm in ARMS}
    return {
        "with all workers, however weighed, the three classifiers are 8 points above a random encoder's on average": (
            bool(min(mean[arm] for arm in MULTIPLE) - mean["random"] >= 0.08)
        ),
        "normalised values or learned weights tell pitch 15 points more often than values as they are": bool(
            max(pitch["equal"], pitch["uncertainty"]) - pitch["raw"] >= 0.15
        ),
        "all workers, normalised, are on average no worse than single workers are on average": bool(
            mean["equal"] >= np.mean([mean[arm] for arm in SINGLE])
        ),
        "all workers, normalised, are on average above every single worker": bool(
            mean["equal"] > max(mean[arm] for arm in SINGLE)
        ),
    }


def data() -> str:
    """What the notes are made by."""
    return "notes-1"
