import struct
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from auricle.audio import Metadata, metadata
from auricle.audio.metadata import _audiomoth, _guano, _tags
from auricle.errors import AudioError
from tests.broken import av_encoded, chunk, encoded, noise, sound, wav

GUANO = """GUANO|Version: 1.0
Timestamp: 2019-12-08T22:17:30.250+03:00
Loc Position: -12.3456 130.8765
Make: Titley Scientific
Model: Anabat Swift
Note: calm night\\nhalf moon
Species Auto ID:
"""
COMMENT = (
    "Recorded at 19:17:30 08/12/2019 (UTC) by AudioMoth 0FE081F80FE081F0 at gain setting 2 while battery state was 3.6V"
)
EVENING = datetime(2019, 12, 8, 19, 17, 30, tzinfo=UTC)


def bext(description=b"", originator=b"", date=b"", time=b""):
    return chunk(b"bext", struct.pack("<256s32s32s10s8s", description, originator, b"ref", date, time) + bytes(264))


def info(**items):
    return chunk(b"LIST", b"INFO" + b"".join(chunk(name.encode(), value) for name, value in items.items()))


@pytest.fixture
def told(tmp_path):
    def told(content: bytes) -> Metadata:
        (tmp_path / "a").write_bytes(content)
        return metadata(tmp_path / "a")

    return told


def test_guano(told):
    assert told(wav(after=chunk(b"guan", GUANO.encode()))) == Metadata(
        comment="calm night\nhalf moon",
        recorded=EVENING + timedelta(seconds=0.25),
        latitude=-12.3456,
        longitude=130.8765,
        device="Titley Scientific Anabat Swift",
    )


def test_broadcast_wave(told):
    content = bext(b"Dawn chorus, take 3", b"Zoom F6", b"2019-12-08", b"19:17:30")
    assert told(wav(before=content)) == Metadata(comment="Dawn chorus, take 3", recorded=EVENING, device="Zoom F6")


@pytest.mark.parametrize(("date", "time"), [(b"2019:12:08", b"19-17-30"), (b"2019_12_08", b"19_17_30")])
def test_broadcast_wave_with_other_separators(told, date, time):
    assert told(wav(before=bext(date=date, time=time))).recorded == EVENING


def test_riff_info(told):
    content = info(INAM=b"Night\0", IART="Åse".encode(), IPRD=b"Fjord", ICMT=b"d\xe9j\xe0 vu", ICRD=b"2019-12-08")
    for wave in (wav(before=content), wav(after=content)):
        assert told(wave) == Metadata(
            title="Night", artist="Åse", album="Fjord", comment="déjà vu", recorded=datetime(2019, 12, 8, tzinfo=UTC)
        )


def test_audiomoth(told):
    content = info(ICMT=COMMENT.encode(), IART=b"AudioMoth 0FE081F80FE081F0")
    assert told(wav(before=content)) == Metadata(
        artist="AudioMoth 0FE081F80FE081F0",
        comment=COMMENT,
        recorded=EVENING,
        device="AudioMoth 0FE081F80FE081F0",
    )


@pytest.mark.parametrize(
    ("zone", "hours"),
    [("(UTC)", 0), ("(UTC+3)", 3), ("(UTC-11)", -11), ("(UTC+5:30)", 5.5), ("(UTC-3:30)", -3.5), ("(UTC+5.75)", 5.75)],
)
def test_audiomoth_in_other_zones(zone, hours):
    facts = _audiomoth(COMMENT.replace("(UTC)", zone))
    assert facts == {"recorded": EVENING - timedelta(hours=hours), "device": "AudioMoth 0FE081F80FE081F0"}


@pytest.mark.parametrize(
    ("comment", "facts"),
    [
        ("Recorded at 19:17:30 08/12/2019 by AudioMoth 0FE0 at gain setting 2", (EVENING, "AudioMoth 0FE0")),
        ("Recorded at 19:17:30.500 08/12/2019 (UTC) during deployment ABCD at medium gain", (EVENING, None)),
        ("Recorded at 19:17:30 31/02/2019 (UTC) by AudioMoth", (None, "AudioMoth")),
        ("Recorded at 00:00:00 01/01/1970 (UTC) by AudioMoth 0FE0", (None, "AudioMoth 0FE0")),
        ("Recorded at home", (None, None)),
        ("", (None, None)),
    ],
)
def test_other_sentences_of_audiomoth(comment, facts):
    assert (_audiomoth(comment).get("recorded"), _audiomoth(comment).get("device")) == facts


def test_the_more_specific_source_wins(told):
    content = bext(b"described", b"Zoom F6", b"2001-01-01", b"00:00:00") + info(ICMT=COMMENT.encode(), INAM=b"titled")
    facts = told(wav(before=content, after=chunk(b"guan", GUANO.encode())))
    assert facts.recorded == EVENING + timedelta(seconds=0.25)
    assert (facts.title, facts.comment, facts.device) == (
        "titled",
        "calm night\nhalf moon",
        "Titley Scientific Anabat Swift",
    )


def test_rf64_with_its_tags_behind_the_sound(told):
    wave = bytearray(encoded("RF64", samples=sound(0.1)))
    assert wave[:4] == b"RF64"
    assert told(bytes(wave) + chunk(b"guan", GUANO.encode())).latitude == -12.3456


