"""PSDS against a loop over all thresholds, and against ``sed_scores_eval`` 0.0.4 on a stored case."""

import numpy as np
import pytest

from auricle.metrics.psds import psds
from auricle.types import Event

CLASSES = ("dog", "car", "rain")
HOP = 0.25  # s


def sounds() -> tuple[dict[str, np.ndarray], list[Event]]:
    """Twelve clips of 10 s, their scores (with many ties) and their events; the same in every run."""
    rng = np.random.default_rng(7)
    scores, events = {}, []
    for clip in (f"clip{i}" for i in range(12)):
        frames = rng.random((40, 3)) * 0.6
        for column, label in enumerate(CLASSES):
            for _ in range(int(rng.integers(0, 3))):
                start, length = int(rng.integers(0, 30)), int(rng.integers(2, 10))
                event = Event(clip, start * HOP, (start + length) * HOP, label)
                others = [e for e in events if (e.path, e.label) == (clip, label)]
                if not any(event.start < other.end and event.end > other.start for other in others):
                    events.append(event)
                    frames[start + 1 : start + length, column] += rng.random() * 0.8
        scores[clip] = np.round(frames, 2)
    return scores, events


def detections(active: np.ndarray, hop: float) -> list[tuple[float, float]]:
    edges = np.diff(np.pad(active.astype(int), 1))
    return list(zip(np.flatnonzero(edges == 1) * hop, np.flatnonzero(edges == -1) * hop, strict=True))


@pytest.mark.parametrize(
    ("options", "published"),
    [
        ({"max_rate": 100}, (0.3156318990438848, 0.33333333333333326, 0.4615384615384615, 0.33333333333333326)),
        ({"max_rate": 1000}, (0.3155423072757802, 0.3333333333333333, 0.47384615384615386, 0.33666666666666667)),
        (
            {"dtc": 0.1, "gtc": 0.1, "cttc": 0.3, "alpha_ct": 0.5, "max_rate": 100},
            (0.7700836745271377, 0.8666666666666667, 0.8461538461538461, 0.75),
        ),
        (
            {"dtc": 0.1, "gtc": 0.1, "cttc": 0.3, "alpha_ct": 0.5, "max_rate": 1000},
            (0.8125481229451759, 0.931510971786834, 0.9505778432094221, 0.7860148215366002),
        ),
        ({"dtc": 0.5, "gtc": 0.5, "alpha_st": 0, "max_rate": 1000}, (0.6221666666666666, 0.514, 0.63, 0.7225)),
    ],
)
def test_the_published_implementation_gives_the_same(options, published):
    scores, events = sounds()
    result = psds(scores, events, CLASSES, HOP, **options)
    assert (result.score, *result.by_class.values()) == pytest.approx(published, abs=1e-12)


def test_a_loop_over_all_thresholds_gives_the_same():
    scores, events = sounds()
    hours = sum(len(frames) for frames in scores.values()) * HOP / 3600
    result = psds(scores, events, CLASSES, HOP, cttc=0.3, alpha_ct=0.5, alpha_st=0, max_rate=200)
    for column, label in enumerate(CLASSES):
        points = [(0.0, 0.0)]
        for threshold in np.unique(np.concatenate([frames[:, column] for frames in scores.values()])):
            found = false = 0
            crossed = dict.fromkeys(CLASSES, 0)
            for clip, frames in scores.items():
                of = {c: [(e.start, e.end) for e in events if (e.path, e.label) == (clip, c)] for c in CLASSES}
                spans = detections(frames[:, column] >= threshold, HOP)
                right = [span for span in spans if shared(span, of[label]) >= 0.7 * (span[1] - span[0]) - 1e-9]
                found += sum(shared(event, right) >= 0.7 * (event[1] - event[0]) - 1e-9 for event in of[label])
                for span in set(spans) - set(right):
                    false += 1
                    for other in set(CLASSES) - {label}:
                        crossed[other] += shared(span, of[other]) >= 0.3 * (span[1] - span[0]) - 1e-9
            rates = [
                crossed[other] / sum(e.end - e.start for e in events if e.label == other) * 3600
                for other in CLASSES
                if other != label
            ]
            total = sum(event.label == label for event in events)
            points.append((false / hours + 0.5 * np.mean(rates), found / total))
        steps = np.sort(np.unique([rate for rate, _ in points if rate <= 200]))
        best = [max(share for rate, share in points if rate <= step) for step in steps]
        assert result.by_class[label] == pytest.approx(np.sum(best * np.diff(steps, append=200)) / 200)


def shared(span: tuple[float, float], spans: list[tuple[float, float]]) -> float:
    return sum(max(0.0, min(span[1], end) - max(span[0], start)) for start, end in spans)


def test_perfect_and_silent_detectors():
    _, events = sounds()
    perfect = {f"clip{i}": np.zeros((40, 3)) for i in range(12)}
    for event in events:
        span = slice(round(event.start / HOP), round(event.end / HOP))
        perfect[event.path][span, CLASSES.index(event.label)] = 1.0
    assert psds(perfect, events, CLASSES, HOP).score == pytest.approx(1.0)
    silent = {clip: frames * 0 for clip, frames in perfect.items()}
    assert psds(silent, events, CLASSES, HOP).score == pytest.approx(0.0, abs=1e-9)


def test_what_does_not_fit_is_refused():
    frames = {"a": np.zeros((4, 2))}
    with pytest.raises(ValueError, match="frames, 3"):
        psds(frames, [], CLASSES, HOP)
    with pytest.raises(ValueError, match="no scores"):
        psds(frames, [Event("b", 0, 1, "dog")], CLASSES[:2], HOP)
    with pytest.raises(ValueError, match="together"):
        psds(frames, [], CLASSES[:2], HOP, alpha_ct=0.5)
