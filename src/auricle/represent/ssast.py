"""SSAST: a spectrogram transformer that teaches itself, by telling apart and redrawing the patches it was not shown.

Gong, Lai, Chung, Glass, "SSAST: Self-Supervised Audio Spectrogram Transformer", AAAI 2022, arXiv 2110.09784. AST needs
ImageNet's weights to start from; SSAST needs sound without labels. 400 of 512 patches are masked, in squares, and the
encoder is asked for each which of the clip's masked patches it was (InfoNCE) and what it looked like (mean squared
error); the loss is the first plus ten times the second. Patches of 16 x 16 suit events; whole spectra of two frames
(``patch=(128, 2)``, masked singly) suit speech.

    waveform [batch, samples] at 16 kHz
      | Kaldi fbank, 128 bands, 100 frames a second; filled or cut to 1024 frames; normalised
    [batch, 1024, 128]
      | patches of 16 x 16, linear: 8 along frequency x 64 along time; in pretraining some become one learned vector
    [batch, 512, 768]
      | two learned tokens in front, learned positions added; 12 transformer layers (norm first), layer norm
    tokens [batch, 514, 768]
      | mean over the patches' tokens
    embedding [batch, 768] -- layer norm, linear --> logits [batch, classes], when fine-tuned

Kept: the authors' networks and both losses, to 1e-4 of their code at commit a1a3eec, checkpoints of all sizes
(``SSAST-Base-Patch-400.pth``), the two passes with two masks. ``overlap((10, 10))`` has patches overlap, as the authors
do it to fine-tune; ``fit_length`` has the model hear another length.

Good to know: the contrast of the code normalises over predictions, the equation of the paper over patches
(``Masking.over``). An embedding without fine-tuning is far from what the fine-tuned network knows. Padding comes before
normalisation, so a short clip ends in a constant of +0.47.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from os import PathLike

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from auricle.errors import WeightsError
from auricle.hub import Card
from auricle.nn.checkpoints import filled, read_checkpoint, renamed, split_qkv
from auricle.nn.patches import grid_of, initialise
from auricle.nn.transformer import Layer
from auricle.represent import _mini
from auricle.represent._pretext import HEADS, INPUT, Masking, MeanPooled, PretextRecipe, pretrained_input
from auricle.represent._pretext import Pretraining as Task
from auricle.train import Experiment, Optim, Recipe, Schedule, fit

CARD = Card(
    name="ssast",
    title="SSAST: Self-Supervised Audio Spectrogram Transformer",
    room="represent",
    kind="model",
    authors=("Yuan Gong", "Cheng-I Jeff Lai", "Yu-An Chung", "James Glass"),
    year=2022,
    arxiv="2110.09784",
    task="self-supervised audio representation",
    summary="A spectrogram transformer pretrained without labels, by telling apart and redrawing masked patches.",
    claim="60.9 % better in the mean over six tasks than the same transformer from scratch; with 400 masked patches "
    "59.9 over audio tasks and 79.5 over speech tasks, 57.6 and 84.0 with masked frames",
    code_licence="BSD-3-Clause",
    data_licence="AudioSet: labels CC-BY-4.0, the sounds their owners'; LibriSpeech: CC-BY-4.0",
    extras=("train",),
)


@dataclass(frozen=True)
class Config:
    """Architecture; the defaults are the base model's with patches (section 2)."""

    width: int = 768
    layers: int = 12
    heads: int = 12
    hidden: int = 3072
    patch: tuple[int, int] = (16, 16)  # bands and frames; (128, 2) in the frame models
    stride: tuple[int, int] = (16, 16)  # between patches; as large as them in pretraining, (10, 10) in fine-tuning
    bands: int = 128
    frames: int = 1024  # of 10 ms
    mean: float = -4.2677393  # of AudioSet's log-mel values
    deviation: float = 4.5689974
    epsilon: float = 1e-6  # of the layer norms

    @property
    def grid(self) -> tuple[int, int]:
        """Patches along frequency and along time."""
        return grid_of(self)


SIZES = {
    "tiny": Config(width=192, heads=3, hidden=768),
    "small": Config(width=384, heads=6, hidden=1536),
    "base": Config(),
}


