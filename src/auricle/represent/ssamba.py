"""SSAMBA: SSAST with state spaces in the place of attention, so that cost grows with the length and not its square.

Shams, Dindar, Jiang, Mesgarani, "SSAMBA: Self-Supervised Audio Representation Learning with Mamba State Space Model",
SLT 2024, arXiv 2405.11831. Patches, masks, heads and both losses are SSAST's; the encoder is Vision Mamba: every mixer
scans the tokens forwards and backwards, and layers work in pairs, the second of which is given the tokens reversed.

    waveform [batch, samples] at 16 kHz
      | Kaldi fbank, 128 bands, 100 frames a second; filled or cut to 1024 frames; normalised
    [batch, 1024, 128]
      | patches of 16 x 16, linear: 8 along frequency x 64 along time
    [batch, 512, 768]
      | one learned token in front, learned positions added; 12 pairs of bidirectional Mamba layers; layer norm, twice
    tokens [batch, 513, 768]
      | mean over the patches' tokens
    embedding [batch, 768] -- layer norm, linear --> logits [batch, classes], when fine-tuned

Kept: what the released weights need though the paper does not say it. Both members of a pair carry the residual stream,
so it doubles with each of the 12 pairs; the last norm is applied twice. The scan is in plain torch (``nn.mamba``), in
float32, with no package for one kind of GPU. Shown to 1e-4 of the authors' path, Vision Mamba at commit dd0358a, with
its reference scan.

Good to know: attention that never holds its whole matrix needs no quadratic memory either, only quadratic time; the
comparison of the paper is with attention that holds it. Scores are of no use before fine-tuning.
"""

import json
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from os import PathLike
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from auricle.errors import WeightsError
from auricle.hub import Card
from auricle.hub.registry import module_of
from auricle.nn.checkpoints import filled, read_checkpoint, renamed
from auricle.nn.mamba import BidirectionalMamba
from auricle.nn.patches import grid_of
from auricle.nn.transformer import Attention, Layer
from auricle.represent import _mini
from auricle.represent._pretext import HEADS, INPUT, Masking, MeanPooled, PretextRecipe, pretrained_input
from auricle.represent._pretext import Pretraining as Task
from auricle.train import Experiment, Optim, Recipe, Schedule, fit
from auricle.train.memory import peak

CARD = Card(
    name="ssamba",
    title="SSAMBA: Self-Supervised Audio Representation Learning with Mamba State Space Model",
    room="represent",
    kind="model",
    authors=("Siavash Shams", "Sukru Samet Dindar", "Xilin Jiang", "Nima Mesgarani"),
    year=2024,
    arxiv="2405.11831",
    task="self-supervised audio representation",
    summary="A spectrogram encoder of bidirectional Mamba layers, pretrained by masked patches, at linear cost.",
    claim="92.7 % less time and 95.4 % less memory than SSAST (tiny) at 22,000 tokens, and better in most of its tasks",
    code_licence="BSD-3-Clause",
    data_licence="AudioSet: labels CC-BY-4.0, the sounds their owners'; LibriSpeech: CC-BY-4.0",
    extras=("train",),
)


@dataclass(frozen=True)
class Config:
    """Architecture; the defaults are the base model's, as the authors' scripts set it."""

    width: int = 768
    layers: int = 24  # in pairs
    state: int = 16  # values of each channel that are kept from step to step
    kernel: int = 4
    patch: tuple[int, int] = (16, 16)  # bands and frames
    stride: tuple[int, int] = (16, 16)  # between patches; (10, 10) in fine-tuning
    bands: int = 128
    frames: int = 1024  # of 10 ms
    mean: float = -4.2677393  # of AudioSet's log-mel values
    deviation: float = 4.5689974
    drop_path: float = 0.1  # chance that the last layer's output is left out of a clip, in training

    @property
    def grid(self) -> tuple[int, int]:
        """Patches along frequency and along time."""
        return grid_of(self)


SIZES = {"tiny": Config(width=192), "small": Config(width=384), "base": Config()}
MASKING = Masking(patches=300)  # the authors' scripts; 250 and 400 are published too


