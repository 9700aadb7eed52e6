"""Pretraining MERT: two teachers say of hidden frames what they sounded like and which pitches they held.

The claim in miniature: beside labels of clustered spectra, redrawing a constant-Q transform gives an encoder that knows
pitch without costing it timbre. Arms: ``random``, an encoder never trained; ``acoustic``, labels only; ``musical``, the
transform only; ``both``. Each is measured by linear classifiers on frozen embeddings of notes never heard.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from auricle.features.cqt import ConstantQ
from auricle.features.logmel import LogMel
from auricle.represent import _notes
from auricle.represent._clusters import kmeans, nearest
from auricle.represent.mert.model import Config, Model
from auricle.train import Experiment, Optim, Recipe, Schedule, fit
from auricle.train.task import Task as BaseTask

TEMPERATURE = 0.1  # that cosines are divided by
PENALTY = 10.0  # weight of the mean square of the features
Teacher = Callable[[Tensor], Tensor]  # a waveform [batch, samples] to labels [batch, frames, books]


@dataclass(frozen=True)
class Masking:
    """What is hidden, and what is mixed in; the defaults are the published ones."""

    share: float = 0.8  # of frames that spans would cover if they did not overlap
    span: int = 5  # frames
    clean: float = 0.5  # chance that a clip is left as it is
    pieces: tuple[int, int] = (1, 3)  # of other clips that are added to a clip, both included
    lengths: tuple[int, int] = (12_000, 24_000)  # of a piece, samples; to 36,000 for the large model


def span_mask(batch: int, frames: int, masking: Masking, least: int = 2) -> Tensor:
    """True where a frame is hidden [batch, frames]: spans from anywhere, as many frames in every clip.

    Baevski et al., wav2vec 2.0, arXiv 2006.11477: starts are drawn without repetition, spans overlap, and clips in
    which more came to be hidden give frames back.

    Raises:
        ValueError: there are not as many places to start from as spans.
    """
    count = max(least, int(masking.share * frames / masking.span + float(torch.rand(()))))
    places = frames - masking.span
    if count > places:
        raise ValueError(f"{count} spans of {masking.span} frames do not fit into {frames} frames")
    hidden = torch.zeros(batch, frames, dtype=torch.bool)
    for row in hidden:
        starts = torch.randperm(places)[:count]
        row[(starts[:, None] + torch.arange(masking.span)).flatten()] = True
    kept = int(hidden.sum(dim=1).min())
    for row in hidden:
        surplus = row.nonzero()[:, 0]
        row[surplus[torch.randperm(len(surplus))[kept:]]] = False
    return hidden


def mixed(wave: Tensor, masking: Masking) -> Tensor:
    """``wave`` [batch, samples] with pieces of the batch's other clips added to some of the clips."""
    if len(wave) < 2:
        return wave
    given = wave.clone()
    for index in range(len(wave)):
        if torch.rand(()) <= masking.clean:
            continue
        others = torch.cat((wave[:index], wave[index + 1 :])).flatten()
        for _ in range(int(torch.randint(masking.pieces[0], masking.pieces[1] + 1, ()))):
            length = int(torch.randint(masking.lengths[0], masking.lengths[1] + 1, ()))
            start = int(torch.randint(len(others) - length + 1, ()))
            place = int(torch.randint(wave.shape[1] - length + 1, ()))
            given[index, place : place + length] += others[start : start + length]
    return given