class Model(MeanPooled):
    """SSAST with its front-end; randomly initialised until ``load`` or a training fills it.

    Args:
        config: the architecture.
        classes: names of the scores' columns, for fine-tuning; without them the model only embeds.
    """

    special = 2  # tokens in front of the patches'

    def __init__(self, config: Config | None = None, classes: Sequence[str] = ()):
        config = config or Config()
        super().__init__(config, classes)
        self.layers = nn.ModuleList(
            Layer(config.width, config.heads, config.hidden, config.epsilon) for _ in range(config.layers)
        )
        self.norm = nn.LayerNorm(config.width, eps=config.epsilon)
        self.apply(initialise)
        nn.init.trunc_normal_(self.tokens, std=0.02)
        nn.init.trunc_normal_(self.positions, std=0.02)

    def encode(self, tokens: Tensor) -> Tensor:
        """Tokens [batch, n, width] through all layers and the last norm."""
        for layer in self.layers:
            tokens = layer(tokens)
        return self.norm(tokens)


_NAMES = (  # pattern of a name in the authors' checkpoints -> ours, in ``Task``
    *HEADS,
    (r"^mlp_head\.", "model.classifier."),
    (r"^v\.patch_embed\.proj\.", "model.patches."),
    (r"^v\.pos_embed$", "model.positions"),
    (r"^v\.blocks\.", "model.layers."),
    (r"^v\.norm\.", "model.norm."),
    (r"\.norm1\.", ".attention_norm."),
    (r"\.norm2\.", ".feed_forward_norm."),
    (r"\.attn\.proj\.", ".attention.output."),
    (r"\.mlp\.fc1\.", ".feed_forward.0."),
    (r"\.mlp\.fc2\.", ".feed_forward.2."),
)


