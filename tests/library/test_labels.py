import pytest

from auricle.errors import LibraryError, QueryError
from auricle.library.labels import Labels


@pytest.fixture
def labels(library):
    return Labels(library.store)


@pytest.fixture
def recording(library):
    return library.recordings()[0].id


def test_labels_persist_and_count_their_versions(library, labels, recording):
    first = labels.add(recording, 1.0, 2.0, " Owl ", low=300.0, high=900.0)
    assert (first.label, first.verdict, first.version) == ("Owl", "drawn", 1)
    second = labels.change(first.id, label="Tawny owl")
    assert (second.label, second.version, second.low) == ("Tawny owl", 2, 300.0)
    assert Labels(library.store)(recording) == [second]


def test_a_machine_event_is_answered_not_changed(library, labels, recording):
    path = next(r.path for r in library.recordings() if r.id == recording)
    before = library.events(path)
    event = {"start": before[0].start, "end": before[0].end, "label": before[0].label, "score": before[0].score}
    answer = labels.add(recording, before[0].start, before[0].end, before[0].label, verdict="rejected", event=event)
    assert answer.event == event
    assert library.events(path) == before


def test_undo_takes_changes_back_in_order(labels, recording):
    label = labels.add(recording, 0, 1, "A")
    labels.change(label.id, label="B")
    labels.remove(label.id)
    assert labels() == []
    assert labels.undo()["action"] == "remove"
    assert [one.label for one in labels()] == ["B"]
    assert labels.undo()["action"] == "set"
    assert [one.label for one in labels()] == ["A"]
    labels.undo()
    assert labels() == []
    assert labels.undo() is None
    labels.add(recording, 0, 1, "C")
    assert [one.label for one in labels()] == ["C"]


def test_nonsense_is_refused(labels, recording):
    for start, end, name in ((2, 1, "A"), (-1, 1, "A"), (0, 1, " "), (0, 1, "x" * 201), (float("nan"), 1, "A")):
        with pytest.raises(QueryError):
            labels.add(recording, start, end, name)
    with pytest.raises(QueryError, match="verdict"):
        labels.add(recording, 0, 1, "A", verdict="perhaps")
    with pytest.raises(LibraryError):
        labels.add("0" * 32, 0, 1, "A")
    with pytest.raises(LibraryError):
        labels.change("nothing", label="A")
