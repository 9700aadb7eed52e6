"""Training PANNs, and their claim in miniature: what a tagger has learned elsewhere helps where labels are few.

There is no AudioSet here, so the pretraining is one in small: scenes of 2 s into which one to three real sounds (drum
strokes, instruments, spoken digits and letters) are dropped, labelled with what occurs and not when, every class drawn
equally often. The targets are sound events, a task of other classes, other sources and other recordists, tested on
sources that were not trained on. Arms: ``scratch``; ``frozen``, a linear classifier on the pretrained embedding; and
``finetuned``, all weights trained on. Each is trained on four clips of every class, and on all there are.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from auricle import data as sets
from auricle.data.clips import Clips
from auricle.metrics.classification import accuracy, mean_average_precision
from auricle.nn.mix import mix_pairs
from auricle.represent.panns.model import Config, Model
from auricle.train import Experiment, Optim, Recipe, fit
from auricle.train.task import Task as BaseTask


class Task(BaseTask):
    """Tagging: binary cross-entropy of the scores, on pairs mixed with weights uniform in [0, 1] if ``mixup``.

    A batch is ``{"wave": [n, samples], "target": [n, classes] of 0 and 1, or [n] of class numbers}``, n even for mixup.
    With class numbers and no mixup the loss is the cross-entropy of the logits, as in the paper's transfers.
    """

    def __init__(self, model: Model, mixup: bool = True):
        super().__init__()
        self.model, self.mixup = model, mixup

    def training_step(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        wave, target = batch["wave"], batch["target"]
        if not self.mixup and target.dim() == 1:
            return {"loss": functional.cross_entropy(self.model(wave)["logits"], target)}
        if target.dim() == 1:
            target = functional.one_hot(target, len(self.model.classes)).to(wave.dtype)
        mix = torch.rand(len(wave) // 2, device=wave.device) if self.mixup else None
        return {"loss": functional.binary_cross_entropy(self.model(wave, mix)["scores"], mix_pairs(target, mix))}


@dataclass
class TransferRecipe(Recipe):
    """A recipe of the target task, with that of the pretraining in it."""

    pretraining: Recipe = field(default_factory=Recipe)


ADAM = Optim(name="adam", lr=1e-3)  # the authors' is AMSGrad, which makes no difference at this length
PRESETS = {
    # 32 mixtures of 64 clips; 600,000 iterations, section V-B
    "paper": TransferRecipe(
        steps=10_000, batch=32, optim=replace(ADAM, lr=1e-4), pretraining=Recipe(steps=600_000, batch=64, optim=ADAM)
    ),
    "mini": TransferRecipe(steps=80, batch=32, optim=ADAM, pretraining=Recipe(steps=600, batch=64, optim=ADAM)),
    "smoke": TransferRecipe(steps=3, batch=8, optim=ADAM, pretraining=Recipe(steps=3, batch=8, optim=ADAM)),
}
ARMS = ("scratch", "frozen", "finetuned")
SEEDS = 3

MINI = Config(  # Cnn6 at a quarter of its width, at 16 kHz and 50 frames a second
    channels=(16, 32, 64, 128),
    kernel=5,
    embedding=128,
    sample_rate=16_000,
    fft=512,
    hop=320,
    high=8000.0,
    spec_augment=False,  # two stripes of up to 1.3 s are too much of 2 s
)
SECONDS = 2.0
PROBE_LR = 1e-2  # a single layer bears, and in so few steps needs, longer ones
SHOTS = 4
SOURCES = ("drums", "instruments", "digits", "letters")  # the sounds of the pretraining


class Scenes:
    """Weakly labelled scenes: ``{"wave": [samples], "target": [classes]}`` of one to three sounds each.

    A map-style data set; what item ``i`` holds follows from the seed, the epoch and ``i``.
    """

    def __init__(self, length: int, seed: int):
        self.length, self.seed, self.epoch = length, seed, 0
        waves, classes, self.by_class = real_sounds()
        self.waves, self.classes = waves, classes

    def __len__(self) -> int:
        return self.length

    def set_epoch(self, epoch: int) -> None:
        self.epoch = epoch

    def __getitem__(self, index: int) -> dict[str, Any]:
        rng = np.random.default_rng((self.seed, self.epoch, index))
        wave = np.zeros(round(SECONDS * MINI.sample_rate), np.float32)
        target = np.zeros(len(self.classes), np.float32)
        for kind in rng.integers(len(self.classes), size=rng.integers(1, 4)):  # every class is drawn equally often
            sound = self.waves[rng.choice(self.by_class[kind])]
            start, first = rng.integers(len(wave) - MINI.sample_rate // 4), rng.integers(max(1, len(sound) - len(wave)))
            part = sound[first : first + len(wave) - start]
            wave[start : start + len(part)] += part * np.float32(10 ** (-rng.uniform(0, 12) / 20))
            target[kind] = 1
        return {"wave": wave / max(1.0, float(np.abs(wave).max())), "target": target}


@cache
def real_sounds() -> tuple[list[NDArray[np.float32]], tuple[str, ...], list[NDArray[np.int64]]]:
    """The sounds scenes are made of, each at its peak of 0.5; their classes; and the indices of each class's sounds."""
    waves, labels = [], []
    for source in SOURCES:
        manifest = sets.mini(source, "grouped")
        clips = Clips(manifest, MINI.sample_rate, None, cache=False)
        for index, (label,) in enumerate(manifest.column("labels")):
            wave = clips[index]["wave"]
            waves.append(0.5 * wave / max(1e-4, float(np.abs(wave).max())))
            labels.append(f"{source}/{label}")
    classes = tuple(sorted(set(labels)))
    return waves, classes, [np.flatnonzero(np.array(labels) == name) for name in classes]


