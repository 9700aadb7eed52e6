"""Fast scans: an ear's windows as memory-mapped matrices, derived from the Lance table and kept beside it.

    cache/<table>/<fragment>/   one folder per Lance fragment, made once, since fragments never change
        codes.npy     uint8   [classes, windows]   scores, class by class: a query reads only the classes it needs
        sketch.npy    uint8   [windows, 128]       unit vectors in the library's principal directions, 8 bits a number
        rows.npz      which recording (ordinal in ``ids``) and which window of it each row is
    cache/<table>/basis.npz                        mean and principal directions, from a sample of the library's windows

A vector query scans the sketches of every window, then orders the best by the exact cosine of their true embeddings,
which it reads from Lance's own files. While the shortlist covers the whole library, the answer is exact.

A sketch keeps its length, so that what its directions leave out can only lower a score: a window beyond the shortlist
does not overtake those that were compared exactly.
"""

import hashlib
import os
import shutil
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from auricle.library.dots import REACH, decode, dots, encode
from auricle.library.store import Store, windows_table, writing
from auricle.library.vectors import Vectors, matrix, unit

SKETCH = 128  # dimensions scanned for every window: one million windows are 128 MB and about 10 ms
SKETCHES = 3  # format of the cache; that of another is made anew
SHORTLIST = 128  # windows whose true embeddings are compared, or more where more hits are wanted
AT_ONCE = 8  # queries that one scan answers in about the time of one
BEYOND = 1e-4  # share of a sketch's numbers that its 8 bits cut off
BASIS_SAMPLE = 20_000  # windows the principal directions are taken from
GROWTH = 4  # a basis made from n windows serves until the library holds this many times more
SHRINK = 200  # windows below which the library's mean says little and counts for less
READ_ROWS = 8_192

Scores = NDArray[np.float32]


class Segment:
    """The matrices of one fragment."""

    def __init__(self, folder: Path, dataset: Any, fragment: Any):
        self._source = dataset, fragment
        rows = np.load(folder / "rows.npz")
        self.ids: list[str] = rows["ids"].tolist()
        self.owner: NDArray[np.int32] = rows["owner"]  # [windows], ordinal in ids
        self.start: NDArray[np.float64] = rows["start"]  # [windows], seconds
        self.end: NDArray[np.float64] = rows["end"]
        self.sketch = np.load(folder / "sketch.npy", mmap_mode="r")
        codes = folder / "codes.npy"  # absent when the ear knows no classes
        self.codes = np.load(codes, mmap_mode="r") if codes.exists() else np.zeros((0, len(self.owner)), np.uint8)

    def __len__(self) -> int:
        return len(self.owner)

    @cached_property
    def vectors(self) -> Vectors:
        """The true embeddings."""
        return Vectors(*self._source, "embedding")

    @cached_property
    def scores(self) -> Vectors:
        """``codes`` window by window."""
        return Vectors(*self._source, "scores")


