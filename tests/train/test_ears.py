"""The comparison of ears: its readers on vectors whose answers are known, its sets, its table, its kept result."""

import json
from pathlib import Path

import numpy as np
import pytest

from auricle.errors import AuricleError
from auricle.train import ears


def clusters(seed, classes=4, each=10, dim=16, spread=0.1):
    """Vectors [classes * each, dim] around a corner for each class, and their labels."""
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(classes), each)
    return (np.eye(dim)[labels] + rng.normal(0, spread, (len(labels), dim))).astype(np.float32), labels


@pytest.mark.parametrize("reader", [ears.linear, ears.neighbours])
def test_readers_tell_clusters_apart(reader):
    known, labels = clusters(0)
    asked, truth = clusters(1)
    scores = reader(known, labels, asked)
    assert scores.shape == (len(asked), 4)
    assert np.array_equal(scores.argmax(axis=1), truth)


def test_a_dead_dimension_does_no_harm():
    known, labels = clusters(0)
    asked, truth = clusters(1)
    known[:, 5] = asked[:, 5] = 0.0
    assert np.array_equal(ears.linear(known, labels, asked).argmax(axis=1), truth)


def test_neighbours_vote_with_their_similarity():
    known = np.array([[1, 0], [0.9, 0.1], [0, 1]], np.float32)
    (scores,) = ears.neighbours(known, np.array([0, 1, 1]), np.array([[2.0, 0.0]]))
    assert scores == pytest.approx([1.0, 0.9 / np.hypot(0.9, 0.1)])


def test_speech_is_two_voices_of_a_language_one_of_them_for_the_test():
    speech = ears.clips("speech")
    assert len(speech) == 2 * ears.PER_VOICE * len(speech.classes)
    roles = {}
    for row in speech:
        roles.setdefault((row["language"], row["split"]), set()).add(row["source"])
    assert all(len(sources) == 1 for sources in roles.values())
    assert {split for _, split in roles} == {"train", "test"}


def test_voices_of_their_own_direction_are_told_apart():
    speech = ears.clips("speech")
    _, voice = np.unique(speech.column("source"), return_inverse=True)
    own = np.eye(voice.max() + 1)[voice]
    assert ears.voices(own, speech) == 0.0
    noise = np.random.default_rng(0).normal(size=(len(speech), 8))
    assert ears.voices(noise, speech) == pytest.approx(0.5, abs=0.05)


def test_every_ear_with_weights_is_compared():
    assert {"yamnet@int8", "aisfx@2022", "musicnn@mtt", "ge2e@resemblyzer"} <= set(ears.names())


def test_an_unknown_ear_is_refused():
    with pytest.raises(AuricleError, match="no system"):
        ears.run(["nosuchear"], tell=lambda line: None)


def test_a_row_of_the_table():
    ear = {
        "tasks": {task: {"linear": 0.5, "neighbours": 0.25} for task in ears.CLASSIFIED}
        | {"voices": {"equal_error_rate": 0.1}},
        "speed": 99.6,
        "memory": 150.2,
        "download": 7.1,
    }
    row = ears.row("one", ear)
    assert len(row) == len(ears.COLUMNS)
    assert row == ["one", *["0.50 / 0.25"] * len(ears.CLASSIFIED), "0.10", "100 ×", "150 MB", "7 MB"]


def test_the_kept_result_is_as_its_schema_says():
    jsonschema = pytest.importorskip("jsonschema")
    root = Path(__file__).parents[2]
    schema = json.loads((root / "docs" / "schemas" / "evaluate_ears.json").read_text())
    jsonschema.validate(json.loads((root / "results" / "ears.json").read_text()), schema)
