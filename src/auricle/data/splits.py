"""Splitting clips without leaks: deterministic, by source, and a check that two parts hold none of the same sound."""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from auricle import audio
from auricle.data.manifest import Manifest
from auricle.errors import DataError
from auricle.types import Waveform

SHARES = {"train": 0.7, "valid": 0.1, "test": 0.2}


def by_hash(
    manifest: Manifest, shares: Mapping[str, float] = SHARES, column: str = "source", seed: int = 0
) -> Manifest:
    """Puts each group of clips in a split by the hash of its name: a clip stays where it is when others come or go.

    Args:
        manifest: the clips.
        shares: how much each split is to get; any positive numbers. Met on average over many groups.
        column: what keeps clips together. Clips with nothing there are groups of their own.
        seed: another number, another split.

    Raises:
        DataError: a share is not positive, or there is no such column.
    """
    bounds = _bounds(shares)
    names = list(shares)
    places = [names[int(np.searchsorted(bounds, _draw(group, seed), "right"))] for group in _groups(manifest, column)]
    return manifest.with_column("split", places)


def balanced(
    manifest: Manifest, shares: Mapping[str, float] = SHARES, column: str = "source", seed: int = 0
) -> Manifest:
    """Splits whole groups so that every class is shared out as asked, as far as the groups allow.

    Iterative stratification for multi-label data (Sechidis et al. 2011) with groups in place of examples: the rarest
    class first, its largest group next, to the split that lacks most of that class, then most clips. Deterministic
    given the seed, which breaks ties.

    Raises:
        DataError: a share is not positive, or there is no such column.
    """
    _bounds(shares)
    names = list(shares)
    targets = manifest.targets(multilabel=True)
    clips: dict[str, list[int]] = defaultdict(list)
    for row, group in enumerate(_groups(manifest, column)):
        clips[group].append(row)
    groups = sorted(clips, key=lambda group: _draw(group, seed))
    counts = np.stack([targets[clips[group]].sum(0) for group in groups]) if groups else np.zeros((0, 0))
    sizes = np.array([len(clips[group]) for group in groups])
    share = np.array(list(shares.values())) / sum(shares.values())
    lacking = share[:, None] * counts.sum(0)  # [splits, classes]: clips still wanted
    room = share * sizes.sum()  # [splits]
    place = np.full(len(groups), -1)
    while (waiting := place < 0).any():
        left = counts[waiting].sum(0)
        if left.any():
            rarest = np.flatnonzero(left == left[left > 0].min())[0]
            group = int(np.argmax(np.where(waiting, counts[:, rarest], -1)))
            best = max(range(len(names)), key=lambda split: (lacking[split, rarest], room[split]))
        else:  # clips without labels
            group = int(np.argmax(np.where(waiting, sizes, -1)))
            best = int(np.argmax(room))
        place[group] = best
        lacking[best] -= counts[group]
        room[best] -= sizes[group]
    where = {row: names[place[at]] for at, group in enumerate(groups) for row in clips[group]}
    return manifest.with_column("split", [where[row] for row in range(len(manifest))])


def leave_one_out(manifest: Manifest, column: str = "source") -> Iterator[tuple[str, Manifest]]:
    """For every source in turn, its name and the clips with it as "test" and the others as "train".

    Only classes that occur on both sides are kept; a source that shares none with the others is passed over.
    """
    groups = _groups(manifest, column)
    labels = manifest.column("labels")
    for held in sorted(set(groups)):
        inside = {name for row, group in zip(labels, groups, strict=True) if group == held for name in row}
        outside = {name for row, group in zip(labels, groups, strict=True) if group != held for name in row}
        if shared := sorted(inside & outside):
            parts = ["test" if group == held else "train" for group in groups]
            yield held, manifest.with_column("split", parts).keep_classes(shared)


def _groups(manifest: Manifest, column: str) -> list[str]:
    return [group or f"\0{row}" for row, group in enumerate(manifest.column(column))]


def _bounds(shares: Mapping[str, float]) -> NDArray[np.float64]:
    if not shares or min(shares.values()) <= 0:
        raise DataError(f"Shares of {dict(shares)} cannot be met", "Give every split a positive share")
    return np.cumsum(list(shares.values()))[:-1] / sum(shares.values())


def _draw(group: str, seed: int) -> float:
    """A number in [0, 1) that depends on ``group`` and ``seed`` only."""
    return int.from_bytes(hashlib.sha256(f"{seed} {group}".encode()).digest()[:7], "big") / 2**56


# The same sound in two parts -----------------------------------------------------------------------------------------

