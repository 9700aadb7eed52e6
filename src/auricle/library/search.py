"""From a query to hits: words and examples are scored against every window, then the best windows become stretches.

Every part of a query gives each window a score in [0, 1]: words through ``auricle.library.words`` (or the ear's own
text tower), examples through cosine. Parts mix by weight; what must not be there is subtracted.
"""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from auricle.audio import read
from auricle.errors import QueryError
from auricle.library import codes
from auricle.library.index import SHORTLIST, Index
from auricle.library.listen import hear_blocks
from auricle.library.store import Store
from auricle.types import Ear, Heard, Hit, Tag, TextEar

if TYPE_CHECKING:
    from auricle.library.words import Context

LIKE_MIN_SCORE = 0.35  # cosine below which two sounds have little in common
KEEP = 0.5  # a hit reaches as far as its neighbours score this share of its best window
SILENCE = "Silence"  # the class, where an ear has it, whose windows say nothing about an example
SILENT = 0.5
PEAKS = 200  # rows sorted at a time for each hit wanted: as a rule enough, since a stretch takes many
FILTERS_KEPT = 16
WHY_TAGS = 4
WHY_FLOOR = 0.05

Scores = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a query: a sentence, (an excerpt of) a sound file, or the embedding of a sound.

    A ``weight`` < 0 means "not like this".
    """

    text: str = ""
    path: str = ""
    start: float = 0.0  # seconds
    end: float | None = None
    weight: float = 1.0
    vector: Scores | None = field(default=None, compare=False)  # [dim], of the ear that answers

    @classmethod
    def words(cls, query: str) -> "Part":
        """Parses ``TEXT`` or ``TEXT^WEIGHT``."""
        text, weight = _weighted(query)
        if not text.strip():
            raise QueryError("The query is empty", "Say in words what you are listening for, e.g. 'dog barking'")
        return cls(text=text.strip(), weight=weight)

    @classmethod
    def example(cls, query: str) -> "Part":
        """Parses ``FILE``, ``FILE@START-END`` (seconds) and either with ``^WEIGHT``."""
        name, weight = _weighted(query)
        if not os.path.exists(name) and "@" in name:
            name, _, span = name.rpartition("@")
            start, _, end = span.partition("-")
            try:
                begin, finish = float(start or 0), float(end) if end else None
            except ValueError:
                raise QueryError(
                    f"{span!r} is not a stretch of time", "Write FILE@START-END in seconds, e.g. a.wav@3.5-6"
                ) from None
            if finish is not None and finish <= begin:
                raise QueryError(f"The excerpt {span} s ends before it starts", "Write FILE@START-END in seconds")
            return cls(path=name, start=begin, end=finish, weight=weight)
        return cls(path=name, weight=weight)

    @classmethod
    def unwanted(cls, query: str) -> "Part":
        """Parses what ``--not`` takes: an example if such a file exists, else words."""
        name, _ = _weighted(query)
        is_file = os.path.exists(name) or os.path.exists(name.rpartition("@")[0])
        part = cls.example(query) if is_file else cls.words(query)
        return replace(part, weight=-part.weight)


@dataclass(frozen=True, slots=True)
class Answer:
    """Hits, best first, and how they were found."""

    hits: list[Hit]
    windows: int  # scanned
    served_by: str  # "exact", or "sketch" when a shortlist was compared exactly
    best: float  # score of the best window, also when it is below the threshold


class Searcher:
    """Answers queries over the windows one ear has heard. Keeps its matrices mapped between queries."""

    def __init__(self, store: Store, ear_name: str, ear: Callable[[], Ear]):
        self.store, self.index, self._ear = store, Index(store, ear_name), ear
        self._passed: dict[tuple[str, int], NDArray[np.bool_]] = {}  # by filter and edition

    def search(
        self,
        parts: Sequence[Part],
        *,
        where: str | None = None,
        limit: int = 10,
        min_score: float | None = None,
        one_per_recording: bool = False,
        skip: Sequence[str] = (),
    ) -> Answer:
        """Finds the stretches of sound that fit all ``parts`` best.

        Args:
            parts: at least one of positive weight.
            where: SQL filter over ``recordings``.
            limit: most hits to return.
            min_score: threshold in [0, 1]; None takes the ear's calibrated one.
            one_per_recording: only the best hit of each recording.
            skip: content ids never to return.

        Raises:
            QueryError: nothing to look for, a bad filter, words for an ear that knows none.
        """
        if not any(part.weight > 0 for part in parts):
            raise QueryError("There is nothing to look for", "Give words, or a sound with --like FILE")
        if not len(self.index):
            return Answer([], 0, "exact", 0.0)
        allowed = self._allowed(where, skip)
        scored = self._score(parts)
        wanted = sum(part.weight for part in parts if part.weight > 0)
        total = np.float32(parts[0].weight / wanted) * scored[0].scores
        for part, one in zip(parts[1:], scored[1:], strict=True):
            total += np.float32(part.weight / wanted) * one.scores
        np.clip(total, 0, 1, out=total)
        if allowed is not None:
            total *= allowed
        served_by = "exact"
        if any(one.vector is not None for one in scored):
            shortlist = max(SHORTLIST, 4 * limit)
            served_by = "exact" if len(total) <= shortlist else "sketch"
            self._refine(total, parts, scored, wanted, shortlist)
        if min_score is None:
            min_score = max(s.threshold for p, s in zip(parts, scored, strict=True) if p.weight > 0)
        runs = self.runs(total, limit, min_score, one_per_recording)
        return Answer(self.hits(runs), len(total), served_by, float(total.max()))

    def prepare(self, texts: Sequence[str]) -> None:
        """Gets ready for searches with ``texts``, which together then take less time; any ear, any text."""
        ear = self._ear()
        if ear.classes and not isinstance(ear, TextEar):
            from auricle.library.words import Words

            Words.for_classes(tuple(ear.classes)).prepare(texts)

    # --- scoring ---------------------------------------------------------------------------------------------------

    @dataclass(slots=True)
    class _Scored:
        threshold: float
        scores: Scores = field(default_factory=lambda: np.zeros(0, np.float32))  # [rows]
        vector: Scores | None = None  # [dim], when scored by cosine

    def _score(self, parts: Sequence[Part]) -> "list[_Scored]":
        """The score of every window for each part; all that are scored by cosine in one scan."""
        scored = [self._by_words(part) or self._by_cosine(part) for part in parts]
        vectors = [one.vector for one in scored if one.vector is not None]
        if vectors:
            similar = iter(self.index.similarity(vectors))
            for one in scored:
                if one.vector is not None:
                    one.scores = next(similar)
        return scored

    def _by_words(self, part: Part) -> "_Scored | None":
        """Scores of a sentence by the classes heard; None if the part has a place among the ear's vectors."""
        ear = self._ear()
        if part.vector is not None or part.path or isinstance(ear, TextEar):
            return None
        if not ear.classes:
            raise QueryError(
                f"The ear {ear.name} does not understand words", "Search with --like FILE, or index with another --ear"
            )
        from auricle.library.words import Words

        words = Words.for_classes(tuple(ear.classes))
        query = words.query(part.text)
        return self._Scored(words.min_score, query.score(self.index.codes_of(query.classes), self._context))

    def _by_cosine(self, part: Part) -> "_Scored":
        ear = self._ear()
        if part.vector is not None:
            return self._Scored(LIKE_MIN_SCORE, vector=part.vector)
        if part.path:
            return self._Scored(LIKE_MIN_SCORE, vector=self._example(part))
        assert isinstance(ear, TextEar)
        return self._Scored(ear.text_min_score, vector=ear.embed_text([part.text])[0])

    @cached_property
    def _context(self) -> "Context":
        """The neighbourhood of each row; the windows of a recording follow one another in the table."""
        from auricle.library.words import Context

        starts = np.flatnonzero(np.diff(self.index.owner, prepend=-1))
        return Context(starts, len(self.index), self._ear().hop / self._ear().sample_rate)

    def _example(self, part: Part) -> Scores:
        """Mean embedding of an example: from the library when it holds the file, else by listening to it."""
        indexed = self.store.rows_by("path", [os.path.abspath(os.path.expanduser(part.path))])
        for row in indexed.values():
            if os.path.exists(row["path"]) and os.path.getmtime(row["path"]) == row["modified"]:
                vector = self.vector_of(row["id"], part.start, part.end)
                if vector is not None:
                    return vector
        return hear_example(self._ear(), part.path, part.start, part.end)

    def vector_of(self, id: str, start: float = 0.0, end: float | None = None) -> Scores | None:
        """Mean embedding [dim] of a stretch of a recording as it was indexed; None when this ear has not heard it."""
        rows = self.rows_of(id, start, end)
        if not len(rows):
            return None
        return mean_vector(self.index.embeddings(rows), self.silent[rows])

    @cached_property
    def silent(self) -> NDArray[np.bool_]:
        """Which rows hold nothing but silence [rows]; none, for an ear that cannot tell."""
        heard = self.index.codes_of(_silence(self._ear()))
        return np.logical_or.reduce(heard >= codes.code_of(SILENT), axis=0)

    def rows_of(self, id: str, start: float = 0.0, end: float | None = None) -> NDArray[np.integer]:
        """Rows of one recording whose middle lies in [start, end] seconds (the nearest row if none does)."""
        if id not in self.index.ordinal:
            return np.zeros(0, int)
        rows = np.flatnonzero(self.index.owner == self.index.ordinal[id])
        middle = self.index.middle[rows]
        inside = rows[(middle >= start) & (middle <= (np.inf if end is None else end))]
        return inside if len(inside) else rows[[np.argmin(np.abs(middle - start))]]

    def _refine(self, total: Scores, parts, scored, wanted: float, shortlist: int) -> None:
        """Replaces approximate cosines by exact ones in the best rows of ``total``, in place."""
        least = np.partition(total, -shortlist)[-shortlist] if len(total) > shortlist else 0
        short = np.flatnonzero(total >= least if least > 0 else total > 0)  # 0: not allowed, or not wanted
        if not len(short):
            return
        vectors = [s.vector for s in scored if s.vector is not None]
        similar = iter(np.maximum(self.index.exact_similarity(np.stack(vectors), short), 0))
        exact = np.zeros(len(short), np.float32)
        for part, s in zip(parts, scored, strict=True):
            exact += (part.weight / wanted) * (s.scores[short] if s.vector is None else next(similar))
        total[short] = np.clip(exact, 0, 1)

    def _allowed(self, where: str | None, skip: Sequence[str]) -> NDArray[np.bool_] | None:
        """Which rows may be returned; None where all may."""
        if not where and not skip:
            return None
        ordinal = self.index.ordinal
        ids = self._passing(where).copy() if where else np.ones(len(ordinal), bool)
        ids[[ordinal[id] for id in skip if id in ordinal]] = False
        return ids[self.index.owner]

    def _passing(self, where: str) -> NDArray[np.bool_]:
        """Which of the index's recordings pass a filter; found once while recordings stay what they are."""
        key = where, self.store.edition
        ids = self._passed.get(key)
        if ids is None:
            ids, ordinal = np.zeros(len(self.index.ordinal), bool), self.index.ordinal
            passing = self.store.recordings(where, columns=["id"])["id"].to_pylist()
            ids[[ordinal[id] for id in passing if id in ordinal]] = True
            self._passed = dict([*self._passed.items()][1 - FILTERS_KEPT :]) | {key: ids}
        return ids

    # --- from rows to stretches ------------------------------------------------------------------------------------

    def runs(
        self, total: Scores, limit: int, min_score: float = 0.0, one_per_recording: bool = False
    ) -> list[tuple[int, int, float]]:
        """Best stretches as (first row, last row, score): each grows from its peak over neighbours that still fit."""
        owner, taken, spoken_for, runs = self.index.owner, np.zeros(len(total), bool), set(), []
        rows = np.flatnonzero(total >= max(min_score, 1e-6))
        while len(rows) and len(runs) < limit:
            best = _best(rows, total, PEAKS * limit)
            for peak in map(int, best):
                if taken[peak] or (one_per_recording and owner[peak] in spoken_for):
                    continue
                first, last = self._stretch(peak, total, max(min_score, KEEP * total[peak]), taken)
                taken[first : last + 1] = True
                spoken_for.add(owner[peak])
                runs.append((first, last, float(total[peak])))
                if len(runs) == limit:
                    break
            rows = rows[total[rows] < total[best[-1]]]
        return runs

    def _stretch(self, peak: int, total: Scores, floor: float, taken: NDArray[np.bool_]) -> tuple[int, int]:
        """First and last row around ``peak``, of its recording, that score at least ``floor`` and are not taken."""
        owner = self.index.owner

        def fits(row: int) -> bool:
            return owner[row] == owner[peak] and total[row] >= floor and not taken[row]

        first = last = peak
        while first > 0 and fits(first - 1):
            first -= 1
        while last + 1 < len(total) and fits(last + 1):
            last += 1
        return first, last

    def hits(self, runs: Sequence[tuple[int, int, float]]) -> list[Hit]:
        """Stretches of rows (first, last, score) as people get them."""
        ids = [self.index.ids[self.index.owner[first]] for first, _, _ in runs]
        rows = self.store.rows_by("id", set(ids), ["path", "duration"])
        hits = []
        for id, (first, last, score) in zip(ids, runs, strict=True):
            if id in rows:  # a recording pruned since the matrices were mapped is gone
                start, end = self.index.times(first, last)
                tags, duration = self._why(first, last), rows[id]["duration"]
                hits.append(Hit(rows[id]["path"], start, end, round(score, 4), tags, id, duration))
        return hits

    def _why(self, first: int, last: int) -> tuple[Tag, ...]:
        """What the ear heard in a stretch: its strongest classes."""
        classes = self._ear().classes
        if not classes:
            return ()
        heard = self.index.codes_at(first, last).max(axis=0)
        best = np.argsort(~heard, kind="stable")[:WHY_TAGS]  # ~ turns the order of unsigned numbers around
        found = [(classes[i], float(codes.SCORES[heard[i]])) for i in map(int, best)]
        return tuple(Tag(name, round(score, 4)) for name, score in found if score >= WHY_FLOOR)


