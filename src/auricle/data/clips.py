"""Clips of a manifest as training examples: decoded straight from their files, cropped, labelled, reproducible."""

import hashlib
import os
import secrets
from collections.abc import Callable, Sequence
from os import PathLike
from pathlib import Path
from typing import Any, Literal

import numpy as np

from auricle import audio
from auricle.data.manifest import Manifest
from auricle.types import Waveform

Augment = Callable[[Waveform, int, np.random.Generator], Waveform]

LONGEST_KEPT = 60.0  # seconds; of longer clips only the crop is decoded, and nothing is kept
LARGEST_CACHE = 2**31  # bytes of decoded sound kept in memory by one data set


class Clips:
    """The clips of ``manifest`` as a map-style data set for PyTorch's ``DataLoader``, which it does not import.

    An item is ``{"wave": float32 [samples], "target": int64 or float32 [classes], "index": int}``; without classes it
    has no target. It depends on the seed, the epoch (``set_epoch``) and the index only, not on who asks or when.

    Args:
        manifest: the clips.
        sample_rate: Hz of the waveforms.
        seconds: length of every waveform; None leaves each clip whole.
        crop: which part is taken of a longer clip.
        classes: the order of targets; None for the manifest's.
        multilabel: targets are vectors of 0 and 1 instead of class numbers.
        augment: one callable or several in order, ``(wave [samples], sample_rate, rng) -> wave``; they may change the
            length, which is put right afterwards.
        seed: of crops and augmentation.
        cache: keep decoded clips of up to 60 s: True in memory (2 GiB at most), a folder on disk for all workers.
        pad: what follows a shorter clip: digital silence, or the clip again.

    Raises:
        DataError: the targets cannot be made (see ``Manifest.targets``).
    """

    def __init__(
        self,
        manifest: Manifest,
        sample_rate: int,
        seconds: float | None,
        crop: Literal["random", "centre", "start"] = "random",
        classes: Sequence[str] | None = None,
        multilabel: bool = False,
        augment: Augment | Sequence[Augment] | None = None,
        seed: int = 0,
        cache: bool | str | PathLike[str] = True,
        pad: Literal["zeros", "repeat"] = "zeros",
    ):
        self.manifest = manifest
        self.sample_rate = sample_rate
        self.samples = None if seconds is None else round(seconds * sample_rate)
        self.crop = crop
        self.classes = tuple(manifest.classes if classes is None else classes)
        self.targets = manifest.targets(self.classes, multilabel) if self.classes else None
        self.augment = () if augment is None else (augment,) if callable(augment) else tuple(augment)
        self.seed = seed
        self.epoch = 0
        self.pad = pad
        self._folder = None if isinstance(cache, bool) else Path(cache)
        self._kept: dict[int, Waveform] | None = {} if cache is True else None
        self._room = LARGEST_CACHE
        self._durations: dict[int, float] = {}
        self._paths = manifest.paths
        self._starts = manifest.column("start")
        self._ends = manifest.column("end")

    def __len__(self) -> int:
        return len(self._paths)

    def set_epoch(self, epoch: int) -> None:
        """Draws crops and augmentation anew. To be called before the workers of a ``DataLoader`` start."""
        self.epoch = epoch

    def __getitem__(self, index: int) -> dict[str, Any]:
        """Item ``index``.

        Raises:
            AudioError: its file cannot be decoded.
        """
        index = range(len(self))[index]  # counts from the end if negative, and raises IndexError
        rng = np.random.default_rng((self.seed, self.epoch, index))
        wave = self._cropped(index, rng)
        for augment in self.augment:
            wave = augment(wave, self.sample_rate, rng)
        if self.samples is not None:
            wave = fit(wave, self.samples, self.pad)
        item = {"wave": np.ascontiguousarray(wave, np.float32), "index": index}
        return item if self.targets is None else item | {"target": self.targets[index]}

    def seconds(self, index: int) -> float:
        """How long clip ``index`` is, from its row or its file's header."""
        if index not in self._durations:
            end = self._ends[index]
            duration = audio.probe(self._paths[index]).duration if end is None else end
            self._durations[index] = duration - self._starts[index]
        return self._durations[index]

    def _cropped(self, index: int, rng: np.random.Generator) -> Waveform:
        """At most ``self.samples`` samples of the clip."""
        if (self._kept is not None or self._folder) and self.seconds(index) <= LONGEST_KEPT:
            wave = self._whole(index)
            at, length = self._place(len(wave), rng)
            return np.array(wave[at : at + length])  # a copy: augmentation may work in place
        at, length = self._place(round(self.seconds(index) * self.sample_rate), rng)
        start = self._starts[index] + at / self.sample_rate
        return self._decoded(index, start, start + length / self.sample_rate)

    def _place(self, samples: int, rng: np.random.Generator) -> tuple[int, int]:
        """Where the crop begins in a clip of ``samples`` samples, and how many it takes."""
        if self.samples is None or samples <= self.samples:
            return 0, samples
        spare = samples - self.samples
        at = {"random": lambda: int(rng.integers(spare + 1)), "centre": lambda: spare // 2, "start": lambda: 0}
        return at[self.crop](), self.samples

    def _whole(self, index: int) -> Waveform:
        if self._folder:
            return self._on_disk(index, self._folder)
        kept = self._kept or {}
        if index in kept:
            return kept[index]
        wave = self._decoded(index, self._starts[index], self._ends[index])
        if self._kept is not None and wave.nbytes <= self._room:
            self._kept[index] = wave
            self._room -= wave.nbytes
        return wave

    def _on_disk(self, index: int, folder: Path) -> Waveform:
        """The decoded clip as a memory-mapped file of ``folder``, named by what was decoded."""
        path, start, end = self._paths[index], self._starts[index], self._ends[index]
        facts = path.stat()
        key = (str(path.resolve()), facts.st_size, facts.st_mtime_ns, start, end, self.sample_rate)
        place = folder / f"{hashlib.sha256(repr(key).encode()).hexdigest()[:32]}.npy"
        if not place.exists():
            folder.mkdir(parents=True, exist_ok=True)
            draft = place.with_name(f".{secrets.token_hex(8)}.npy")
            np.save(draft, self._decoded(index, start, end))
            os.replace(draft, place)  # whole or not at all, whichever worker comes first
        return np.load(place, mmap_mode="r")

    def _decoded(self, index: int, start: float, end: float | None) -> Waveform:
        return audio.read(self._paths[index], self.sample_rate, start=start, end=end)[0]


def fit(wave: Waveform, samples: int, pad: str = "zeros") -> Waveform:
    """``wave`` [any length ≥ 1] cut at the end to ``samples``, or continued by "zeros" or by its "repeat"ed self."""
    if len(wave) >= samples:
        return wave[:samples]
    if pad == "repeat":
        return np.resize(wave, samples)
    return np.pad(wave, (0, samples - len(wave)))
