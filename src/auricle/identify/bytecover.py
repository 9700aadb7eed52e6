"""ByteCover: the same vector for every version of a work, whatever its key, tempo, timbre or arrangement.

Du, Yu, Zhu, Chen, Ma, "ByteCover: Cover Song Identification via Multi-Loss Training", ICASSP 2021, arXiv 2010.14022.
A ResNet-50 whose norms are half instance, half batch (IBN-a) reads a constant-Q picture of a whole track; it learns by
two losses at once: it names the work (label smoothing), and puts versions nearer than other works (triplets).

    waveform [batch, samples] at 22050 Hz
      | constant-Q magnitude, 84 bins from C1 in semitones, hop 512; time averaged by 20: 2.15 frames a second
    [batch, 84, frames]
      | ResNet-50 with IBN-a, the last stage not strided
    [batch, 2048, 6, frames / 16]
      | generalised mean over frequency and time, learned power (GeM)
    features [batch, 2048] -- triplets are compared here, by Euclidean distance
      | batch normalisation (BNNeck)
    embedding [batch, 2048] -- compared by cosine; a linear classifier of works on it, in training

Kept: the network, both losses and their sum, batches of works with several versions each, whole tracks at inference.
``Config(rectified=True)`` is the network of the public re-implementation (Orfium/bytecover at 5462239), whose
checkpoints ``load(path=…)`` reads; only its transform differs, by a recursive one. ``Model.reduce`` adds the projection
of ByteCover2 (ICASSP 2022): principal components as a linear layer, 2048 to 1536, 512 or 128.

Deviations: the authors published no code; margin, smoothing, batches and learning rate are the re-implementation's, and
triplets take the hardest of the batch. Tracks that are too short are repeated. ``Config.exponent`` and ``normalise``
make loud and soft alike; the paper says neither and both are off.

Good to know: the vector depends on the level of the recording unless ``normalise`` is on. An excerpt of a track is not
a track: for queries of seconds see bytecover3.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from os import PathLike
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from auricle.data.manifest import Manifest
from auricle.errors import WeightsError
from auricle.hub import Card
from auricle.identify import _versions
from auricle.identify._extractor import Architecture, Extractor
from auricle.identify._versions import Variation
from auricle.identify._works import FREE, compose
from auricle.nn.checkpoints import filled, read_checkpoint, renamed
from auricle.nn.triplets import batch_hard, euclidean
from auricle.train import Experiment, Optim, Recipe, Schedule, fit
from auricle.train.task import Task as BaseTask

CARD = Card(
    name="bytecover",
    title="ByteCover: Cover Song Identification via Multi-Loss Training",
    room="identify",
    kind="model",
    authors=("Xingjian Du", "Zhesong Yu", "Bilei Zhu", "Xiaoou Chen", "Zejun Ma"),
    year=2021,
    arxiv="2010.14022",
    task="cover song identification",
    summary="One vector for a whole track, near for other versions of the same work.",
    claim="MAP 0.714 on Da-TACOS, 18.0 % above the best before it; 0.836 on SHS100K-TEST, 0.906 on Covers80",
    code_licence="none published",
    data_licence="SHS100K: a list of links",
    extras=("train",),
)


@dataclass(frozen=True)
class Config(Architecture):
    """Architecture; the defaults are the paper's (section 2.1)."""

    projection: int | None = None  # dimensions of ByteCover2's linear layer


class Model(Extractor):
    """ByteCover with its front-end; randomly initialised until ``load`` or a training fills it."""

    classes: tuple[str, ...] = ()
    window: float | None = None  # whole tracks

    def __init__(self, config: Config | None = None):
        config = config or Config()
        super().__init__(config)
        self.config = config
        self.neck = nn.BatchNorm1d(self.backbone.dim)
        self.projection = nn.Linear(self.backbone.dim, config.projection) if config.projection else nn.Identity()

    @property
    def dim(self) -> int:
        """Length of an embedding."""
        return self.config.projection or self.backbone.dim

    def encode(self, spectrogram: Tensor) -> dict[str, Tensor]:
        """``features`` [batch, backbone.dim] and ``embedding`` [batch, dim] of a ``spectrogram``."""
        features = self.features(spectrogram)
        return {"features": features, "embedding": self.projection(self.neck(features))}

    def forward(self, wave: Tensor) -> dict[str, Tensor]:
        """What ``encode`` gives of ``wave`` [batch, samples], one track or excerpt of any length a row."""
        return self.encode(self.spectrogram(wave))

    def embed(self, wave: Tensor) -> Tensor:
        """Embeddings [batch, dim] of ``wave`` [batch, samples]."""
        return self(wave)["embedding"]

    def reduce(self, embeddings: Tensor, dim: int) -> None:
        """Puts ByteCover2's projection on top: at first the ``dim`` principal components of ``embeddings`` [n, wide].

        Raises:
            ValueError: there are fewer embeddings or dimensions than components.
        """
        if dim > min(embeddings.shape):
            raise ValueError(f"{dim} components of embeddings of shape {tuple(embeddings.shape)}")
        mean = embeddings.mean(dim=0)
        directions = torch.linalg.svd(embeddings - mean, full_matrices=False).Vh[:dim]
        self.projection = nn.Linear(self.backbone.dim, dim)
        with torch.no_grad():
            self.projection.weight.copy_(directions)
            self.projection.bias.copy_(-directions @ mean)
        self.config = replace(self.config, projection=dim)


