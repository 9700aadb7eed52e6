import json
import shutil

import numpy as np
import pytest
from tests.library.conftest import RATE, save, tone

from auricle.errors import LibraryError, QueryError
from auricle.library import Library, own_tags
from auricle.library.labels import Labels
from auricle.library.retag import outdated
from auricle.library.teach import Example, from_labels

NAME = "My chord"


def chord(i: int, seconds: float = 3.0) -> np.ndarray:
    """A low and a high tone at once: the ear hears both, and has no class for it."""
    return tone(100 + 3 * i, seconds, 0.3) + tone(3200 + 90 * i, seconds, 0.3)


@pytest.fixture(scope="module")
def taught_from(tmp_path_factory):
    """Seven chords, and seven tones that are either low or high."""
    folder = tmp_path_factory.mktemp("taught")
    for i in range(7):
        save(folder / "chords" / f"chord {i}.wav", chord(i))
        save(folder / "tones" / f"tone {i}.wav", tone((100 if i % 2 else 3200) * (1 + 0.04 * i), 3.0))
    return folder


@pytest.fixture(scope="module")
def indexed(taught_from, tmp_path_factory):
    """Folder of a library of them."""
    folder = tmp_path_factory.mktemp("indexed") / "library"
    Library(folder, ear="fake_ear").index(taught_from, workers=1)
    return folder


@pytest.fixture
def library(indexed, tmp_path):
    """A copy of that library."""
    return Library(shutil.copytree(indexed, tmp_path / "library"), ear="fake_ear")


@pytest.fixture
def lesson(taught_from):
    """Six chords and six tones; the seventh of each is never shown."""
    return [[taught_from / kind / f"{kind[:-1]} {i}.wav" for i in range(6)] for kind in ("chords", "tones")]


def tagged(library: Library, name: str = NAME) -> dict[str, float]:
    """Files with a tag, and its score."""
    return {r.path.rpartition("/")[2]: tag.score for r in library.recordings() for tag in r.tags if tag.label == name}


def test_what_is_taught_ranks_and_tags_the_library(library, lesson):
    taught = library.teach(f" {NAME} ", *lesson)
    assert (taught.name, taught.ear, taught.positives, taught.negatives) == (NAME, library.ear, 6, 6)
    assert taught.average_precision == 1.0
    assert taught.accuracy == 1.0
    assert (taught.chance, taught.folds) == (0.5, 5)
    assert library.teacher() == [taught]
    hits = library.teacher.ranked(NAME, limit=14)
    assert all("chord" in hit.path for hit in hits[:7])
    assert (hits[0].start, hits[0].end) == (0.0, 3.0)  # one hit, not one for each window
    assert all("tone" in hit.path for hit in hits[7:])
    assert set(tagged(library)) == {f"chord {i}.wav" for i in range(7)}
    assert library.recordings(f"array_has(tags, '{NAME}')")


def test_new_files_get_the_tag_while_they_are_heard(library, lesson, tmp_path):
    save(tmp_path / "more" / "new.wav", chord(8, 4.0))
    save(tmp_path / "more" / "long.wav", np.concatenate([tone(110, 60), chord(9, 2.0), tone(110, 20)]))
    save(tmp_path / "more" / "short.wav", chord(9, 0.5))
    save(tmp_path / "more" / "other.wav", tone(800, 4.0))
    library.teach(NAME, *lesson)
    before = tagged(library)
    library.index(tmp_path / "more", workers=1)
    heard = tagged(library)
    assert heard.keys() - before.keys() == {"new.wav", "long.wav", "short.wav"}
    place = own_tags.folder(library.store, library.ear)
    place.with_suffix(".json").unlink()  # as if taught after: every recording is looked at again
    library.teacher.apply()
    assert tagged(library) == pytest.approx(heard, abs=2e-4)


def test_tags_of_the_ear_stay(library, lesson):
    before = {r.path: r.tags for r in library.recordings()}
    library.teach(NAME, *lesson)
    library.teach("My tone", *reversed(lesson))
    for recording in library.recordings():
        assert tuple(tag for tag in recording.tags if not tag.label.startswith("My")) == before[recording.path]
        assert sorted(recording.tags, key=lambda tag: -tag.score) == list(recording.tags)
        assert sum(tag.label.startswith("My") for tag in recording.tags) == 1
    library.teacher.forget(NAME)
    library.teacher.forget("my TONE")
    assert {r.path: r.tags for r in library.recordings()} == before