class Block(nn.Module):
    """``residual += drop_path(h); h = mixer(norm(residual))``: adds what came before, then mixes."""

    def __init__(self, config: Config, drop: float):
        super().__init__()
        self.drop = drop
        self.norm = nn.LayerNorm(config.width)
        self.mixer = BidirectionalMamba(config.width, config.state, config.kernel)

    def forward(self, h: Tensor, residual: Tensor) -> tuple[Tensor, Tensor]:
        residual = residual + _some(h, self.drop, self.training)
        return self.mixer(self.norm(residual)), residual


def _some(x: Tensor, drop: float, training: bool) -> Tensor:
    """``x`` [batch, ...] without a share ``drop`` of its rows, the others as much larger; all of it but in training."""
    if not (training and drop):
        return x
    kept = torch.rand(len(x), *(1,) * (x.dim() - 1), device=x.device) >= drop
    return x * kept / (1 - drop)


class Model(MeanPooled):
    """SSAMBA with its front-end; randomly initialised until ``load`` or a training fills it.

    Args:
        config: the architecture.
        classes: names of the scores' columns, for fine-tuning; without them the model only embeds.

    Raises:
        ValueError: the layers do not come in pairs.
    """

    special = 1  # tokens in front of the patches'

    def __init__(self, config: Config | None = None, classes: Sequence[str] = ()):
        config = config or Config()
        super().__init__(config, classes)
        if config.layers % 2:
            raise ValueError(f"{config.layers} layers cannot be paired")
        drops = [0.0, *np.linspace(0, config.drop_path, config.layers).tolist()]
        self.layers = nn.ModuleList(Block(config, drop) for drop in drops[: config.layers])
        self.norm = nn.LayerNorm(config.width)
        nn.init.trunc_normal_(self.tokens, std=0.02)
        nn.init.trunc_normal_(self.positions, std=0.02)
        for name, weight in self.named_parameters():
            if name.endswith("leave.weight"):
                weight.data /= config.layers**0.5

    def encode(self, tokens: Tensor) -> Tensor:
        """Tokens [batch, n, width] through all layers and the last norm, twice."""
        h, residual = tokens, torch.zeros_like(tokens)
        for first in range(0, len(self.layers), 2):
            ahead = self.layers[first](h, residual)
            back = self.layers[first + 1](h.flip(1), residual.flip(1))
            h, residual = (one + other.flip(1) for one, other in zip(ahead, back, strict=True))
        return self.norm(self.norm(residual + _some(h, self.config.drop_path, self.training)))


_NAMES = (  # pattern of a name in the authors' checkpoints -> ours, in ``Task``
    *HEADS,
    (r"^mlp_head\.", "model.classifier."),
    (r"^v\.patch_embed\.proj\.", "model.patches."),
    (r"^v\.cls_token$", "model.tokens"),
    (r"^v\.pos_embed$", "model.positions"),
    (r"^v\.norm_f\.", "model.norm."),
    (r"^v\.layers\.", "model.layers."),
    (r"\.in_proj\.", ".enter."),
    (r"\.out_proj\.", ".leave."),
    (r"\.mixer\.(\w+)_b(_log|(?=\.|$))", r".mixer.backwards.\1\2"),
    (r"\.mixer\.(?=conv1d|x_proj|dt_proj|A_log|D$)", ".mixer.forwards."),
    (r"\.conv1d\.", ".convolution."),
    (r"\.x_proj\.", ".select."),
    (r"\.dt_proj\.", ".step."),
    (r"\.A_log$", ".log_decay"),
    (r"\.D$", ".skip"),
)