class Index:
    """All windows an ear has heard, ready to be scanned. Rows keep the order of the Lance table."""

    def __init__(self, store: Store, ear: str):
        self.store, self.ear = store, ear
        self.dataset: Any = store.windows(ear)
        self.folder = store.path / "cache" / windows_table(ear)
        fragments = self.dataset.get_fragments() if self.dataset is not None else []
        with writing(self.folder):
            if fragments:
                _ = self.basis  # may empty the cache, so before anything is read from it
            self.segments = [
                Segment(self._prepare(fragment), self.dataset, fragment)
                for fragment in fragments
                if fragment.count_rows()
            ]
        self._drop_stale({fragment_key(fragment) for fragment in fragments})
        self.bounds = np.cumsum([0, *map(len, self.segments)])
        self._scans: dict[bytes, Scores] = {}  # of the latest queries

    @property
    def version(self) -> int:
        return self.dataset.version if self.dataset is not None else 0

    def __len__(self) -> int:
        return int(self.bounds[-1])

    @cached_property
    def ids(self) -> list[str]:
        """Content ids of all recordings, each once."""
        return list(dict.fromkeys(id for segment in self.segments for id in segment.ids))

    @cached_property
    def ordinal(self) -> dict[str, int]:
        """Where in ``ids`` each content id stands."""
        return {id: i for i, id in enumerate(self.ids)}

    @cached_property
    def owner(self) -> NDArray[np.int32]:
        """Which recording each row belongs to, as ordinal in ``ids`` [rows]."""
        parts = [np.array([self.ordinal[id] for id in s.ids], np.int32)[s.owner] for s in self.segments]
        return np.concatenate(parts) if parts else np.zeros(0, np.int32)

    @cached_property
    def middle(self) -> NDArray[np.float64]:
        """The middle of each row's window, seconds [rows]."""
        parts = [(segment.start + segment.end) / 2 for segment in self.segments]
        return np.concatenate(parts) if parts else np.zeros(0)

    def times(self, first: int, last: int) -> tuple[float, float]:
        """Start of row ``first`` and end of row ``last``, seconds."""
        return float(self._at("start", first)), float(self._at("end", last))

    def codes_of(self, classes: Sequence[int] | NDArray[np.integer]) -> NDArray[np.uint8]:
        """Score codes of some classes for every row [classes, rows]."""
        return np.concatenate([s.codes[np.asarray(classes, np.intp)] for s in self.segments], axis=1)

    def codes_at(self, first: int, last: int) -> NDArray[np.uint8]:
        """Score codes of all classes for rows ``first`` … ``last`` (inclusive, of one recording) [rows, classes]."""
        i = self._segment(first)
        segment, low = self.segments[i], int(self.bounds[i])
        if segment.scores.mapped:
            return segment.scores.between(first - low, last + 1 - low)
        return segment.codes[:, first - low : last + 1 - low].T  # touches as many pages as there are classes

    def similarity(self, vectors: Sequence[Scores]) -> list[Scores]:
        """Approximate cosine of every row to each of ``vectors`` [dim], all from the library's mean [rows].

        What is below 0 is 0. The results are kept for a while, and must not be changed.
        """
        asked = {vector.tobytes(): vector for vector in vectors}
        kept = self._scans  # another thread may put others in its place
        known = {key: kept[key] for key in asked.keys() & kept.keys()}
        new = [key for key in asked if key not in known]
        for start in range(0, len(new), AT_ONCE):
            keys = new[start : start + AT_ONCE]
            queries = self.basis.project(np.stack([asked[key] for key in keys]))
            products = [dots(segment.sketch, self.basis.step, queries) for segment in self.segments]
            scores = np.concatenate(products, axis=1)
            known |= dict(zip(keys, np.maximum(scores, 0, out=scores), strict=True))
        others = {key: scores for key, scores in kept.items() if key not in known}
        self._scans = dict([*(others | known).items()][-AT_ONCE:])
        return [known[vector.tobytes()] for vector in vectors]

    def sketches(self, codes: NDArray[np.uint8]) -> Scores:
        """The unit vectors [rows, width] for which some rows of ``Segment.sketch`` stand."""
        return unit(decode(codes, self.basis.step))

    def exact_similarity(self, vectors: NDArray[np.float32], rows: NDArray[np.integer]) -> Scores:
        """Cosines [n, rows] of ``vectors`` [n, dim] to some rows' true embeddings, all from the library's mean."""
        embeddings = self.embeddings(rows)
        return unit(vectors - self.basis.mean) @ unit(embeddings - self.basis.mean).T

    def embeddings(self, rows: NDArray[np.integer]) -> Scores:
        """True embeddings of some rows [rows, dim]."""
        holder = np.searchsorted(self.bounds, rows, side="right") - 1
        found = np.empty((len(rows), len(self.basis.mean)), np.float16)
        for i in np.unique(holder):
            here = holder == i
            found[here] = self.segments[i].vectors[rows[here] - self.bounds[i]]
        return found.astype(np.float32)  # all at once, which processors have an instruction for

    # --- the cache -------------------------------------------------------------------------------------------------

    @cached_property
    def basis(self) -> "Basis":
        """Made when the library is first searched and again when it has grown much beyond the sample it came from."""
        path = self.folder / "basis.npz"
        count = self.dataset.count_rows()
        if path.exists():
            with np.load(path) as saved:
                current = saved.get("format") == SKETCHES
                if current and min(count, BASIS_SAMPLE) <= GROWTH * saved["sample"]:
                    return Basis(saved["mean"], saved["directions"], float(saved["step"]))
            shutil.rmtree(self.folder)
        rows = np.unique(np.linspace(0, count - 1, min(count, BASIS_SAMPLE)).astype(np.int64))
        sample = matrix(self.dataset.take(rows.tolist(), columns=["embedding"])["embedding"])
        basis = Basis.of(sample.astype(np.float32))
        self.folder.mkdir(parents=True, exist_ok=True)
        part = self.folder / f"basis.{os.getpid()}.part.npz"
        facts = {"mean": basis.mean, "directions": basis.directions, "step": basis.step}
        np.savez(part, format=SKETCHES, sample=len(rows), **facts)
        part.replace(path)
        return basis

    def _prepare(self, fragment) -> Path:
        """Makes the matrices of a fragment unless they are there."""
        folder = self.folder / fragment_key(fragment)
        if folder.exists():
            return folder
        part = self.folder / f"{folder.name}.{os.getpid()}.part"
        part.mkdir(parents=True, exist_ok=True)
        count = fragment.count_rows()
        classes = fragment.schema.field("scores").type.list_size if "scores" in fragment.schema.names else 0
        sketch = _new_matrix(part / "sketch.npy", np.uint8, (count, self.basis.width))
        if classes:
            codes = _new_matrix(part / "codes.npy", np.uint8, (classes, count))
        owners, starts, ends, row = [], [], [], 0
        columns = ["recording", "start", "end", "embedding", *(["scores"] if classes else [])]
        for batch in fragment.to_batches(columns=columns, batch_size=READ_ROWS):
            here = slice(row, row + batch.num_rows)
            sketch[here] = self.basis.sketch(matrix(batch["embedding"]).astype(np.float32))
            if classes:
                codes[:, here] = matrix(batch["scores"]).T
            owners += batch["recording"].to_pylist()
            starts.append(batch["start"].to_numpy())
            ends.append(batch["end"].to_numpy())
            row = here.stop
        ids, owner = np.unique(np.array(owners), return_inverse=True)
        np.savez(
            part / "rows.npz",
            ids=ids,
            owner=owner.astype(np.int32),
            start=np.concatenate(starts),
            end=np.concatenate(ends),
        )
        try:
            part.rename(folder)
        except OSError:  # another process made it first
            shutil.rmtree(part)
        return folder

    def _drop_stale(self, keys: set[str]) -> None:
        if self.folder.exists():
            for folder in self.folder.iterdir():
                if folder.is_dir() and folder.name not in keys and not folder.name.endswith(".part"):
                    shutil.rmtree(folder, ignore_errors=True)

    def _segment(self, row: int) -> int:
        return int(np.searchsorted(self.bounds, row, side="right")) - 1

    def _at(self, name: str, row: int):
        i = self._segment(row)
        return getattr(self.segments[i], name)[row - self.bounds[i]]