def from_authors(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The state dict of a ``Task`` from that of the authors' ``ASTModel``, whatever it was trained for."""
    ours: dict[str, Tensor] = {}
    for name, tensor in state.items():
        name = renamed(name, _NAMES)
        if ".attn.qkv." in name:
            ours |= split_qkv(name, tensor)
        elif not name.startswith(("v.head.", "v.head_dist.", *INPUT)):
            ours[name] = tensor
    return ours | {"model.tokens": torch.cat([ours.pop("v.cls_token"), ours.pop("v.dist_token")], dim=1)}


def config_of(state: Mapping[str, Tensor]) -> Config:
    """The architecture that the authors' state dict of a pretrained model describes."""
    given = pretrained_input(state)
    return Config(
        **given,
        layers=sum(name.endswith(".norm1.weight") for name in state),
        heads=given["width"] // 64,
        hidden=len(state["module.v.blocks.0.mlp.fc1.bias"]),
    )


FRAMES = Masking(clusters=None)  # of the frame models: squares would not help them


def load_task(path: str | PathLike[str], masking: Masking | None = None) -> Task:
    """A published pretrained model with the heads of its pretext task, to go on training.

    Args:
        path: a checkpoint of the authors, ``SSAST-{Base,Small,Tiny}-{Patch,Frame}-{250,400}.pth``.
        masking: how to go on; by default as the file's patches were pretrained.

    Raises:
        WeightsError: there is no such file, or it is no SSAST.
    """
    state = read_checkpoint(path)

    def make() -> Task:
        config = config_of(state)
        whole = config.patch[0] == config.bands
        return Task(Model(config), masking or (FRAMES if whole else Masking()))

    return filled(make, lambda: from_authors(state), path, "an SSAST")


def load(tag: str = "", *, path: str | PathLike[str] | None = None) -> Model:
    """Opens a published pretrained SSAST, ready to embed or to be fine-tuned.

    Args:
        tag: nothing, there is no file that is fetched by name.
        path: a checkpoint of the authors, of which only the tensors are read.

    Raises:
        WeightsError: there is no file, or it is no SSAST.
    """
    if path is None:
        raise WeightsError(
            f"the weights of SSAST{f' {tag}' if tag else ''} are not fetched by themselves",
            "Download SSAST-….pth as https://github.com/YuanGongND/ssast says and load it with path=FILE",
        )
    return load_task(path).model  # pyright: ignore[reportReturnType]


# --- the claim in miniature -------------------------------------------------------------------------------------------

MINI = Config(width=96, layers=4, heads=4, hidden=384, frames=98)  # a second: 8 x 6 patches
MASKED = Masking(patches=36, clusters=(2, 3))  # of 48, three in four


ADAM = Optim(name="adam", lr=1e-4, weight_decay=5e-7, betas=(0.95, 0.999))
ADAMW = Optim(name="adamw", lr=1e-3, weight_decay=0.01)
TUNING = Recipe(steps=120, batch=32, optim=replace(ADAMW, lr=5e-4), schedule=Schedule("cosine", warmup=12))
PRESETS = {
    # AudioSet and LibriSpeech, ten times; the authors halve the rate when the accuracy stands still. Then ESC-50.
    "paper": PretextRecipe(
        steps=920_000,
        batch=24,
        optim=ADAM,
        schedule=Schedule("cosine", warmup=1000),
        finetuning=Recipe(steps=1650, batch=48, optim=ADAM, schedule=Schedule("step", every=165, gamma=0.5)),
    ),
    "mini": PretextRecipe(steps=300, batch=32, optim=ADAMW, schedule=Schedule("cosine", warmup=30), finetuning=TUNING),
    "smoke": PretextRecipe(steps=2, batch=4, optim=ADAMW, finetuning=replace(TUNING, steps=2, batch=4)),
}
OBJECTIVES = {
    "discriminative": replace(MASKED, generative=0.0),
    "generative": replace(MASKED, discriminative=0.0),
    "joint": MASKED,
    "joint_paper": replace(MASKED, over="patches"),
}
ARMS = ("scratch", *OBJECTIVES)
SEEDS = 3


def experiment(preset: str = "mini") -> Experiment:
    """Pretraining on the mini sets, as ``auricle train ssast`` does it; validated by a linear classifier."""
    recipe = PRESETS[preset]
    torch.manual_seed(recipe.seed)
    task = Task(Model(MINI), MASKED)
    return _mini.pretraining(task, recipe)


def replicate(seed: int, arm: str, preset: str = "mini") -> dict[str, float]:
    """Pretrains by one objective: accuracy fine-tuned on 4 clips a class, and of a linear classifier on the embedding.

    ``told`` is how often the contrast names the right one of 36 masked patches, of clips not trained on; 0 in arms that
    do not learn it.
    """
    recipe = replace(PRESETS[preset], seed=seed)
    torch.manual_seed(seed)
    task = Task(Model(MINI), OBJECTIVES.get(arm, MASKED))
    if arm != "scratch":
        fit(task, _mini.Sounds(seed), recipe, progress=False)
    torch.manual_seed(seed)
    model = Model(MINI, _mini.labelled("train")[2])
    model.load_state_dict(task.model.state_dict(), strict=False)
    every = _mini.EVERY[preset]
    probe = _mini.probed(model, every=every)
    return {
        "accuracy": _mini.finetuned(model, replace(recipe.finetuning, seed=seed), every),
        "probe": probe,
        "told": told(task, every) if arm != "scratch" else 0.0,
    }


@torch.no_grad()
def told(task: Task, every: int) -> float:
    """Accuracy of the contrast on one of ``every`` test clips; 0 of a task without it."""
    torch.manual_seed(0)
    waves = torch.from_numpy(_mini.labelled("test")[0][::every])
    parts = [task.training_step({"wave": part}).get("accuracy", torch.zeros(())) for part in waves.split(64)]
    return float(torch.stack(parts).mean())


def claims(values: Mapping[str, Mapping[str, NDArray[np.float64]]]) -> dict[str, bool]:
    """Judges the results of all arms; thresholds were fixed before any was seen."""
    mean = {arm: values[arm]["accuracy"].mean() for arm in ARMS}
    probe = {arm: values[arm]["probe"].mean() for arm in ARMS}
    return {
        "fine-tuned on 4 clips a class, joint pretraining is 5 points above scratch in the mean": bool(
            mean["joint"] - mean["scratch"] >= 0.05
        ),
        "a linear classifier on the jointly pretrained embedding is 5 points above one on a random network's": bool(
            probe["joint"] - probe["scratch"] >= 0.05
        ),
        "fine-tuned, joint pretraining is within a point of the better of its two objectives, or above": bool(
            mean["joint"] >= max(mean["discriminative"], mean["generative"]) - 0.01
        ),
        "fine-tuned, the contrast of the code and that of the paper differ by less than 3 points in the mean": bool(
            abs(mean["joint"] - mean["joint_paper"]) < 0.03
        ),
    }


def data() -> str:
    """Fingerprints of the sounds."""
    return _mini.data()
