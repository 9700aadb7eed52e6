"""Which recordings are versions of a song: MaxMean against loops, and a library of performances."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from tests.library.conftest import save, tone

from auricle.errors import AudioError, LibraryError, QueryError
from auricle.library import Library, versions

RATE = 16_000


def test_maxmean_asks_with_the_shorter_list_or_both_ways():
    rng = np.random.default_rng(0)
    query, items = rng.standard_normal((3, 4)), rng.standard_normal((12, 4))
    owner = np.array([5, 2, 2, 5, 5, 5, 8, 2, 5, 5, 5, 5])
    owners, scores = versions.maxmean(query, items, owner)
    slow = []
    for one in (2, 5, 8):
        theirs = items[owner == one]
        ways = [np.mean([max(a @ b for b in y) for a in x]) for x, y in ((query, theirs), (theirs, query))]
        short, long = sorted((len(query), len(theirs)))
        slow.append(np.mean(ways) if 2 * short >= long else ways[len(query) > len(theirs)])
    assert owners.tolist() == [2, 5, 8]
    np.testing.assert_allclose(scores, slow)


@pytest.fixture
def songs(tmp_path) -> Path:
    """Songs of the fake ear's bands: two versions of one, a copy of the first, and another song."""
    folder = tmp_path / "songs"
    low, high = (tone(hertz, 3.0) for hertz in (120, 4000))
    save(folder / "song.wav", np.concatenate([low, high]))
    save(folder / "live.wav", np.concatenate([high[: 2 * RATE], low[: 2 * RATE], high]))
    save(folder / "other.wav", tone(800, 5.0))
    shutil.copy(folder / "song.wav", folder / "copy.wav")
    return folder


@pytest.fixture
def library(tmp_path, songs) -> Library:
    library = Library(tmp_path / "library", ear="fake_ear")
    library.index(songs, workers=1)
    return library


def names(found: list[versions.Version]) -> list[str]:
    return [Path(version.path).name for version in found]


def test_versions_come_first_without_the_song_and_its_copies(library, songs):
    found = library.versions(str(songs / "song.wav"), min_score=0.0)
    assert names(found)[0] == "live.wav"
    assert not {"song.wav", "copy.wav"} & set(names(found))
    assert all(0 <= version.score <= 1 for version in found)
    assert found == sorted(found, key=lambda version: -version.score)
    assert names(library.versions(str(songs / "song.wav"), min_score=0.0, limit=1)) == ["live.wav"]
    assert library.versions(str(songs / "song.wav"), where="path LIKE '%song%' AND duration > 100") == []
    assert library.versions(str(songs / "song.wav"), min_score=1.0) == []


def test_a_song_that_is_not_in_the_library_and_an_excerpt(library, songs, tmp_path):
    stranger = save(tmp_path / "stranger.wav", np.concatenate([tone(120, 2.5), tone(4000, 2.5)]))
    assert set(names(library.versions(str(stranger), min_score=0.0))[:2]) <= {"live.wav", "song.wav", "copy.wav"}
    excerpt = library.versions(f"{songs / 'live.wav'}@2.2-3.8", min_score=0.0)
    assert names(excerpt)[0] in ("song.wav", "copy.wav")
    outside = shutil.copy(songs / "song.wav", tmp_path / "the same.wav")
    assert not {"song.wav", "copy.wav"} & set(names(library.versions(str(outside), min_score=0.0)))


def test_large_libraries_compare_what_is_near(library, songs, monkeypatch):
    exact = library.versions(str(songs / "song.wav"), min_score=0.0)
    monkeypatch.setattr(versions, "EXACT", 1)
    monkeypatch.setattr(versions, "CANDIDATES", 3)
    assert library.versions(str(songs / "song.wav"), min_score=0.0)[:1] == exact[:1]


def test_what_cannot_be_answered_is_said(library, songs, tmp_path):
    with pytest.raises(LibraryError, match="There is no library"):
        Library(tmp_path / "nowhere").versions(str(songs / "song.wav"))
    with pytest.raises(LibraryError, match="has not listened here") as told:
        Library(library.path).versions(str(songs / "song.wav"))
    assert "auricle index FOLDER --ear bytecover3" in str(told.value)
    with pytest.raises(AudioError):
        library.versions(str(tmp_path / "missing.wav"))
    with pytest.raises(QueryError):
        library.versions(str(songs / "song.wav"), where="nonsense >")


def test_the_shipped_ear_knows_a_work_again(tmp_path):
    from auricle.identify import _works

    for work in range(4):
        for version in range(2):
            wave = _works.perform(_works.compose(80_000 + work), 7 * work + version, 11_025, 40.0)
            save(tmp_path / "songs" / f"{work} {version}.wav", wave, 11_025)
    library = Library(tmp_path / "works", ear="bytecover3")
    library.index(tmp_path / "songs", workers=1)
    assert library.stats()["ears"] == {"bytecover3@1": 24}
    best = [names(library.versions(str(tmp_path / "songs" / f"{n} 0.wav"), min_score=0.0))[0] for n in range(4)]
    assert sum(name == f"{n} 1.wav" for n, name in enumerate(best)) >= 3
