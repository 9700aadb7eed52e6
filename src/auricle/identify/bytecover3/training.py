"""The claim of ByteCover3 in miniature, on works composed by rule, and its evaluation on public sets of versions.

Networks learn on pictures of performances that are drawn anew for every batch (auricle.identify._works); the local one
on single chunks of 10 s, with the rest of the batch in place of prototypes, since whole tracks and prototypes taught it
nothing in so few steps. They are tested on the sound of six performances of unseen works: a cut of 3, 6 or 12 s of one,
or all of it, asks for the other five among all others. Arms: ``global``, bytecover's one vector a track; ``local``, the
local alignment loss and MaxMean; ``local_mean``, the same network with its chunks averaged into one vector;
``two_stage``, ``local`` where tracks are compared only if they hold one of the 50 chunks nearest to one of the query's.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from auricle.audio import read
from auricle.data.manifest import Manifest
from auricle.hub.ear import TorchEar
from auricle.identify import _versions, bytecover
from auricle.identify._versions import Pictures, Tracks, Variation
from auricle.identify._works import FREE, compose
from auricle.identify.bytecover3.model import Config, LocalAlignment, Model, Task, maxmean
from auricle.train import Experiment, Optim, Recipe, Schedule, fit
from auricle.types import Ear, Waveform, windows_in

MINI = Config(
    sample_rate=11_025, hop=256, pool=8, exponent=0.5, stem=32, widths=(16, 24, 32, 48), depths=(1, 1, 1, 1),
    projection=128, seconds=10.0,
)  # fmt: skip
HOP = 5.0  # seconds between chunks of 10 s
QUERIES = {"3": 3.0, "6": 6.0, "12": 12.0, "full": None}  # seconds of them
TRACK, VERSIONS, BARS = 45.0, 6, 4
NEAREST = 50  # chunks that choose the tracks of the second stage


@dataclass
class ChunksRecipe(Recipe):
    """A recipe with batches of works in several versions; ``batch`` is their product."""

    works: int = 25
    """Works of a batch."""

    seconds: float = 150.0
    """Length of the cuts of recordings, or of performances."""

    composed: int = 300
    """How many composed works there are to train on."""

    ramp: int = 1000
    """Batches until their performances are as free as in the test."""

    tested: int = 25
    """How many composed works there are to test on."""

    freedom: float = 0.5
    """How free composed works are performed, in [0, 1], to train and to test on."""


PRESETS = {
    # SHS100K as in sony/clews; it halves the rate when the validation stands still
    "paper": ChunksRecipe(
        steps=84_000, batch=100, optim=Optim(name="adam", lr=3e-4), schedule=Schedule("cosine", warmup=1000)
    ),
    "mini": ChunksRecipe(
        steps=300, batch=64, works=32, seconds=15.0, clip=5.0,
        optim=Optim(name="adam", lr=2e-3), schedule=Schedule("cosine", warmup=20),
    ),
    "smoke": ChunksRecipe(steps=2, batch=8, works=4, seconds=15.0, composed=8, tested=3),
}  # fmt: skip
ARMS = ("global", "local", "local_mean", "two_stage")
SEEDS = 3


# --- training ---------------------------------------------------------------------------------------------------------


def task_for(kind: str, seed: int, works: int) -> Any:
    """A new task of the miniature: "global" or "local"."""
    torch.manual_seed(seed)
    if kind == "global":
        shared = {name: getattr(MINI, name) for name in bytecover.Architecture.__dataclass_fields__}
        return bytecover.Task(bytecover.Model(bytecover.Config(**shared)), works)
    loss = LocalAlignment(works, MINI.projection, prototypes=0, scale=10.0, smoothing=0.0, closeness=0.0)
    return Task(Model(MINI), loss)


@cache
def trained(kind: str, seed: int, preset: str) -> Any:
    """The network of "global" or "local" arms."""
    recipe = replace(PRESETS[preset], seed=seed)
    task = task_for(kind, seed, recipe.composed)
    fit(task, pictures(recipe, kind), recipe, progress=False)
    return task.model


def pictures(recipe: ChunksRecipe, kind: str = "local") -> Pictures:
    """The composed works to learn on: the first seconds of each, or chunks from anywhere for what is local."""
    rate = MINI.sample_rate / (MINI.hop * MINI.pool)
    works = [compose(number, BARS) for number in range(recipe.composed)]
    local, each, manner = kind == "local", recipe.batch // recipe.works, FREE.eased(recipe.freedom)
    frames = round((MINI.seconds if local else recipe.seconds) * rate)
    return Pictures(works, rate, frames, recipe.works, each, recipe.seed, recipe.ramp, manner, anywhere=local)


def experiment(preset: str = "mini") -> Experiment:
    """The local alignment loss on composed works, or with ``paper`` on SHS100K from ``$AURICLE_DATA``."""
    recipe = PRESETS[preset]
    if preset == "paper":
        manifest, each = _versions.sets.load("shs100k"), recipe.batch // recipe.works
        train = manifest.split("train")
        tracks = Tracks(train, Config.sample_rate, (recipe.seconds,), recipe.works, each, recipe.seed)
        torch.manual_seed(recipe.seed)
        task = Task(Model(), LocalAlignment(len(tracks.works), Config.projection), queries=1, variation=Variation())
        valid, test = (_versions.sounding(manifest.split(split)) for split in ("valid", "test"))
        measured = [lambda task, part=part: evaluate(task.model, part) for part in (valid, test)]
        return Experiment(task, tracks, recipe, *measured, monitor="map", data=manifest.fingerprint())
    task = task_for("local", recipe.seed, recipe.composed)
    return Experiment(
        task, pictures(recipe), recipe, test=lambda task: tested(task.model, "local", recipe), data=data()
    )


# --- the claim in miniature -------------------------------------------------------------------------------------------


def replicate(seed: int, arm: str, preset: str = "mini") -> dict[str, float]:
    """Trains one arm (the local ones once for all) and asks for versions: ``map_…`` and ``p1_…`` of every length.

    ``scored_…`` is the share of the tracks that were compared.
    """
    model = trained("global" if arm == "global" else "local", seed, preset)
    return tested(model, arm, PRESETS[preset])


@torch.inference_mode()
def tested(model: Any, arm: str, recipe: ChunksRecipe) -> dict[str, float]:
    """``replicate`` of a network that is trained."""
    numbers, manner = range(60_000, 60_000 + recipe.tested), FREE.eased(recipe.freedom)
    waves, works = _versions.performances(numbers, VERSIONS, TRACK, MINI.sample_rate, manner, BARS)
    tracks = _versions.spectrograms(waves, model.eval().spectrogram)
    rate = MINI.sample_rate / (MINI.hop * MINI.pool)
    rng, found = np.random.default_rng(0), {}
    items = [vectors_of(model, arm, track) for track in tracks]
    for name, seconds in QUERIES.items():
        queries = items
        if seconds is not None:
            frames = round(seconds * rate)
            starts = [int(rng.integers(track.shape[-1] - frames + 1)) for track in tracks]
            cuts = [track[:, first : first + frames] for track, first in zip(tracks, starts, strict=True)]
            queries = [vectors_of(model, arm, cut) for cut in cuts]
        similarity, scored = compared(torch.stack(queries), torch.stack(items), NEAREST if arm == "two_stage" else None)
        ranking = _versions.ranking(similarity, works)
        found |= {f"map_{name}": ranking["map"], f"p1_{name}": ranking["p1"], f"scored_{name}": scored}
    return found


def vectors_of(model: Any, arm: str, spectrogram: Tensor) -> Tensor:
    """What stands for a track or a cut in an arm: unit vectors [n, dim]."""
    if arm == "global":
        return functional.normalize(model.encode(spectrogram[None])["embedding"], dim=-1)
    chunks = model.encode(model.chunks(spectrogram, HOP))
    return functional.normalize(chunks.mean(dim=0, keepdim=True), dim=-1) if arm == "local_mean" else chunks


def compared(queries: Tensor, items: Tensor, nearest: int | None = None) -> tuple[NDArray[np.float32], float]:
    """MaxMean [n, n] of queries [n, m, dim] to the items [n, k, dim] they are cut from, and the share computed.

    With ``nearest``, only of items that hold one of so many vectors nearest to one of the query's, others than its own;
    the rest is -1.
    """
    similarity = maxmean(queries, items).numpy()
    if nearest is None:
        return similarity, 1.0
    n, k, dim = items.shape
    cosines = (queries.reshape(-1, dim) @ items.reshape(-1, dim).T).view(n, -1, n, k)
    own = torch.eye(n, dtype=torch.bool)[:, None, :, None]
    near = cosines.masked_fill(own, -2).flatten(2).topk(min(nearest, (n - 1) * k), dim=-1).indices // k
    worth = torch.zeros(n, n, dtype=torch.bool).scatter(1, near.flatten(1), True).numpy()
    return np.where(worth, similarity, np.float32(-1)), float(worth.sum(axis=1).mean() / (n - 1))


def claims(values: Mapping[str, Mapping[str, NDArray[np.float64]]]) -> dict[str, bool]:
    """Judges the results of all arms; thresholds were fixed before any was seen."""
    mean = {(arm, name): float(np.mean(values[arm][f"map_{name}"])) for arm in ARMS for name in QUERIES}
    gap = {name: mean["local", name] - mean["global", name] for name in QUERIES}
    return {
        "asked for 6 s, local alignment is above one vector a track by at least 0.05 of MAP in the mean": bool(
            gap["6"] >= 0.05
        ),
        "asked for whole tracks, it is ahead by less than for 6 s, or behind, in the mean": bool(
            gap["full"] < gap["6"]
        ),
        "asked for 6 s, two stages keep at least 98 % of its MAP in the mean": bool(
            mean["two_stage", "6"] >= 0.98 * mean["local", "6"]
        ),
        "and they compare at most 30 % of the tracks in the mean": bool(
            np.mean(values["two_stage"]["scored_6"]) <= 0.30
        ),
    }


def data() -> str:
    """What the music is; it is made from its seeds."""
    mini = PRESETS["mini"]
    return f"composed by rule: {mini.composed} works to train, {mini.tested} to test in {VERSIONS} versions each"


# --- public sets ------------------------------------------------------------------------------------------------------


def evaluate(model: Model | Ear, manifest: Manifest | None = None, seconds: float | None = None) -> dict[str, float]:
    """How well recordings find other versions: ``map``, ``p1``, ``p10``, ``mr1``.

    Args:
        model: a model, whose chunks are then taken every 5 s, or an ear.
        manifest: recordings whose labels are the works, as ``_versions.public("covers80", root)`` gives them. None for
            every public set in ``$AURICLE_DATA``, as ``covers80/map``.
        seconds: only so much from the middle of a recording asks for the others; None for all of it.

    Raises:
        DataError: there is no such set.
    """
    ear = TorchEar("bytecover3", model, model.window, 5.0) if isinstance(model, Model) else model

    def measured(manifest: Manifest) -> dict[str, float]:
        items = [chunk_vectors(ear, read(path, ear.sample_rate)[0]) for path in manifest.paths]
        queries = items if seconds is None else [_cut(ear, path, seconds) for path in manifest.paths]
        similarity = np.array([[_maxmean(query, item) for item in items] for query in queries])
        if seconds is None:  # as sony/clews compares whole tracks
            similarity = (similarity + similarity.T) / 2
        return _versions.ranking(similarity, _versions.works_of(manifest))

    return _versions.on_public_sets(measured) if manifest is None else measured(manifest)


def chunk_vectors(ear: Ear, wave: Waveform) -> NDArray[np.float32]:
    """Vectors [chunks, dim] of ``wave`` [samples]; what is shorter than a chunk is repeated.

    An end that fills less than half of a chunk is left out.
    """
    wave = np.resize(wave, max(len(wave), ear.window))
    chunks = windows_in(len(wave), ear.window, ear.hop)
    filled = np.zeros((chunks - 1) * ear.hop + ear.window, np.float32)
    filled[: len(wave)] = wave
    vectors = ear.hear(filled).embeddings
    rest = len(wave) - (chunks - 1) * ear.hop
    return vectors if rest >= ear.window / 2 else vectors[:-1]


def _cut(ear: Ear, path: Any, seconds: float) -> NDArray[np.float32]:
    wave, samples = read(path, ear.sample_rate)[0], round(seconds * ear.sample_rate)
    first = max(0, (len(wave) - samples) // 2)
    return chunk_vectors(ear, wave[first : first + samples])


def _maxmean(query: NDArray[np.float32], item: NDArray[np.float32]) -> float:
    return float((query @ item.T).max(axis=1).mean())