def hear_example(ear: Ear, path: str | os.PathLike[str], start: float = 0.0, end: float | None = None) -> Scores:
    """Mean embedding [dim] of a sound file, or of a stretch of it in seconds.

    Raises:
        AudioError: the file cannot be heard.
    """
    sound, _ = read(path, ear.sample_rate, start=start, end=end)
    heard = [heard for _, _, heard in hear_blocks(ear, iter([sound]))]
    silent = [is_silent(some, ear) for some in heard]
    return mean_vector(np.concatenate([h.embeddings for h in heard]), np.concatenate(silent))


def _silence(ear: Ear) -> list[int]:
    """The column of the class "Silence", none if the ear has no such class."""
    return [c for c, name in enumerate(ear.classes) if name == SILENCE]


def is_silent(heard: Heard, ear: Ear) -> NDArray[np.bool_]:
    """Which windows hold nothing but silence [rows]; none, for an ear that cannot tell."""
    if heard.scores is None:
        return np.zeros(len(heard.embeddings), bool)
    return np.logical_or.reduce(heard.scores[:, _silence(ear)] >= SILENT, axis=1)


def mean_vector(embeddings: Scores, silent: NDArray[np.bool_]) -> Scores:
    """Mean of the windows in which something is heard; of all when nothing is.

    Pauses and padding would otherwise make every example with a gap look like every other.
    """
    return (embeddings if silent.all() else embeddings[~silent]).mean(axis=0)


def _best(rows: NDArray[np.integer], scores: Scores, count: int) -> NDArray[np.integer]:
    """The ``count`` rows that score most (and what ties with the last), best first, among equals the earliest first."""
    if len(rows) > count:
        rows = rows[scores[rows] >= np.partition(scores[rows], -count)[-count]]
    return rows[np.lexsort((rows, -scores[rows]))]


def _weighted(query: str) -> tuple[str, float]:
    """Splits ``QUERY^WEIGHT``."""
    text, caret, weight = query.rpartition("^")
    if not caret:
        return query, 1.0
    try:
        value = float(weight)
    except ValueError:
        return query, 1.0
    if value <= 0:
        raise QueryError(f"The weight in {query!r} is not positive", "Use --not to search away from something")
    return text, value


def listed(path: str | os.PathLike[str]) -> str:
    """A path as the library lists it."""
    return str(Path(os.path.abspath(os.path.expanduser(path))))
