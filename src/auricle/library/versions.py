"""Other performances of the same work: recordings whose windows are like those of a song, in whatever order.

An ear for works (``bytecover3``) gives a unit vector to every window of some seconds. Two recordings are compared by
MaxMean: each window of the shorter one takes its most similar window of the longer one, and the score is a logistic
function of these cosines' mean. In large libraries the windows' sketches first say which recordings to compare.
"""

import os
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from auricle.audio import read
from auricle.errors import LibraryError
from auricle.library.index import Index
from auricle.library.listen import content_id, hear_blocks, open_ear
from auricle.library.search import Part, listed
from auricle.library.store import Store
from auricle.types import Ear

EAR = "bytecover3"  # which the threshold is calibrated for
THRESHOLD = 0.5  # score from which recordings are shown as versions; docs/versions.md says how often that is wrong
MIDDLE, SLOPE = 0.873, 0.05  # MaxMean at a score of 0.5, and its change to one of 0.73; by benchmarks/versions.py
EXACT = 200_000  # windows up to which every recording is compared: 550 h at one in 10 s
CANDIDATES = 200  # nearest windows to each of the song's whose recordings are compared beyond that
ALIKE = 0.5  # share of the longer list from which a shorter one is about as long
FILLED = 0.5  # share of a window that must be sound, not what the end was filled with

Vectors = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Version:
    """A recording that is probably of the same work; ``score`` in [0, 1]."""

    path: str
    score: float


def versions(
    store: Store,
    ear: tuple[str, str],
    song: str,
    *,
    where: str | None = None,
    limit: int | None = 10,
    min_score: float = THRESHOLD,
) -> list[Version]:
    """Recordings of the work that ``song`` is a recording of, best first; without itself and files of the same content.

    Args:
        store: the library.
        ear: name and spec of an ear for works, which has heard it.
        song: a sound file, in the library or not, or an excerpt, ``"a.wav@30-60"`` in seconds.
        where: SQL filter over ``recordings``.
        limit: most versions; None for all.
        min_score: least score, in [0, 1].

    Raises:
        QueryError: the filter cannot be understood.
        AudioError: ``song`` cannot be heard.
    """
    index = Index(store, ear[0])
    if not len(index):
        return []
    rows = _filled(index, open_ear(ear[1]))
    part = Part.example(song)
    own, query = _vectors(store, index, rows, ear[1], part)
    paths: dict[str, str] = {}
    for row in store.recordings(where, columns=["id", "path"]).sort_by("path").to_pylist():
        paths.setdefault(row["id"], row["path"])
    wanted = np.array([id in paths and id != own for id in index.ids])
    rows = rows[wanted[index.owner[rows]]]
    if len(rows) > EXACT:
        rows = rows[_worth_comparing(index, rows, query)[index.owner[rows]]]
    if not len(rows):
        return []
    owners, likeness = maxmean(query, index.embeddings(rows), index.owner[rows])
    scores = score_of(likeness)
    best = [place for place in np.argsort(-likeness, kind="stable") if scores[place] >= min_score]
    return [Version(paths[index.ids[owners[i]]], round(float(scores[i]), 4)) for i in best[:limit]]


def score_of(likeness: NDArray[np.floating]) -> NDArray[np.floating]:
    """Scores in [0, 1] of MaxMean similarities."""
    return 1 / (1 + np.exp((MIDDLE - likeness) / SLOPE))


def maxmean(
    query: Vectors, items: Vectors, owner: NDArray[np.integer]
) -> tuple[NDArray[np.integer], NDArray[np.float32]]:
    """Every owner of ``items``, rising, and how similar it is to the query by MaxMean, in [-1, 1].

    The shorter list asks the longer; where both are about as long, the mean of both ways.

    Args:
        query: [m, dim], unit vectors.
        items: [n, dim], unit vectors of all owners.
        owner: [n], whose each of them is.
    """
    order = np.argsort(owner, kind="stable")
    owners, first, count = np.unique(owner[order], return_index=True, return_counts=True)
    cosines = query @ items[order].T
    forward = np.maximum.reduceat(cosines, first, axis=1).mean(axis=0)
    backward = np.add.reduceat(cosines.max(axis=0), first) / count
    shorter = np.where(len(query) <= count, forward, backward)
    alike = np.minimum(len(query), count) >= ALIKE * np.maximum(len(query), count)
    return owners, np.where(alike, (forward + backward) / 2, shorter)


def ear_of(store: Store, wanted: str | None = None) -> tuple[str, str]:
    """Name and spec of the ear for works that has heard the library: ``wanted``, or by default ``EAR``.

    Raises:
        LibraryError: it has not listened here.
    """
    spec = wanted or EAR
    if found := store.ear(spec):
        return found
    raise LibraryError(
        f"The ear {spec}, which knows works, has not listened here", f"Run: auricle index FOLDER --ear {spec}"
    )


def _vectors(store: Store, index: Index, rows: NDArray[np.integer], spec: str, part: Part) -> tuple[str, Vectors]:
    """Content id and vectors [windows, dim] of a song, as they were indexed if it has not changed since."""
    row = store.rows_by("path", [listed(part.path)]).get(listed(part.path))
    unchanged = row and os.path.exists(row["path"]) and os.path.getmtime(row["path"]) == row["modified"]
    if row and unchanged and row["id"] in index.ids:
        own = rows[index.owner[rows] == index.ids.index(row["id"])]
        middle = index.middle[own]
        own = own[(middle >= part.start) & (middle <= (np.inf if part.end is None else part.end))]
        if len(own):
            return row["id"], index.embeddings(own)
    listener = open_ear(spec)
    sound, _ = read(part.path, listener.sample_rate, start=part.start, end=part.end)
    sound = np.resize(sound, max(len(sound), listener.window))  # a short excerpt is repeated: silence is no music
    vectors = np.concatenate([heard.embeddings for _, _, heard in hear_blocks(listener, iter([sound]))])
    rest = len(sound) - (len(vectors) - 1) * listener.hop
    return content_id(listed(part.path)), vectors if rest >= FILLED * listener.window else vectors[:-1]


def _filled(index: Index, ear: Ear) -> NDArray[np.integer]:
    """Rows whose window is mostly sound; shorter recordings have none, they tell no work."""
    lengths = np.concatenate([segment.end - segment.start for segment in index.segments])
    return np.flatnonzero(lengths >= FILLED * ear.window / ear.sample_rate)


def _worth_comparing(index: Index, rows: NDArray[np.integer], query: Vectors) -> NDArray[np.bool_]:
    """Which recordings [ids] hold some of the windows nearest to one of the query's."""
    found = np.zeros(len(index.ids), bool)
    for near in index.similarity(list(query)):
        near = near[rows]
        found[index.owner[rows[np.argpartition(-near, CANDIDATES)[:CANDIDATES]]]] = True
    return found