class Task(BaseTask):
    """Cross-entropy of the work with smoothed labels plus hardest triplets of a batch of works in several versions.

    Batches are ``{"wave": [n, samples] or "spectrogram": [n, bins, frames], "target": [n] of works}``; "index" [n],
    where there is one, tells recordings apart.

    Args:
        model: what is trained.
        works: how many there are.
        margin: by how much another work should be farther than another version.
        smoothing: share of the target that all works get.
        classification, triplet: weights of the two losses.
        variation: what to do to spectrograms before they are heard.
    """

    def __init__(
        self,
        model: Model,
        works: int,
        *,
        margin: float = 0.3,
        smoothing: float = 0.1,
        classification: float = 1.0,
        triplet: float = 1.0,
        variation: Variation | None = None,
    ):
        super().__init__()
        self.model = model
        self.classifier = nn.Linear(model.dim, works, bias=False)
        self.margin, self.smoothing, self.variation = margin, smoothing, variation
        self.classification, self.triplet = classification, triplet

    def training_step(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        spectrogram = batch["spectrogram"] if "spectrogram" in batch else self.model.spectrogram(batch["wave"])
        if self.variation is not None:
            spectrogram = self.variation(spectrogram)
        heard, target = self.model.encode(spectrogram), batch["target"]
        named = functional.cross_entropy(self.classifier(heard["embedding"]), target, label_smoothing=self.smoothing)
        apart = batch_hard(euclidean(heard["features"]), target, self.margin, batch.get("index"))
        loss = self.classification * named + self.triplet * apart
        return {"loss": loss, "classification": named, "triplet": apart}


_NAMES = (  # pattern of a name in Orfium's checkpoints -> ours
    (r"^conv1\.", "backbone.stem.0."),
    (r"^batch_norm1\.", "backbone.stem.1."),
    (r"^layer1\.", "backbone.stages.0."),
    (r"^layer2\.", "backbone.stages.1."),
    (r"^layer3\.", "backbone.stages.2."),
    (r"^layer4\.", "backbone.stages.3."),
    (r"\.ibn\.IN\.", ".norm1.instance."),
    (r"\.ibn\.BN\.", ".norm1.batch."),
    (r"\.ibn\.", ".norm1."),
    (r"\.batch_norm([23])\.", r".norm\1."),
    (r"\.downsample\.", ".shortcut."),
    (r"^gem_pool\.p$", "pooling.power"),
    (r"^bn_fc\.", "neck."),
)


def from_orfium(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The state dict of a ``Model`` from that of Orfium's ``Resnet50``; its transform and classifier are left out."""
    kept = {name: tensor for name, tensor in state.items() if not name.startswith(("cqt.", "time_strech.", "fc."))}
    return {renamed(name, _NAMES): tensor for name, tensor in kept.items()}


def load(tag: str = "", *, path: str | PathLike[str] | None = None) -> Model:
    """Opens a checkpoint of Orfium's re-implementation.

    Args:
        tag: nothing, there is no file that is fetched by name.
        path: ``orfium-bytecover.pt``, of which only the tensors are read.

    Raises:
        WeightsError: there is no file, or it is no ByteCover.
    """
    if path is None:
        raise WeightsError(
            f"the weights of ByteCover{f' {tag}' if tag else ''} are not fetched by themselves",
            "Download them as https://github.com/Orfium/bytecover says and load them with path=FILE, or use bytecover3",
        )
    state = read_checkpoint(path)
    return filled(lambda: Model(Config(rectified=True)), lambda: from_orfium(state), path, "a ByteCover")


def evaluate(model: Model, manifest: Manifest | None = None) -> dict[str, float]:
    """How well whole tracks find each other by cosine: ``map``, ``p1``, ``p10``, ``mr1``.

    Args:
        model: put into evaluation mode.
        manifest: recordings whose labels are the works, as ``_versions.public("covers80", root)`` gives them. None for
            every public set in ``$AURICLE_DATA``, as ``covers80/map``.

    Raises:
        DataError: there is no such set.
    """

    def measured(manifest: Manifest) -> dict[str, float]:
        tracks = np.concatenate(_versions.embedded(model.eval().embed, manifest, model.sample_rate))
        return _versions.ranking(_versions.cosine(tracks, tracks), _versions.works_of(manifest))

    return _versions.on_public_sets(measured) if manifest is None else measured(manifest)


# --- the claim in miniature -------------------------------------------------------------------------------------------
#
# Works composed by rule (auricle.identify._works): other keys, tempi, instruments, accompaniment, ornaments, noise in
# every performance. Learned on pictures of performances that are drawn anew for every batch; tested on the sound of six
# performances of works that nothing was learned on, among themselves. Tracks are the first 12 s of a performance.

MINI = Config(
    sample_rate=11_025, hop=256, pool=10, exponent=0.5, normalise=True,
    stem=32, widths=(16, 24, 32, 48), depths=(1, 1, 1, 1),
)  # fmt: skip
SECONDS, VERSIONS, BARS = 12.0, 6, 4


@dataclass
class VersionsRecipe(Recipe):
    """A recipe with batches of works in several versions; ``batch`` is their product."""

    works: int = 8
    """Works of a batch."""

    freedom: float = 0.5
    """How free composed works are performed, in [0, 1], to train and to test on."""

    seconds: tuple[float, ...] = (100.0, 150.0, 200.0)
    """Lengths of the cuts of recordings, which epochs take in turn."""

    composed: int = 60
    """How many composed works there are to train on."""

    ramp: int = 150
    """Batches until their performances are as free as in the test."""

    tested: int = 40
    """How many composed works there are to test on."""


PRESETS = {
    "paper": VersionsRecipe(steps=262_500, batch=32, optim=Optim(name="adam", lr=1e-4)),  # SHS100K, 100 epochs
    "mini": VersionsRecipe(
        steps=250,
        batch=48,
        works=24,
        clip=5.0,
        optim=Optim(name="adam", lr=2e-3),
        schedule=Schedule("cosine", warmup=20),
    ),
    "smoke": VersionsRecipe(steps=2, batch=8, works=4, composed=8, tested=3),
}
# A phase vocoder's stretch at rates of 0.7 to 1.3, as in CQT-Net, is here one of the picture.
STRETCHED = Variation(transpose=0.0, stretch=0.9, factors=(0.77, 1.43), mask=0.0)
LOSSES: dict[str, dict[str, Any]] = {
    "joint": {},
    "classification": {"triplet": 0.0},
    "triplet": {"classification": 0.0},
    "joint_without_ibn": {},
}
ARMS = (*LOSSES, "chroma")
SEEDS = 3


def task_for(arm: str, seed: int, config: Config, works: int, variation: Variation | None = None) -> Task:
    """A new task of one arm."""
    torch.manual_seed(seed)
    model = Model(replace(config, ibn=arm != "joint_without_ibn"))
    return Task(model, works, variation=variation, **LOSSES[arm])


def experiment(preset: str = "mini") -> Experiment:
    """Joint training on composed works, or with ``paper`` on SHS100K from ``$AURICLE_DATA``."""
    recipe = PRESETS[preset]
    if preset == "paper":
        manifest = _versions.sets.load("shs100k")
        each = recipe.batch // recipe.works
        train = manifest.split("train")
        tracks = _versions.Tracks(train, Config.sample_rate, recipe.seconds, recipe.works, each, recipe.seed)
        task = task_for("joint", recipe.seed, Config(), len(tracks.works), STRETCHED)
        valid, test = (_versions.sounding(manifest.split(split)) for split in ("valid", "test"))
        return Experiment(
            task,
            tracks,
            recipe,
            lambda task: evaluate(task.model, valid),
            lambda task: evaluate(task.model, test),
            monitor="map",
            data=manifest.fingerprint(),
        )
    task, train = training("joint", recipe)
    return Experiment(task, train, recipe, test=lambda task: tested(task.model, recipe), data=data())


def training(arm: str, recipe: VersionsRecipe) -> tuple[Task, _versions.Pictures]:
    """A task of one arm and the composed works that it learns on."""
    task = task_for(arm, recipe.seed, MINI, recipe.composed)
    works = [compose(number, BARS) for number in range(recipe.composed)]
    rate = MINI.sample_rate / (MINI.hop * MINI.pool)
    each = recipe.batch // recipe.works
    frames = round(SECONDS * rate)
    manner = FREE.eased(recipe.freedom)
    return task, _versions.Pictures(
        works, rate, frames, recipe.works, each, recipe.seed, recipe.ramp, manner, anywhere=False
    )


def prepared(recipe: VersionsRecipe, model: Model) -> tuple[Tensor, NDArray[np.int64]]:
    """Spectrograms [versions, bins, frames] of the works to test on, and which work each is of."""
    numbers, manner = range(50_000, 50_000 + recipe.tested), FREE.eased(recipe.freedom)
    waves, works = _versions.performances(numbers, VERSIONS, SECONDS, MINI.sample_rate, manner, BARS)
    return torch.stack(_versions.spectrograms(waves, model.spectrogram)), works


@torch.inference_mode()
def tested(model: Model, recipe: VersionsRecipe) -> dict[str, float]:
    """``evaluate`` on composed works that nothing was learned on."""
    spectrograms, works = prepared(recipe, model)
    tracks = torch.cat([model.eval().encode(part)["embedding"] for part in spectrograms.split(32)]).numpy()
    return _versions.ranking(_versions.cosine(tracks, tracks), works)


def replicate(seed: int, arm: str, preset: str = "mini") -> dict[str, float]:
    """Trains one arm, or compares chroma without learning, and has all performances of unseen works find each other."""
    recipe = replace(PRESETS[preset], seed=seed)
    if arm == "chroma":
        spectrograms, works = prepared(recipe, Model(MINI))
        return _versions.ranking(chroma_similarity(spectrograms.numpy()), works)
    task, train = training(arm, recipe)
    fit(task, train, recipe, progress=False)
    return tested(task.model, recipe)


def chroma_similarity(spectrograms: NDArray[np.float32]) -> NDArray[np.float64]:
    """Largest correlation over 12 transpositions and all lags of the chroma of ``spectrograms`` [n, bins, frames].

    Returns:
        [n, n], in about [-1, 1].
    """
    n, bins, frames = spectrograms.shape
    chroma = np.sqrt(spectrograms).reshape(n, bins // 12, 12, frames).sum(axis=1)
    chroma -= chroma.mean(axis=(1, 2), keepdims=True)
    chroma /= np.maximum(np.linalg.norm(chroma, axis=(1, 2), keepdims=True), 1e-9)
    spectra = np.fft.rfft(chroma, 2 * frames)
    best = np.full((n, n), -1.0)
    for shift in range(12):
        turned = np.roll(spectra, shift, axis=1).conj()
        for row in range(n):
            lags = np.fft.irfft(np.einsum("cf,ncf->nf", spectra[row], turned), axis=1)
            best[row] = np.maximum(best[row], lags.max(axis=1))
    return best


def claims(values: Mapping[str, Mapping[str, NDArray[np.float64]]]) -> dict[str, bool]:
    """Judges the results of all arms; thresholds were fixed before any was seen."""
    found = {arm: values[arm]["map"] for arm in ARMS}
    mean = {arm: float(np.mean(found[arm])) for arm in ARMS}
    return {
        "both losses together are above classification alone by at least 0.03 of MAP in the mean": bool(
            mean["joint"] - mean["classification"] >= 0.03
        ),
        "both losses together are above triplets alone by at least 0.03 of MAP in the mean": bool(
            mean["joint"] - mean["triplet"] >= 0.03
        ),
        "with instance and batch normalisation MAP is at least that of batch normalisation in 2 of 3 seeds": bool(
            np.mean(found["joint"] >= found["joint_without_ibn"]) >= 2 / 3
        ),
        "MAP is above that of chroma correlated over all transpositions and lags in the mean": bool(
            mean["joint"] > mean["chroma"]
        ),
    }


def data() -> str:
    """What the music is; it is made from its seeds."""
    mini = PRESETS["mini"]
    return f"composed by rule: {mini.composed} works to train, {mini.tested} to test in {VERSIONS} versions each"
