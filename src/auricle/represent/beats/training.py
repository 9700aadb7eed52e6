"""Training BEATs: predict the labels of hidden patches, teach a tokenizer by what was learned, and begin again.

The claim in miniature: labels of a taught tokenizer are better to learn from than those of a random projection, and
they mean something, for noise and another level change them less. Arms: ``random``, an encoder that was never trained;
``iteration_1``, on a random projection's labels; ``iteration_2``, from scratch on those of a tokenizer taught by
iteration 1. Each is measured by a linear classifier on its frozen embeddings of sounds from sources never heard.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from auricle.represent import _mini
from auricle.represent.beats.model import Config, Layers, Model
from auricle.represent.beats.tokenizer import Distillation, RandomTokenizer, Tokenizer
from auricle.train import Experiment, Optim, Recipe, Schedule, fit
from auricle.train.task import Task as BaseTask

MASKED = 0.75  # share of the patches that are hidden


class Task(BaseTask):
    """Masked acoustic modelling on ``{"wave": [n, samples]}``: cross-entropy of the labels of hidden patches.

    Only the visible quarter goes through the encoder; a predictor of a few layers sees what it gave, and one learned
    vector in the places of the rest.
    """

    def __init__(self, model: Model, tokenizer: RandomTokenizer | Tokenizer, layers: int = 3):
        super().__init__()
        self.model, self.tokenizer = model, tokenizer.requires_grad_(False)
        self.mask = nn.Parameter(0.02 * torch.randn(model.dim))
        self.predictor = Layers(model.config, layers)
        self.head = nn.Linear(model.dim, tokenizer.count)

    def train(self, mode: bool = True) -> "Task":
        super().train(mode)
        self.tokenizer.eval()
        return self

    def training_step(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        mel = self.model.front_end(batch["wave"])
        labels = self.tokenizer(mel)
        order = torch.rand(labels.shape, device=mel.device).argsort(dim=1)
        hidden, visible = order.split(
            (round(MASKED * order.shape[1]), order.shape[1] - round(MASKED * order.shape[1])), 1
        )
        heard = self.model.encoder(mel, visible=visible)
        places = visible[..., None].expand_as(heard)
        tokens = self.mask.to(heard.dtype).expand(*labels.shape, -1).scatter(1, places, heard)
        positions = torch.arange(tokens.shape[1], device=mel.device)[None]
        logits = self.head(self.predictor(tokens, positions))
        logits = logits.gather(1, hidden[..., None].expand(-1, -1, logits.shape[-1])).flatten(0, 1)
        labels = labels.gather(1, hidden).flatten()
        accuracy = (logits.argmax(dim=-1) == labels).float().mean()
        return {"loss": functional.cross_entropy(logits, labels), "accuracy": accuracy}


@dataclass
class IteratedRecipe(Recipe):
    """A recipe of one iteration's encoder, with that of the tokenizer between two in it."""

    tokenizer: Recipe = field(default_factory=Recipe)


ADAM = Optim(name="adamw", lr=5e-4, weight_decay=0.01, betas=(0.9, 0.98))
LINEAR = Schedule("linear", warmup=32_000)
PRESETS = {
    # 5600 s and 1400 s of sound a batch, in clips of 10 s; the paper's appendix
    "paper": IteratedRecipe(
        steps=400_000,
        batch=560,
        optim=ADAM,
        schedule=LINEAR,
        tokenizer=Recipe(steps=400_000, batch=140, optim=replace(ADAM, lr=5e-5), schedule=LINEAR),
    ),
    "mini": IteratedRecipe(
        steps=400,
        batch=32,
        optim=replace(ADAM, lr=1e-3),
        schedule=Schedule("linear", warmup=40),
        tokenizer=Recipe(steps=250, batch=32, optim=replace(ADAM, lr=1e-3), schedule=Schedule("linear", warmup=25)),
    ),
    "smoke": IteratedRecipe(steps=2, batch=4, optim=ADAM, tokenizer=Recipe(steps=2, batch=4, optim=ADAM)),
}
ARMS = ("random", "iteration_1", "iteration_2")
SEEDS = 3

MINI = Config(width=96, layers=4, heads=4, hidden=384, patch_width=64, kernel=32, dropout=0.0, attention_dropout=0.0)
CODES, CODE_WIDTH = 64, 32
PREDICTOR = 2  # layers


