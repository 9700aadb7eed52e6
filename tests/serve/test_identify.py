"""Identifying over HTTP, with real music and the prints and versions that the package brings along."""

import io
import shutil
from pathlib import Path

import pytest
import soundfile

from auricle.library import Library
from tests.serve.conftest import BASE, MUSIC, asking


@pytest.fixture(scope="module")
def music(printed):
    with asking(printed) as client:
        yield client


def excerpt(path: Path, start: float, end: float) -> bytes:
    sound, rate = soundfile.read(path)
    file = io.BytesIO()
    soundfile.write(file, sound[int(start * rate) : int(end * rate)], rate, format="WAV")
    return file.getvalue()


def sent(client, data: bytes, name: str = "clip.wav"):
    return client.post(f"{BASE}/identify", files={"file": (name, data)})


def test_an_excerpt_is_found_where_it_was_taken(music):
    answer = sent(music, excerpt(MUSIC[1], 5, 11))
    assert answer.status_code == 200
    first = answer.json()["items"][0]
    assert first["name"] == MUSIC[1].name
    assert first["start"] - first["offset"] == pytest.approx(5, abs=0.1)
    assert first["speed"] == pytest.approx(1, abs=0.05)
    assert music.get(f"{BASE}/recordings/{first['recording']}").json()["name"] == MUSIC[1].name


def test_what_is_not_there_is_not_found(music, sounds):
    assert sent(music, (sounds / "stereo.aiff").read_bytes(), "stereo.aiff").json() == {"items": []}


def test_a_clip_too_short_or_no_sound_is_refused(music):
    short = sent(music, excerpt(MUSIC[0], 0, 1))
    assert short.status_code == 400
    assert "too short" in short.json()["error"]["problem"]
    assert sent(music, b"no sound at all").status_code in (415, 422)


def test_a_library_without_prints_says_how_to_take_them(client):
    answer = sent(client, excerpt(MUSIC[0], 0, 5))
    assert answer.status_code == 409
    assert "auricle index --prints" in answer.json()["error"]["remedy"]


def test_versions_of_a_recording(music, printed):
    row = next(row for row in Library(printed).recordings() if row.path.endswith(MUSIC[0].name))
    answer = music.get(f"{BASE}/recordings/{row.id}/versions")
    assert answer.status_code == 200
    assert row.id not in {item["recording"] for item in answer.json()["items"]}


def test_a_library_that_the_ear_for_works_has_not_heard(client, ids):
    answer = client.get(f"{BASE}/recordings/{ids['long.flac']}/versions")
    assert answer.status_code == 409
    assert "bytecover3" in answer.json()["error"]["remedy"]


@pytest.fixture(scope="module")
def spoken(tmp_path_factory):
    """A client of a library in which people speak, heard by the ear for voices."""
    folder = tmp_path_factory.mktemp("spoken")
    (folder / "speech").mkdir()
    for path in sorted((MUSIC[0].parents[1] / "speech").iterdir())[:2]:
        shutil.copy(path, folder / "speech")
    Library(folder / "library", ear="ge2e").index(folder / "speech", workers=1)
    with asking(folder / "library") as client:
        yield client


@pytest.mark.weights
def test_who_speaks_when(spoken):
    for item in spoken.get(f"{BASE}/recordings").json()["items"]:
        answer = spoken.get(f"{BASE}/recordings/{item['id']}/speakers")
        assert answer.status_code == 200
        turns = answer.json()["items"]
        assert turns == sorted(turns, key=lambda turn: turn["start"])
        assert all(0 <= turn["start"] < turn["end"] <= item["duration"] + 0.01 for turn in turns)
        assert any(turn["speaker"].startswith("speaker ") for turn in turns)


def test_a_library_without_voices_says_how_to_hear_them(client, ids):
    answer = client.get(f"{BASE}/recordings/{ids['long.flac']}/speakers")
    assert answer.status_code == 409
    assert "ge2e" in answer.json()["error"]["remedy"]
