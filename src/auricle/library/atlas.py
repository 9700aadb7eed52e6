"""The map of a library: sounds that are alike lie close together, in colours by tag or folder.

A library of many recordings has one point for each, at the mean of its windows. A library of a few long ones has one
for each of a sample of their windows, or the map would have nothing to show. Where there are more recordings than can
be laid out in seconds, a sample is laid out and the others are placed among those they are most alike.

The layout is kept in the library's ``cache`` until the ear has heard something new; colours are looked up each time.
"""

import os
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from auricle.errors import QueryError
from auricle.library import codes, umap
from auricle.library.index import Index
from auricle.library.store import Store, windows_table

FEW = 300  # recordings below which the points are windows
WINDOWS = 3_000  # of such a library that are shown, evenly spread
LAID_OUT = 10_000  # recordings; more are placed among these
AMONG = 3  # … at the mean of this many, the nearest counting most
COLOURS = 12  # groups told apart; the others share one
OTHER, NONE = "other", "no tag"
CERTAIN = 0.1  # a class below this is not what a window is coloured by
SEED = 0
REVISION = 1  # of how layouts are made; another one makes them anew

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Atlas:
    """Points on the map, and what each of them stands for."""

    points: Floats  # [points, 2], in [-1, 1]
    recording: NDArray[np.int32]  # [points], ordinal in ``recordings``
    start: NDArray[np.float64]  # [points], seconds: the stretch to play
    end: NDArray[np.float64]
    colour: NDArray[np.int32]  # [points], ordinal in ``colours``
    recordings: tuple[str, ...]  # content ids
    colours: tuple[str, ...]  # groups, the largest first, then "other" and "no tag" where there are such points


@dataclass(frozen=True, slots=True)
class _Layout:
    """The part of an atlas that takes time to make."""

    points: Floats
    recording: NDArray[np.int32]
    start: NDArray[np.float64]
    end: NDArray[np.float64]
    strongest: NDArray[np.int32]  # [points], the class heard most surely in a window; -1: none, or a whole recording
    ids: NDArray[np.str_]


def atlas(
    store: Store,
    index: Index,
    classes: Sequence[str],
    *,
    colour: str = "tag",
    progress: Callable[[float], None] | None = None,
) -> Atlas:
    """Draws the map of everything one ear has heard; the same library gives the same map.

    Args:
        classes: what the ear can name, in the order of its scores.
        colour: by "tag" (the strongest of the recording, or of the window) or by "folder".
        progress: called with the share of the work that is done, in [0, 1]; a cached map comes at once.

    Raises:
        QueryError: an unknown way to colour.
    """
    if colour not in ("tag", "folder"):
        raise QueryError(f"A map cannot be coloured by {colour!r}", "Colour it by tag or by folder")
    made = _cached(store, index, progress)
    rows = store.rows_by("id", made.ids.tolist())
    listed = np.array([id in rows for id in made.ids], bool)  # others were pruned, and their windows not yet
    here = listed[made.recording] if len(made.ids) else np.zeros(0, bool)
    ids = made.ids[listed].tolist()
    if colour == "folder":
        of_recording = _folders([rows[id]["path"] for id in ids], store.roots)
    else:
        of_recording = [next(iter(rows[id]["tags"] or ()), NONE) for id in ids]
    ordinal = (np.cumsum(listed) - 1)[made.recording[here]].astype(np.int32)
    group = [of_recording[i] for i in ordinal]
    if colour == "tag":
        heard = made.strongest[here].tolist()
        group = [classes[int(c)] if c >= 0 else name for c, name in zip(heard, group, strict=True)]
    names, colours = _grouped(group)
    return Atlas(made.points[here], ordinal, made.start[here], made.end[here], colours, tuple(ids), names)


def cached(store: Store, index: Index) -> bool:
    """Whether the map can be drawn at once."""
    return _load(_file(store, index), index.version) is not None


# --- the layout ------------------------------------------------------------------------------------------------------


def _cached(store: Store, index: Index, progress: Callable[[float], None] | None) -> _Layout:
    file = _file(store, index)
    made = _load(file, index.version)
    if made is None:
        made = _lay_out(index, progress)
        file.parent.mkdir(parents=True, exist_ok=True)
        part = file.with_name(f"{file.stem}.{os.getpid()}.part")
        with open(part, "wb") as opened:
            np.savez(opened, version=[REVISION, index.version], **{n: getattr(made, n) for n in made.__slots__})
        part.replace(file)
    return made


def _load(file: Path, version: int) -> _Layout | None:
    if not file.exists():
        return None
    with np.load(file) as saved:
        if saved["version"].tolist() != [REVISION, version]:
            return None
        return _Layout(**{name: saved[name] for name in _Layout.__slots__})


def _file(store: Store, index: Index) -> Path:
    return store.path / "cache" / f"atlas_{windows_table(index.ear).removeprefix('windows_')}.npz"