@pytest.mark.parametrize("container", ["FLAC", "OGG", "AIFF"])
def test_tags_of_other_formats(tmp_path, container):
    path = tmp_path / "a"
    with soundfile.SoundFile(path, "w", 16_000, 1, format=container) as file:
        file.title, file.artist, file.comment = "Näcken", "Åse", COMMENT
        if container != "AIFF":
            file.album = "Fjord"
        file.write(np.zeros(1600))
    facts = metadata(path)
    assert (facts.title, facts.artist) == ("Näcken", "Åse")
    assert facts.album == ("" if container == "AIFF" else "Fjord")
    assert (facts.comment, facts.recorded) == (COMMENT, EVENING)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "latin-1"])
def test_id3(told, encoding):
    byte = bytes([{"utf-8": 3, "utf-16": 1, "latin-1": 0}[encoding]])
    texts = {b"TIT2": "Näcken", b"TPE1": "Åse", b"TALB": "Fjord", b"TDRC": "2019-12-08T19:17:30"}
    frames = b"".join(
        name + struct.pack(">IH", 1 + len(text.encode(encoding)), 0) + byte + text.encode(encoding)
        for name, text in texts.items()
    )
    tag = b"ID3\4\0\0" + bytes([0, 0, len(frames) >> 7, len(frames) & 0x7F]) + frames
    facts = told(tag + encoded("MP3", samples=sound(0.5)))
    assert facts == Metadata(title="Näcken", artist="Åse", album="Fjord", recorded=EVENING)


@pytest.mark.parametrize("container", ["ipod", "mov", "matroska"])
def test_tags_of_containers(told, container):
    pytest.importorskip("av")
    tags = {"title": "Näcken", "artist": "Åse", "comment": "by the brook", "creation_time": "2019-12-08T19:17:30Z"}
    facts = told(av_encoded(container, "aac", sound(0.2), **tags))
    assert facts == Metadata(title="Näcken", artist="Åse", comment="by the brook", recorded=EVENING)


def test_tags_of_telephones():
    apple = "com.apple.quicktime."
    tags = {
        apple + "creationdate": "2019-12-08T22:17:30+0300",
        apple + "location.ISO6709".lower(): "+27.5916+086.5640+8850/",
        apple + "make": "Apple",
        apple + "model": "iPhone 12",
        "creation_time": "2024-01-01T00:00:00.000000Z",
        "description": "on the roof",
    }
    assert Metadata(**_tags(tags)) == Metadata(
        comment="on the roof", recorded=EVENING, latitude=27.5916, longitude=86.564, device="Apple iPhone 12"
    )


def test_a_release_date_is_no_time_of_recording():
    assert _tags({"date": "2019-12-08"})["recorded"] is None
    assert _tags({"date": "2019-12-08T19:17:30"})["recorded"] == EVENING


@pytest.mark.parametrize(
    "line",
    [
        "Loc Position: 91 0", "Loc Position: 0 181", "Loc Position: nan nan", "Loc Position: 12", "Loc Position: a b",
        "Loc Position: 1 2 3", "Timestamp: yesterday", "Timestamp: 9999-12-31T23:59:59-12:00", "Timestamp:",
        "Timestamp: 0001-01-01T00:00:00+12:00", "Timestamp: 1904-01-01T00:00:00Z", "no colon", ":::", "Make:",
    ],
)  # fmt: skip
def test_odd_guano_tells_nothing(line):
    facts = {name: value for name, value in _guano(line.encode()).items() if value not in ("", None)}
    assert facts == {}


@settings(deadline=None)
@given(st.binary(max_size=400))
def test_no_bytes_are_too_odd(tmp_path_factory, content):
    path = tmp_path_factory.getbasetemp() / "odd"
    wave = wav(
        bytes(8), before=chunk(b"bext", content), after=chunk(b"guan", content) + chunk(b"LIST", b"INFO" + content)
    )
    for odd in (content, b"RIFF" + content, wave, wave[:44] + content, wave[: len(wave) - len(content) // 3]):
        path.write_bytes(odd)
        facts = metadata(path)
        assert facts.recorded is None or facts.recorded.tzinfo is UTC


def test_texts_are_cleaned_and_bounded(told):
    facts = told(wav(after=info(INAM=b" a\x1b[31m\x07b\r\n ", ICMT=b"x" * 100_000)))
    assert facts.title == "a[31mb"
    assert facts.comment == "x" * 4096


def test_chunks_are_bounded(told):
    huge = b"guan" + struct.pack("<I", 0xFFFFFFF0) + GUANO.encode()
    assert told(wav(after=huge)).latitude == -12.3456
    assert told(wav(after=chunk(b"junk", b"") * 10_000 + chunk(b"guan", GUANO.encode()))) == Metadata()


def test_what_is_no_recording_has_no_metadata(told, tmp_path):
    for content in (b"", b"text", b"RIFF", noise(100), b"RIFF\0\0\0\0AVI "):
        assert told(content) == Metadata()
    with pytest.raises(AudioError, match="There is no such file"):
        metadata(tmp_path / "nowhere.wav")
