"""What FFmpeg decodes through PyAV, and what happens without it. The test files are encoded with PyAV itself."""

import io
import re
import sys
from fractions import Fraction

import numpy as np
import pytest

from auricle.audio import probe, read
from auricle.errors import AudioError, MissingExtra
from tests.broken import av_encoded, encoded, sound

RATE = 44_100
LOSSLESS = [
    ("mov", "pcm_s16le", 16), ("mov", "pcm_s24le", 24), ("mov", "pcm_f64le", 25), ("mp4", "flac", 16),
    ("ipod", "alac", 16), ("matroska", "pcm_u8", 8), ("matroska", "pcm_s32le", 25), ("matroska", "pcm_f32le", 25),
    ("matroska", "flac", 16), ("wv", "wavpack", 8),
]  # fmt: skip
LOSSY = [
    ("ipod", "aac", "MP4"), ("mp4", "aac", "MP4"), ("mov", "aac", "MP4"), ("3gp", "aac", "MP4"), ("adts", "aac", "AAC"),
    ("matroska", "aac", "MKV"), ("matroska", "ac3", "MKV"), ("webm", "libopus", "MKV"), ("mpegts", "aac", "MPEGTS"),
    ("avi", "libmp3lame", "AVI"), ("flv", "aac", "FLV"),
]  # fmt: skip


@pytest.fixture(autouse=True, scope="module")
def _av():
    pytest.importorskip("av")


