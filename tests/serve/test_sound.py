"""What is heard and seen of a recording, against the recording itself."""

import io
import struct
import zlib
from itertools import pairwise

import numpy as np
import pytest
import soundfile

from auricle.audio import read
from auricle.serve.sound import HEADER, LARGEST, Wav
from auricle.serve.spectrogram import View, columns, palette, png, row_weights, tile
from tests.serve.conftest import BASE, RATE, problem, tone


def audio(ids: dict, name: str) -> str:
    return f"{BASE}/recordings/{ids[name]}/audio"


# --- excerpts ---------------------------------------------------------------------------------------------------------


def test_an_excerpt_is_the_samples_of_the_recording(client, ids, sounds):
    whole, _ = soundfile.read(sounds / "long.flac", dtype="int16")
    answer = client.get(audio(ids, "long.flac"), params={"start": 3.9, "end": 4.4})
    assert answer.headers["content-type"] == "audio/wav"
    excerpt, rate = soundfile.read(io.BytesIO(answer.content), dtype="int16")
    assert rate == RATE
    np.testing.assert_array_equal(excerpt, whole[round(3.9 * RATE) : round(4.4 * RATE)])


def test_an_excerpt_keeps_all_channels(client, ids, sounds):
    whole, _ = soundfile.read(sounds / "stereo.aiff", dtype="int16")
    answer = client.get(audio(ids, "stereo.aiff"), params={"start": 1, "end": 1.5})
    excerpt, _ = soundfile.read(io.BytesIO(answer.content), dtype="int16")
    np.testing.assert_array_equal(excerpt, whole[RATE : RATE * 3 // 2])


def test_an_excerpt_may_be_asked_for_in_ranges(client, ids):
    url = audio(ids, "stereo.aiff")
    params = {"start": 0.5, "end": 2.5}
    whole = client.get(url, params=params).content
    assert len(whole) == HEADER + 2 * RATE * 4
    for first, last in ((0, 10), (0, 43), (40, 50), (44, 44), (45, 20_001), (7777, len(whole) - 1)):
        part = client.get(url, params=params, headers={"range": f"bytes={first}-{last}"})
        assert part.status_code == 206
        assert part.content == whole[first : last + 1]


@pytest.mark.parametrize("params", [{"start": 99}, {"start": 2, "end": 1}, {"start": 12, "end": 13}, {"end": 0}])
def test_an_excerpt_without_sound_is_refused(client, ids, params):
    assert "no sound" in problem(client.get(audio(ids, "long.flac"), params=params), 416)


@pytest.mark.parametrize("params", [{"start": -1}, {"start": "nan"}, {"end": "inf"}, {"start": "x"}, {"play": "maybe"}])
def test_nonsense_is_refused(client, ids, params):
    problem(client.get(audio(ids, "long.flac"), params=params), 422)


# --- playing ----------------------------------------------------------------------------------------------------------


def test_what_browsers_play_is_sent_as_it_is(client, ids, sounds):
    for name, kind in (("long.flac", "audio/flac"), ("high/1.wav", "audio/wav")):
        answer = client.get(audio(ids, name), params={"play": 1})
        assert (answer.content, answer.headers["content-type"]) == ((sounds / name).read_bytes(), kind)


def test_what_browsers_do_not_play_is_sent_as_wav(client, ids, sounds):
    assert client.get(audio(ids, "stereo.aiff")).headers["content-type"] == "audio/aiff"
    answer = client.get(audio(ids, "stereo.aiff"), params={"play": 1})
    assert answer.headers["content-type"] == "audio/wav"
    whole, _ = soundfile.read(sounds / "stereo.aiff", dtype="int16")
    played, rate = soundfile.read(io.BytesIO(answer.content), dtype="int16")
    assert rate == RATE
    np.testing.assert_array_equal(played, whole)
    part = client.get(audio(ids, "stereo.aiff"), params={"play": 1}, headers={"range": "bytes=1001-5000"})
    assert part.content == answer.content[1001:5001]


def test_long_recordings_fit_into_a_wav_file(tmp_path):
    from auricle.audio import AudioInfo

    info = AudioInfo(0, 96_000, 8, "W64", "PCM_24")
    short = Wav.playable("x", 0, 60, info)
    assert (short.rate, short.channels, short.size) == (48_000, 1, HEADER + 60 * 48_000 * 2)
    day = Wav.playable("x", 0, 24 * 3600, AudioInfo(0, 44_100, 2, "W64", "PCM_16"))
    assert day.size <= LARGEST
    assert (day.rate, day.channels) == (22_050, 1)


def test_a_recording_shorter_than_told_ends_in_silence(sounds):
    wav = Wav(str(sounds / "high/1.wav"), 2.0, 3.0, RATE, 1)
    data = b"".join(wav.chunks(0, wav.size))
    samples = np.frombuffer(data[HEADER:], "<i2")
    assert len(samples) == RATE
    assert samples[: RATE // 2 - 1].any()
    assert not samples[RATE // 2 :].any()


# --- waveform ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("start", "end", "points"), [(0, 12, 100), (3.3, 4.71, 77), (0.5, 0.501, 1000), (0, 12, 8000)])
def test_peaks_are_extremes_of_equal_parts(client, ids, sounds, start, end, points):
    samples, _ = read(sounds / "long.flac", start=start, end=end)
    got = client.get(
        f"{BASE}/recordings/{ids['long.flac']}/peaks", params={"start": start, "end": end, "points": points}
    ).json()
    count = min(points, len(samples))
    assert got["points"] == len(got["min"]) == len(got["max"]) == count
    edges = np.linspace(0, len(samples), count + 1).astype(int)
    parts = [samples[a:b] for a, b in pairwise(edges)]
    np.testing.assert_allclose(got["min"], [part.min() for part in parts], atol=6e-5)
    np.testing.assert_allclose(got["max"], [part.max() for part in parts], atol=6e-5)


def test_peaks_are_not_sent_twice(client, ids):
    url = f"{BASE}/recordings/{ids['long.flac']}/peaks"
    answer = client.get(url, params={"points": 10})
    again = client.get(url, params={"points": 10}, headers={"if-none-match": answer.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


# --- spectrogram ------------------------------------------------------------------------------------------------------


def pixels(data: bytes) -> tuple[np.ndarray, np.ndarray]:
    """Colour numbers [height, width] and palette [256, 3] of a PNG, read chunk by chunk."""
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    at, chunks = 8, {}
    while at < len(data):
        (size,), kind = struct.unpack(">I", data[at : at + 4]), data[at + 4 : at + 8]
        body = data[at + 8 : at + 8 + size]
        assert struct.unpack(">I", data[at + 8 + size : at + 12 + size])[0] == zlib.crc32(kind + body)
        chunks[kind] = body
        at += 12 + size
    width, height, depth, colour, *rest = struct.unpack(">IIBBBBB", chunks[b"IHDR"])
    assert (depth, colour, rest) == (8, 3, [0, 0, 0])
    lines = np.frombuffer(zlib.decompress(chunks[b"IDAT"]), np.uint8).reshape(height, width + 1)
    assert not lines[:, 0].any()
    return lines[:, 1:], np.frombuffer(chunks[b"PLTE"], np.uint8).reshape(-1, 3)


def view(start=0.0, end=12.0, width=240, height=100, scale="linear", top=8000.0, theme="dark") -> View:
    return View(start, end, width, height, scale, top, -100.0, 0.0, theme)


def test_the_loudest_row_is_where_the_tone_is(client, ids):
    params = {"width": 240, "height": 100, "scale": "linear", "floor": -100, "ceiling": 0}
    answer = client.get(f"{BASE}/recordings/{ids['long.flac']}/spectrogram", params=params)
    assert answer.headers["content-type"] == "image/png"
    shade, _ = pixels(answer.content)
    assert shade.shape == (100, 240)
    hertz = (99 - shade.argmax(axis=0) + 0.5) * 80  # rows are 80 Hz each, the lowest at the bottom
    assert (np.abs(hertz[5:75] - 120) < 80).all()  # columns are 50 ms each
    assert (np.abs(hertz[85:155] - 4100) < 80).all()
    assert (np.abs(hertz[165:235] - 120) < 80).all()


@pytest.mark.parametrize("hertz", [300.0, 1000.0, 5000.0])
def test_the_mel_axis_is_htk(tmp_path, hertz):
    soundfile.write(tmp_path / "a.wav", tone(hertz, 2), RATE)
    shade, _ = pixels(tile(str(tmp_path / "a.wav"), RATE, view(0, 2, 50, 200, "mel")))
    mel = 1127 * np.log(1 + np.array([hertz, 8000]) / 700)
    expected = 199 - int(200 * mel[0] / mel[1])
    assert abs(int(np.median(shade[:, 10:40].argmax(axis=0))) - expected) <= 1


def test_levels_are_decibels_below_a_full_scale_sine(tmp_path):
    for level in (0.5, 0.005):
        soundfile.write(tmp_path / "a.wav", tone(1000, 2, level), RATE, subtype="FLOAT")
        power = columns(str(tmp_path / "a.wav"), RATE, view(0, 2))[20:220].max(axis=1)
        np.testing.assert_allclose(10 * np.log10(power), 20 * np.log10(level), atol=0.2)


def test_neighbouring_tiles_fit(sounds):
    path = str(sounds / "long.flac")
    whole = columns(path, RATE, view(2.0, 10.0, 160))
    parts = [columns(path, RATE, view(2.0, 5.0, 60)), columns(path, RATE, view(5.0, 10.0, 100))]
    np.testing.assert_allclose(np.concatenate(parts), whole, atol=1e-7)


@pytest.mark.parametrize("span", [(0.0, 0.01), (11.99, 12.0), (0.0, 0.0011), (5.0, 5.5), (0.0, 12.0)])
@pytest.mark.parametrize("size", [(1, 1), (2048, 3), (7, 1024)])
def test_any_stretch_in_any_size(sounds, span, size):
    shade, _ = pixels(tile(str(sounds / "long.flac"), RATE, view(*span, *size, "mel")))
    assert shade.shape == size[::-1]


def test_rows_share_the_spectrum_out(tmp_path):
    for bins, height in ((65, 500), (2049, 40)):
        for scale in ("mel", "linear"):
            weights = row_weights(bins, RATE, height, scale, RATE / 2)
            np.testing.assert_allclose(weights.sum(axis=0)[1:-1], 1, atol=1e-4)  # each row is a mean
    assert not row_weights(65, RATE, 10, "linear", 2 * RATE)[:, 5:].any()  # nothing above half the rate


def test_themes_begin_with_the_colour_of_the_page(client, ids):
    for theme, first in (("dark", (0, 0, 4)), ("light", (255, 255, 255))):
        answer = client.get(f"{BASE}/recordings/{ids['long.flac']}/spectrogram", params={"theme": theme})
        colours = pixels(answer.content)[1]
        assert tuple(colours[0]) == first
        brightness = colours.sum(axis=1, dtype=int)
        steps = np.diff(brightness)
        assert (steps >= -2).all() if theme == "dark" else (steps <= 2).all()


def test_png_holds_what_is_given():
    shade = np.arange(256, dtype=np.uint8).reshape(16, 16)
    got, colours = pixels(png(shade, palette("dark")))
    np.testing.assert_array_equal(got, shade)
    np.testing.assert_array_equal(colours, palette("dark"))


def test_tiles_are_not_sent_twice_and_change_with_the_file(writer, own, tmp_path):
    from auricle.library import Library

    (tmp_path / "new").mkdir()
    soundfile.write(tmp_path / "new" / "a.wav", tone(500, 2), RATE)
    library = Library(own, ear="fake_ear")
    library.index(tmp_path / "new", workers=1)
    id = library.show(tmp_path / "new" / "a.wav").id
    url = f"{BASE}/recordings/{id}/spectrogram"
    tag = writer.get(url).headers["etag"]
    assert writer.get(url, headers={"if-none-match": tag}).status_code == 304
    soundfile.write(tmp_path / "new" / "a.wav", tone(600, 2.2), RATE)
    assert writer.get(url, headers={"if-none-match": tag}).status_code == 200


@pytest.mark.parametrize(
    "params",
    [
        {"width": 0}, {"width": 5000}, {"height": 2000}, {"scale": "bark"}, {"max_frequency": 0}, {"theme": "blue"},
        {"max_frequency": "nan"}, {"floor": -20, "ceiling": -30},
    ],
)  # fmt: skip
def test_nonsense_views_are_refused(client, ids, params):
    problem(client.get(f"{BASE}/recordings/{ids['long.flac']}/spectrogram", params=params), 422)
