"""Splitting clips without leaks: deterministic and by source."""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from auricle.data.manifest import Manifest
from auricle.errors import DataError

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


def counts(manifest: Manifest) -> dict[str, Counter[str]]:
    """How many clips of each class every split has."""
    found: dict[str, Counter[str]] = defaultdict(Counter)
    for split, labels in zip(manifest.column("split"), manifest.column("labels"), strict=True):
        found[split].update(labels)
    return dict(found)
