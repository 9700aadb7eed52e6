"""What the systems that recognise works share: variations of spectrograms, training sets of versions, evaluation."""

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from auricle.audio import is_audio_name, read
from auricle.data import sets
from auricle.data.clips import Clips
from auricle.data.manifest import Manifest
from auricle.data.samplers import grouped
from auricle.errors import DataError
from auricle.identify import _works
from auricle.metrics.identification import mean_average_precision, mean_rank_of_first, precision_at
from auricle.types import Waveform


@dataclass(frozen=True)
class Variation:
    """Changes of constant-Q spectrograms that keep the work, drawn anew for every batch.

    As in sony/clews, ``lib/augmentations.py``: the defaults are theirs.
    """

    transpose: float = 0.5  # probability, for each item
    semitones: int = 12  # at most, up or down
    stretch: float = 0.3  # probability, for the whole batch
    factors: tuple[float, float] = (0.6, 1.8)  # of the length
    mask: float = 0.4  # probability, for each item
    stripe: float = 0.15  # longest stripe of each axis that is silenced, as a share of it

    def __call__(self, spectrograms: Tensor) -> Tensor:
        """Spectrograms [n, bins, frames] with one bin a semitone, changed; the shape stays."""
        n, bins, frames = spectrograms.shape
        if self.stretch and torch.rand(()) < self.stretch:
            low, high = self.factors
            length = max(1, round(frames * (low + (high - low) * float(torch.rand(())))))
            stretched = functional.interpolate(spectrograms, length, mode="linear", align_corners=False)
            first = int(torch.randint(max(1, length - frames + 1), ()))
            spectrograms = stretched.repeat(1, 1, -(-frames // length))[:, :, first:][:, :, :frames]
            spectrograms = functional.pad(spectrograms, (0, frames - spectrograms.shape[-1]))
        device = spectrograms.device
        if self.transpose:
            steps = torch.randint(-self.semitones, self.semitones + 1, (n,), device=device)
            steps = steps * (torch.rand(n, device=device) < self.transpose)
            source = torch.arange(bins, device=device)[None] - steps[:, None]
            moved = spectrograms.gather(1, source.clamp(0, bins - 1)[:, :, None].expand(-1, -1, frames))
            spectrograms = moved * ((source >= 0) & (source < bins))[:, :, None]
        if self.mask:
            masked = torch.rand(n, device=device) < self.mask
            keep = (
                _stripes(n, bins, self.stripe, masked)[:, :, None] & _stripes(n, frames, self.stripe, masked)[:, None]
            )
            spectrograms = spectrograms * keep
        return spectrograms


def _stripes(n: int, length: int, share: float, masked: Tensor) -> Tensor:
    """Which places [n, length] stay, when one stripe of the ``masked`` items goes."""
    width = torch.rand(n, 1, device=masked.device) * share * length
    first = torch.rand(n, 1, device=masked.device) * (length - width)
    place = torch.arange(length, device=masked.device)
    return ~((place >= first) & (place < first + width) & masked[:, None])


# --- sets to train on -------------------------------------------------------------------------------------------------


class Tracks:
    """Cuts of recordings in batches of ``groups`` works with ``each`` recordings: ``{"wave", "target", "index"}``.

    A map-style data set with a sampler. Cuts of one epoch are equally long; epochs take the lengths in turn.

    Args:
        manifest: recordings whose labels are the works; those that are not there are passed over.
        rate: Hz.
        seconds: lengths of the cuts.
        groups, each: of a batch.
        seed: of cuts and order.
    """

    def __init__(self, manifest: Manifest, rate: int, seconds: Sequence[float], groups: int, each: int, seed: int = 0):
        manifest = sounding(manifest)
        works = np.array([labels[0] for labels in manifest.column("labels")])
        self.works = sorted(set(works))
        self.parts = [
            Clips(manifest, rate, length, classes=self.works, seed=seed, pad="repeat", cache=False)
            for length in seconds
        ]
        self.sampler = grouped(works, groups, each, seed)
        self.epoch = 0

    def __len__(self) -> int:
        return len(self.parts[0])

    def set_epoch(self, epoch: int) -> None:
        self.epoch = epoch
        for part in self.parts:
            part.set_epoch(epoch)

    def __getitem__(self, index: int) -> dict[str, Any]:
        return self.parts[self.epoch % len(self.parts)][index]


class Pictures:
    """Works to learn on, performed anew in every epoch: ``{"spectrogram": [bins, frames], "target", "index"}``.

    A map-style data set with a sampler: batches of ``groups`` works with ``each`` performances, which begin at about
    the same place of the work. At first they are easy, for a network that hears only hard ones learns nothing.

    Args:
        works: the works.
        rate: frames a second.
        frames: length of a spectrogram.
        groups, each: of a batch.
        seed: of everything that is drawn.
        ramp: batches until performances are as free as they get.
        manner: how free that is.
        anywhere: begin anywhere in the work, the same place for a batch; else at its beginning.
    """

    EASY = 0.1  # of the way, at first

    def __init__(
        self,
        works: Sequence[_works.Work],
        rate: float,
        frames: int,
        groups: int,
        each: int,
        seed: int = 0,
        ramp: int = 0,
        manner: _works.Manner = _works.FREE,
        anywhere: bool = True,
    ):
        self.anywhere = anywhere
        self.works, self.rate, self.frames, self.each = works, rate, frames, each
        self.seed, self.ramp, self.manner = seed, ramp, manner
        self.sampler = grouped(np.arange(len(self)) // each, groups, each, seed)
        self.set_epoch(0)

    def __len__(self) -> int:
        return len(self.works) * self.each

    def set_epoch(self, epoch: int) -> None:
        self.epoch = epoch
        batches = epoch * len(self.sampler) / (self.sampler.groups * self.each)
        self.freedom = min(1.0, self.EASY + batches / self.ramp) if self.ramp else 1.0

    def __getitem__(self, index: int) -> dict[str, Any]:
        place = index // self.each
        work, shared = self.works[place], np.random.default_rng((self.seed, self.epoch, place, 0))
        own = np.random.default_rng((self.seed, self.epoch, index, 1))
        beats = self.frames / self.rate * 100 / 60  # about as many as are heard
        start = 0.0
        if self.anywhere:
            start = shared.uniform(0, max(0.01, work.beats - beats)) + self.freedom * own.uniform(-4, 4)
            start = float(np.clip(start, 0, work.beats - 1))
        manner = self.manner.eased(self.freedom)
        drawn = _works.picture(work, int(own.integers(1 << 40)), self.rate, self.frames, manner, start)
        return {"spectrogram": drawn, "target": place, "index": index}


@cache
def performances(
    works: range,
    versions: int,
    seconds: float | None,
    rate: int,
    manner: _works.Manner = _works.FREE,
    bars: int = 8,
) -> tuple[tuple[Waveform, ...], NDArray[np.int64]]:
    """Waveforms of ``versions`` performances of each of the composed ``works``, and of which work each is, from 0.

    Parts of the works have so many ``bars``.
    """
    played = tuple(
        _works.perform(_works.compose(work, bars), 1000 * work + version, rate, seconds, manner)
        for work in works
        for version in range(versions)
    )
    return played, np.repeat(np.arange(len(works)), versions)


@torch.no_grad()
def spectrograms(waves: Iterable[Waveform], front_end: Callable[[Tensor], Tensor]) -> list[Tensor]:
    """``front_end`` of each of ``waves``: [bins, frames] each."""
    return [front_end(torch.from_numpy(wave)[None])[0] for wave in waves]


# --- evaluation -------------------------------------------------------------------------------------------------------

PUBLIC = ("covers80", "datacos", "shs100k")


def ranking(similarity: NDArray[np.floating], works: NDArray) -> dict[str, float]:
    """How well versions are found: ``map``, ``p1`` and ``p10`` in [0, 1], ``mr1`` from 1.

    Args:
        similarity: [recordings, recordings], higher is more alike.
        works: [recordings]; one that is alone only distracts.
    """
    return {
        "map": mean_average_precision(similarity, works),
        "p1": precision_at(similarity, works, 1),
        "p10": precision_at(similarity, works, 10),
        "mr1": mean_rank_of_first(similarity, works),
    }


def cosine(queries: NDArray[np.floating], items: NDArray[np.floating]) -> NDArray[np.floating]:
    """Cosines [queries, items] of rows [.., dim]."""
    unit = [rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9) for rows in (queries, items)]
    return unit[0] @ unit[1].T


def public(name: str, root: str | PathLike[str] | None = None) -> Manifest:
    """The recordings to be evaluated on of a public set of versions, those whose sound is there.

    Args:
        name: one of ``PUBLIC``; of SHS100K, its test split.
        root: its folder; None for ``$AURICLE_DATA/NAME``. Da-TACOS is published as features: sounds of one's own are
            to lie in ``audio/``, named as the performances, such as ``audio/P_112421.mp3``.

    Raises:
        DataError: there is no such set or copy, or it holds no sound.
    """
    if name not in PUBLIC:
        raise DataError(f"{name} is no set of versions", f"Known are {', '.join(PUBLIC)}")
    manifest = sets.load(name, root)
    return sounding(manifest.split("test") if name == "shs100k" else manifest)


def on_public_sets(measured: Callable[[Manifest], dict[str, float]]) -> dict[str, float]:
    """What ``measured`` gives of every public set that lies in ``$AURICLE_DATA``, as ``covers80/map``.

    Raises:
        DataError: none does.
    """
    held = [name for name in PUBLIC if (Path(os.environ.get("AURICLE_DATA", "")) / name).is_dir()]
    if not held:
        raise DataError("No public set of versions is known", f"Set AURICLE_DATA to the folder above {PUBLIC[0]}")
    return {f"{name}/{metric}": value for name in held for metric, value in measured(public(name)).items()}


def sounding(manifest: Manifest) -> Manifest:
    """The rows of ``manifest`` whose sound is there; features give way to ``audio/PERFORMANCE.*`` in its folder.

    Raises:
        DataError: there are none.
    """
    if any(path.endswith(".h5") for path in manifest.column("path")):
        folder = manifest.root / "audio"
        held = {path.stem: f"audio/{path.name}" for path in folder.glob("*") if is_audio_name(path.name)}
        names = ["_".join(Path(path).stem.split("_")[:2]) for path in manifest.column("path")]
        manifest = manifest.with_column(
            "path", [held.get(name, path) for name, path in zip(names, manifest.column("path"), strict=True)]
        )
    there = {
        path for path, place in zip(manifest.column("path"), manifest.paths, strict=True)
        if is_audio_name(path) and place.exists()
    }  # fmt: skip
    if not there:
        raise DataError(f"None of the {len(manifest)} recordings is there", "See `auricle.data.sets.report` of the set")
    return manifest.filter(lambda row: row["path"] in there)


@torch.inference_mode()
def embedded(embed: Callable[[Tensor], Tensor], manifest: Manifest, rate: int) -> list[NDArray[np.float32]]:
    """What ``embed`` makes of every whole recording [1, samples] of ``manifest``, one at a time."""
    return [embed(torch.from_numpy(read(path, rate)[0])[None]).numpy() for path in manifest.paths]


def works_of(manifest: Manifest) -> NDArray:
    """The work of every recording, [recordings] of names."""
    return np.array([labels[0] for labels in manifest.column("labels")])