class Basis:
    """The mean and the principal directions of an ear's embeddings in one library."""

    def __init__(self, mean: Scores, directions: Scores, step: float):
        self.mean, self.directions = mean, directions  # [dim], [dim, width]
        self.step = step  # unit of the codes

    @property
    def width(self) -> int:
        return self.directions.shape[1]

    @classmethod
    def of(cls, embeddings: Scores) -> "Basis":
        """Principal directions of ``embeddings`` [rows, dim] after each is centred and scaled to unit length.

        They are turned among themselves, at random: no product changes, and all numbers of a sketch come to vary alike,
        so that one step serves them all.
        """
        mean = embeddings.mean(axis=0) * (len(embeddings) / (len(embeddings) + SHRINK))
        centred = unit(embeddings - mean)
        _, vectors = np.linalg.eigh(centred.T @ centred)
        principal = vectors[:, ::-1][:, :SKETCH]
        turn, _ = np.linalg.qr(np.random.default_rng(0).standard_normal((principal.shape[1],) * 2))
        directions = np.ascontiguousarray(principal @ turn, np.float32)
        furthest = float(np.quantile(np.abs(centred @ directions), 1 - BEYOND))
        return cls(mean, directions, max(furthest, 1e-9) / REACH)

    def project(self, embeddings: Scores) -> Scores:
        """Unit vectors of ``embeddings`` [rows, dim] in the principal directions [rows, width], as long as that is."""
        return unit(embeddings - self.mean) @ self.directions

    def sketch(self, embeddings: Scores) -> NDArray[np.uint8]:
        """Codes [rows, width] of ``project``."""
        return encode(self.project(embeddings), self.step)


def _new_matrix(path: Path, dtype: type, shape: tuple[int, int]) -> NDArray:
    """A matrix in a new file, to be filled in place."""
    matrix = np.lib.format.open_memmap(path, "w+", dtype, shape)
    if hasattr(os, "posix_fallocate"):  # or a disk that fills up would end the process (SIGBUS), not raise
        with open(path, "r+b") as file:
            os.posix_fallocate(file.fileno(), 0, path.stat().st_size)
    return matrix


def fragment_key(fragment) -> str:
    """Name of a fragment's cache folder: the same only while its rows are the same."""
    deletions = fragment.metadata.deletion_file
    facts = f"{[file.path for file in fragment.metadata.files]}|{deletions.asdict() if deletions else ''}"
    return hashlib.sha256(facts.encode()).hexdigest()[:16]
