"""The miniature that self-supervised encoders are tried on: real sounds without labels, then few labels.

Pretraining hears a second from anywhere in 1,900 sounds: events, drum strokes, spoken digits, letters and sentences,
music. What it gave is measured on 44 classes of events, drum strokes and digits, tested on sources, drummers and voices
that were never heard: by fine-tuning on 4 clips a class, and by a linear classifier on frozen embeddings of all clips.
"""

from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from auricle import data as sets
from auricle.data.clips import Clips
from auricle.metrics.classification import accuracy
from auricle.train import Experiment, Recipe, fit
from auricle.train.task import Task

RATE, SECONDS = 16_000, 1.0
TASKS = ("events", "drums", "digits")
UNLABELLED = (*TASKS, "letters", "speech", "music")
SHOTS = 4  # clips a class to fine-tune on
EVERY = {"paper": 1, "mini": 1, "smoke": 4}  # of so many clips one is used for measuring


class Sounds:
    """``{"wave": [samples]}`` of every sound to pretrain on, cut anew in every epoch; a map-style data set.

    Args:
        seed: of the cuts.
        length: only so many of the sounds, evenly spread; None for all.
    """

    def __init__(self, seed: int, length: int | None = None):
        manifests = (sets.mini(name) for name in UNLABELLED)
        heard = (each.filter(split=("train", "reference")) for each in manifests)
        self.parts = [Clips(each, RATE, SECONDS, classes=(), seed=seed, pad="repeat") for each in heard]
        places = [(part, index) for part in self.parts for index in range(len(part))]
        self.places = places if length is None else places[:: len(places) // length][:length]

    def __len__(self) -> int:
        return len(self.places)

    def set_epoch(self, epoch: int) -> None:
        for part in self.parts:
            part.set_epoch(epoch)

    def __getitem__(self, index: int) -> dict[str, NDArray[np.float32]]:
        part, place = self.places[index]
        return {"wave": _at_peak(part[place]["wave"])}


def _at_peak(wave: NDArray[np.float32]) -> NDArray[np.float32]:
    return 0.5 * wave / max(1e-4, float(np.abs(wave).max()))


@cache
def labelled(split: str) -> tuple[NDArray[np.float32], NDArray[np.int64], tuple[str, ...]]:
    """The clips of a split [n, samples], their classes [n], and the names of the classes.

    Digits have no validation split; they are the last classes, so that numbers are the same in every split.
    """
    waves, targets, names = [], [], []
    for task in TASKS:
        manifest = sets.mini(task)
        if split not in manifest.column("split"):
            continue
        heard = sorted({label for labels in manifest.split("train").column("labels") for label in labels})
        clips = Clips(manifest.keep_classes(heard).split(split), RATE, SECONDS, "centre", heard, pad="repeat")
        for index in range(len(clips)):
            waves.append(_at_peak(clips[index]["wave"]))
            targets.append(len(names) + int(clips[index]["target"]))
        names += [f"{task}/{name}" for name in heard]
    return np.stack(waves), np.array(targets), tuple(names)


def pretraining(task: Any, recipe: Recipe) -> Experiment:
    """An encoder's own task on all sounds, validated by a linear classifier; the encoder is ``task.model``."""
    return Experiment(
        task,
        Sounds(recipe.seed),
        recipe,
        lambda task: {"accuracy": probed(task.model, "valid")},
        monitor="accuracy",
        data=data(),
    )


class Tagging(Task):
    """Cross-entropy of the logits on ``{"wave": [n, samples], "target": [n] of class numbers}``."""

    def __init__(self, model: Any):
        super().__init__()
        self.model = model

    def training_step(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        return {"loss": functional.cross_entropy(self.model(batch["wave"])["logits"], batch["target"])}


def finetuned(model: Any, recipe: Recipe, every: int = 1) -> float:
    """Accuracy on the test split of ``model``, which knows the classes, after training it on few clips of each.

    Only one in ``every`` clips is tested on.
    """
    waves, targets, _ = labelled("train")
    chosen = few(targets, SHOTS, recipe.seed)
    fit(Tagging(model), [{"wave": waves[i], "target": targets[i]} for i in chosen], recipe, progress=False)
    heard, truth, _ = labelled("test")
    return accuracy(in_parts(model.tag, heard[::every]), truth[::every])


def few(targets: NDArray[np.int64], shots: int, seed: int) -> NDArray[np.int64]:
    """Indices of at most ``shots`` clips of every class, drawn by ``seed``."""
    rng = np.random.default_rng(seed)
    return np.concatenate([rng.permutation(np.flatnonzero(targets == kind))[:shots] for kind in np.unique(targets)])


def probed(model: Any, split: str = "test", every: int = 1) -> float:
    """Accuracy on a split of a linear classifier, trained on embeddings of all training clips, or one in ``every``."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    model.eval()
    (heard, classes, _), (waves, truth, _) = labelled("train"), labelled(split)
    probe = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=2000))
    probe.fit(in_parts(model.embed, heard[::every]), classes[::every])
    return float(np.mean(probe.predict(in_parts(model.embed, waves[::every])) == truth[::every]))


@torch.no_grad()
def in_parts(function: Any, waves: NDArray[np.float32], size: int = 64) -> NDArray[np.float32]:
    """``function`` of ``waves`` [n, samples], a few at a time [n, ...]."""
    parts: Sequence[Tensor] = [function(part) for part in torch.from_numpy(waves).split(size)]
    return np.concatenate([part.float().numpy() for part in parts])


def data() -> str:
    """Fingerprints of the sounds."""
    return ",".join(sets.mini(task).fingerprint()[:16] for task in UNLABELLED)
