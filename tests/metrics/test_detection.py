"""Counts of events and segments by hand, and against ``sed_scores_eval`` 0.0.4 on a stored case (see ``test_psds``)."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from auricle.metrics.detection import Counts, add, event_counts, macro_f1, segment_counts, segment_error_rate
from auricle.types import Event
from tests.metrics.test_psds import CLASSES, HOP, detections, sounds


def event(start: float, end: float, label: str = "dog", path: str = "a.wav") -> Event:
    return Event(path, start, end, label)


@pytest.mark.parametrize(
    ("found", "counts"),
    [
        (event(1.1, 2.9), (1, 0, 0)),
        (event(1.3, 3.0), (0, 1, 1)),  # begins too late
        (event(1.0, 3.35), (1, 0, 0)),  # within a fifth of its 2 s
        (event(1.0, 3.5), (0, 1, 1)),
        (event(1.0, 3.0, "cat"), (0, 0, 1)),
        (event(1.0, 3.0, path="b.wav"), (0, 1, 1)),
    ],
)
def test_an_event_is_right_within_its_collars(found, counts):
    assert event_counts([event(1, 3)], [found])["dog"] == counts


def test_ends_need_not_matter():
    assert event_counts([event(1, 3)], [event(1.1, 9)], offsets=False)["dog"].f1 == 1.0


def test_as_many_pairs_as_possible_are_matched():
    # Greedy in order, the first guess would take the first event and leave the second guess none.
    there, said = [event(1.0, 2.0), event(1.2, 2.2)], [event(1.2, 2.2), event(0.9, 1.9)]
    assert event_counts(there, said)["dog"] == (2, 0, 0)


@given(
    st.lists(st.tuples(*[st.integers(0, 8)] * 2), max_size=5), st.lists(st.tuples(*[st.integers(0, 8)] * 2), max_size=5)
)
def test_hits_are_the_best_of_all_assignments(there, said):
    events, guesses = ([event(start, start + length) for start, length in spans] for spans in (there, said))

    def fits(one: Event, other: Event) -> bool:
        close = abs(one.end - other.end) <= max(1, 0.5 * (one.end - one.start))
        return abs(one.start - other.start) <= 1 and close

    slow = max(
        sum(fits(*pair) for pair in zip(events, order, strict=False))
        for order in itertools.permutations([*guesses, *[event(99, 99)] * len(events)], len(events))
    )
    counts = event_counts(events, guesses, collar=1, offset_share=0.5).get("dog", Counts(0, 0, 0))
    assert counts == (slow, len(guesses) - slow, len(events) - slow)


def test_segments_and_error_rate_by_hand():
    there = [event(0, 2), event(2, 3, "cat")]
    said = [event(0.5, 1), event(2.5, 4.5, "cow")]
    assert segment_counts(there, said) == {"cat": (0, 0, 1), "cow": (0, 3, 0), "dog": (1, 0, 1)}
    # Second 0: right. 1: dog missed. 2: cow for cat, one substitution. 3 and 4: cow, insertions.
    assert segment_error_rate(there, said) == pytest.approx(4 / 3)


def test_sums_and_means():
    counts = {"dog": Counts(1, 1, 0), "cat": Counts(0, 0, 0), "cow": Counts(0, 1, 1)}
    assert add(counts.values()) == (1, 2, 1)
    assert (counts["dog"].precision, counts["dog"].recall) == (0.5, 1.0)
    assert macro_f1(counts) == pytest.approx((2 / 3 + 0) / 2)
    assert math.isnan(counts["cat"].f1)
    with pytest.raises(ValueError, match="no events"):
        macro_f1({})
    with pytest.raises(ValueError, match="no events"):
        segment_error_rate([], [event(0, 1)])


def test_the_published_implementation_counts_the_same():
    scores, events = sounds()
    found = [
        Event(clip, start, end, label)
        for clip, frames in scores.items()
        for column, label in enumerate(CLASSES)
        for start, end in detections(np.asarray(frames)[:, column] > 0.65, HOP)
    ]
    by_event = event_counts(events, found, collar=0.25)
    assert by_event == {"dog": (6, 11, 9), "car": (4, 11, 9), "rain": (6, 5, 6)}
    assert macro_f1(by_event) == pytest.approx(0.3941511387163561)
    by_segment = segment_counts(events, found)
    assert by_segment == {"dog": (21, 0, 12), "car": (18, 0, 14), "rain": (17, 0, 6)}
    assert add(by_segment.values()).f1 == pytest.approx(0.7777777777777778)
