"""Tags of one's own at work: classifiers that people taught, applied to embeddings. ``teach`` trains them.

LIBRARY/taught/<ear>/
  <tag>.npz     a classifier: an affine map from unit vectors to log-odds, and how well it did
  <tag>.json    its examples, lesson by lesson
LIBRARY/taught/<ear>.json    which classifiers the tags of the recordings come from; see ``retag``
"""

import hashlib
import json
import os
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from auricle.library.store import Store, windows_table
from auricle.types import Tag

FLOOR = 0.7  # a recording gets a tag from here on: half of the examples have it, few of a library's recordings do
TOGETHER = 3  # windows in a row that have to agree


@dataclass(frozen=True, slots=True)
class OwnTags:
    """All tags taught to one ear in one library."""

    names: tuple[str, ...]
    facts: tuple[dict[str, Any], ...]  # what is known of each: the fields of ``teach.Taught``
    weights: NDArray[np.float32]  # [dim, tags]
    bias: NDArray[np.float32]  # [tags], log-odds

    def scores(self, embeddings: NDArray[np.floating]) -> NDArray[np.float32]:
        """How surely each tag is heard in each window [rows, tags], in [0, 1], from embeddings [rows, dim].

        Embeddings are rounded as they are stored, so that a window scores the same when it is heard and ever after.
        """
        if not self.names:
            return np.zeros((len(embeddings), 0), np.float32)
        odds = unit(embeddings.astype(np.float16)) @ self.weights + self.bias
        return (1 / (1 + np.exp(-odds))).astype(np.float32, copy=False)


class Strongest:
    """How surely a recording has each tag: the highest mean over three windows in a row.

    So a short sound in a long recording counts in full, while no single doubtful window speaks for all.
    """

    def __init__(self, own: OwnTags):
        self.own = own
        self.best: NDArray[np.float32] | None = None  # [tags], once there were three windows
        self.last = np.zeros((0, len(own.names)), np.float32)  # the two windows before the next block

    def add(self, embeddings: NDArray[np.floating]) -> None:
        """Takes in the next windows [rows, dim] of the recording."""
        scores = np.concatenate([self.last, self.own.scores(embeddings)])
        if len(scores) >= TOGETHER:
            best = np.lib.stride_tricks.sliding_window_view(scores, TOGETHER, axis=0).mean(axis=-1).max(axis=0)
            self.best = best if self.best is None else np.maximum(self.best, best)
        self.last = scores[1 - TOGETHER :]

    def tags(self) -> tuple[Tag, ...]:
        """The tags it has, best first."""
        best = self.last.mean(axis=0) if self.best is None else self.best
        found = (Tag(name, round(float(score), 4)) for name, score in zip(self.own.names, best, strict=True))
        return merged(tag for tag in found if tag.score >= FLOOR)


def unit(embeddings: NDArray[np.floating]) -> NDArray[np.float32]:
    """Rows scaled to length 1; rows of zeros stay as they are."""
    rows = embeddings.astype(np.float32)
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9)


def folder(store: Store, ear: str) -> Path:
    """Where the tags taught to an ear are kept."""
    return store.path / "taught" / windows_table(ear).removeprefix("windows_")


def stamp(place: Path) -> str:
    """Stands for the classifiers in a folder: another one when any of them changes; "" while there is none."""
    files = _files(place)
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()[:16] if files else ""


def key(store: Store, ear: str) -> tuple[str, str]:
    """What ``load`` takes for the tags taught to an ear as they now stand: a folder and its stamp."""
    place = folder(store, ear)
    return str(place), stamp(place)


def current(store: Store, ear: str) -> OwnTags:
    """The tags taught to an ear as they now stand."""
    return load(*key(store, ear))


@lru_cache(maxsize=8)
def load(place: str, stamp: str) -> OwnTags:
    """The tags kept in a folder, read once for each ``stamp`` of it."""
    names, facts, weights, bias = [], [], [], []
    for file in _files(Path(place)) if stamp else ():
        with np.load(file) as saved:
            facts.append(json.loads(str(saved["facts"])))
            names.append(facts[-1]["name"])
            weights.append(saved["weights"])
            bias.append(saved["bias"])
    columns = np.stack(weights, axis=1) if weights else np.zeros((0, 0), np.float32)
    return OwnTags(tuple(names), tuple(facts), columns, np.array(bias, np.float32))


def save(place: Path, weights: NDArray[np.float32], bias: float, facts: dict[str, Any]) -> None:
    """Keeps one classifier (its name in ``facts``), replacing the one of that name at once."""
    place.mkdir(parents=True, exist_ok=True)
    file = file_of(place, facts["name"])
    part = file.with_name(f"{file.stem}.{os.getpid()}.part")
    with open(part, "wb") as opened:
        np.savez(opened, weights=weights.astype(np.float32), bias=np.float32(bias), facts=json.dumps(facts))
    part.replace(file)


def file_of(place: Path, name: str) -> Path:
    """The file of a classifier: readable, and the same however the name is capitalised."""
    readable = "".join(c if c.isascii() and c.isalnum() else "_" for c in name[:40])
    return place / f"{readable.lower()}-{hashlib.sha256(name.casefold().encode()).hexdigest()[:8]}.npz"


def merged(*tags: Iterable[Tag]) -> tuple[Tag, ...]:
    """Tags from several sources as one list, best first."""
    return tuple(sorted((tag for some in tags for tag in some), key=lambda tag: -tag.score))


def columns(tags: Iterable[Tag]) -> dict[str, list]:
    """Tags as columns of ``recordings``."""
    tags = list(tags)
    return {"tags": [tag.label for tag in tags], "tag_scores": [tag.score for tag in tags]}


def _files(place: Path) -> list[Path]:
    return sorted(place.glob("*.npz"))
