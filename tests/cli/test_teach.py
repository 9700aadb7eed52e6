"""teach: what it prints, what it changes and when it refuses."""

import json

import pytest

from auricle.library import Library
from auricle.library.labels import Labels

NAME = "My low"


@pytest.fixture
def lesson(sounds) -> list[object]:
    """Options that give five low and five high examples."""
    low = [sounds / "low 1.wav", sounds / "low 2.wav", *(f"{sounds / 'long.flac'}@{s}-{s + 1}" for s in (0, 1, 9))]
    high = [sounds / "high 1.wav", sounds / "high 2.wav", *(f"{sounds / 'long.flac'}@{s}-{s + 1}" for s in (5, 6, 7))]
    return [word for option, files in (("--yes", low), ("--no", high)) for file in files for word in (option, file)]


def test_it_teaches_shows_undoes_and_forgets(run, own, lesson):
    at = ("--library", own)
    assert "no tags of your own" in run("teach", *at).err
    taught = run("teach", NAME, *lesson, *at)
    assert taught.code == 0
    assert taught.lines[0][:3] == [NAME, "5", "5"]
    assert "4 files now have the tag" in taught.err  # the long recording and a copy too
    ranked = run("teach", NAME, "--show", "ranked", "-n", "2", *at)
    assert len(ranked.lines) == 2
    assert "low" in ranked.out
    assert json.loads(run("teach", "--json", *at).out)[0]["name"] == NAME
    assert run("teach", NAME, *at).lines == run("teach", *at).lines
    assert "forgotten" in run("teach", NAME, "--forget", *at).err
    assert json.loads(run("teach", "--json", *at).out) == []
    assert run("teach", NAME, "--undo", *at).lines[0][0] == NAME
    assert "nothing of it is left" in run("teach", NAME, "--undo", *at).err


def test_hits_take_the_place_of_the_summary(run, own, lesson, tmp_path):
    hits = json.loads(run("teach", NAME, *lesson, "--show", "uncertain", "--json", "--library", own).out)
    assert hits
    assert {"path", "start", "end", "score"} <= hits[0].keys()
    run("teach", NAME, "--show", "ranked", "-o", tmp_path / "hits.csv", "--library", own)
    assert NAME in (tmp_path / "hits.csv").read_text()


def test_folders_stand_for_what_is_below_them(run, own, sounds):
    failed = run("teach", NAME, "--yes", sounds, "--no", sounds / "low 1.wav", "--library", own)
    assert failed.code == 1
    assert "4 positive examples" in failed.err  # all five below the folder but the one that it is not


def test_labels_of_the_page_are_examples(run, own):
    library = Library(own)
    long = next(r for r in library.recordings() if r.path.endswith("long.flac"))
    labels = Labels(library.store)
    for i in range(5):
        labels.add(long.id, 0.5 * i, 0.5 * i + 0.5, "hum", verdict="confirmed")
        labels.add(long.id, 4.5 + 0.5 * i, 5 + 0.5 * i, "hum", verdict="rejected")
    taught = run("teach", "Humming", "--from-labels", "hum", "--json", "--library", own)
    assert json.loads(taught.out)["positives"] == 5
    assert json.loads(taught.out)["accuracy"] is None
    assert "not known" in run("teach", "--library", own).out
    assert Library(own).recordings("array_has(tags, 'Humming')")


def test_what_makes_no_sense_is_refused(run, indexed, sounds, lesson):
    for words, problem in (
        (["--forget"], "no name"),
        ([NAME, "--forget", "--undo"], "exclude"),
        ([NAME, *lesson, "--forget"], "exclude"),
        ([NAME, "--yes", sounds / "broken.wav"], "not indexed"),
        (["Low tone", *lesson], "class"),
        ([NAME], "not taught"),
    ):
        refused = run("teach", *words)
        assert refused.code == 1
        assert problem in refused.err
        assert refused.out == ""
    assert run("teach", NAME, "--show", "loudest").code == 2