def _lay_out(index: Index, progress: Callable[[float], None] | None) -> _Layout:
    owner, ids = index.owner, np.array(index.ids, np.str_)
    if len(ids) < FEW:
        rows = np.unique(np.linspace(0, len(owner) - 1, min(len(owner), WINDOWS)).astype(np.int64))
        times = [index.times(row, row) for row in rows.tolist()]
        start, end = np.array(times, np.float64).reshape(-1, 2).T
        points = umap.layout(_sketches(index, rows), SEED, progress)
        return _Layout(_framed(points), owner[rows], start, end, _strongest(index, rows), ids)
    vectors = _means(index)
    laid = np.unique(np.linspace(0, len(ids) - 1, min(len(ids), LAID_OUT)).astype(np.int64))
    laid = np.argsort(ids, kind="stable")[laid]  # ids are hashes: in their order, every n-th is a fair sample
    points = np.empty((len(ids), 2), np.float32)
    points[laid] = umap.layout(vectors[laid], SEED, progress)
    others = np.setdiff1d(np.arange(len(ids)), laid)
    points[others] = _among(vectors[others], vectors[laid], points[laid])
    recording = np.arange(len(ids), dtype=np.int32)
    longest = np.zeros(len(ids))
    np.maximum.at(longest, owner, np.concatenate([segment.end for segment in index.segments]))
    none = np.full(len(ids), -1, np.int32)
    return _Layout(_framed(points), recording, np.zeros(len(ids)), longest, none, ids)


def _sketches(index: Index, rows: NDArray[np.int64]) -> Floats:
    parts = [
        index.sketches(segment.sketch[rows[(rows >= low) & (rows < high)] - low])
        for segment, low, high in zip(index.segments, index.bounds, index.bounds[1:], strict=False)
    ]
    return np.concatenate(parts) if parts else np.zeros((0, 2), np.float32)


def _means(index: Index) -> Floats:
    """The mean of each recording's sketches, as unit vector [recordings, width]."""
    width = index.segments[0].sketch.shape[1]
    total = np.zeros((len(index.ids), width), np.float32)
    for segment, low in zip(index.segments, index.bounds, strict=False):
        owner = index.owner[low : low + len(segment)]
        order = np.argsort(owner, kind="stable")
        starts = np.flatnonzero(np.diff(owner[order], prepend=-1))
        total[owner[order][starts]] += np.add.reduceat(index.sketches(segment.sketch[order]), starts, axis=0)
    return total / np.maximum(np.linalg.norm(total, axis=1, keepdims=True), 1e-9)


def _strongest(index: Index, rows: NDArray[np.int64]) -> NDArray[np.int32]:
    """The class each window is most surely heard as [rows], -1 where none is likely."""
    found = [np.full(0, -1)]
    for segment, low, high in zip(index.segments, index.bounds, index.bounds[1:], strict=False):
        here = rows[(rows >= low) & (rows < high)] - low
        if not len(segment.codes):  # an ear without classes
            found.append(np.full(len(here), -1))
        else:
            heard = segment.codes[:, here]
            found.append(np.where(heard.max(axis=0) >= codes.code_of(CERTAIN), heard.argmax(axis=0), -1))
    return np.concatenate(found).astype(np.int32)


def _among(vectors: Floats, laid: Floats, points: Floats) -> Floats:
    """Places [vectors, 2] for recordings that were not laid out, from those most like them that were."""
    near, distance = umap.neighbours(vectors, laid, min(AMONG, len(laid)))
    weight = 1 / np.maximum(distance, 1e-6) ** 2
    weight /= weight.sum(axis=1, keepdims=True)
    return np.einsum("qn,qnd->qd", weight, points[near])


def _framed(points: Floats) -> Floats:
    """Points moved and scaled alike in both directions, so that they fill [-1, 1]."""
    if not len(points):
        return points.reshape(0, 2)
    low, high = points.min(axis=0), points.max(axis=0)
    return ((points - (low + high) / 2) / max((high - low).max() / 2, 1e-9)).astype(np.float32)


# --- colours ---------------------------------------------------------------------------------------------------------


def _grouped(group: Sequence[str]) -> tuple[tuple[str, ...], NDArray[np.int32]]:
    """The names of the largest groups, and which of them each point is in."""
    common = [name for name, _ in Counter(sorted(group)).most_common() if name not in (OTHER, NONE)]
    names = common[:COLOURS] + [OTHER] * (len(common) > COLOURS or OTHER in group) + [NONE] * (NONE in group)
    place = {name: i for i, name in enumerate(names)}
    return tuple(names), np.array([place.get(name, place.get(OTHER, 0)) for name in group], np.int32)


def _folders(paths: list[str], roots: Sequence[Path]) -> list[str]:
    """The folder of each file, as few levels below the indexed folders as tell any apart."""
    parts = [_below(Path(path).parent, roots) for path in paths]
    deepest = max(map(len, parts), default=0)
    for depth in range(1, deepest + 1):
        names = ["/".join(some[:depth]) for some in parts]
        if len(set(names)) > 1:
            return names
    return ["/".join(some) for some in parts]


def _below(folder: Path, roots: Sequence[Path]) -> tuple[str, ...]:
    """A folder from the name of the indexed folder it lies in downwards."""
    above = [root for root in roots if folder.is_relative_to(root)]
    if not above:
        return folder.parts
    root = max(above, key=lambda root: len(root.parts))
    return (root.name, *folder.relative_to(root).parts)
