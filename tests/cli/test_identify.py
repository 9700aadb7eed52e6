"""``auricle identify``, and ``auricle index --prints``."""

import json
import shutil

import pytest
import soundfile

from tests.identify.test_moco_fingerprint import RATE, melody


@pytest.fixture(scope="module")
def prints(tmp_path_factory):
    """Folder of a library of two melodies, with prints."""
    from auricle.cli import main

    folder = tmp_path_factory.mktemp("identify")
    (folder / "music").mkdir()
    for seed in range(2):
        soundfile.write(folder / "music" / f"{seed}.wav", melody(seed, 12.0), RATE)
    words = [
        "index",
        folder / "music",
        "--library",
        folder / "library",
        "--ear",
        "fake_ear",
        "--prints",
        "--workers",
        "1",
    ]
    assert main([str(word) for word in words]) == 0
    return folder


def test_it_says_which_recording_and_where(run, prints):
    clip = f"{prints / 'music' / '1.wav'}@3-9"
    result = run("identify", clip, "--library", prints / "library")
    name, start, end, speed, semitones, score = result.lines[0]
    assert name.endswith("1.wav")
    assert float(start) == pytest.approx(3, abs=0.3)
    assert float(end) == pytest.approx(9, abs=0.7)
    assert float(speed) == pytest.approx(1, abs=0.02)
    assert semitones == "+0.0"
    assert float(score) > 0.5


def test_json(run, prints):
    clip = prints / "music" / "0.wav"
    hits = json.loads(run("identify", clip, "--library", prints / "library", "--limit", 1, "--json").out)
    assert len(hits) == 1
    assert set(hits[0]) == {"path", "start", "end", "offset", "speed", "pitch", "score"}


def test_what_is_not_there_is_an_empty_answer(run, prints, tmp_path):
    soundfile.write(tmp_path / "other.wav", melody(77, 6.0)[::-1], RATE)
    result = run("identify", tmp_path / "other.wav", "--library", prints / "library")
    assert (result.code, result.out) == (0, "")
    assert "none of the recordings" in result.err
    assert json.loads(run("identify", tmp_path / "other.wav", "--library", prints / "library", "--json").out) == []


def test_without_prints_it_says_how_to_take_them(run, sounds):
    result = run("identify", sounds / "low 1.wav")
    assert result.code == 1
    assert "auricle index --prints" in result.err


def test_prints_can_be_left_out(run, prints, tmp_path):
    shutil.copytree(prints, tmp_path / "own")
    library = tmp_path / "own" / "library"
    soundfile.write(prints / "music" / "2.wav", melody(2, 6.0), RATE)
    run("index", prints / "music", "--library", library, "--no-prints", "--workers", 1)
    assert not run("identify", prints / "music" / "2.wav", "--library", library).out
    run("index", "--library", library, "--workers", 1)
    assert run("identify", prints / "music" / "2.wav", "--library", library).out