def test_lessons_add_up_and_can_be_undone(library, lesson, taught_from):
    first = library.teach(NAME, *lesson)
    wrong = library.teach(NAME, [], [lesson[0][0]])  # not what was said before
    assert (wrong.positives, wrong.negatives) == (5, 7)
    again = library.teacher.undo(NAME)
    assert (again.positives, again.negatives, again.average_precision) == (6, 6, first.average_precision)
    second = library.teach(NAME, [taught_from / "chords" / "chord 6.wav", lesson[0][0]])
    assert (second.positives, second.negatives) == (7, 6)
    library.teacher.forget(NAME)
    assert library.teacher() == []
    assert tagged(library) == {}
    assert library.teacher.undo(NAME).positives == 7
    assert len(tagged(library)) == 7
    library.teacher.undo(NAME)
    assert library.teacher.undo(NAME) is None
    assert library.teacher() == []
    assert tagged(library) == {}
    with pytest.raises(LibraryError, match="no lesson"):
        library.teacher.undo(NAME)


def test_teaching_after_forgetting_begins_anew(library, lesson):
    library.teach(NAME, *lesson)
    library.teacher.forget(NAME)
    again = library.teach(NAME, lesson[0][:5], lesson[1][:5])
    assert (again.positives, again.negatives) == (5, 5)


def test_too_little_or_nonsense_is_refused(library, lesson, taught_from):
    positives, negatives = lesson
    with pytest.raises(QueryError, match="4 positive examples"):
        library.teach(NAME, positives[:4], negatives)
    with pytest.raises(QueryError, match="1 negative example"):
        library.teach(NAME, positives, negatives[:1])
    with pytest.raises(QueryError, match="4 positive"):
        library.teach(NAME, [*positives[:4], positives[0]], negatives)  # the same one twice
    assert library.teacher() == []
    for name in ("", " ", "x" * 201):
        with pytest.raises(QueryError, match="characters"):
            library.teach(name, *lesson)
    with pytest.raises(QueryError, match="Low tone"):
        library.teach("low TONE", *lesson)
    with pytest.raises(QueryError, match="makes no sense"):
        library.teacher.teach(NAME, [Example("0" * 32, 2, 1)])
    with pytest.raises(LibraryError, match="recording"):
        library.teacher.teach(NAME, [Example("0" * 32)])
    with pytest.raises(LibraryError, match="not indexed"):
        library.teach(NAME, [taught_from / "nowhere.wav"])
    for ask in (library.teacher.ranked, library.teacher.uncertain, library.teacher.forget, library.teacher.examples):
        with pytest.raises(LibraryError, match="not taught"):
            ask("nothing")


def test_folders_excerpts_and_hits_are_examples(library, taught_from, lesson):
    chords, tones = taught_from / "chords", taught_from / "tones"
    assert library.teach(NAME, [chords], [tones]).positives == 7
    library.teacher.forget(NAME)
    excerpts = [f"{chords / 'chord 0.wav'}@{start}-{start + 0.5}" for start in (0, 0.5, 1, 1.5, 2)]
    found = library.similar(str(tones / "tone 1.wav"), limit=5)
    taught = library.teach(NAME, excerpts, found)
    assert taught.positives == 5
    assert (taught.average_precision, taught.accuracy, taught.folds) == (None, None, 0)  # a single recording
    positives, negatives = library.teacher.examples(NAME)
    assert [(example.start, example.end) for example in positives] == [(s, s + 0.5) for s in (0, 0.5, 1, 1.5, 2)]
    assert [example.recording for example in negatives] == [hit.recording for hit in found]


def test_the_most_uncertain_come_first_spread_over_recordings(library, lesson, tmp_path):
    fade = sum(tone(hertz, 12.0, 1.0) * np.linspace(*ends, 12 * RATE, dtype=np.float32) for hertz, ends in
               ((120, (0.4, 0.4)), (3600, (0.0, 0.4))))  # fmt: skip
    save(tmp_path / "more" / "fade.wav", fade)
    library.index(tmp_path / "more", workers=1)
    library.teach(NAME, *lesson)
    hits = library.teacher.uncertain(NAME, limit=5)
    assert hits[0].path.endswith("fade.wav")
    assert abs(hits[0].score - 0.5) < 0.25
    assert [hit.path.rpartition("/")[2] for hit in hits[1:3]].count("fade.wav") == 0  # others are heard first
    shown = {example.recording for kind in library.teacher.examples(NAME) for example in kind}
    assert not shown & {hit.recording for hit in hits}
    assert len({(hit.recording, hit.start) for hit in hits}) == len(hits)


