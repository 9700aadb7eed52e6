import os
import shutil

import numpy as np
import pytest
from tests.library.conftest import save, tone

from auricle.errors import QueryError
from auricle.library import Library, Part


def kinds(hits):
    return [os.path.basename(hit.path).split()[0] for hit in hits]


def test_like_finds_the_kind(library, sounds):
    hits = library.search(like=[str(sounds / "high" / "high 0.wav")], limit=4)
    assert set(kinds(hits)) == {"high", "long.flac"}
    assert hits[0].score == pytest.approx(1, abs=1e-3)
    assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)
    assert hits[0].tags[0].label == "High tone"


def test_a_hit_in_a_long_file_has_its_place(library, sounds):
    hits = library.search(like=[str(sounds / "high" / "high 0.wav")], where="path LIKE '%long.flac'")
    assert len(hits) == 1
    assert hits[0].start == pytest.approx(10, abs=0.6)
    assert hits[0].end == pytest.approx(14, abs=0.6)
    assert hits[0].duration == pytest.approx(24)


def test_an_excerpt_is_an_example(library, sounds):
    hits = library.search(like=[f"{sounds / 'long.flac'}@11-13"], limit=4)
    assert set(kinds(hits)) == {"high", "long.flac"}
    assert kinds(library.similar(f"{sounds / 'long.flac'}@11-13", limit=2)) == ["high"] * 2


def test_a_file_outside_the_library_is_an_example(library, tmp_path):
    outside = save(tmp_path / "outside.wav", tone(820, 3))
    assert kinds(library.similar(str(outside), limit=2)) == ["middle"] * 2


def test_similar_leaves_the_file_itself_and_its_copies_out(library, sounds):
    shutil.copy(sounds / "low" / "low 0.wav", sounds / "low" / "low copy.wav")
    library.index(sounds, workers=1)
    hits = library.similar(str(sounds / "low" / "low 0.wav"), limit=10)
    assert str(sounds / "low" / "low 0.wav") not in [hit.path for hit in hits]
    assert str(sounds / "low" / "low copy.wav") not in [hit.path for hit in hits]
    assert len({hit.path for hit in hits}) == len(hits)


def test_without_pushes_away(library, sounds):
    high, long = str(sounds / "high" / "high 0.wav"), str(sounds / "long.flac")
    both = library.search(like=[long], limit=20, min_score=0.2)
    fewer = library.search(like=[long], without=[high], limit=20, min_score=0.2)
    assert "low" in kinds(both)
    assert "high" not in kinds(fewer)


def test_filters(library):
    hits = library.search(like=[library.recordings()[0].path], where="duration > 20", min_score=0.0)
    assert {hit.duration > 20 for hit in hits} == {True}
    assert library.search(like=[library.recordings()[0].path], where="duration > 1000") == []
    with pytest.raises(QueryError, match="columns path, id"):
        library.search(like=[library.recordings()[0].path], where="durration > 3")


def test_one_per_recording_and_limit(library, sounds):
    low = str(sounds / "low" / "low 0.wav")
    many = library.search(like=[low], where="path LIKE '%long.flac'", limit=10)
    assert len(many) == 2  # before and after the high tone
    assert len(library.search(like=[low], where="path LIKE '%long.flac'", one_per_recording=True)) == 1
    assert len(library.search(like=[low], limit=3)) == 3


def test_nothing_like_that(library, tmp_path):
    noise = np.random.default_rng(0).normal(0, 0.1, 32_000).astype(np.float32)
    assert library.search(like=[str(save(tmp_path / "noise.wav", noise))], min_score=0.9) == []


def test_an_empty_query_is_refused(library):
    for call in (lambda: library.search(), lambda: library.search("  "), lambda: library.search(without=["rain"])):
        with pytest.raises(QueryError):
            call()


def test_an_empty_library_answers_with_nothing(tmp_path):
    save(tmp_path / "in" / "a.wav", tone(100, 1))
    (tmp_path / "empty").mkdir()
    library = Library(tmp_path / "library", ear="fake_ear")
    library.index(tmp_path / "empty", workers=1)
    assert library.search(like=[str(tmp_path / "in" / "a.wav")]) == []


def test_a_library_follows_its_own_growth(library, sounds):
    save(sounds / "new.wav", tone(4100, 2))
    assert "new.wav" not in kinds(library.similar(str(sounds / "high" / "high 0.wav")))
    library.index(sounds, workers=1)
    assert "new.wav" in kinds(library.similar(str(sounds / "high" / "high 0.wav")))


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("a.wav", Part(path="a.wav")),
        ("a.wav^2", Part(path="a.wav", weight=2)),
        ("a.wav@1.5-3", Part(path="a.wav", start=1.5, end=3)),
        ("a.wav@4-^0.5", Part(path="a.wav", start=4, weight=0.5)),
        ("me@home/a.wav@1-2", Part(path="me@home/a.wav", start=1, end=2)),
    ],
)
def test_how_examples_are_written(text, part):
    assert Part.example(text) == part


def test_how_words_are_written():
    assert Part.words("rain^2") == Part(text="rain", weight=2)
    assert Part.words("x^y") == Part(text="x^y")
    for bad in ("rain^0", "rain^-1"):
        with pytest.raises(QueryError):
            Part.words(bad)
    for bad in ("a.wav@x-y", "a.wav@3-2"):
        with pytest.raises(QueryError):
            Part.example(bad)


def test_a_name_with_an_at_sign_is_a_file_when_it_exists(tmp_path):
    odd = tmp_path / "a@1-2"
    odd.write_bytes(b"")
    assert Part.example(str(odd)) == Part(path=str(odd))
    assert Part.unwanted(str(odd)).path == str(odd)
    assert Part.unwanted("rain") == Part(text="rain", weight=-1)
