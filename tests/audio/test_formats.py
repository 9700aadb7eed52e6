import pytest

from auricle.audio import SUFFIXES, is_audio_name


@pytest.mark.parametrize("name", ["a.wav", "a/b.FLAC", "Übung 1.Mp3", "x.tar.ogg", "film.mkv", ".hidden.opus"])
def test_names_of_recordings(name):
    assert is_audio_name(name)


@pytest.mark.parametrize("name", ["a.txt", "wav", ".wav", "a.wav.txt", "a.ts", "", "a.", "b/._a.wav"])
def test_other_names(name):
    assert not is_audio_name(name)


def test_suffixes_are_lower_case_with_a_dot():
    assert all(suffix.startswith(".") and suffix == suffix.lower() for suffix in SUFFIXES)
    assert {".wav", ".flac", ".ogg", ".opus", ".mp3", ".aiff", ".m4a", ".mp4", ".webm", ".wma"} <= SUFFIXES
