"""Bag of codes: a clip is the counts of which learned codes occur in it, at several scales; all else is a small head.

Verma, "Attention is All You Need? Good Embeddings with Statistics are enough: Large Scale Audio Understanding without
Transformers/ Convolutions/ BERTs/ Mixers/ Attention/ RNNs or ....", arXiv 2110.03183. Small autoencoders learn to
squeeze pieces of spectra: single frames, their envelopes, patches, longer slabs, several resolutions. What they squeeze
them into is clustered, and the clusters of a clip's pieces are counted, in whatever order they came.

    waveform [batch, samples] at 16 kHz
      | log-mel, 64 bands, 100 frames a second; for one view also from frames of 16, 64 and 256 ms
    pieces of each view [batch, pieces, values], normalised value by value
      | linear to 128, ReLU, linear to 16: the autoencoder's waist
    codes [batch, pieces]: the nearest of 128 centres
      | share of each code, its square root; views after each other
    embedding [batch, views * 128]
      | 256 units, dropout, when fitted to classes
    scores [batch, classes]

Only the idea is the paper's: its abstract gives no sizes and no code was published, so all numbers are this
reconstruction's (``VIEWS``, ``Config``), ``LARGE`` being where to start for a set such as FSD50K.

Good to know: there are three steps. ``Task`` trains the autoencoders, ``learn_codes`` finds the centres, ``Head``
trains the classifier. Only the head knows labels; all must hear training clips alone. Square roots keep frequent codes
from hiding the others. Order inside a clip is lost by design; ``macro`` and ``slab`` keep some. ``Model.meanings``
shows what spectrum each code stands for.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from os import PathLike
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from auricle.features.mel import periodic_hann, slaney_bank
from auricle.hub import Card
from auricle.metrics.classification import accuracy
from auricle.represent import _mini
from auricle.represent._clusters import kmeans, nearest
from auricle.train import Experiment, Optim, Recipe, Schedule, fit
from auricle.train.task import Task as BaseTask

CARD = Card(
    name="bag_of_codes",
    title="Attention is All You Need? Good Embeddings with Statistics are enough: Large Scale Audio Understanding "
    "without Transformers/ Convolutions/ BERTs/ Mixers/ Attention/ RNNs or ....",
    room="represent",
    kind="model",
    authors=("Prateek Verma",),
    year=2021,
    arxiv="2110.03183",
    task="audio classification from counts of learned codes",
    summary="Counts which codes of small autoencoders occur in a clip, at several scales, and classifies the counts.",
    claim="better than convolutional networks and strikingly close to strong transformers, without either",
    code_licence="none published",
    data_licence="FSD50K: CC-BY-4.0",
    extras=("train",),
)

RATE, HOP = 16_000, 160  # Hz, samples
OFFSET = 1e-3  # of mel energies before the logarithm
ENVELOPE = 20  # lowest cosines of a spectrum that its envelope is made of
VIEWS = {  # name -> bands and frames of a piece, and between pieces; None for all bands
    "slice": (None, 1, None, 1),
    "envelope": (None, 1, None, 1),
    "patch": (16, 8, 8, 4),
    "slab": (None, 8, None, 4),
    "macro": (None, 100, None, 50),
    "multires": (None, 1, None, 1),
}


@dataclass(frozen=True)
class Config:
    """Architecture."""

    views: tuple[str, ...] = tuple(VIEWS)  # some of ``VIEWS``
    bands: int = 64
    hidden: int = 128  # units beside the waist
    waist: int = 16
    codes: int = 128  # of each view
    statistics: bool = False  # whether mean and deviation of each view's waist follow the counts
    head: int = 256  # units of the classifier
    dropout: float = 0.4


LARGE = Config(codes=1024, head=2048)


class Spectrum(nn.Module):
    """Waveform [batch, samples] to ``ln(mel + 1e-3)`` [batch, 1 + samples // 160, bands], centred every 10 ms.

    Frames are long, so their transform is a fast one, and not a matrix as in ``auricle.features.logmel``.
    """

    window: Tensor
    bank: Tensor

    def __init__(self, length: int, fft: int, bands: int):
        super().__init__()
        self.length, self.fft = length, fft
        window, bank = periodic_hann(length), slaney_bank(RATE, fft, bands, 0.0, RATE / 2)
        self.register_buffer("window", torch.from_numpy(window.astype(np.float32)), persistent=False)
        self.register_buffer("bank", torch.from_numpy(bank.astype(np.float32)), persistent=False)

    def forward(self, wave: Tensor) -> Tensor:
        centred = functional.pad(wave, (self.length // 2, self.length // 2))
        spectrum = torch.fft.rfft(centred.unfold(-1, self.length, HOP) * self.window, self.fft)
        return ((spectrum.real.square() + spectrum.imag.square()) @ self.bank + OFFSET).log()


class View(nn.Module):
    """One kind of piece: how it is cut, its autoencoder, and the centres of its codes."""

    mean: Tensor
    std: Tensor
    codebook: Tensor

    def __init__(self, name: str, config: Config):
        super().__init__()
        self.name = name
        bands, self.frames, band_hop, self.hop = VIEWS[name]
        self.bands, self.band_hop = bands or config.bands, band_hop or config.bands
        values = self.bands * self.frames
        if name == "multires":
            values *= 3
        elif name == "envelope":
            place = np.pi * (np.arange(config.bands) + 0.5) / config.bands
            cosines = np.cos(np.outer(np.arange(ENVELOPE), place)) * math.sqrt(2 / config.bands)
            self.register_buffer("cosines", torch.from_numpy(cosines.T.astype(np.float32)), persistent=False)
            values = ENVELOPE
        self.register_buffer("mean", torch.zeros(values))
        self.register_buffer("std", torch.ones(values))
        self.register_buffer("codebook", torch.randn(config.codes, config.waist) / config.waist**0.5)
        self.encoder = nn.Sequential(
            nn.Linear(values, config.hidden), nn.ReLU(), nn.Linear(config.hidden, config.waist)
        )
        self.decoder = nn.Sequential(
            nn.ReLU(), nn.Linear(config.waist, config.hidden), nn.ReLU(), nn.Linear(config.hidden, values)
        )

    def pieces(self, spectra: Sequence[Tensor]) -> Tensor:
        """Pieces [batch, n, values], not normalised, of log-mels [batch, frames, bands], the plain one first."""
        if self.name == "multires":
            return torch.cat(tuple(spectra[1:]), dim=-1)
        if self.name == "envelope":
            return spectra[0] @ self.get_buffer("cosines")
        cut = spectra[0].unfold(1, self.frames, self.hop).unfold(2, self.bands, self.band_hop)
        return cut.flatten(3).flatten(1, 2)

    def normalised(self, pieces: Tensor) -> Tensor:
        return (pieces - self.mean) / self.std


class Model(nn.Module):
    """The views with their front-end, and a head if there are classes; random until the three steps have been taken.

    Only the head has gradients: autoencoders and centres are fitted apart (``Task``, ``learn_codes``). Sounds are heard
    whole, as long as they are; what is shorter than a second is filled up with silence.

    Args:
        config: the architecture.
        classes: names of the scores' columns; without them the model only embeds.

    Raises:
        ValueError: there is no such view.
    """

    sample_rate = RATE
    window = 1.0  # seconds

    def __init__(self, config: Config | None = None, classes: Sequence[str] = ()):
        super().__init__()
        self.config = config = config or Config()
        if unknown := set(config.views) - set(VIEWS):
            raise ValueError(f"there is no view {min(unknown)!r}; choose from {', '.join(VIEWS)}")
        self.classes = tuple(classes)
        self.spectra = nn.ModuleList([Spectrum(400, 512, config.bands)])
        if "multires" in config.views:
            self.spectra.extend(Spectrum(fft, fft, config.bands) for fft in (256, 1024, 4096))
        self.views = nn.ModuleDict({name: View(name, config) for name in config.views}).requires_grad_(False)
        if self.classes:
            self.head = nn.Sequential(
                nn.Linear(self.dim, config.head),
                nn.ReLU(),
                nn.Dropout(config.dropout),
                nn.Linear(config.head, len(self.classes)),
            )

    @property
    def dim(self) -> int:
        """Length of an embedding."""
        return len(self.config.views) * (self.config.codes + 2 * self.config.waist * self.config.statistics)

    def pieces(self, wave: Tensor) -> Iterator[tuple[View, Tensor]]:
        """Each view with its normalised pieces [batch, n, values] of ``wave`` [batch, samples]."""
        wave = functional.pad(wave, (0, max(0, RATE - wave.shape[-1])))
        spectra = [spectrum(wave) for spectrum in self.spectra]
        for view in self.views.values():
            assert isinstance(view, View)
            yield view, view.normalised(view.pieces(spectra))

    def forward(self, wave: Tensor) -> dict[str, Any]:
        """Hears ``wave`` [batch, samples] at 16 kHz, in [-1, 1].

        Returns:
            ``codes``, by view [batch, pieces], in order of time and then of frequency; ``embedding`` [batch, dim]; of a
            model with classes also ``logits`` and ``scores`` [batch, classes].
        """
        codes, parts = {}, []
        for view, pieces in self.pieces(wave):
            waist = view.encoder(pieces)
            codes[view.name] = nearest(waist, view.codebook)
            parts.append(functional.one_hot(codes[view.name], len(view.codebook)).float().mean(dim=1).sqrt())
            if self.config.statistics:
                parts += [waist.mean(dim=1), waist.std(dim=1)]
        heard: dict[str, Any] = {"codes": codes, "embedding": torch.cat(parts, dim=1)}
        if self.classes:
            heard["logits"] = self.head(heard["embedding"])
            heard["scores"] = heard["logits"].sigmoid()
        return heard

    def embed(self, wave: Tensor) -> Tensor:
        """Embeddings [batch, dim] of ``wave`` [batch, samples]."""
        return self(wave)["embedding"]

    def tag(self, wave: Tensor) -> Tensor:
        """Scores [batch, classes] in [0, 1] of ``wave`` [batch, samples]; for a model with classes."""
        return self(wave)["scores"]

    @torch.no_grad()
    def meanings(self, view: str) -> Tensor:
        """What each code of a view stands for: values [codes, values] of a piece, decoded from its centre."""
        part: Any = self.views[view]
        return part.decoder(part.codebook) * part.std + part.mean


# --- the three steps --------------------------------------------------------------------------------------------------


class Task(BaseTask):
    """The autoencoders, on ``{"wave": [n, samples]}``: mean squared error of normalised pieces, summed over views.

    Args:
        sounds: waves [n, samples] that level and spread of every value are measured on.
        pieces: drawn from a batch for each view.
    """

    def __init__(self, model: Model, sounds: Tensor, pieces: int = 256):
        super().__init__()
        self.model, self.count = model, pieces
        for view, found in model.pieces(sounds):
            values = found.flatten(0, 1)
            view.mean.copy_(values.mean(dim=0))
            view.std.copy_(values.std(dim=0).clamp(min=1e-3))
        model.views.requires_grad_(True)

    def parameter_groups(self) -> list[dict[str, Any]]:
        return [{"params": list(self.model.views.parameters())}]

    def training_step(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        parts = {}
        for view, found in self.model.pieces(batch["wave"]):
            pieces = found.flatten(0, 1)
            pieces = pieces[torch.randint(len(pieces), (self.count,), device=pieces.device)]
            parts[view.name] = functional.mse_loss(view.decoder(view.encoder(pieces)), pieces)
        return {"loss": torch.stack(list(parts.values())).sum(), **parts}


@torch.no_grad()
def learn_codes(model: Model, waves: Tensor, seed: int, pieces: int = 20_000) -> None:
    """Sets every view's centres by k-means on at most ``pieces`` waists from anywhere in ``waves`` [n, samples].

    The autoencoders are frozen from here on.
    """
    generator = torch.Generator().manual_seed(seed)
    model.eval()
    model.views.requires_grad_(False)
    waists: dict[str, list[Tensor]] = {}
    for part in waves.split(64):
        for view, found in model.pieces(part):
            flat = found.flatten(0, 1)
            chosen = torch.randperm(len(flat), generator=generator)[: math.ceil(pieces * len(part) / len(waves))]
            waists.setdefault(view.name, []).append(view.encoder(flat[chosen]))
    for name, each in waists.items():
        view: Any = model.views[name]
        view.codebook.copy_(kmeans(torch.cat(each), len(view.codebook), seed))


class Head(BaseTask):
    """The classifier, on ``{"embedding": [n, dim], "target": …}`` of embeddings that no longer change.

    Targets are class numbers [n], or with ``multilabel`` shares of every class [n, classes].
    """

    def __init__(self, model: Model, multilabel: bool = False):
        super().__init__()
        self.head, self.multilabel = model.head, multilabel

    def training_step(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        logits = self.head(batch["embedding"])
        if self.multilabel:
            return {"loss": functional.binary_cross_entropy_with_logits(logits, batch["target"])}
        return {"loss": functional.cross_entropy(logits, batch["target"])}


def load(tag: str = "", *, path: str | PathLike[str] | None = None) -> Model:
    """Opens a model saved by ``auricle.hub.pretrained.save_pretrained``.

    Args:
        tag: nothing, no weights were published.
        path: the folder.

    Raises:
        WeightsError: there is none, or it holds another model.
    """
    from auricle.hub.pretrained import saved

    return saved(Model, "a bag of codes", tag, path)


# --- the claim in miniature -------------------------------------------------------------------------------------------
#
# 44 classes of events, drums and digits, from sources never heard. Arms: ``codes``, all views; ``patch``, one view;
# ``cnn`` and ``wide``, three blocks of convolution, 29,000 and 104,000 parameters; ``transformer``, two layers on
# frames, 82,000.

ARMS = ("codes", "patch", "cnn", "wide", "transformer")
SEEDS = 3
WIDTHS = {"cnn": (16, 32, 64), "wide": (32, 64, 128)}


@dataclass
class SteppedRecipe(Recipe):
    """A recipe of the autoencoders, with those of the head and of the networks compared in it."""

    head: Recipe = field(default_factory=Recipe)
    rival: Recipe = field(default_factory=Recipe)


ADAM = Optim(name="adam", lr=1e-3)
ADAMW = Optim(name="adamw", lr=2e-3, weight_decay=0.01)
PRESETS = {
    # FSD50K, 40,966 clips; with ``LARGE``
    "paper": SteppedRecipe(steps=50_000, batch=32, optim=ADAM, head=Recipe(steps=20_000, batch=256, optim=ADAM)),
    "mini": SteppedRecipe(
        steps=600,
        batch=16,
        optim=ADAM,
        head=Recipe(steps=600, batch=64, optim=ADAM),
        rival=Recipe(steps=340, batch=32, optim=ADAMW, schedule=Schedule("cosine", warmup=34)),
    ),
    "smoke": SteppedRecipe(
        steps=2, batch=4, optim=ADAM, head=Recipe(steps=2, batch=8, optim=ADAM), rival=Recipe(steps=2, batch=8)
    ),
}


class Rival(nn.Module):
    """A network to compare with, on the same log-mel: an arm of ``WIDTHS``, or a small transformer on frames."""

    def __init__(self, arm: str, classes: int, mean: float, deviation: float):
        super().__init__()
        self.spectrum, self.mean, self.deviation = Spectrum(400, 512, 64), mean, deviation
        if arm in WIDTHS:
            blocks: list[nn.Module] = []
            for before, width in zip((1, *WIDTHS[arm]), WIDTHS[arm], strict=False):
                blocks += [nn.Conv2d(before, width, 3, padding=1), nn.BatchNorm2d(width), nn.ReLU(), nn.MaxPool2d(2)]
            self.body = nn.Sequential(nn.Unflatten(1, (1, -1)), *blocks, nn.Flatten(2))
            width = WIDTHS[arm][-1]
        else:
            width = 64
            self.positions = nn.Parameter(0.02 * torch.randn(1, 101, width))
            self.project = nn.Linear(64, width)
            layer = nn.TransformerEncoderLayer(width, 4, 128, 0.1, batch_first=True, norm_first=True)
            self.layers = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.transformer = arm not in WIDTHS
        self.classifier = nn.Linear(2 * width, classes)

    def forward(self, wave: Tensor) -> dict[str, Tensor]:
        mel = (self.spectrum(wave) - self.mean) / self.deviation
        if self.transformer:
            x = self.layers(self.project(mel) + self.positions[:, : mel.shape[1]]).transpose(1, 2)
        else:
            x = self.body(mel)
        return {"logits": self.classifier(torch.cat((x.mean(dim=2), x.amax(dim=2)), dim=1))}


@cache
def fitted(seed: int, views: tuple[str, ...], preset: str) -> Model:
    """A model whose autoencoders and codes heard the training clips."""
    waves, _, names = _mini.labelled("train")
    torch.manual_seed(seed)
    model = Model(Config(views=views, codes=128 if preset != "smoke" else 8), names)
    sounds = torch.from_numpy(waves[:: _mini.EVERY[preset]])
    task = Task(model, sounds[::4])
    fit(task, [{"wave": wave} for wave in sounds], replace(PRESETS[preset], seed=seed), progress=False)
    learn_codes(model, sounds, seed, 20_000 if preset != "smoke" else 1000)
    return model


def experiment(preset: str = "mini") -> Experiment:
    """The autoencoders on the mini sets' training clips, as ``auricle train bag_of_codes`` does it."""
    recipe = PRESETS[preset]
    waves, _, names = _mini.labelled("train")
    torch.manual_seed(recipe.seed)
    task = Task(Model(Config(), names), torch.from_numpy(waves[::4]))
    return Experiment(task, [{"wave": wave} for wave in waves], recipe, data=data())


def replicate(seed: int, arm: str, preset: str = "mini") -> dict[str, float]:
    """Trains an arm on the labelled clips: accuracy on the test clips."""
    every, recipe = _mini.EVERY[preset], PRESETS[preset]
    (waves, targets, names), (heard, truth, _) = _mini.labelled("train"), _mini.labelled("test")
    waves, targets, heard, truth = waves[::every], targets[::every], heard[::every], truth[::every]
    if arm in ("codes", "patch"):
        model = fitted(seed, tuple(VIEWS) if arm == "codes" else ("patch",), preset)
        embeddings = _mini.in_parts(model.embed, waves)
        items = [{"embedding": each, "target": target} for each, target in zip(embeddings, targets, strict=True)]
        fit(Head(model), items, replace(recipe.head, seed=seed), progress=False)
        return {"accuracy": accuracy(_mini.in_parts(model.eval().tag, heard), truth)}
    torch.manual_seed(seed)
    mel = Spectrum(400, 512, 64)(torch.from_numpy(waves[::4]))
    rival = Rival(arm, len(names), float(mel.mean()), float(mel.std()))
    items = [{"wave": wave, "target": target} for wave, target in zip(waves, targets, strict=True)]
    fit(_mini.Tagging(rival), items, replace(recipe.rival, seed=seed), progress=False)
    return {"accuracy": accuracy(_mini.in_parts(lambda part: rival.eval()(part)["logits"], heard), truth)}


def claims(values: Mapping[str, Mapping[str, NDArray[np.float64]]]) -> dict[str, bool]:
    """Judges the results of all arms; thresholds were fixed before any was seen."""
    mean = {arm: values[arm]["accuracy"].mean() for arm in ARMS}
    return {
        "codes of all views are 10 points above those of patches alone, in the mean": bool(
            mean["codes"] - mean["patch"] >= 0.10
        ),
        "codes of all views are one point above the small convolutional network, in the mean": bool(
            mean["codes"] - mean["cnn"] >= 0.01
        ),
        "codes of all views are at most 3 points below the best of the trained networks, in the mean": bool(
            mean["codes"] >= max(mean["cnn"], mean["wide"], mean["transformer"]) - 0.03
        ),
    }


def data() -> str:
    """Fingerprints of the sounds."""
    return _mini.data()