RATE = 8000  # Hz; both sounds are heard at it
FRAME, HOP = 1024, 400  # samples: 128 ms, 50 ms
BANDS = 32  # from 200 Hz to 3.6 kHz, evenly in mel
SAME = 0.95  # correlation of two spectrograms, at the best lag, from which they are one sound
LONGEST = 10.0  # seconds of each clip that are compared
LAG = 10  # frames that one may begin earlier or later than the other


class Overlap(NamedTuple):
    """A clip of one part that sounds the same as one of another: their row numbers in the manifest, and how alike."""

    row: int
    other: int
    score: float


def overlaps(manifest: Manifest, threshold: float = SAME) -> list[Overlap]:
    """Pairs of clips in different splits that hold the same sound, most alike first; hopefully none.

    Sounds are compared, not files: copies, re-encoded or resampled, louder or softer, or cut differently by up to half
    a second are found; sped-up, remixed and noisy copies are not. Spectrograms are correlated over time and frequency
    at lags of up to half a second. Clips that are digitally silent say nothing and are passed over.

    Args:
        manifest: with two or more splits; clips in none are left out.
        threshold: correlation from which two clips are one, in [0, 1].

    Raises:
        AudioError: a clip cannot be decoded.
    """
    splits = np.array(manifest.column("split"))
    rows = np.flatnonzero(splits != "")
    heard = [(row, picture) for row in rows if (picture := _picture(_clip(manifest, int(row)))) is not None]
    means = np.stack([_sketch(picture) for _, picture in heard]) if heard else np.zeros((0, 1))
    found = []
    for at, (row, picture) in enumerate(heard):
        near = np.flatnonzero(means[at + 1 :] @ means[at] > 0.9) + at + 1
        for other in near:
            if splits[heard[other][0]] != splits[row]:
                score = _alike(picture, heard[other][1])
                if score >= threshold:
                    found.append(Overlap(int(row), int(heard[other][0]), round(score, 4)))
    return sorted(found, key=lambda pair: -pair.score)


def _clip(manifest: Manifest, row: int) -> Waveform:
    clip = manifest.table.slice(row, 1).to_pylist()[0]
    start, end = clip["start"], clip["end"]
    end = start + LONGEST if end is None else min(end, start + LONGEST)
    return audio.read(manifest.root / clip["path"], RATE, start=start, end=end)[0]


def _picture(wave: Waveform) -> NDArray[np.float32] | None:
    """Log band energies [frames, bands] with the mean of each band removed; None for silence."""
    if not np.any(np.abs(wave) > 1e-5):
        return None
    wave = np.pad(wave, (FRAME // 2, max(FRAME, FRAME // 2)))
    frames = np.lib.stride_tricks.sliding_window_view(wave, FRAME)[::HOP] * np.hanning(FRAME).astype(np.float32)
    power = np.abs(np.fft.rfft(frames)) ** 2 @ _bank()
    return np.log(power + 1e-5 * power.max()).astype(np.float32)


def _bank() -> NDArray[np.float64]:
    """Rectangular mel bands [bins, bands]."""
    mel = np.linspace(1127 * np.log1p(200 / 700), 1127 * np.log1p(3600 / 700), BANDS + 1)
    edges = 700 * np.expm1(mel / 1127)
    frequency = np.fft.rfftfreq(FRAME, 1 / RATE)
    return ((frequency[:, None] >= edges[:-1]) & (frequency[:, None] < edges[1:])).astype(np.float64)


def _sketch(picture: NDArray[np.float32]) -> NDArray[np.float32]:
    """What two takes of one sound share whatever their lag: the sorted loudness of each band's frames, unit length."""
    quantiles = np.quantile(picture, (0.1, 0.5, 0.9), axis=0)
    centred = (quantiles - quantiles.mean()).ravel()
    return (centred / max(float(np.linalg.norm(centred)), 1e-9)).astype(np.float32)


def _alike(a: NDArray[np.float32], b: NDArray[np.float32]) -> float:
    """The highest correlation of two pictures over all lags, each over the frames both have."""
    best = -1.0
    for lag in range(-LAG, LAG + 1):
        x, y = (a[lag:], b) if lag >= 0 else (a, b[-lag:])
        length = min(len(x), len(y))
        if length < 0.8 * max(len(a), len(b)):
            continue
        x, y = x[:length] - x[:length].mean(), y[:length] - y[:length].mean()
        norm = float(np.linalg.norm(x) * np.linalg.norm(y))
        best = max(best, float((x * y).sum()) / norm if norm else -1.0)
    return best


def counts(manifest: Manifest) -> dict[str, Counter[str]]:
    """How many clips of each class every split has."""
    found: dict[str, Counter[str]] = defaultdict(Counter)
    for split, labels in zip(manifest.column("split"), manifest.column("labels"), strict=True):
        found[split].update(labels)
    return dict(found)
