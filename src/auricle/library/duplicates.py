"""Which files hold the same sound: copies byte for byte, and the same recording encoded again.

Where all recordings have prints, it is they that are compared, since they change less from one codec to another
(benchmarks/duplicates.py).
"""

from collections import defaultdict
from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from auricle.library.identify import EAR as PRINTS
from auricle.library.index import Index
from auricle.library.search import Searcher
from auricle.library.store import Store
from auricle.library.vectors import unit

SAME_LENGTH = 0.15  # seconds two encodings of one recording may differ in length (codecs pad) …
SAME_LENGTH_SHARE = 0.002  # … or this share of it (long files drift)


class Alike(NamedTuple):
    """Cosines from which two recordings of one length are the same."""

    mean: float  # of their mean vectors, to be looked at window by window
    windows: float  # mean of windows at the same time


BY_EAR, BY_PRINTS = Alike(0.9, 0.88), Alike(0.84, 0.82)


@dataclass(frozen=True, slots=True)
class Duplicates:
    """Files that hold the same sound. ``kind`` is "copy" (same bytes) or "re-encoded"; ``score`` in [0, 1]."""

    kind: str
    score: float
    paths: tuple[str, ...]
    duration: float  # seconds


def duplicates(store: Store, searcher: Searcher, where: str | None = None) -> list[Duplicates]:
    """All groups of two or more files: exact copies first, then re-encodings by falling score."""
    table = store.recordings(where, columns=["id", "path", "duration"]).to_pylist()
    paths: dict[str, list[str]] = defaultdict(list)
    durations: dict[str, float] = {}
    for row in sorted(table, key=lambda row: row["path"]):
        paths[row["id"]].append(row["path"])
        durations[row["id"]] = row["duration"]
    groups = [Duplicates("copy", 1.0, tuple(p), durations[id]) for id, p in paths.items() if len(p) > 1]
    index, alike = _compared(store, searcher, durations)
    for ids, score in re_encoded(index, _silent(index, searcher), durations, alike) if len(index) else []:
        first_paths = tuple(paths[id][0] for id in ids)
        groups.append(Duplicates("re-encoded", round(score, 4), first_paths, durations[ids[0]]))
    return sorted(groups, key=lambda group: (group.kind, -group.score, group.paths))


def _compared(store: Store, searcher: Searcher, wanted: Mapping[str, float]) -> tuple[Index, Alike]:
    """The prints, where all of the recordings ``wanted`` have some; else what the ear of ``searcher`` heard."""
    if prints := store.ear(PRINTS):
        index = Index(store, prints[0])
        if wanted.keys() <= index.ordinal.keys():
            return index, BY_PRINTS
    return searcher.index, BY_EAR


def re_encoded(
    index: Index, silent: NDArray[np.bool_], durations: dict[str, float], alike: Alike
) -> list[tuple[list[str], float]]:
    """Groups of recordings whose windows sound the same at the same times, with their lowest pairwise cosine.

    Windows silent in both say nothing and are passed over; recordings with nothing but silence are left out.
    """
    sketches, sounding = _by_recording(index, silent, durations)
    order = sorted(sketches, key=lambda id: durations[id])
    means = {id: unit(index.sketches(codes[sounding[id]]).mean(axis=0)) for id, codes in sketches.items()}
    parent = {id: id for id in order}
    weakest: dict[str, float] = defaultdict(lambda: 1.0)

    def root(id: str) -> str:
        while parent[id] != id:
            id = parent[id]
        return id

    for i, a in enumerate(order):
        for b in order[i + 1 :]:
            if durations[b] - durations[a] > max(SAME_LENGTH, SAME_LENGTH_SHARE * durations[a]):
                break
            if means[a] @ means[b] < alike.mean:
                continue
            count = min(len(sketches[a]), len(sketches[b]))
            cosines = np.einsum("ij,ij->i", *(index.sketches(sketches[id][:count]) for id in (a, b)))
            score = float(cosines[sounding[a][:count] | sounding[b][:count]].mean())
            if score >= alike.windows:
                first, second = root(a), root(b)
                parent[second] = first
                weakest[first] = min(weakest[first], weakest[second], score)
    groups: dict[str, list[str]] = defaultdict(list)
    for id in order:
        groups[root(id)].append(id)
    return [(ids, weakest[first]) for first, ids in groups.items() if len(ids) > 1]


def _silent(index: Index, searcher: Searcher) -> NDArray[np.bool_]:
    """Which rows of ``index`` lie where the ear of ``searcher`` hears silence [rows]."""
    if index is searcher.index:
        return searcher.silent
    heard = dict(_spans(searcher.index))
    silent = np.zeros(len(index), bool)
    for id, rows in _spans(index):
        if id in heard:
            after = np.searchsorted(searcher.index.middle[heard[id]], index.middle[rows])
            silent[rows] = searcher.silent[heard[id]][after.clip(max=heard[id].stop - heard[id].start - 1)]
    return silent


def _spans(index: Index) -> Iterator[tuple[str, slice]]:
    """Content id and rows of each recording; its windows follow one another in the table."""
    first = np.flatnonzero(np.diff(index.owner, prepend=-1))
    for start, stop in pairwise([*first.tolist(), len(index)]):
        yield index.ids[index.owner[start]], slice(start, stop)


def _by_recording(
    index: Index, silent: NDArray[np.bool_], wanted: Container[str]
) -> tuple[dict[str, NDArray[np.uint8]], dict[str, NDArray[np.bool_]]]:
    """Codes of the sketches [windows, width] of each recording that sounds, in time order, and which windows do."""
    sketches, sounding = {}, {}
    for segment, offset in zip(index.segments, index.bounds, strict=False):
        order = np.lexsort((segment.start, segment.owner))
        for rows in np.split(order, np.flatnonzero(np.diff(segment.owner[order])) + 1):
            id = segment.ids[segment.owner[rows[0]]]
            heard = ~silent[offset + rows]
            if id in wanted and heard.any():
                sketches[id], sounding[id] = segment.sketch[rows], heard
    return sketches, sounding