def test_silence_in_an_example_is_no_example(tmp_path):
    padding = np.zeros(4 * RATE, np.float32)
    for i in range(5):
        save(tmp_path / "s" / "chords" / f"{i}.wav", np.concatenate([chord(i), padding]))
        save(tmp_path / "s" / "tones" / f"{i}.wav", np.concatenate([tone(110 if i % 2 else 3500, 3.0 + i / 9)]))
    save(tmp_path / "s" / "silence.wav", padding)
    library = Library(tmp_path / "library", ear="fake_ear")
    library.index(tmp_path / "s", workers=1)
    library.teach(NAME, [tmp_path / "s" / "chords"], [tmp_path / "s" / "tones"])
    assert "silence.wav" not in tagged(library)
    assert len(tagged(library)) == 5


def test_while_a_run_is_indexing_the_tags_follow_when_it_ends(library, lesson):
    with library.store.lock():
        library.teach(NAME, *lesson)
        assert library.teacher.apply() is False
    assert library.teacher.ranked(NAME)
    assert tagged(library) == {}
    assert outdated(library.store, library.ear)
    library.index(workers=1)
    assert len(tagged(library)) == 7
    assert not outdated(library.store, library.ear)


def test_examples_of_labels(library):
    labels, recording = Labels(library.store), library.recordings()[0].id
    labels.add(recording, 0, 1, "Owl")
    labels.add(recording, 1, 2, "owl", verdict="confirmed")
    labels.add(recording, 2, 3, "Owl", verdict="rejected")
    labels.add(recording, 2, 3, "Cat")
    positives, negatives = from_labels(labels, "Owl")
    assert positives == [Example(recording, 0, 1), Example(recording, 1, 2)]
    assert negatives == [Example(recording, 2, 3)]


def test_examples_whose_recordings_are_gone_no_longer_count(library, lesson):
    library.teach(NAME, *lesson)
    library.store.forget([str(path) for path in lesson[0][:2]])
    library.store.sweep()
    with pytest.raises(QueryError, match="4 positive"):
        library.teach(NAME, [], lesson[1][:1])
    assert library.teacher.get(NAME).positives == 6  # what was taught stays


def test_what_is_kept_is_plain_data(library, lesson):
    library.teach("Ünï/../code ☃", *lesson)
    place = own_tags.folder(library.store, library.ear)
    npz, examples = sorted(place.iterdir(), key=lambda file: file.suffix, reverse=True)
    assert npz.parent == place
    with np.load(npz, allow_pickle=False) as saved:
        assert saved["weights"].shape == (16,)
        assert json.loads(str(saved["facts"]))["name"] == "Ünï/../code ☃"
    assert len(json.loads(examples.read_text())["lessons"][0]["positives"]) == 6
    assert Library(library.path).teacher.ranked("ünï/../CODE ☃")


def test_tags_taught_to_other_ears_stay_when_one_listens_again(library):
    from auricle.library.ingest import Run

    run = Run(library.store, "fake_ear", 1, False, None)
    run.taught_to_others = {"Theirs"}
    assert run.keeps("Theirs")
    assert not run.keeps("Low tone")  # this ear says so itself, if it still hears it
    run.ear = type("Deaf", (), {"classes": ()})()
    assert run.keeps("Low tone")


def test_the_strongest_stretch_does_not_depend_on_the_blocks():
    random = np.random.default_rng(0)
    own = own_tags.OwnTags(("a", "b"), ({}, {}), random.normal(size=(4, 2)).astype(np.float32) * 9, np.zeros(2))
    for windows in (1, 2, 3, 4, 50):
        embeddings = random.normal(size=(windows, 4)).astype(np.float32)
        scores = own.scores(embeddings)
        width = min(3, windows)
        best = np.max([scores[i : i + width].mean(axis=0) for i in range(windows - width + 1)], axis=0)
        for block in (1, 2, 3, 7, 50):
            strongest = own_tags.Strongest(own)
            for i in range(0, windows, block):
                strongest.add(embeddings[i : i + block])
            found = dict(strongest.tags())
            assert found == pytest.approx(
                {n: s for n, s in zip("ab", best, strict=True) if round(float(s), 4) >= own_tags.FLOOR}, abs=1e-4
            )
