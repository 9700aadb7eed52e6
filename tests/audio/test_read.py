import importlib
import tracemalloc

import numpy as np
import pytest
import soundfile
import soxr
from hypothesis import given, settings
from hypothesis import strategies as st

from auricle.audio import read, stream
from auricle.errors import AudioError
from tests.broken import encoded, sound

read_module = importlib.import_module("auricle.audio.read")

FORMATS = [
    ("WAV", None), ("WAV", "PCM_24"), ("WAV", "FLOAT"), ("RF64", None), ("W64", None), ("FLAC", None), ("AIFF", None),
    ("AU", None), ("CAF", None), ("WAV", "ULAW"), ("WAV", "IMA_ADPCM"), ("WAV", "MS_ADPCM"), ("OGG", "VORBIS"),
    ("OGG", "OPUS"), ("MP3", None),
]  # fmt: skip


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Six seconds of stereo in every format, by (container, subtype)."""
    folder = tmp_path_factory.mktemp("formats")
    paths = {}
    for container, subtype in FORMATS:
        paths[container, subtype] = folder / f"{container}.{subtype}"
        paths[container, subtype].write_bytes(encoded(container, subtype, sound(6.0)))
    return paths


def saved(path, samples, rate=16_000, subtype="FLOAT"):
    path.write_bytes(encoded("WAV", subtype, samples, rate))
    return path


def tone(frequency, rate, seconds=2.0):
    return (0.5 * np.sin(2 * np.pi * frequency * np.arange(round(seconds * rate)) / rate)).astype(np.float32)


def level(waveform):
    """dB relative to the level of ``tone``, leaving out the filter's ends."""
    middle = waveform[len(waveform) // 8 : -len(waveform) // 8].astype(np.float64)
    return 10 * np.log10(np.mean(middle**2) / 0.125 + 1e-30)


@pytest.mark.parametrize("kind", FORMATS)
def test_samples_are_those_of_libsndfile(files, kind):
    wanted, rate = soundfile.read(files[kind], dtype="float32", always_2d=True)
    every, got_rate = read(files[kind], mono=False)
    assert got_rate == rate
    assert every.dtype == np.float32
    np.testing.assert_allclose(every, wanted, rtol=0, atol=2e-7 if kind == ("MP3", None) else 0)  # after its seek to 0
    mono, _ = read(files[kind])
    assert mono.ndim == 1
    np.testing.assert_allclose(mono, wanted.mean(axis=1), atol=1e-7)


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("rate", [None, 22_050])
def test_an_excerpt_is_a_slice_of_the_whole(files, kind, rate):
    whole, got = read(files[kind], rate)
    for start, end in [(0, 0.5), (0.25, 3), (2.7001, 2.8), (4.9, 5.999), (5.5, None), (5.9, 99)]:
        excerpt, _ = read(files[kind], rate, start=start, end=end)
        wanted = whole[round(start * got) : None if end is None else round(end * got)]
        assert len(excerpt) == len(wanted)
        np.testing.assert_allclose(excerpt, wanted, rtol=0, atol=2e-7 if rate is None else 1e-5)


@settings(max_examples=60, deadline=None)
@given(
    start=st.floats(0, 5.9),
    length=st.floats(0.001, 7),
    block=st.floats(0.001, 10),
    rate=st.sampled_from([None, 8000, 16_001, 48_000]),
    kind=st.sampled_from([("WAV", None), ("FLAC", None), ("OGG", "VORBIS"), ("MP3", None)]),
    mono=st.booleans(),
)
def test_blocks_join_to_what_read_returns(files, start, length, block, rate, kind, mono):
    whole, got = read(files[kind], rate, mono=mono, start=start, end=start + length)
    blocks = list(stream(files[kind], rate, mono=mono, block=block, start=start, end=start + length))
    np.testing.assert_array_equal(np.concatenate(blocks), whole)
    assert {len(each) for each in blocks[:-1]} <= {max(1, round(block * got))}
    assert 0 < len(blocks[-1]) <= max(1, round(block * got))


@pytest.mark.parametrize("rate", [8000, 11_025, 16_000, 22_050, 32_000, 44_100, 48_000, 96_000, 192_000])
def test_a_resampled_tone_keeps_its_pitch_and_level(tmp_path, rate):
    waveform, _ = read(saved(tmp_path / "a.wav", tone(1000, rate), rate), 16_000)
    assert len(waveform) == 32_000
    assert abs(level(waveform)) < 0.01
    spectrum = np.abs(np.fft.rfft(waveform * np.hanning(len(waveform))))
    assert np.argmax(spectrum) * 16_000 / len(waveform) == 1000
    np.testing.assert_allclose(waveform[8000:24_000], tone(1000, 16_000)[8000:24_000], atol=1e-4)


def test_resampling_passes_what_the_rate_can_hold_and_nothing_else(tmp_path):
    assert level(read(saved(tmp_path / "a.wav", tone(7200, 44_100), 44_100), 16_000)[0]) > -0.1
    for frequency in (8100, 8800, 12_000, 20_000):
        assert level(read(saved(tmp_path / "a.wav", tone(frequency, 44_100), 44_100), 16_000)[0]) < -100


@pytest.mark.parametrize(("rate_in", "rate_out"), [(44_100, 16_000), (8000, 44_100), (192_000, 16_000)])
def test_resampling_in_pieces_equals_resampling_at_once(tmp_path, rate_in, rate_out):
    samples = sound(3.3, 1, rate_in)[:, 0]
    waveform, _ = read(saved(tmp_path / "a.wav", samples, rate_in), rate_out)
    assert len(waveform) == -(-len(samples) * rate_out // rate_in)
    at_once = soxr.resample(samples, rate_in, rate_out, quality="HQ")
    length = min(len(waveform), len(at_once))
    np.testing.assert_allclose(waveform[:length], at_once[:length], atol=1e-6)


@pytest.mark.parametrize("channels", range(1, 9))
def test_channels_are_averaged_or_kept(tmp_path, channels):
    samples = sound(0.5, channels)
    path = saved(tmp_path / "a.wav", samples)
    np.testing.assert_array_equal(read(path, mono=False)[0], samples)
    np.testing.assert_allclose(read(path)[0], samples.mean(axis=1), atol=1e-7)
    assert read(path, 8000, mono=False)[0].shape == (4000, channels)


@pytest.mark.parametrize(
    ("container", "subtype", "bits"),
    [
        ("WAV", "PCM_U8", 8), ("AIFF", "PCM_S8", 8), ("FLAC", "PCM_S8", 8), ("WAV", "PCM_16", 16),
        ("FLAC", "PCM_16", 16), ("WAV", "PCM_24", 24), ("FLAC", "PCM_24", 24), ("WAV", "PCM_32", 25),
        ("WAV", "FLOAT", 25), ("WAV", "DOUBLE", 25), ("WAV", "ULAW", 5), ("WAV", "ALAW", 5),
    ],
)  # fmt: skip
def test_every_sample_type_to_its_last_bit(tmp_path, container, subtype, bits):
    samples = sound(0.5, 1)[:, 0]
    (tmp_path / "a").write_bytes(encoded(container, subtype, samples))
    np.testing.assert_allclose(read(tmp_path / "a")[0], samples, atol=2.0 ** (1 - bits))


def test_values_that_are_none_become_finite(tmp_path):
    strange = np.array([0.25, np.nan, np.inf, -np.inf, 1e300, -3.5, 0.5])
    path = saved(tmp_path / "a.wav", strange, subtype="DOUBLE")
    np.testing.assert_array_equal(read(path)[0], np.float32([0.25, 0, 1, -1, 1, -3.5, 0.5]))
    path = saved(tmp_path / "b.wav", np.stack([strange, np.zeros(7)], axis=1), subtype="DOUBLE")
    np.testing.assert_array_equal(read(path)[0], np.float32([0.125, 0, 0.5, -0.5, 0.5, -1.75, 0.25]))
    assert np.isfinite(read(path, 48_000, mono=False)[0]).all()


@pytest.mark.parametrize("length", [1, 2, 3, 100])
@pytest.mark.parametrize("rate", [8000, 16_000, 44_100])
def test_the_shortest_recordings_keep_a_sample(tmp_path, length, rate):
    waveform, _ = read(saved(tmp_path / "a.wav", np.full(length, 0.5), 44_100), rate)
    assert len(waveform) == -(-length * rate // 44_100)


def test_empty_excerpts_are_refused(files):
    path = files["WAV", None]
    for start, end in [(3, 3), (3, 2), (-1, 2), (float("nan"), None), (float("inf"), None)]:
        with pytest.raises(AudioError, match="is empty"):
            read(path, start=start, end=end)
    with pytest.raises(AudioError, match="ends before the excerpt's start at 6 s"):
        read(path, start=6)
    with pytest.raises(AudioError, match="ends before the excerpt's start at 1e"):
        read(path, 16_000, start=1e9, end=2e9)


def test_the_last_page_of_vorbis_is_not_misplaced(tmp_path):
    path = tmp_path / "a.ogg"
    path.write_bytes(encoded("OGG", "VORBIS", sound(30.0, 1, 44_100), 44_100))
    whole, rate = read(path)
    for start in np.arange(24, 30, 0.37):
        np.testing.assert_array_equal(read(path, start=start)[0], whole[round(start * rate) :])


def test_a_block_is_bounded_whatever_is_asked_for(tmp_path, monkeypatch):
    monkeypatch.setattr(read_module, "LARGEST_BLOCK", 6000)
    path = saved(tmp_path / "a.wav", sound(1.0, 6))
    assert {len(block) for block in stream(path, block=1e9)} == {6000, 4000}
    assert {len(block) for block in stream(path, mono=False, block=1e9)} == {1000}


@pytest.mark.parametrize("suffix", ["flac", "wav"])
def test_memory_is_flat_over_length(tmp_path, suffix):
    def peak(minutes):
        path = tmp_path / f"{minutes}.{suffix}"
        with soundfile.SoundFile(path, "w", 8000, 2) as file:
            for _ in range(minutes):
                file.write(sound(60.0, 2, 8000))
        tracemalloc.start()
        seconds = sum(len(block) for block in stream(path, 16_000)) / 16_000
        high = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert seconds == 60 * minutes
        return high

    assert peak(10) < 1.1 * peak(2) < 20e6
