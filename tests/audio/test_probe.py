import numpy as np
import pytest

from auricle.audio import AudioInfo, probe
from auricle.errors import AudioError
from tests.broken import encoded, sound, wav


@pytest.mark.parametrize(
    ("container", "subtype", "codec"),
    [
        ("WAV", None, "PCM_16"), ("WAVEX", "PCM_24", "PCM_24"), ("RF64", None, "PCM_16"), ("W64", "DOUBLE", "DOUBLE"),
        ("FLAC", "PCM_24", "PCM_24"), ("OGG", "VORBIS", "VORBIS"), ("OGG", "OPUS", "OPUS"), ("AU", "ULAW", "ULAW"),
        ("MP3", None, "MPEG_LAYER_III"), ("AIFF", "PCM_S8", "PCM_S8"), ("CAF", "ALAC_16", "ALAC_16"),
    ],
)  # fmt: skip
def test_header_facts(tmp_path, container, subtype, codec):
    path = tmp_path / "sound"
    path.write_bytes(encoded(container, subtype, sound(1.5, channels=2)))
    assert probe(path) == AudioInfo(1.5, 16_000, 2, container, codec, 24_000)
    assert probe(str(path)) == probe(path)


@pytest.mark.parametrize("rate", [1000, 8000, 11_025, 44_100, 48_000, 96_000, 192_000, 768_000])
def test_rates_of_sound(tmp_path, rate):
    (tmp_path / "a.wav").write_bytes(wav(rate=rate))
    assert probe(tmp_path / "a.wav").sample_rate == rate


@pytest.mark.parametrize("rate", [1, 999, 768_001])
def test_other_rates_are_refused(tmp_path, rate):
    (tmp_path / "a.wav").write_bytes(wav(rate=rate))
    with pytest.raises(AudioError, match=f"sample rate of {rate} Hz"):
        probe(tmp_path / "a.wav")


def test_a_length_the_header_leaves_open_is_counted(tmp_path):
    flac = bytearray(encoded("FLAC", samples=sound(2.0)))
    flac[21:26] = bytes([flac[21] & 0xF0, 0, 0, 0, 0])  # STREAMINFO: number of samples unknown
    (tmp_path / "a.flac").write_bytes(flac)
    info = probe(tmp_path / "a.flac")
    assert (info.frames, info.duration) == (32_000, 2.0)


def test_an_unclosed_wave_file_holds_what_follows_its_header(tmp_path):
    (tmp_path / "a.wav").write_bytes(wav(np.arange(3000, dtype="<i2").tobytes(), channels=1, size=0))
    assert probe(tmp_path / "a.wav") == AudioInfo(3000 / 16_000, 16_000, 1, "WAV", "PCM_16", 3000)
