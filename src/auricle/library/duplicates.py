"""Which files hold the same sound: copies byte for byte, and the same recording encoded again."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from auricle.library.index import Index
from auricle.library.store import Store

SAME_LENGTH = 0.15  # seconds two encodings of one recording may differ in length (codecs pad) …
SAME_LENGTH_SHARE = 0.002  # … or this share of it (long files drift)
SAME_MEAN = 0.95  # cosine of the two recordings' mean vectors, to be looked at window by window
SAME_SOUND = 0.90  # mean cosine of windows at the same time


@dataclass(frozen=True, slots=True)
class Duplicates:
    """Files that hold the same sound. ``kind`` is "copy" (same bytes) or "re-encoded"; ``score`` in [0, 1]."""

    kind: str
    score: float
    paths: tuple[str, ...]
    duration: float  # seconds


def duplicates(store: Store, index: Index | None, where: str | None = None) -> list[Duplicates]:
    """All groups of two or more files: exact copies first, then re-encodings by falling score."""
    table = store.recordings(where, columns=["id", "path", "duration"]).to_pylist()
    paths: dict[str, list[str]] = defaultdict(list)
    durations: dict[str, float] = {}
    for row in sorted(table, key=lambda row: row["path"]):
        paths[row["id"]].append(row["path"])
        durations[row["id"]] = row["duration"]
    groups = [Duplicates("copy", 1.0, tuple(p), durations[id]) for id, p in paths.items() if len(p) > 1]
    for ids, score in re_encoded(index, durations) if index is not None and len(index) else []:
        first_paths = tuple(paths[id][0] for id in ids)
        groups.append(Duplicates("re-encoded", round(score, 4), first_paths, durations[ids[0]]))
    return sorted(groups, key=lambda group: (group.kind, -group.score, group.paths))


def re_encoded(index: Index, durations: dict[str, float]) -> list[tuple[list[str], float]]:
    """Groups of recordings whose windows sound the same at the same times, with their lowest pairwise cosine."""
    sketches = _by_recording(index, durations)
    order = sorted(sketches, key=lambda id: durations[id])
    means = {
        id: vectors.mean(axis=0) / max(np.linalg.norm(vectors.mean(axis=0)), 1e-9) for id, vectors in sketches.items()
    }
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
            if means[a] @ means[b] < SAME_MEAN:
                continue
            count = min(len(sketches[a]), len(sketches[b]))
            score = float(np.einsum("ij,ij->i", sketches[a][:count], sketches[b][:count]).mean())
            if score >= SAME_SOUND:
                first, second = root(a), root(b)
                parent[second] = first
                weakest[first] = min(weakest[first], weakest[second], score)
    groups: dict[str, list[str]] = defaultdict(list)
    for id in order:
        groups[root(id)].append(id)
    return [(ids, weakest[first]) for first, ids in groups.items() if len(ids) > 1]


def _by_recording(index: Index, wanted: Iterable[str]) -> dict[str, np.ndarray]:
    """Sketches [windows, width] of each recording, in time order."""
    wanted, found = set(wanted), {}
    for segment in index.segments:
        order = np.lexsort((segment.start, segment.owner))
        cuts = np.flatnonzero(np.diff(segment.owner[order])) + 1
        for rows in np.split(order, cuts):
            id = segment.ids[segment.owner[rows[0]]]
            if id in wanted:
                found[id] = segment.sketch[rows]
    return found