class Task(BaseTask):
    """Masked modelling on ``{"wave": [n, samples]}``; no labels are read.

    The teachers hear the clip, the model a mixture of it with others, with frames hidden. Of each hidden frame it gives
    the acoustic teacher's label in every codebook, by the cosine to vectors of the codes, and redraws the musical
    teacher's constant-Q transform.

    Args:
        acoustic: gives the labels, at the model's frames; None to do without.
        musical: a transform at the model's frames; None to do without.
        books, entries: codebooks, and codes in each.
        code_width: length of a code's vector; 128 for the large model.
    """

    def __init__(
        self,
        model: Model,
        acoustic: Teacher | None = None,
        musical: ConstantQ | None = None,
        masking: Masking | None = None,
        *,
        books: int = 8,
        entries: int = 1024,
        code_width: int = 64,
    ):
        super().__init__()
        self.model, self.acoustic, self.musical = model, acoustic, musical
        self.masking = masking or Masking()
        self.mask = nn.Parameter(torch.rand(model.dim))
        if acoustic is not None:
            self.project = nn.Linear(model.dim, books * code_width)
            self.codes = nn.Parameter(torch.rand(books * entries, code_width))
            self.books = books
        if musical is not None:
            self.redraw = nn.Linear(model.dim, musical.bins)

    def training_step(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        wave, parts = batch["wave"], {}
        with torch.no_grad():
            labels = self.acoustic(wave) if self.acoustic is not None else None
            drawn = self.musical(wave) if self.musical is not None else None
            heard = mixed(wave, self.masking)
        features = self.model.features(heard)
        frames = min(part.shape[1] for part in (features, labels, drawn) if part is not None)
        hidden = span_mask(len(wave), frames, self.masking).to(wave.device)
        guess = self.model.encoder(features[:, :frames], hidden, self.mask)[-1][hidden]
        parts["penalty"] = features.square().mean()
        loss = PENALTY * parts["penalty"]
        if labels is not None:
            logits, truth = self.logits(guess), labels[:, :frames][hidden]
            parts["acoustic"] = functional.cross_entropy(logits.flatten(0, 1), truth.flatten()) * self.books
            parts["accuracy"] = (logits.argmax(dim=-1) == truth).float().mean()
            loss = loss + parts["acoustic"]
        if drawn is not None:
            parts["musical"] = functional.mse_loss(self.redraw(guess), drawn[:, :frames][hidden])
            loss = loss + parts["musical"]
        return {"loss": loss, **parts}

    def logits(self, frames: Tensor) -> Tensor:
        """What ``frames`` [n, width] say of the codes [n, books, entries]."""
        guess = functional.normalize(self.project(frames).unflatten(-1, (self.books, -1)), dim=-1)
        codes = functional.normalize(self.codes, dim=-1).unflatten(0, (self.books, -1))
        return torch.einsum("nbw,bew->nbe", guess, codes) / TEMPERATURE


def encodec(repository: str = "facebook/encodec_24khz", bandwidth: float = 6.0) -> Teacher:
    """The published acoustic teacher: EnCodec's codes, 8 of 1024 at 6 kbps, 75 times a second, of sound at 24 kHz.

    Défossez et al., arXiv 2210.13438. The weights are fetched through ``transformers``.
    """
    from transformers import EncodecModel

    return codes_of(EncodecModel.from_pretrained(repository), bandwidth)


def codes_of(codec: Any, bandwidth: float) -> Teacher:
    """The labels that a ``transformers.EncodecModel`` gives at ``bandwidth`` kbps."""
    codec = codec.eval().requires_grad_(False)

    def labels(wave: Tensor) -> Tensor:
        codec.to(wave.device)
        return codec.encode(wave[:, None], bandwidth=bandwidth).audio_codes[0].transpose(1, 2)

    return labels


def musical_teacher() -> ConstantQ:
    """The published musical teacher: 7 octaves of 48 bins from C1 on, of sound at 24 kHz."""
    return ConstantQ(24_000, 320, 32.7, 7, 48)


class ResidualKMeans:
    """An acoustic teacher without weights: log-mel frames by their nearest centre, what is left by a second one's.

    Args:
        waves: sounds to cluster the frames of [n, samples].
        books, entries: how many sets of centres, and centres in each.
    """

    def __init__(self, front_end: LogMel, waves: Tensor, books: int, entries: int, seed: int):
        self.front_end = front_end
        rest = front_end(waves).flatten(0, 1)
        self.books: list[Tensor] = []
        for book in range(books):
            self.books.append(kmeans(rest, entries, seed + book))
            rest = rest - self.books[-1][nearest(rest, self.books[-1])]

    def __call__(self, wave: Tensor) -> Tensor:
        rest, labels = self.front_end(wave), []
        for centres in self.books:
            labels.append(nearest(rest, centres))
            rest = rest - centres[labels[-1]]
        return torch.stack(labels, dim=-1)


# --- the claim in miniature -------------------------------------------------------------------------------------------

MINI = Config(
    width=64,
    layers=3,
    heads=4,
    hidden=256,
    channels=32,
    kernels=(10, 3, 3, 3, 3, 2),  # a frame every 20 ms
    strides=(5, 2, 2, 2, 2, 2),
    kernel=32,
    groups=8,
    dropout=0.0,
    layer_drop=0.0,
    gradient=1.0,
    sample_rate=_notes.RATE,
)
MASKED = Masking(lengths=(800, 2400))
BOOKS, ENTRIES, CODE_WIDTH = 2, 64, 32
ARMS = ("random", "acoustic", "musical", "both")
SEEDS = 3
NOTES = {"paper": 2500, "mini": 2500, "smoke": 100}  # to pretrain on, and half as many for each probe

ADAM = Optim(name="adamw", lr=5e-4, weight_decay=0.01, betas=(0.9, 0.98), eps=1e-6)
PRESETS = {
    # up to 2 million samples on each of 8 GPUs; for the large model a peak of 1.5e-3, clipped at 1
    "paper": Recipe(
        steps=400_000, batch=128, precision="fp16", clip=10.0, optim=ADAM, schedule=Schedule("linear", warmup=32_000)
    ),
    "mini": Recipe(
        steps=800, batch=16, clip=10.0, optim=replace(ADAM, lr=3e-3), schedule=Schedule("linear", warmup=80)
    ),
    "smoke": Recipe(steps=2, batch=4, clip=10.0, optim=ADAM, schedule=Schedule("linear")),
}


def mini_task(arm: str, seed: int, preset: str) -> Task:
    """A small encoder with the teachers of an arm."""
    torch.manual_seed(seed)
    acoustic = None
    if arm != "musical":
        front_end = LogMel(_notes.RATE, 512, MINI.stride, 64, 40.0, 4000.0)
        waves = torch.from_numpy(_notes.notes(NOTES[preset], seed).waves[:400])
        acoustic = ResidualKMeans(front_end, waves, BOOKS, ENTRIES, seed)
    musical = ConstantQ(_notes.RATE, MINI.stride, 65.4, 4, 24) if arm != "acoustic" else None
    return Task(Model(MINI), acoustic, musical, MASKED, books=BOOKS, entries=ENTRIES, code_width=CODE_WIDTH)


def experiment(preset: str = "mini") -> Experiment:
    """Pretraining with both teachers, as ``auricle train mert`` does it; validated by the linear classifiers."""
    recipe = PRESETS[preset]
    task = mini_task("both", recipe.seed, preset)
    sounds = _notes.notes(NOTES[preset], recipe.seed).items()
    return Experiment(task, sounds, recipe, lambda task: measured(task.model, preset), monitor="pitch", data=data())


def replicate(seed: int, arm: str, preset: str = "mini") -> dict[str, float]:
    """Pretrains with an arm's teachers: accuracy of linear classifiers of pitch and family (timbre)."""
    task = mini_task(arm, seed, preset)
    if arm != "random":
        sounds = _notes.notes(NOTES[preset], seed).items()
        fit(task, sounds, replace(PRESETS[preset], seed=seed), progress=False)
    return measured(task.model, preset)


def measured(model: Model, preset: str) -> dict[str, float]:
    """Accuracy of linear classifiers of pitch and family on the embeddings."""
    return _notes.probed(model.eval().embed, NOTES[preset] // 2, ("pitch", "family"))


def claims(values: Mapping[str, Mapping[str, NDArray[np.float64]]]) -> dict[str, bool]:
    """Judges the results of all arms; thresholds were fixed before any was seen."""
    pitch, family = ({arm: values[arm][kind].mean() for arm in ARMS} for kind in ("pitch", "family"))
    return {
        "with both teachers, pitch is told 5 points more often than with the acoustic one alone, in the mean": bool(
            pitch["both"] - pitch["acoustic"] >= 0.05
        ),
        "with both teachers, timbre is told at most 2 points less often than with the acoustic one alone": bool(
            family["both"] - family["acoustic"] >= -0.02
        ),
        "with both teachers, pitch and timbre are told 15 points more often than by a random network, on average": bool(
            (pitch["both"] + family["both"] - pitch["random"] - family["random"]) / 2 >= 0.15
        ),
    }


def data() -> str:
    """What the notes are made by."""
    return "notes-1"
