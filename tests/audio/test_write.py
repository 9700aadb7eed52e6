import os
import resource
import signal

import numpy as np
import pytest

from auricle.audio import probe, read, write
from auricle.errors import AudioError
from tests.broken import sound

LOSSLESS = ["wav", "rf64", "w64", "flac", "aiff", "aif", "au", "caf"]
LOSSY = ["ogg", "oga", "opus", "mp3"]


@pytest.mark.parametrize("suffix", LOSSLESS)
def test_lossless_formats_return_what_was_written(tmp_path, suffix):
    path = tmp_path / f"a.{suffix}"
    write(path, sound(), 16_000)
    waveform, rate = read(path, mono=False)
    assert rate == 16_000
    np.testing.assert_allclose(waveform, sound(), atol=2**-15)


@pytest.mark.parametrize("suffix", LOSSY)
def test_lossy_formats_return_much_the_same(tmp_path, suffix):
    path = tmp_path / f"a.{suffix}"
    time = np.arange(2 * 48_000) / 48_000
    tone = (0.5 * np.sin(2 * np.pi * 440 * time)).astype(np.float32)
    write(path, tone, 48_000)
    waveform, rate = read(path)
    assert rate == 48_000
    assert len(waveform) == len(tone)
    assert np.abs(waveform - tone)[4800:-4800].max() < 0.05


@pytest.mark.parametrize(
    ("name", "subtype", "bits"),
    [("a.wav", "PCM_24", 24), ("a.WAV", "FLOAT", 25), ("a.wav", "double", 25), ("a.flac", "PCM_24", 24)],
)
def test_subtypes(tmp_path, name, subtype, bits):
    write(tmp_path / name, sound(), 96_000, subtype=subtype)
    assert probe(tmp_path / name).codec == subtype.upper()
    np.testing.assert_allclose(read(tmp_path / name, mono=False)[0], sound(), atol=2.0 ** (1 - bits))


def test_long_vorbis_is_encoded_in_pieces(tmp_path):
    write(tmp_path / "a.ogg", np.zeros(8000 * 60 * 20, np.float32), 8000)  # at once, it would overflow the C stack
    assert probe(tmp_path / "a.ogg").duration == 1200


def test_loud_and_strange_values(tmp_path):
    write(tmp_path / "a.wav", np.array([2.0, -2.0, np.nan, np.inf, -np.inf]), 16_000)
    np.testing.assert_allclose(read(tmp_path / "a.wav")[0], [1, -1, 0, 1, -1], atol=2**-15)
    write(tmp_path / "b.wav", np.array([2.0, np.nan, np.inf]), 16_000, subtype="FLOAT")
    np.testing.assert_array_equal(read(tmp_path / "b.wav")[0], [2, 0, 1])


@pytest.mark.parametrize(
    ("name", "shape", "rate", "subtype", "reason"),
    [
        ("a.m4a", 100, 16_000, None, r"Writing \.m4a is not supported. Use \.wav"),
        ("a", 100, 16_000, None, "Writing files without a suffix"),
        ("a.flac", 100, 16_000, "FLOAT", "FLAC files hold no FLOAT. Use one of PCM_S8"),
        ("a.opus", 100, 44_100, None, "OPUS at 44100 Hz with 1 channels could not be written"),
        ("a.mp3", (100, 6), 44_100, None, "MPEG_LAYER_III at 44100 Hz with 6 channels could not be written"),
        ("a.wav", 0, 16_000, None, "holds no sound"),
        ("a.wav", (100, 0), 16_000, None, "holds no sound"),
        ("a.wav", (2, 2, 2), 16_000, None, "holds no sound"),
        ("a.wav", 100, 0, None, "could not be written"),
        ("nowhere/a.wav", 100, 16_000, None, "There is no such file"),
    ],
)
def test_what_cannot_be_written_is_refused_and_leaves_nothing(tmp_path, name, shape, rate, subtype, reason):
    with pytest.raises(AudioError, match=reason):
        write(tmp_path / name, np.zeros(shape, np.float32), rate, subtype=subtype)
    assert list(tmp_path.iterdir()) == []


def test_integers_are_refused(tmp_path):
    with pytest.raises(TypeError, match="floating point"):
        write(tmp_path / "a.wav", np.zeros(100, np.int16), 16_000)  # pyright: ignore[reportArgumentType]


def test_a_name_that_is_not_utf8(tmp_path):
    path = os.fsdecode(os.fsencode(tmp_path) + b"/\xff.wav")
    write(path, sound(), 16_000)
    assert probe(path).frames == len(sound())


@pytest.mark.skipif(os.name == "nt", reason="no limit on file sizes")
@pytest.mark.parametrize("suffix", ["wav", "flac", "ogg", "mp3"])
def test_a_full_disk_leaves_the_old_file(tmp_path, suffix):
    path = tmp_path / f"a.{suffix}"
    write(path, sound(0.1), 16_000)
    before = path.read_bytes()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, hard))
    try:
        with pytest.raises(AudioError, match="could not be written"):
            write(path, sound(30.0), 16_000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, handler)
    assert [each.name for each in tmp_path.iterdir()] == [path.name]
    assert path.read_bytes() == before
