"""Metrics of events in time: counts of events and of segments, F1, error rate.

Events are ``auricle.types.Event``: ``path`` says which clip, ``start`` and ``end`` are seconds. ``reference`` is what
there was, ``found`` what a detector says; both may hold many clips in any order. Definitions: Mesaros, Heittola and
Virtanen, "Metrics for Polyphonic Sound Event Detection", Applied Sciences 6(6), 2016 (as in ``sed_eval``). Scores over
all thresholds at once are in ``auricle.metrics.psds``.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from typing import NamedTuple

import numpy as np

from auricle.types import Event


class Counts(NamedTuple):
    """Right, wrong and missed; added over classes or clips they give the micro average."""

    hits: int
    false: int
    missed: int

    @property
    def precision(self) -> float:
        """Share of what was found that was there, in [0, 1]; NaN when nothing was found."""
        return self.hits / (self.hits + self.false) if self.hits + self.false else math.nan

    @property
    def recall(self) -> float:
        """Share of what was there that was found, in [0, 1]; NaN when nothing was there."""
        return self.hits / (self.hits + self.missed) if self.hits + self.missed else math.nan

    @property
    def f1(self) -> float:
        """2 hits / (2 hits + false + missed), in [0, 1]; NaN when nothing was there and nothing was found."""
        total = 2 * self.hits + self.false + self.missed
        return 2 * self.hits / total if total else math.nan


def event_counts(
    reference: Iterable[Event],
    found: Iterable[Event],
    *,
    collar: float = 0.2,
    offset_share: float = 0.2,
    offsets: bool = True,
) -> dict[str, Counts]:
    """Counts of whole events by class. A found event is right when one of the reference begins and ends as it does.

    In every clip and class as many pairs as possible are matched; no event is matched twice.

    Args:
        reference: what there was.
        found: what was found.
        collar: seconds by which the beginnings, and the ends, may differ.
        offset_share: ends may also differ by this share of the reference event's length.
        offsets: whether the ends matter.
    """
    counts = defaultdict(lambda: Counts(0, 0, 0))
    there, said = _by_clip_and_class(reference), _by_clip_and_class(found)
    for key in there.keys() | said.keys():
        events, guesses = there.get(key, []), said.get(key, [])
        hits = _most_pairs(events, guesses, collar, offset_share, offsets) if events and guesses else 0
        counts[key[1]] = add((counts[key[1]], Counts(hits, len(guesses) - hits, len(events) - hits)))
    return dict(counts)


def segment_counts(reference: Iterable[Event], found: Iterable[Event], *, resolution: float = 1.0) -> dict[str, Counts]:
    """Counts of segments of ``resolution`` seconds by class; a class is active in every segment that it touches."""
    there, said = _segments(reference, resolution), _segments(found, resolution)
    counts = {}
    for label in sorted({key[-1] for key in there | said}):
        ours, theirs = ({key for key in keys if key[-1] == label} for keys in (there, said))
        counts[label] = Counts(len(ours & theirs), len(theirs - ours), len(ours - theirs))
    return counts


def segment_error_rate(reference: Iterable[Event], found: Iterable[Event], *, resolution: float = 1.0) -> float:
    """(substitutions + deletions + insertions) / active classes, summed over segments: 0 is perfect, it may exceed 1.

    Raises:
        ValueError: there is no event in the reference.
    """
    there, said = _segments(reference, resolution), _segments(found, resolution)
    if not there:
        raise ValueError("the error rate of no events at all")
    missed, false = (Counter(key[:2] for key in keys) for keys in (there - said, said - there))
    # In one segment a class missed and another one said in its place are one error, a substitution.
    return sum(max(missed[segment], false[segment]) for segment in missed | false) / len(there)


def add(counts: Iterable[Counts]) -> Counts:
    """The sum of ``counts``: its F1 is the micro average."""
    return Counts(*(sum(column) for column in zip(Counts(0, 0, 0), *counts, strict=True)))


def macro_f1(counts: Mapping[str, Counts]) -> float:
    """Mean F1 over the classes that were there or were found.

    Raises:
        ValueError: there is no such class.
    """
    scores = [each.f1 for each in counts.values() if not math.isnan(each.f1)]
    if not scores:
        raise ValueError("the F1 of no events at all")
    return sum(scores) / len(scores)


def _by_clip_and_class(events: Iterable[Event]) -> dict[tuple[str, str], list[Event]]:
    groups = defaultdict(list)
    for event in events:
        groups[event.path, event.label].append(event)
    return groups


def _most_pairs(events: list[Event], guesses: list[Event], collar: float, share: float, offsets: bool) -> int:
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import maximum_bipartite_matching

    starts, ends = (np.array([getattr(e, side) for e in events])[:, None] for side in ("start", "end"))
    fits = np.abs(starts - [guess.start for guess in guesses]) <= collar
    if offsets:
        tolerance = np.maximum(collar, share * (ends - starts))
        fits &= np.abs(ends - [guess.end for guess in guesses]) <= tolerance
    return int((maximum_bipartite_matching(csr_array(fits)) >= 0).sum())


def _segments(events: Iterable[Event], resolution: float) -> set[tuple[str, int, str]]:
    """Clip, index and class of every active segment."""
    return {
        (event.path, index, event.label)
        for event in events
        for index in range(math.floor(event.start / resolution), math.ceil(event.end / resolution))
    }
