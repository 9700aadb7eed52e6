import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from auricle.library.timeline import events, median, runs

HOP, WINDOW = 0.48, 0.975
CLASSES = ("Dog", "Rain")


def timeline(dog, rain=None, **options):
    scores = np.array([dog, rain or [0.0] * len(dog)], np.float32).T
    duration = (len(dog) - 1) * HOP + WINDOW
    return events(scores, CLASSES, path="a.wav", hop=HOP, window=WINDOW, duration=duration, **options)


def test_an_event_begins_when_sure_and_lasts_while_likely():
    found = timeline([0, 0.25, 0.9, 0.9, 0.25, 0.1, 0], smooth=1)
    assert [(e.label, e.score) for e in found] == [("Dog", 0.9)]
    assert found[0].start == round(1 * HOP + (WINDOW - HOP) / 2, 3)
    assert found[0].end == round(4 * HOP + (WINDOW + HOP) / 2, 3)


def test_the_median_removes_a_single_blip_and_fills_a_single_gap():
    assert timeline([0, 0, 0.9, 0, 0]) == []
    assert len(timeline([0.9, 0.9, 0, 0.9, 0.9])) == 1


def test_events_at_the_edges_reach_the_edges():
    found = timeline([0.9] * 4, rain=[0, 0, 0.9, 0.9], smooth=1)
    assert (found[0].start, found[0].end) == (0.0, round(3 * HOP + WINDOW, 3))
    assert found[1].label == "Rain"
    assert found[1].end == found[0].end


def test_labels_choose():
    assert [e.label for e in timeline([0.9] * 3, rain=[0.9] * 3, labels={"Rain"})] == ["Rain"]


@given(st.lists(st.booleans(), max_size=50))
def test_runs_cover_exactly_what_is_true(active):
    covered = {i for first, last in runs(np.array(active, bool)) for i in range(first, last + 1)}
    assert covered == {i for i, on in enumerate(active) if on}


@given(st.lists(st.floats(0, 1, width=32), min_size=1, max_size=20), st.sampled_from([1, 3, 5]))
def test_median_against_a_slow_one(values, width):
    half = width // 2
    padded = [values[0]] * half + values + [values[-1]] * half
    slow = [sorted(padded[i : i + width])[half] for i in range(len(values))]
    np.testing.assert_array_equal(median(np.array(values, np.float32)[:, None], width)[:, 0], np.float32(slow))