@cache
def iteration_1(seed: int, preset: str) -> tuple[Model, RandomTokenizer]:
    """An encoder that learned the labels of a random projection, and that projection."""
    torch.manual_seed(seed)
    tokenizer = RandomTokenizer(MINI, CODES, CODE_WIDTH, seed)
    task = Task(Model(MINI), tokenizer, PREDICTOR)
    fit(task, _mini.Sounds(seed), replace(PRESETS[preset], seed=seed), progress=False)
    return task.model, tokenizer


def iteration_2(seed: int, preset: str) -> tuple[Model, Tokenizer]:
    """An encoder that learned, from scratch, the labels of a tokenizer taught by iteration 1, and that tokenizer."""
    torch.manual_seed(seed)
    recipe = PRESETS[preset]
    teaching = Distillation(Tokenizer(MINI, CODES, CODE_WIDTH), iteration_1(seed, preset)[0])
    fit(teaching, _mini.Sounds(seed), replace(recipe.tokenizer, seed=seed), progress=False)
    torch.manual_seed(seed)
    task = Task(Model(MINI), teaching.tokenizer, PREDICTOR)
    fit(task, _mini.Sounds(seed), replace(recipe, seed=seed), progress=False)
    return task.model, teaching.tokenizer


def experiment(preset: str = "mini") -> Experiment:
    """The first iteration on the mini sets, as ``auricle train beats`` does it; validated by a linear classifier."""
    recipe = PRESETS[preset]
    torch.manual_seed(recipe.seed)
    task = Task(Model(MINI), RandomTokenizer(MINI, CODES, CODE_WIDTH, recipe.seed), PREDICTOR)
    return _mini.pretraining(task, recipe)


def replicate(seed: int, arm: str, preset: str = "mini") -> dict[str, float]:
    """Trains up to one iteration: accuracy of the linear classifier; of its tokenizer, stability and perplexity.

    ``stability`` is the share of labels that stay under noise at 20 dB and a change of level within 3 dB;
    ``perplexity`` how many of 64 codes are in use. Both are 0 in the arm without a tokenizer.
    """
    every = _mini.EVERY[preset]
    if arm == "random":
        torch.manual_seed(seed)
        return {"accuracy": _mini.probed(Model(MINI), every=every), "stability": 0.0, "perplexity": 0.0}
    model, tokenizer = (iteration_1 if arm == "iteration_1" else iteration_2)(seed, preset)
    return {"accuracy": _mini.probed(model, every=every), **robustness(tokenizer.eval())}


def robustness(tokenizer: RandomTokenizer | Tokenizer) -> dict[str, float]:
    """``stability`` and ``perplexity`` of a tokenizer on the test clips."""
    rng = np.random.default_rng(0)
    waves = _mini.labelled("test")[0]
    power = np.mean(np.square(waves), axis=1, keepdims=True)
    noise = rng.standard_normal(waves.shape) * np.sqrt(power / 100)
    changed = (waves + noise) * 10 ** (rng.uniform(-3, 3, (len(waves), 1)) / 20)
    front_end = Model(MINI).front_end
    before, after = (
        _mini.in_parts(lambda part: tokenizer(front_end(part)), each.astype(np.float32)) for each in (waves, changed)
    )
    share = np.bincount(before.astype(int).ravel(), minlength=tokenizer.count) / before.size
    share = share[share > 0]
    return {"stability": float(np.mean(before == after)), "perplexity": float(np.exp(-np.sum(share * np.log(share))))}


def claims(values: Mapping[str, Mapping[str, NDArray[np.float64]]]) -> dict[str, bool]:
    """Judges the results of all arms; thresholds were fixed before any was seen."""
    accuracy = {arm: values[arm]["accuracy"].mean() for arm in ARMS}
    stability = {arm: values[arm]["stability"].mean() for arm in ARMS}
    return {
        "a linear classifier on iteration 1 is 8 points above one on a random encoder in the mean": bool(
            accuracy["iteration_1"] - accuracy["random"] >= 0.08
        ),
        "a linear classifier on iteration 2 is 2 points above one on iteration 1 in the mean": bool(
            accuracy["iteration_2"] - accuracy["iteration_1"] >= 0.02
        ),
        "noise and another level leave 15 points more of the taught tokenizer's labels than of the projection's": bool(
            stability["iteration_2"] - stability["iteration_1"] >= 0.15
        ),
        "the taught tokenizer uses at least an eighth of its codes, by their perplexity, with every seed": bool(
            np.all(values["iteration_2"]["perplexity"] >= CODES / 8)
        ),
    }


def data() -> str:
    """Fingerprints of the sounds."""
    return _mini.data()
