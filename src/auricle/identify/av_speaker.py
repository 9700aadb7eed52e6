"""A multi-view approach to audio-visual speaker verification: voices and faces in one space, by one classifier.

Sari, Singh, Zhou, Torresani, Singhal, Saraf, ICASSP 2021, arXiv 2102.06291. Networks that join voice and face tell
people apart better than either, but know nothing of one without the other. The multi-view model trains an encoder for
each, side by side, under one matrix of speakers: both must score high with the same row, and so meet in one space,
where a voice is compared with a face.

    voice [batch, samples] at 16 kHz                       face [batch, pictures, 3, height, width] in [0, 1]
      | log-mel 80 bands, 25 / 10 ms, minus its mean         | ResNet-18, each picture by itself
      | ResNet-34, attentive statistics over time            | mean over places and pictures
      | linear, batch norm                                   | linear, batch norm
    embedding [batch, 256]                                 embedding [batch, 256]
      \\___ joined: both beside each other | linear, norm, ReLU, linear, norm ___/

Trained on one view alone, ``joined``, or multi-view under a ``shared`` classifier, with an additive-margin softmax over
the training speakers. ``Calibration.verify`` compares by cosine, in standard scores of strangers' cosines, so that a
trial in which a view is missing is scored by what is left, never by zeros.

Only the abstract could be read. The paper's are: the systems compared, the joined layers, the shared classifier, the
two tasks. Sizes, loss, pooling, optimiser and the normalisation of scores are choices made here.

Good to know: whoever hears only the sex of a voice gets a third of random voice-face trials wrong, not half, so the
error among trials of one sex belongs beside every number. The shared matrix leaves a constant offset between the views
where it has no rows to say otherwise; the mean embedding of each is subtracted before they are compared.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from auricle.features.logmel import LogMel
from auricle.hub import Card
from auricle.identify import _people
from auricle.metrics.identification import equal_error_rate
from auricle.nn.resnet import AttentiveStatistics, ResNet
from auricle.train import Experiment, Optim, Recipe, Schedule, fit
from auricle.train.task import Task as BaseTask

CARD = Card(
    name="av_speaker",
    title="A Multi-View Approach to Audio-Visual Speaker Verification",
    room="identify",
    kind="model",
    authors=("Leda Sari", "Kritika Singh", "Jiatong Zhou", "Lorenzo Torresani", "Nayan Singhal", "Yatharth Saraf"),
    year=2021,
    arxiv="2102.06291",
    task="speaker verification by voice, face, or one against the other",
    summary="Encoders of voices and of faces under one shared classifier, so that either is compared with the other.",
    claim="equal error rate on VoxCeleb1: 0.7 % with voice and face; 28 % for voices against faces, which systems that "
    "join the two cannot compare at all",
    code_licence="none found",
    data_licence="VoxCeleb: metadata CC-BY-4.0, the videos their owners'",
    extras=("train",),
)

View = Literal["voice", "face"]
MODES = {"a": ("voice", "voice"), "v": ("face", "face"), "a2v": ("voice", "face"), "v2a": ("face", "voice")}
FFT = 400  # samples
SHORTEST = 6_400  # samples; what is shorter is filled with silence


@dataclass(frozen=True)
class Config:
    """Architecture; the defaults are ResNet-34 for voices and ResNet-18 for faces."""

    bands: int = 80
    hop: int = 160  # samples between frames
    mean: Literal["bands", "level"] = "bands"  # taken off the log-mel: of every band, or one of all
    channels: tuple[int, ...] = (32, 64, 128, 256)  # of the voice's four stages
    depths: tuple[int, ...] = (3, 4, 6, 3)
    face_channels: tuple[int, ...] = (64, 128, 256, 512)
    face_depths: tuple[int, ...] = (2, 2, 2, 2)
    dim: int = 256
    hidden: int = 512  # of the joined layers
    seconds: float = 3.0  # heard at once, when used as an ear


class VoiceEncoder(nn.Module):
    """Waveform [batch, samples] to embedding [batch, dim]."""

    def __init__(self, config: Config):
        super().__init__()
        self.mean = config.mean
        self.front_end = LogMel(16_000, FFT, config.hop, config.bands, 20.0, 7600.0)
        self.body = ResNet(1, config.channels, config.depths)
        self.pool = AttentiveStatistics(self.body.dim * -(-config.bands // 8))
        self.head = nn.Sequential(
            nn.Linear(2 * self.body.dim * -(-config.bands // 8), config.dim), nn.BatchNorm1d(config.dim)
        )

    def forward(self, wave: Tensor) -> Tensor:
        wave = functional.pad(wave, (0, max(0, SHORTEST - wave.shape[-1])))
        mel = self.front_end(wave) / 10  # bels: about as wide as a standard normal
        mel = mel - mel.mean(dim=1 if self.mean == "bands" else (1, 2), keepdim=True)
        maps = self.body(mel.transpose(1, 2)[:, None])  # [batch, channels, bands / 8, frames / 8]
        return self.head(self.pool(maps.flatten(1, 2)))


class FaceEncoder(nn.Module):
    """Pictures [batch, pictures, 3, height, width] in [0, 1] to embedding [batch, dim]."""

    def __init__(self, config: Config):
        super().__init__()
        self.body = ResNet(3, config.face_channels, config.face_depths)
        self.head = nn.Sequential(nn.Linear(self.body.dim, config.dim), nn.BatchNorm1d(config.dim))

    def forward(self, faces: Tensor) -> Tensor:
        maps = self.body((faces.flatten(0, 1) - 0.5) / 0.25).mean(dim=(-2, -1))
        return self.head(maps.unflatten(0, faces.shape[:2]).mean(dim=1))


class Model(nn.Module):
    """Both encoders and the layers that join them; randomly initialised.

    Args:
        config: the architecture.
    """

    sample_rate = 16_000
    classes: tuple[str, ...] = ()

    def __init__(self, config: Config | None = None):
        super().__init__()
        self.config = config = config or Config()
        self.dim, self.window = config.dim, config.seconds
        self.voice, self.face = VoiceEncoder(config), FaceEncoder(config)
        self.joint = nn.Sequential(
            nn.Linear(2 * config.dim, config.hidden),
            nn.BatchNorm1d(config.hidden),
            nn.ReLU(),
            nn.Linear(config.hidden, config.dim),
            nn.BatchNorm1d(config.dim),
        )

    def forward(self, wave: Tensor, faces: Tensor | None = None) -> dict[str, Tensor]:
        """Unit embeddings [batch, dim] of ``voice`` and, with ``faces``, of ``face`` and of both ``joined``."""
        heard = self.voice(wave)
        parts = {"voice": heard}
        if faces is not None:
            seen = self.face(faces)
            parts |= {"face": seen, "joined": self.joint(torch.cat([heard, seen], dim=1))}
        return {name: functional.normalize(part, dim=1) for name, part in parts.items()}

    def embed(self, wave: Tensor) -> Tensor:
        """Unit embeddings [batch, dim] of voices ``wave`` [batch, samples]."""
        return functional.normalize(self.voice(wave), dim=1)

    def embed_face(self, faces: Tensor) -> Tensor:
        """Unit embeddings [batch, dim] of ``faces`` [batch, pictures, 3, height, width] in [0, 1]."""
        return functional.normalize(self.face(faces), dim=1)

    def embed_both(self, wave: Tensor, faces: Tensor) -> Tensor:
        """Unit embeddings [batch, dim] of voice and face together."""
        return self(wave, faces)["joined"]


class AMSoftmax(nn.Module):
    """Cross-entropy of cosines with one row per speaker, the right one less a margin (Wang et al., arXiv 1801.05599).

    Args:
        dim: of the embeddings.
        speakers: rows.
        scale: of the cosines.
        margin: taken off the cosine with the right row; 0 for a plain softmax of cosines.
    """

    def __init__(self, dim: int, speakers: int, scale: float = 30.0, margin: float = 0.2):
        super().__init__()
        self.rows = nn.Parameter(torch.randn(speakers, dim) / dim**0.5)
        self.scale, self.margin = scale, margin

    def forward(self, embedding: Tensor, speaker: Tensor) -> Tensor:
        """Mean loss of embeddings [batch, dim] of ``speaker`` [batch]."""
        cosines = functional.normalize(embedding, dim=1) @ functional.normalize(self.rows, dim=1).T
        right = functional.one_hot(speaker, len(self.rows)) * self.margin
        return functional.cross_entropy(self.scale * (cosines - right), speaker)


Kind = Literal["voice", "face", "joined", "shared", "separate"]


class Task(BaseTask):
    """The loss on ``{"wave": [n, samples], "faces": [n, pictures, 3, h, w], "speaker": [n]}``.

    Args:
        model: what is trained.
        speakers: how many there are.
        kind: ``voice`` or ``face`` alone; ``joined``; multi-view with a ``shared`` classifier, or, as a control, two
            ``separate`` ones.
        margin: of the additive-margin softmax.
        drop: probability that ``joined`` layers see nothing of one view of a clip, whichever.
    """

    def __init__(self, model: Model, speakers: int, kind: Kind = "shared", margin: float = 0.2, drop: float = 0.2):
        super().__init__()
        self.model, self.kind, self.drop = model, kind, drop
        self.classifier = AMSoftmax(model.dim, speakers, margin=margin)
        self.second = AMSoftmax(model.dim, speakers, margin=margin) if kind == "separate" else self.classifier

    def training_step(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        speaker = batch["speaker"]
        if self.kind in ("voice", "face"):
            view = self.model.voice(batch["wave"]) if self.kind == "voice" else self.model.face(batch["faces"])
            return {"loss": self.classifier(view, speaker)}
        voice, face = self.model.voice(batch["wave"]), self.model.face(batch["faces"])
        if self.kind == "joined":
            lost, which = torch.rand(2, len(voice), 1, device=voice.device)
            voice = voice * ~((lost < self.drop) & (which < 0.5))
            face = face * ~((lost < self.drop) & (which >= 0.5))
            return {"loss": self.classifier(self.model.joint(torch.cat([voice, face], dim=1)), speaker)}
        heard, seen = self.classifier(voice, speaker), self.second(face, speaker)
        return {"loss": heard + seen, "voice": heard.detach(), "face": seen.detach()}

    def parameter_groups(self) -> list[dict[str, Any]]:
        """Without the parts of the model that this kind does not train."""
        used = {"voice": ("voice",), "face": ("face",), "joined": ("voice", "face", "joint")}
        parts = [getattr(self.model, name) for name in used.get(self.kind, ("voice", "face"))]
        trained = nn.ModuleList([*parts, self.classifier, self.second])
        return [{"params": list(trained.parameters())}]


# --- verification -----------------------------------------------------------------------------------------------------

Embeddings = Mapping[str, NDArray[np.floating]]  # "voice", "face" and "joined" [clips, dim]; rows of NaN where missing
Indices = NDArray[np.integer]  # of clips [trials]


def centred(views: Embeddings, means: Embeddings) -> dict[str, NDArray[np.floating]]:
    """Unit embeddings less the mean of their view in ``means`` [clips, dim]: no offset is left between the views."""

    def apart(name: str) -> NDArray[np.floating]:
        difference = views[name] - means[name].mean(axis=0)
        return difference / np.maximum(np.linalg.norm(difference, axis=1, keepdims=True), 1e-9)

    return {name: apart(name) for name in views}


def cosines(views: Embeddings, enrol: Indices, test: Indices, mode: str) -> NDArray[np.floating]:
    """Cosines [trials] of unit embeddings in a mode of ``MODES`` or ``joined``; NaN where a view is missing."""
    first, second = MODES.get(mode, (mode, mode))
    return np.einsum("ij,ij->i", views[first][enrol], views[second][test])


@dataclass(frozen=True)
class Calibration:
    """Mean and deviation of strangers' cosines in each mode: what makes the modes' scores comparable."""

    table: Mapping[str, tuple[float, float]]

    @classmethod
    def on(cls, views: Embeddings, people: NDArray[np.integer]) -> "Calibration":
        """From clips of a development set and whom they are of [clips], each with another one."""
        enrol, test = np.arange(len(people)), np.random.default_rng(0).permutation(len(people))
        strangers = people[enrol] != people[test]
        modes = [mode for mode in (*MODES, "joined") if set(MODES.get(mode, (mode,))) <= set(views)]
        scores = {mode: cosines(views, enrol[strangers], test[strangers], mode) for mode in modes}
        return cls({mode: (float(np.nanmean(s)), float(np.nanstd(s))) for mode, s in scores.items()})

    def verify(self, views: Embeddings, enrol: Indices, test: Indices, mode: str = "av") -> NDArray[np.float64]:
        """Standard scores [trials] of clips ``enrol`` against ``test``, higher for the same person.

        ``mode`` "av" is the joined embedding where there is one and the mean over voice and face where not; with a
        view missing on either side, whichever comparison is left: voices, faces, or one against the other. NaN where
        none is. Any other mode is one of the table's, NaN where a view is missing.
        """

        def standard(mode: str) -> NDArray[np.float64]:
            mean, deviation = self.table[mode]
            return ((cosines(views, enrol, test, mode) - mean) / max(deviation, 1e-6)).astype(np.float64)

        if mode != "av":
            return standard(mode)
        joined = [standard("joined")] if "joined" in self.table else []
        both = (standard("a") + standard("v")) / 2
        scores = np.full(len(enrol), np.nan)
        for left in (*joined, both, *map(standard, MODES)):
            scores = np.where(np.isnan(scores), left, scores)
        return scores


# --- the claim in miniature -------------------------------------------------------------------------------------------

SMALL = (8, 16, 32, 64)
MINI = Config(40, 320, "level", SMALL, (1, 1, 1, 1), SMALL, (1, 1, 1, 1), dim=64, hidden=128, seconds=1.0)
PEOPLE = {"paper": (200, 12, 30, 2000), "mini": (200, 12, 30, 2000), "smoke": (6, 4, 4, 60)}
"""Speakers to train on, clips of each, speakers never met, and trials among those."""
PRESETS = {
    "paper": Recipe(
        steps=85_000,
        batch=128,
        optim=Optim(name="adamw", lr=1e-3, weight_decay=1e-4),
        schedule=Schedule("cosine", warmup=2000),
    ),  # VoxCeleb2, ten times
    "mini": Recipe(
        steps=200,
        batch=64,
        optim=Optim(name="adamw", lr=3e-3, weight_decay=1e-2),
        schedule=Schedule("cosine", warmup=20),
    ),
    "smoke": Recipe(steps=2, batch=8, optim=Optim(name="adamw", lr=1e-3)),
}
ARMS = ("voice", "face", "score", "joined", "shared", "separate")
SEEDS = 5
STRANGERS = 1000  # added to the seed of people who are not trained on


@lru_cache(maxsize=2)
def _clips(preset: str, seed: int) -> tuple[_people.Clips, _people.Clips]:
    """Clips to train on, and those of people never met."""
    speakers, each, strangers, _ = PEOPLE[preset]
    return _people.clips(speakers, each, seed), _people.clips(strangers, each, seed + STRANGERS)


@lru_cache(maxsize=4)
def _trained(preset: str, seed: int, kind: Kind) -> Model:
    """A model trained as ``kind``; those of two views begin with the encoders of one, ``joined`` in half the steps."""
    torch.manual_seed(seed)
    model, recipe = Model(MINI), replace(PRESETS[preset], seed=seed)
    if kind not in ("voice", "face"):
        model = _side_by_side(preset, seed)
    if kind == "joined":
        recipe = replace(recipe, steps=recipe.steps // 2)
    fit(Task(model, PEOPLE[preset][0], kind), _people.Sessions(_clips(preset, seed)[0], seed), recipe, progress=False)
    return model


def _side_by_side(preset: str, seed: int) -> Model:
    """The encoders that were trained alone, in one model."""
    model = Model(MINI)
    model.voice.load_state_dict(_trained(preset, seed, "voice").voice.state_dict())
    model.face.load_state_dict(_trained(preset, seed, "face").face.state_dict())
    return model


@torch.no_grad()
def _embedded(model: Model, clips: _people.Clips) -> dict[str, NDArray[np.floating]]:
    model.eval()
    waves, faces = torch.from_numpy(clips.waves), torch.from_numpy(clips.faces)
    parts = [model(wave, face) for wave, face in zip(waves.split(64), faces.split(64), strict=True)]
    return {name: torch.cat([part[name] for part in parts]).numpy() for name in ("voice", "face", "joined")}


def experiment(preset: str = "mini") -> Experiment:
    """The multi-view model on people who do not exist, as ``auricle train av_speaker`` trains it."""
    recipe = PRESETS[preset]
    torch.manual_seed(recipe.seed)
    train, strangers = _clips(preset, recipe.seed)
    others = _people.clips(PEOPLE[preset][2], PEOPLE[preset][1], recipe.seed + 2 * STRANGERS)
    return Experiment(
        Task(Model(MINI), PEOPLE[preset][0], "shared"),
        _people.Sessions(train, recipe.seed),
        recipe,
        lambda task: _errors(task.model, "shared", train, others, preset),
        lambda task: _errors(task.model, "shared", train, strangers, preset),
        monitor="across_eer",
        data=data(),
    )


def _errors(model: Model, arm: str, train: _people.Clips, heard: _people.Clips, preset: str) -> dict[str, float]:
    """Equal error rates of an arm on trials of people never met."""
    trials = _people.trials(heard, PEOPLE[preset][3], seed=0)
    known, views = _embedded(model, train), _embedded(model, heard)

    def error(scores: NDArray[np.floating], some: NDArray[np.bool_] | None = None) -> float:
        chosen = np.ones(len(scores), bool) if some is None else some
        return equal_error_rate(scores[chosen], trials.same[chosen])

    def across(views: Embeddings, some: NDArray[np.bool_] | None = None) -> float:
        return float(np.mean([error(cosines(views, trials.enrol, trials.test, m), some) for m in ("a2v", "v2a")]))

    if arm in ("voice", "face", "joined"):
        return {f"{arm}_eer": error(cosines(views, trials.enrol, trials.test, arm))}
    if arm == "score":
        calibration = Calibration.on({name: known[name] for name in ("voice", "face")}, train.people)
        return {"both_eer": error(calibration.verify(views, trials.enrol, trials.test, "av"))}
    level = centred(views, known)
    return {
        "voice_eer": error(cosines(views, trials.enrol, trials.test, "a")),
        "face_eer": error(cosines(views, trials.enrol, trials.test, "v")),
        "across_eer": across(level),
        "across_uncentred_eer": across(views),
        "across_one_sex_eer": across(level, trials.one_sex),
    }


def replicate(seed: int, arm: str, preset: str = "mini") -> dict[str, float]:
    """Equal error rates on people never met, in trials of different sessions.

    ``voice_eer``, ``face_eer`` and ``joined_eer`` compare like with like; ``both_eer`` is the mean of the standard
    scores of a voice's and a face's network. ``across_eer`` compares voices with faces, each less the mean of its kind
    (``uncentred``: as they are); ``across_one_sex_eer`` only where the sex says nothing.
    """
    train, strangers = _clips(preset, seed)
    kind: Any = arm
    model = _side_by_side(preset, seed) if arm == "score" else _trained(preset, seed, kind)
    return _errors(model, arm, train, strangers, preset)


def claims(values: Mapping[str, Mapping[str, NDArray[np.float64]]]) -> dict[str, bool]:
    """Judges the results of all arms; thresholds were fixed before any was seen."""
    better = np.minimum(values["voice"]["voice_eer"], values["face"]["face_eer"])
    shared, separate = values["shared"], values["separate"]["across_eer"].mean()
    return {
        "the mean of both scores has at least 20 % less error than the better view alone, with every seed": bool(
            np.all(values["score"]["both_eer"] <= 0.8 * better)
        ),
        "joined layers have at least 20 % less error than the better view alone, with every seed": bool(
            np.all(values["joined"]["joined_eer"] <= 0.8 * better)
        ),
        "with a shared classifier, voices and faces are matched with at most 40 % error in the mean": bool(
            shared["across_eer"].mean() <= 0.40
        ),
        "that is at least 8 points below separate classifiers, which stay within 8 points of chance in the mean": bool(
            separate - shared["across_eer"].mean() >= 0.08 and abs(separate - 0.5) <= 0.08
        ),
        "in the mean, the shared classifier's error within each view is within 20 % of that view's alone": bool(
            shared["voice_eer"].mean() <= 1.2 * values["voice"]["voice_eer"].mean()
            and shared["face_eer"].mean() <= 1.2 * values["face"]["face_eer"].mean()
        ),
    }


def data() -> str:
    """What the people are; they are made from the seed."""
    return "synthetic: 200 people to train on and 30 others, 12 clips each; 4 of 8 causes common to voice and face"
