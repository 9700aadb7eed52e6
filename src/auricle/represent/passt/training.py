"""Training PaSST, and its claim in miniature: a step without half of the patches is faster and teaches no less.

A network of four layers learns 44 classes of real sounds of 1 s and is tested on sources, drummers and voices that it
never heard. Arms: ``none``, all patches; ``structured`` and ``unstructured``, in which a step leaves 56 % of them out;
and ``longer``, structured for 1.7 times as many steps, which take as long as those of ``none`` if the claim holds.
"""

import time
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from auricle.metrics.classification import accuracy
from auricle.represent import _mini
from auricle.represent.passt.model import Config, Model
from auricle.train import Experiment, Optim, Recipe, Schedule, fit
from auricle.train.task import Metrics
from auricle.train.task import Task as BaseTask


class Task(BaseTask):
    """Cross-entropy on a batch ``{"wave": [n, samples], "target": [n, classes] in [0, 1], or [n] of class numbers}``.

    Binary for vectors, of the classes for numbers. ``augment``: waveforms are turned by up to 50 samples, made louder
    or softer by up to 7 dB and, every other batch, mixed; then spectrograms are. Labels are mixed likewise.
    """

    def __init__(self, model: Model, augment: bool = True):
        super().__init__()
        self.model, self.augment = model, augment

    def training_step(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        wave, target = batch["wave"], batch["target"]
        single = target.dim() == 1
        target = functional.one_hot(target, len(self.model.classes)).to(wave.dtype) if single else target
        if self.augment:
            wave = wave.roll(int(torch.randint(-50, 51, ())), dims=-1)
            wave = wave * 10 ** ((torch.rand(len(wave), 1) * 14 - 7) / 20).to(wave.device)
            if torch.rand(()) < 0.5:
                wave, target = mixed(wave - wave.mean(dim=-1, keepdim=True), target, 2.0)
        mel = self.model.front_end(wave)
        if self.augment:
            mel, target = mixed(mel, target, 0.3)
        logits = self.model.hear(mel)["logits"]
        loss = functional.cross_entropy if single else functional.binary_cross_entropy_with_logits
        return {"loss": loss(logits, target)}


def mixed(x: Tensor, target: Tensor, spread: float) -> tuple[Tensor, Tensor]:
    """``x`` [batch, ...] and ``target`` [batch, classes] mixed with others of the batch, each mostly itself.

    Its own share is the larger part of a draw from Beta(spread, spread).
    """
    share = torch.distributions.Beta(spread, spread).sample((len(x),)).to(x)
    share, other = torch.maximum(share, 1 - share), torch.randperm(len(x)).to(x.device)
    ours, theirs = share.view(-1, *(1,) * (x.dim() - 1)), share[:, None]
    return ours * x + (1 - ours) * x[other], theirs * target + (1 - theirs) * target[other]


ARMS = ("none", "structured", "unstructured", "longer")
SEEDS = 3
ADAMW = Optim(name="adamw", lr=2e-5, weight_decay=1e-4)
EPOCH = 8_333  # steps: 100,000 clips
PRESETS = {
    "paper": Recipe(
        steps=130 * EPOCH, batch=12, optim=ADAMW, schedule=Schedule("linear", warmup=5 * EPOCH, floor=0.01)
    ),
    "mini": Recipe(steps=250, batch=32, optim=replace(ADAMW, lr=1e-3), schedule=Schedule("cosine", warmup=20)),
    "smoke": Recipe(steps=2, batch=4, optim=replace(ADAMW, lr=1e-3)),
}
MINI = Config(
    width=96,
    layers=4,
    heads=4,
    hidden=384,
    stride=6,  # 9 rows and 15 columns
    drop_columns=0,
    drop_rows=0,
    sample_rate=_mini.RATE,
    fft=512,
    window=400,
    hop=160,
    bands=64,
    frames=100,
    high=7000.0,
    spec_augment=False,  # stripes of up to 1.9 s and 48 bands are too much of 1 s and 64
)
PATCHOUT = {
    "none": {},
    "structured": {"drop_columns": 5, "drop_rows": 3},  # 60 of 135 stay
    "unstructured": {"drop_tokens": 75},
}
PATCHOUT["longer"] = PATCHOUT["structured"]
LONGER = 1.7


def network(arm: str) -> Model:
    """What ``arm`` trains."""
    return Model(replace(MINI, **PATCHOUT[arm]), _mini.labelled("train")[2])


def clips(split: str) -> list[dict[str, NDArray]]:
    """The sounds of a split as items of a data set."""
    waves, targets, _ = _mini.labelled(split)
    return [{"wave": wave, "target": target} for wave, target in zip(waves, targets, strict=True)]


def evaluate(model: Model, split: str) -> Metrics:
    """Accuracy of ``model`` on a split."""
    model.eval()
    waves, targets, _ = _mini.labelled(split)
    return {"accuracy": accuracy(_mini.in_parts(model.tag, waves), targets)}


def step_seconds(arm: str, batch: int, repeats: int = 5) -> float:
    """Processor time of the network's part of a training step, from spectrograms to gradients; the least of some."""
    model = network(arm).train()
    mel = torch.zeros(batch, MINI.frames, MINI.bands)

    def timed() -> float:
        begun = time.process_time()
        model.hear(mel)["logits"].sum().backward()
        return time.process_time() - begun

    return min(timed() for _ in range(1 + repeats))


def experiment(preset: str = "mini") -> Experiment:
    """The network with structured patchout, as ``auricle train passt`` trains it."""
    task = Task(network("structured"))
    return Experiment(
        task,
        clips("train"),
        PRESETS[preset],
        lambda task: evaluate(task.model, "valid"),
        lambda task: evaluate(task.model, "test"),
        monitor="accuracy",
        data=data(),
    )


def replicate(seed: int, arm: str, preset: str = "mini") -> Metrics:
    """Trains one arm: accuracy on the test split, and the processor time of a step of the network."""
    recipe = replace(PRESETS[preset], seed=seed)
    if arm == "longer":
        recipe = replace(recipe, steps=round(LONGER * recipe.steps))
    torch.manual_seed(seed)
    task = Task(network(arm))
    fit(task, clips("train"), recipe, progress=False)
    return evaluate(task.model, "test") | {"step_seconds": step_seconds(arm, recipe.batch)}


def claims(values: Mapping[str, Mapping[str, NDArray[np.float64]]]) -> dict[str, bool]:
    """Judges the results of all arms; thresholds were fixed before any was seen."""
    mean = {arm: values[arm]["accuracy"].mean() for arm in ARMS}
    cost = {arm: np.median(values[arm]["step_seconds"]) for arm in ARMS}
    return {
        "without 56 % of the patches a step of the network takes 1.7 times less": bool(
            cost["none"] >= LONGER * max(cost["structured"], cost["unstructured"])
        ),
        "after as many steps, structured patchout is at most one point of accuracy below all patches": bool(
            mean["structured"] >= mean["none"] - 0.01
        ),
        "after as many steps, unstructured patchout is at most one point of accuracy below all patches": bool(
            mean["unstructured"] >= mean["none"] - 0.01
        ),
        "in the same time, structured patchout is above all patches": bool(mean["longer"] > mean["none"]),
    }


def data() -> str:
    """Fingerprints of the sounds."""
    return _mini.data()