def from_authors(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The state dict of a ``Task`` from that of the authors' ``AMBAModel``, whatever it was trained for."""
    ours = {renamed(name, _NAMES): tensor for name, tensor in state.items()}
    return {name: tensor for name, tensor in ours.items() if not name.startswith(("v.head.", *INPUT))}


def config_of(state: Mapping[str, Tensor]) -> Config:
    """The architecture that the authors' state dict of a pretrained model describes."""
    mixer = "module.v.layers.0.mixer"
    return Config(
        **pretrained_input(state),
        layers=sum(name.endswith("mixer.A_log") for name in state),
        state=state[f"{mixer}.A_log"].shape[1],
        kernel=state[f"{mixer}.conv1d.weight"].shape[2],
    )


def load_task(path: str | PathLike[str], masking: Masking = MASKING) -> Task:
    """A published pretrained model with the heads of its pretext task, to go on training.

    Args:
        path: a checkpoint of the authors, ``ssamba_{tiny,small,base}_{250,300,400}.pth``.
        masking: how to go on.

    Raises:
        WeightsError: there is no such file, or it is no SSAMBA.
    """
    state = read_checkpoint(path)
    return filled(lambda: Task(Model(config_of(state)), masking), lambda: from_authors(state), path, "an SSAMBA")


def load(tag: str = "", *, path: str | PathLike[str] | None = None) -> Model:
    """Opens a published pretrained SSAMBA, ready to embed or to be fine-tuned.

    Args:
        tag: nothing, there is no file that is fetched by name.
        path: a checkpoint of the authors, of which only the tensors are read.

    Raises:
        WeightsError: there is no file, or it is no SSAMBA.
    """
    if path is None:
        raise WeightsError(
            f"the weights of SSAMBA{f' {tag}' if tag else ''} are not fetched by themselves",
            "Download ssamba_….pth as https://github.com/SiavashShams/ssamba says and load it with path=FILE",
        )
    return load_task(path).model  # pyright: ignore[reportReturnType]


# --- the claim in miniature -------------------------------------------------------------------------------------------
#
# Cost: four layers of width 96 hear ever longer sequences, once each, on one thread, in a process of their own.
# Quality: SSAST's pretext task on the mini sets with either encoder, of as many parameters, tokens and steps.

ARMS = ("mamba", "attention", "fused")
SEEDS = 3
LENGTHS = {"paper": (512, 1024, 2048, 4096, 8192, 16384), "smoke": (256, 512, 1024)}  # tokens
LENGTHS["mini"] = LENGTHS["paper"]
LONG = 2048  # tokens from which on exponents are fitted; below, what does not grow weighs in

MINI = Config(width=64, layers=6, state=8, frames=98)  # 207,000 parameters in its layers
RIVAL = {"width": 64, "layers": 4, "heads": 4, "hidden": 256, "frames": 98}  # of SSAST, 200,000
MASKED = Masking(patches=36, clusters=(2, 3))  # of 48

ADAMW = Optim(name="adamw", lr=1e-3, weight_decay=0.01)
TUNING = Recipe(steps=120, batch=16, optim=replace(ADAMW, lr=5e-4), schedule=Schedule("cosine", warmup=12))
PRESETS = {
    "paper": PretextRecipe(
        steps=345_000,
        batch=64,
        optim=Optim(name="adamw", lr=1e-4, weight_decay=5e-8, betas=(0.95, 0.999)),
        schedule=Schedule("cosine", warmup=1000),
        finetuning=Recipe(steps=1650, batch=48, optim=Optim(lr=1e-4), schedule=Schedule("step", every=165, gamma=0.5)),
    ),
    "mini": PretextRecipe(steps=200, batch=16, optim=ADAMW, schedule=Schedule("cosine", warmup=20), finetuning=TUNING),
    "smoke": PretextRecipe(steps=2, batch=4, optim=ADAMW, finetuning=replace(TUNING, steps=2, batch=4)),
}


class WholeAttention(Attention):
    """Attention that holds its matrix of all pairs of tokens, as SSAST's code does."""

    def attend(self, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        query, key, value = (part.unflatten(-1, (self.heads, -1)).transpose(1, 2) for part in (query, key, value))
        shares = (query @ key.transpose(-2, -1) * query.shape[-1] ** -0.5).softmax(dim=-1)
        return self.output((shares @ value).transpose(1, 2).flatten(2))


def stack(arm: str) -> nn.Sequential:
    """Four layers of width 96: of Mamba, of attention that holds its matrix, or of attention that does not."""
    width, heads = 96, 2
    if arm == "mamba":
        return nn.Sequential(*(BidirectionalMamba(width) for _ in range(4)))
    layers = nn.Sequential(*(Layer(width, heads, 4 * width, 1e-6) for _ in range(4)))
    if arm == "attention":
        for layer in layers:
            setattr(layer, "attention", WholeAttention(width, heads))  # noqa: B010 (a module's type is not known here)
    return layers


@torch.inference_mode()
def measure(arm: str, lengths: Sequence[int]) -> list[tuple[float, float]]:
    """Seconds and megabytes that one forward pass takes, for ever more tokens, on one thread of this process.

    Megabytes are what the process has grown by at its largest; so lengths must ascend, and nothing else may be running.
    """
    torch.set_num_threads(1)
    layers = stack(arm).eval()
    layers(torch.randn(1, 64, 96))
    before = peak() or 0.0
    taken = []
    for length in lengths:
        tokens = torch.randn(1, length, 96)
        begun = time.perf_counter()
        layers(tokens)
        seconds = time.perf_counter() - begun
        taken.append((seconds, (peak() or 0.0) - before))
    return taken


def cost(arm: str, lengths: Sequence[int]) -> dict[str, float]:
    """``measure`` in a new process: seconds and megabytes at each length, and the exponents that they grow by."""
    code = (
        f"import json; from auricle.represent.ssamba import measure; print(json.dumps(measure({arm!r}, {lengths!r})))"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    seconds, megabytes = np.array(json.loads(said)).T
    found = {f"seconds_{length}": each for length, each in zip(lengths, seconds, strict=True)}
    found |= {f"megabytes_{length}": each for length, each in zip(lengths, megabytes, strict=True)}
    found["megabytes"] = megabytes[-2]  # at 8,192 tokens, but in the smoke
    found["time_exponent"] = exponent(lengths, seconds)
    found["memory_exponent"] = exponent(lengths, np.maximum(megabytes, 1.0))
    return found


def exponent(lengths: Sequence[int], values: NDArray[np.float64]) -> float:
    """The slope of log ``values`` over log ``lengths``, from ``LONG`` tokens on, or of all if they are shorter."""
    tokens = np.array(lengths)
    long = tokens >= min(LONG, tokens[-2])
    return float(np.polyfit(np.log(tokens[long]), np.log(values[long]), 1)[0])


def encoder(arm: str, classes: Sequence[str] = ()) -> Any:
    """The small encoder of an arm; both kinds of attention compute the same."""
    if arm == "mamba":
        return Model(MINI, classes)
    ssast = module_of("ssast")
    return ssast.Model(ssast.Config(**RIVAL), classes)


@cache
def quality(seed: int, kind: str, preset: str) -> dict[str, float]:
    """Accuracy after pretraining, fine-tuned on 4 clips a class, and of a linear classifier on the embedding."""
    recipe = replace(PRESETS[preset], seed=seed)
    torch.manual_seed(seed)
    task = Task(encoder(kind), MASKED)
    fit(task, _mini.Sounds(seed), recipe, progress=False)
    model = encoder(kind, _mini.labelled("train")[2])
    model.load_state_dict(task.model.state_dict(), strict=False)
    every = _mini.EVERY[preset]
    probe = _mini.probed(model, every=every)
    return {"accuracy": _mini.finetuned(model, replace(recipe.finetuning, seed=seed), every), "probe": probe}


def experiment(preset: str = "mini") -> Experiment:
    """Pretraining on the mini sets, as ``auricle train ssamba`` does it; validated by a linear classifier."""
    recipe = PRESETS[preset]
    torch.manual_seed(recipe.seed)
    return _mini.pretraining(Task(Model(MINI), MASKED), recipe)


def replicate(seed: int, arm: str, preset: str = "mini") -> dict[str, float]:
    """What an arm costs at each length, and how well it does."""
    return cost(arm, LENGTHS[preset]) | quality(seed, "mamba" if arm == "mamba" else "attention", preset)


def claims(values: Mapping[str, Mapping[str, NDArray[np.float64]]]) -> dict[str, bool]:
    """Judges the results of all arms; thresholds were fixed before any was seen."""
    slope, memory, accuracy = (
        {arm: values[arm][metric].mean() for arm in ARMS} for metric in ("time_exponent", "megabytes", "accuracy")
    )
    return {
        "from 2,048 to 16,384 tokens, time grows by an exponent of at most 1.2 with Mamba": bool(slope["mamba"] <= 1.2),
        "over the same lengths, time grows by an exponent of at least 1.6 with attention": bool(
            slope["attention"] >= 1.6
        ),
        "at 8,192 tokens, Mamba takes less than a quarter of the memory of attention that holds its matrix": bool(
            memory["mamba"] < 0.25 * memory["attention"]
        ),
        "after the same pretraining and fine-tuning, accuracies differ by at most 3 points in the mean": bool(
            abs(accuracy["mamba"] - accuracy["attention"]) <= 0.03
        ),
    }


def data() -> str:
    """Fingerprints of the sounds."""
    return _mini.data()