@cache
def pretrained(seed: int, preset: str) -> dict[str, Tensor]:
    """State dict of the body and embedding of a network trained on scenes."""
    recipe = replace(PRESETS[preset].pretraining, seed=seed)
    torch.manual_seed(seed)
    scenes = Scenes(recipe.batch * recipe.steps, seed)
    task = Task(Model(MINI, scenes.classes))
    fit(task, scenes, recipe, progress=False)
    return {name: value for name, value in task.model.state_dict().items() if not name.startswith("fc_audioset.")}


@cache
def events(split: str) -> Clips:
    """Sound events whose classes are heard in training; the test split is of other sources."""
    manifest = sets.mini("events")
    heard = {label for labels in manifest.split("train").column("labels") for label in labels}
    return Clips(manifest.keep_classes(sorted(heard)).split(split), MINI.sample_rate, SECONDS, crop="centre")


@cache
def items(split: str) -> list[dict[str, Any]]:
    """The clips of a split, decoded once."""
    clips = events(split)
    return [clips[index] for index in range(len(clips))]


def few(clips: list[dict[str, Any]], shots: int, seed: int) -> list[dict[str, Any]]:
    """At most ``shots`` clips of every class, drawn by ``seed``."""
    targets = np.array([clip["target"] for clip in clips])
    rng = np.random.default_rng(seed)
    chosen = [rng.permutation(np.flatnonzero(targets == kind))[:shots] for kind in np.unique(targets)]
    return [clips[index] for index in np.sort(np.concatenate(chosen))]


@torch.no_grad()
def evaluate(model: Model, clips: list[dict[str, Any]]) -> dict[str, float]:
    """Macro mean average precision and accuracy of ``model`` on ``clips`` of class numbers."""
    model.eval()
    waves, targets = np.stack([clip["wave"] for clip in clips]), np.array([clip["target"] for clip in clips])
    scores = np.concatenate([model.tag(part).numpy() for part in torch.from_numpy(waves).split(64)])
    truth = np.eye(len(model.classes))[targets]
    return {"map": mean_average_precision(scores, truth), "accuracy": accuracy(scores, targets)}


def transferred(seed: int, arm: str, preset: str, clips: list[dict[str, Any]]) -> Model:
    """A tagger of events, trained on ``clips`` as ``arm`` does it."""
    torch.manual_seed(seed)
    task = Task(Model(MINI, events("train").classes), mixup=False)
    if arm != "scratch":
        task.model.load_state_dict(pretrained(seed, preset), strict=False)
    recipe = replace(PRESETS[preset], seed=seed)
    if arm == "frozen":
        task, recipe = Probe(task.model), replace(recipe, optim=replace(recipe.optim, lr=PROBE_LR))
    fit(task, clips, recipe, progress=False)
    return task.model


class Probe(Task):
    """Trains the last layer on embeddings that the rest, left as it is, gives."""

    def __init__(self, model: Model):
        super().__init__(model, mixup=False)
        model.requires_grad_(False)
        model.fc_audioset.requires_grad_(True)

    def train(self, mode: bool = True) -> "Probe":
        return super().train(False)  # neither dropout nor new statistics of the batch norms


def experiment(preset: str = "mini") -> Experiment:
    """Pretraining on scenes, as ``auricle train panns`` does it."""
    recipe = PRESETS[preset].pretraining
    scenes, held_out = (Scenes(length, seed) for seed, length in enumerate((recipe.batch * recipe.steps, 256)))
    clips = [held_out[index] for index in range(len(held_out))]

    def valid(task: Task) -> dict[str, float]:
        waves, truth = (torch.from_numpy(np.stack([clip[part] for clip in clips])) for part in ("wave", "target"))
        return {"map": mean_average_precision(task.model.tag(waves).numpy(), truth.numpy())}

    return Experiment(Task(Model(MINI, scenes.classes)), scenes, recipe, valid, monitor="map", data=data())


def replicate(seed: int, arm: str, preset: str = "mini") -> dict[str, float]:
    """Trains one arm twice, on few and on all clips; test results on held-out sources, those of few with ``few_``."""
    clips, test = items("train"), items("test")
    if preset == "smoke":
        test = test[::8]
    on_few = evaluate(transferred(seed, arm, preset, few(clips, SHOTS, seed)), test)
    return evaluate(transferred(seed, arm, preset, clips), test) | {f"few_{name}": on_few[name] for name in on_few}


def claims(values: Mapping[str, Mapping[str, NDArray[np.float64]]]) -> dict[str, bool]:
    """Judges the results of all arms; thresholds were fixed before any was seen."""
    gain = {name: values["finetuned"][name] - values["scratch"][name] for name in ("map", "few_map")}
    return {
        "with 4 clips of a class, fine-tuning beats training from scratch by 0.03 mAP in the mean": bool(
            gain["few_map"].mean() >= 0.03
        ),
        "with all clips, fine-tuning beats training from scratch in the mean": bool(gain["map"].mean() > 0),
        "with 4 clips of a class, fine-tuning beats training from scratch with every seed": bool(
            np.all(gain["few_map"] > 0)
        ),
    }


def data() -> str:
    """Fingerprints of the sounds."""
    return ",".join(sets.mini(task).fingerprint()[:16] for task in ("events", *SOURCES))