@pytest.fixture(scope="module")
def clicks():
    """Six seconds of faint noise with a click each half second, at ``(0.25 + i / 2) s``: [samples, 2]."""
    samples = 0.01 * sound(6.0, rate=RATE)
    samples[RATE // 4 :: RATE // 2] = 0.9
    return samples


@pytest.mark.parametrize(("container", "codec", "bits"), LOSSLESS)
def test_lossless_sound_to_its_last_bit(tmp_path, container, codec, bits):
    (tmp_path / "a").write_bytes(av_encoded(container, codec, sound(2.0, rate=RATE)))
    info = probe(tmp_path / "a")
    assert (info.sample_rate, info.channels) == (RATE, 2)
    assert info.duration == pytest.approx(2.0, abs=0.001)
    waveform, rate = read(tmp_path / "a", mono=False)
    assert rate == RATE
    np.testing.assert_allclose(waveform, sound(2.0, rate=RATE), atol=2.0 ** (1 - bits))


@pytest.mark.parametrize(("container", "codec", "bits"), LOSSLESS)
def test_an_excerpt_of_lossless_sound_is_a_slice(tmp_path, container, codec, bits):
    (tmp_path / "a").write_bytes(av_encoded(container, codec, sound(5.0, rate=RATE)))
    whole, _ = read(tmp_path / "a")
    resampled, _ = read(tmp_path / "a", 16_000)
    for start, end in [(0.5, 1), (2.345, 4.9), (4.5, 99)]:
        excerpt, _ = read(tmp_path / "a", start=start, end=end)
        wanted = whole[round(start * RATE) : round(end * RATE)]
        if container == "matroska":  # its stamps are whole milliseconds
            assert _shift(excerpt, wanted) <= 0.001 * RATE
            continue
        np.testing.assert_array_equal(excerpt, wanted)
        excerpt, _ = read(tmp_path / "a", 16_000, start=start, end=end)
        np.testing.assert_allclose(excerpt, resampled[round(start * 16_000) : round(end * 16_000)], atol=1e-5)


def _shift(a, b, most=100):
    """Samples by which ``a`` and ``b`` are apart, being equal otherwise."""
    length = min(len(a), len(b)) - most
    for shift in range(most):
        if np.array_equal(a[shift:][:length], b[:length]) or np.array_equal(b[shift:][:length], a[:length]):
            return shift
    raise AssertionError("not the same sound")


@pytest.mark.parametrize(("container", "codec", "format"), LOSSY)
def test_lossy_sound_keeps_its_times(tmp_path, clicks, container, codec, format):
    rate = 48_000 if codec == "libopus" else RATE
    (tmp_path / "a").write_bytes(av_encoded(container, codec, clicks[: 6 * rate], rate))
    info = probe(tmp_path / "a")
    assert (info.format, info.sample_rate, info.channels) == (format, rate, 2)
    assert info.duration == pytest.approx(6 * RATE / rate, abs=0.3)  # an estimate where a stream has no container
    waveform, _ = read(tmp_path / "a")
    excerpt, _ = read(tmp_path / "a", start=3.1, end=4.1)
    first = np.argmax(np.abs(waveform[: RATE // 2]))
    delay = first - RATE // 4
    assert 0 <= delay < 2200  # without an edit list, the encoder's own delay stays
    clicks_heard = [np.argmax(np.abs(excerpt[: rate // 2])), rate // 2 + np.argmax(np.abs(excerpt[rate // 2 :]))]
    spacing = RATE // 2  # samples, whatever the rate they are played at
    wanted = [(first - round(3.1 * rate)) % spacing, (first - round(3.1 * rate)) % spacing + spacing]
    assert np.abs(np.subtract(clicks_heard, wanted)).max() <= 0.002 * rate


def test_a_gap_between_time_stamps_becomes_silence(tmp_path):
    import av

    target, samples = io.BytesIO(), sound(1.0, rate=RATE)
    with av.open(target, "w", format="matroska") as file:
        stream = file.add_stream("pcm_s16le", rate=RATE, layout="stereo")
        for second in (0, 3):
            frame = av.AudioFrame.from_ndarray(samples.reshape(1, -1), format="flt", layout="stereo")
            frame.sample_rate, frame.pts = RATE, second * RATE
            file.mux(stream.encode(frame))
        file.mux(stream.encode(None))
    (tmp_path / "a.mkv").write_bytes(target.getvalue())
    waveform, _ = read(tmp_path / "a.mkv", mono=False)
    assert len(waveform) == pytest.approx(4 * RATE, abs=50)
    np.testing.assert_allclose(waveform[:RATE], samples, atol=2**-15)
    assert not waveform[RATE + 50 : 3 * RATE - 50].any()
    excerpt, _ = read(tmp_path / "a.mkv", mono=False, start=3.0)
    np.testing.assert_allclose(excerpt[50:-50], waveform[-len(excerpt) :][50:-50], atol=1e-6)


@pytest.mark.parametrize("container", ["mov", "matroska"])
def test_sound_that_begins_after_the_picture_keeps_its_time(tmp_path, container):
    import av

    target, samples = io.BytesIO(), sound(2.0, rate=RATE)
    with av.open(target, "w", format=container) as file:
        video, audio = file.add_stream("mpeg4", rate=10), file.add_stream("pcm_s16le", rate=RATE, layout="stereo")
        video.width, video.height, video.pix_fmt = 32, 32, "yuv420p"
        picture = av.VideoFrame.from_ndarray(np.zeros((32, 32, 3), np.uint8), format="rgb24")
        picture.pts, picture.time_base = 0, Fraction(1, 10)
        file.mux(video.encode(picture))
        file.mux(video.encode(None))
        frame = av.AudioFrame.from_ndarray(samples.reshape(1, -1), format="flt", layout="stereo")
        frame.sample_rate, frame.pts = RATE, RATE // 2
        file.mux(audio.encode(frame))
    (tmp_path / "a").write_bytes(target.getvalue())
    waveform, _ = read(tmp_path / "a", mono=False)
    assert probe(tmp_path / "a").duration == pytest.approx(2.5, abs=0.001)
    assert not waveform[: RATE // 2].any()
    np.testing.assert_allclose(waveform[RATE // 2 :], samples, atol=2**-15)
    assert _shift(read(tmp_path / "a", mono=False, start=1.5)[0], waveform[RATE * 3 // 2 :]) <= 0.001 * RATE


@pytest.mark.parametrize("channels", [1, 6, 8])
def test_other_numbers_of_channels(tmp_path, channels):
    samples = sound(0.5, channels, RATE)
    (tmp_path / "a.mka").write_bytes(av_encoded("matroska", "pcm_f32le", samples))
    np.testing.assert_array_equal(read(tmp_path / "a.mka", mono=False)[0], samples)
    np.testing.assert_allclose(read(tmp_path / "a.mka")[0], samples.mean(axis=1), atol=1e-7)


@pytest.mark.parametrize("name", ["a.m4a", "b.MP4", "c.wma", "content-says-mp4"])
def test_without_pyav_the_extra_is_named(tmp_path, monkeypatch, name):
    (tmp_path / name).write_bytes(av_encoded("ipod", "aac"))
    _forget_av(monkeypatch)
    suffix = (tmp_path / name).suffix.lower() or "such"
    wanted = f"Reading {suffix} files needs the optional extra [video]. Install it with: pip install 'auricle[video]'."
    for attempt in (probe, read):
        with pytest.raises(MissingExtra, match=f"^{re.escape(wanted)}$"):
            attempt(tmp_path / name)


def test_without_pyav_all_else_is_as_before(tmp_path, monkeypatch):
    _forget_av(monkeypatch)
    (tmp_path / "a.wav").write_bytes(encoded("WAV"))
    assert len(read(tmp_path / "a.wav")[0]) == len(sound())
    (tmp_path / "text.wav").write_bytes(b"Dear diary")
    with pytest.raises(AudioError, match=r"No sound could be found in it \(libsndfile: Format not recognised\)"):
        read(tmp_path / "text.wav")


def _forget_av(monkeypatch):
    monkeypatch.setitem(sys.modules, "av", None)
    monkeypatch.delitem(sys.modules, "auricle.audio._av", raising=False)
