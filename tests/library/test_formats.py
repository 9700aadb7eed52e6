"""Every format gives back what it was given, reads what its own program writes, and says what is wrong with a file."""

import doctest
import io
import json
import os
import subprocess
from collections import Counter
from contextlib import suppress
from dataclasses import replace
from unicodedata import normalize

import jsonschema
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from auricle.errors import QueryError
from auricle.library import formats
from auricle.library.formats import FORMATS, _names
from auricle.types import Event

BARK = Event("farm/dog.wav", 1.5, 2.25, "Dog bark", 0.875, 350.0, 2000.0)
CROW = Event("farm/dog.wav", 3.0, 3.125, "Crow", 0.5)
RAIN = Event("rain.ogg", 0.0, 75.0, "Rain")

AWKWARD = [
    "", " ", " padded ", "a\tb", "a\nb", "a\r\nb", "\n\n", "a,b", 'say "hi"', "it's", "'=1+1", "=1+1", "+1", "-1", "@x",
    "＝1", "''", "\t=1", "#tag", ";; note", "-->", "00:00:01.000 --> 00:00:02.000", "<i>dog</i>", "&amp;", "&lt", "a&b",
    "NOTE", "WEBVTT", "<NA>", "%20", "100%", "SPEAKER", "\\", "\\t", "\\u{9}", "\\\\u{9}", "\\u{", "u{9}", "C:\\new",
    "-1.0", "Hund bellt, 犬が吠える 🐕‍🦺", "e\u0301", "\u0085", "\u2028", "\u3000", "\xa0", "\x00", "\x1b[0m", "\ufeff",
]  # fmt: skip

patient = settings(deadline=None, max_examples=100, suppress_health_check=[HealthCheck.too_slow])  # on busy machines
texts = st.sampled_from(AWKWARD) | st.text()
seconds = st.floats(0, 1e6, allow_subnormal=False).map(lambda x: x if x > 1e-300 else 0.0)
hertz = st.none() | st.floats(0, 2e5)


@st.composite
def events(draw, paths=texts) -> Event:
    start, end = sorted((draw(seconds), draw(seconds)))
    return Event(draw(paths), start, end, draw(texts), draw(st.floats(0, 1)), draw(hertz), draw(hertz))


def through(format: str, given: list[Event], path: str = "") -> list[Event]:
    """``given``, written and read again."""
    buffer = io.BytesIO()
    formats.write(format, given, buffer)
    buffer.seek(0)
    return formats.read(format, buffer, path=path)


def text_of(format: str, given: list[Event]) -> str:
    buffer = io.StringIO()
    formats.write(format, given, buffer)
    return buffer.getvalue()


def assert_survived(format: str, given: list[Event], found: list[Event]) -> None:
    """Every field that the format keeps is the same; the others have their defaults."""
    spec = FORMATS[format]
    assert len(found) == len(given)
    for before, after in zip(given, found, strict=True):
        for name in ("path", "label", "score", "low", "high"):
            default = {"path": given[0].path, "score": 1.0}.get(name)
            assert getattr(after, name) == (getattr(before, name) if name in spec.keeps else default)
        if spec.precision:
            margin = spec.precision * 1.000001 + abs(before.end) * 2e-16  # half a step either way, and rounding
            assert (after.start, after.end) == pytest.approx((before.start, before.end), rel=0, abs=margin)
            assert after.start <= after.end
        else:
            assert (after.start, after.end) == (before.start, before.end)


# There and back -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("format", [name for name, spec in FORMATS.items() if not spec.one_recording])
@patient
@given(given=st.lists(events(), max_size=4))
@example(given=[replace(BARK, label=text, path=text) for text in AWKWARD])
def test_round_trip_of_many_recordings(format, given):
    assert_survived(format, given, through(format, given))


@pytest.mark.parametrize("format", [name for name, spec in FORMATS.items() if spec.one_recording])
@patient
@given(path=texts, given=st.lists(events(paths=st.just("")), max_size=4))
@example(path="farm/dog.wav", given=[replace(BARK, label=text, path="") for text in AWKWARD])
def test_round_trip_of_one_recording(format, path, given):
    given = [replace(event, path=path) for event in given]
    assert_survived(format, given, through(format, given, path=path))


@pytest.mark.parametrize("format", FORMATS)
def test_round_trip_through_a_file_and_through_text(format, tmp_path):
    given = [BARK, CROW]
    formats.write(format, given, tmp_path / "out")
    assert_survived(format, given, formats.read(format, tmp_path / "out", path=BARK.path))
    assert [entry.name for entry in tmp_path.iterdir()] == ["out"]
    if not FORMATS[format].binary:
        found = formats.read(format, io.StringIO(text_of(format, given)), path=BARK.path)
        assert_survived(format, given, found)
        assert (tmp_path / "out").read_text(encoding="utf-8") == text_of(format, given)


@pytest.mark.parametrize("format", FORMATS)
def test_no_events_make_a_file_of_none(format):
    assert through(format, []) == []


@pytest.mark.parametrize("format", ["csv", "json", "raven", "m3u8", "rttm", "jams"])
def test_names_that_are_not_utf8_survive(format):
    given = [replace(BARK, path=os.fsdecode(b"caf\xe9.wav"))]
    assert_survived(format, given, through(format, given))


def test_parquet_refuses_names_that_are_not_utf8():
    with pytest.raises(QueryError, match="Parquet tables cannot hold"):
        through("parquet", [replace(BARK, path=os.fsdecode(b"caf\xe9.wav"))])


@pytest.mark.parametrize("format", ["srt", "vtt"])
def test_captions_may_be_days_long(format):
    given = [Event("", 400_000.25, 400_001.5, "late"), Event("", 7.0, 7.0, "at once")]
    assert "111:06:40" in text_of(format, given)
    assert through(format, given) == [given[0], Event("", 7.0, 7.001, "at once")]


# What other programs expect -------------------------------------------------------------------------------------------


def test_csv_is_a_plain_table_and_runs_no_formulas():
    dangerous = replace(RAIN, label='=HYPERLINK("http://x")', path="-x.wav")
    assert text_of("csv", [BARK, CROW, dangerous]) == (
        "path,start,end,label,score,low,high\n"
        "farm/dog.wav,1.5,2.25,Dog bark,0.875,350.0,2000.0\n"
        "farm/dog.wav,3.0,3.125,Crow,0.5,,\n"
        '\'-x.wav,0.0,75.0,"\'=HYPERLINK(""http://x"")",1.0,,\n'
    )


def test_parquet_has_the_documented_schema():
    buffer = io.BytesIO()
    formats.write("parquet", [BARK, CROW], buffer)
    table = parquet.read_table(buffer)
    assert table.column_names == ["path", "start", "end", "label", "score", "low", "high"]
    assert [field.type for field in table.schema] == [
        pa.string(), pa.float64(), pa.float64(), pa.string(), pa.float64(), pa.float64(), pa.float64()
    ]  # fmt: skip
    assert table.schema.field("start").metadata[b"unit"] == b"s"
    assert table["low"].to_pylist() == [350.0, None]


def test_json_is_one_array_of_objects():
    assert json.loads(text_of("json", [CROW])) == [
        {"path": "farm/dog.wav", "start": 3.0, "end": 3.125, "label": "Crow", "score": 0.5, "low": None, "high": None}
    ]


AUDACITY = """\
1.500000\t2.250000\tDog bark
\\\t350.000000\t2000.000000
3.000000\t3.000000\tpoint, with \\ and C:\\new
\\\t-1.000000\t6334.588867
4.000000\t5.000000\t
6.000000\tonly a start
"""


def test_audacity_reads_its_own_labels():
    path = BARK.path
    assert formats.read("audacity", io.StringIO(AUDACITY), path=path) == [
        Event(path, 1.5, 2.25, "Dog bark", low=350.0, high=2000.0),
        Event(path, 3.0, 3.0, "point, with \\ and C:\\new", high=6334.588867),
        Event(path, 4.0, 5.0, ""),
        Event(path, 6.0, 6.0, "only a start"),
    ]


def test_audacity_writes_labels_with_frequencies():
    assert text_of("audacity", [BARK, CROW, replace(CROW, low=50.0)]) == (
        "1.5\t2.25\tDog bark\n\\\t350\t2000\n3\t3.125\tCrow\n3\t3.125\tCrow\n\\\t50\t-1\n"
    )


RAVEN = (
    "Selection\tView\tChannel\tBegin Time (s)\tEnd Time (s)\tLow Freq (Hz)\tHigh Freq (Hz)\tBegin Path\tFile Offset (s)"
    "\tSpecies\r\n"
    "1\tWaveform 1\t1\t61.500000000\t62.250000000\t350.0\t2000.0\tD:\\new\\dog.wav\t1.5000\tDog bark\r\n"
    "1\tSpectrogram 1\t1\t61.500000000\t62.250000000\t350.0\t2000.0\tD:\\new\\dog.wav\t1.5000\tDog bark\r\n"
    "2\tSpectrogram 1\t1\t63.000000000\t63.125000000\t\t\tD:\\new\\dog.wav\t3.0000\tCrow\r\n"
)


def test_raven_reads_its_own_tables():
    assert formats.read("raven", io.BytesIO(RAVEN.encode())) == [
        Event("D:\\new\\dog.wav", 1.5, 2.25, "Dog bark", low=350.0, high=2000.0),
        Event("D:\\new\\dog.wav", 3.0, 3.125, "Crow"),
    ]


def test_raven_writes_selection_tables():
    header, first, second = text_of("raven", [BARK, CROW]).splitlines()
    assert header == (
        "Selection\tView\tChannel\tBegin Time (s)\tEnd Time (s)\tLow Freq (Hz)\tHigh Freq (Hz)\tBegin Path\tBegin File"
        "\tFile Offset (s)\tAnnotation\tScore"
    )
    assert first == "1\tSpectrogram 1\t1\t1.5\t2.25\t350\t2000\tfarm/dog.wav\tdog.wav\t1.5\tDog bark\t0.875"
    assert second == "2\tSpectrogram 1\t1\t3\t3.125\t\t\tfarm/dog.wav\tdog.wav\t3\tCrow\t0.5"


def test_rttm_reads_other_programs_files():
    rttm = (
        ";; a comment\n"
        "SPKR-INFO meeting 1 <NA> <NA> <NA> adult_male juliet <NA>\n"
        "SPEAKER meeting 1 130.430000 2.350 <NA> <NA> juliet <NA> <NA>\n"
        "LEXEME meeting 1 131.0 0.25 hello lex juliet 0.5\n"
        "NON-SPEECH meeting 1 140.0 2.0 <NA> noise <NA> <NA> <NA>\n"
    )
    assert formats.read("rttm", io.StringIO(rttm)) == [
        Event("meeting", 130.43, 132.78, "juliet"),
        Event("meeting", 131.0, 131.25, "juliet", 0.5),
        Event("meeting", 140.0, 142.0, ""),
    ]


def test_rttm_writes_ten_fields():
    given = [replace(BARK, path="my farm/dog.wav"), replace(CROW, label="")]
    assert text_of("rttm", given) == (
        "SPEAKER my%20farm/dog.wav 1 1.5 0.75 <NA> <NA> Dog%20bark 0.875 <NA>\n"
        "SPEAKER farm/dog.wav 1 3 0.125 <NA> <NA> <NA> 0.5 <NA>\n"
    )


JAMS_SCHEMA = {  # the parts of jams_schema.json (JAMS 0.3) that a tag_open annotation of one file uses
    "type": "object",
    "required": ["annotations", "file_metadata", "sandbox"],
    "additionalProperties": False,
    "properties": {
        "file_metadata": {
            "type": "object",
            "required": ["duration"],  # not so in the schema, but the jams package reads no file without
            "additionalProperties": False,
            "properties": {
                "identifiers": {"type": "object"},
                "title": {"type": "string"},
                "artist": {"type": "string"},
                "release": {"type": "string"},
                "duration": {"type": "number", "minimum": 0},
                "jams_version": {"type": "string", "pattern": "[0-9].[0-9].[0-9]"},
            },
        },
        "annotations": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["annotation_metadata", "data", "namespace"],
                "additionalProperties": False,
                "properties": {
                    "annotation_metadata": {
                        "type": "object",
                        "additionalProperties": False,
                        "properties": {"annotation_tools": {"type": "string"}, "data_source": {"type": "string"}},
                    },
                    "namespace": {"const": "tag_open"},
                    "sandbox": {"type": "object"},
                    "data": {
                        "type": "array",
                        "items": {
                            "type": "object",
                            "required": ["value", "time", "duration", "confidence"],
                            "additionalProperties": False,
                            "properties": {
                                "value": {"type": "string"},
                                "confidence": {},
                                "time": {"type": "number", "minimum": 0},
                                "duration": {"type": "number", "minimum": 0},
                            },
                        },
                    },
                },
            },
        },
        "sandbox": {"type": "object"},
    },
}


@patient
@given(given=st.lists(events(paths=st.just("a.wav")), max_size=3))
def test_jams_follows_its_schema(given):
    jsonschema.validate(json.loads(text_of("jams", given)), JAMS_SCHEMA)


def test_jams_reads_tags_and_segments_and_skips_contours():
    document = {
        "file_metadata": {"duration": 9.0},
        "annotations": [
            {"namespace": "segment_open", "annotation_metadata": {}, "data": [
                {"time": 0, "duration": 2, "value": "verse", "confidence": None}]},
            {"namespace": "beat", "annotation_metadata": {}, "data": [
                {"time": 1.0, "duration": 0, "value": 1, "confidence": 0.5}]},
            {"namespace": "pitch_contour", "annotation_metadata": {}, "data": {
                "time": [0], "duration": [1], "value": [{}], "confidence": [1]}},
        ],
    }  # fmt: skip
    found = formats.read("jams", io.StringIO(json.dumps(document)), path="song.flac")
    assert found == [Event("song.flac", 0.0, 2.0, "verse")]


def test_m3u8_plays_stretches_and_is_no_live_stream():
    text = text_of("m3u8", [BARK, replace(CROW, path="#1.wav")])
    assert text.startswith("#EXTM3U\n")
    assert "#EXT-X-" not in text
    assert "#EXTINF:1,Dog bark\n#EXTVLCOPT:start-time=1.5\n#EXTVLCOPT:stop-time=2.25\n" in text
    assert [line for line in text.splitlines() if not line.startswith("#")] == ["farm/dog.wav", "./#1.wav"]


def test_m3u8_reads_other_playlists():
    text = (
        "#EXTM3U\n#EXTINF:9,A, B\n#EXTVLCOPT:start-time=1\n#EXTVLCOPT:stop-time=10.5\na.ogg\n#EXTINF:3,whole\nb.ogg\n"
    )
    assert formats.read("m3u8", io.StringIO(text)) == [Event("a.ogg", 1.0, 10.5, "A, B")]


VTT = """\
\ufeffWEBVTT - made by hand

NOTE
two lines
of comment

STYLE
::cue { color: red }

intro
01:02.500 --> 01:04.000 align:start
<v Ann>Hello &amp; <i>goodbye</i></v>
over

100:00:00.000 --> 100:00:01.000
late"""


def test_vtt_reads_other_programs_captions():
    assert formats.read("vtt", io.BytesIO(VTT.encode())) == [
        Event("", 62.5, 64.0, "Hello & goodbye\nover"),
        Event("", 360_000.0, 360_001.0, "late"),
    ]


def test_vtt_escapes_what_would_break_a_cue():
    text = text_of("vtt", [replace(BARK, label="<b> --> & \n\n")])
    assert text == "WEBVTT\n\n00:00:01.500 --> 00:00:02.250\n&lt;b&gt; --&gt; &amp; \\u{a}\\u{a}\n\n"


def test_srt_reads_and_writes_numbered_cues():
    text = "1\n00:00:01,500 --> 00:00:02,250\nDog bark\n\n2\n00:00:03,000 --> 00:00:03,125\nCrow\n\n"
    assert text_of("srt", [BARK, CROW]) == text
    found = formats.read("srt", io.StringIO(text.replace("\n", "\r\n")))
    assert [(e.start, e.end, e.label) for e in found] == [(1.5, 2.25, "Dog bark"), (3.0, 3.125, "Crow")]


# Where it goes --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("format", ["audacity", "jams", "srt", "vtt"])
def test_one_file_cannot_describe_two_recordings(format, tmp_path):
    with pytest.raises(QueryError, match="one recording, and these events come from 2"):
        formats.write(format, [BARK, RAIN], tmp_path / "out.txt")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("format", FORMATS)
def test_a_folder_gets_one_file_for_each_recording(format, tmp_path):
    formats.write(format, [BARK, RAIN, CROW], tmp_path)
    extension = FORMATS[format].extension
    assert {entry.name for entry in tmp_path.iterdir()} == {f"dog{extension}", f"rain{extension}"}
    found = formats.read(format, tmp_path / f"dog{extension}", path=BARK.path)
    assert_survived(format, [BARK, CROW], found)


@patient
@given(st.sets(texts | st.sampled_from(["a/x.wav", "b/x.wav", "b/X.ogg", "x", "CON", "nul.wav", "é", "e\u0301"])))
def test_file_names_are_legal_and_never_the_same(paths):
    names = _names.file_names(paths, ".txt")
    assert set(names) == paths
    assert len({normalize("NFC", name).casefold() for name in names.values()}) == len(paths)
    for name in names.values():
        stem = name.removesuffix(".txt")
        assert stem == stem.strip(". ")
        assert not set(stem) & set('<>:"/\\|?*\0\n')
        assert stem.split(".")[0].upper() not in {"CON", "NUL"}
        assert 0 < len(name.encode()) <= 255


def test_a_name_made_to_collide_does_not():
    taken = _names.file_names(["a/x.wav", "b/x.wav"], "")["a/x.wav"]
    assert len(set(_names.file_names(["a/x.wav", "b/x.wav", f"{taken}.wav"], "").values())) == 3


def test_examples_in_docstrings():
    assert doctest.testmod(_names).failed == 0


def test_a_failed_write_leaves_the_old_file(tmp_path):
    out = tmp_path / "events.csv"
    formats.write("csv", [BARK], out)
    before = out.read_bytes()

    def broken():
        yield CROW
        raise RuntimeError

    with pytest.raises(RuntimeError):
        formats.write("csv", broken(), out)
    assert out.read_bytes() == before
    assert list(tmp_path.iterdir()) == [out]


def test_pipes_are_written_not_replaced(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with subprocess.Popen(["cat", pipe], stdout=subprocess.PIPE, text=True) as reader:
        formats.write("csv", [BARK], pipe)
        output, _ = reader.communicate(timeout=10)
    assert output == text_of("csv", [BARK])
    assert pipe.is_fifo()


def test_standard_output_is_utf8(capsysbinary):
    formats.write("csv", [replace(BARK, label="犬")])
    formats.write("parquet", [BARK])
    csv, binary = capsysbinary.readouterr().out.split(b"PAR1", 1)
    assert csv.decode() == text_of("csv", [replace(BARK, label="犬")])
    assert formats.read("parquet", io.BytesIO(b"PAR1" + binary)) == [BARK]


def test_text_cannot_hold_parquet():
    with pytest.raises(QueryError, match="not text"):
        formats.write("parquet", [BARK], io.StringIO())


# What is refused ------------------------------------------------------------------------------------------------------


def test_names_and_descriptions_are_complete():
    assert [spec.name for spec in formats.formats()] == list(FORMATS)
    assert list(FORMATS) == ["csv", "parquet", "json", "audacity", "raven", "jams", "rttm", "m3u8", "srt", "vtt"]
    assert all(spec.description and spec.extension.startswith(".") for spec in formats.formats())
    assert max(Counter(spec.extension for spec in formats.formats()).values()) == 1
    for spec in formats.formats():
        assert spec.name in (formats.__doc__ or "")


@pytest.mark.parametrize("call", [lambda: formats.write("wav", [BARK]), lambda: formats.read("wav", io.BytesIO())])
def test_unknown_format(call):
    with pytest.raises(QueryError, match=r"no format named 'wav'.*csv, parquet"):
        call()


@pytest.mark.parametrize(
    "changes",
    [
        {"start": -1.0},
        {"end": 1.0},
        {"end": float("inf")},
        {"start": float("nan")},
        {"score": float("nan")},
        {"low": -1.0},
    ],
)
@pytest.mark.parametrize("format", FORMATS)
def test_what_is_no_event_is_refused(format, changes, tmp_path):
    with pytest.raises(QueryError, match="is no event"):
        formats.write(format, [replace(BARK, **changes)], tmp_path / "out")
    assert not list(tmp_path.iterdir())


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(QueryError, match=r"There is no folder .*nowhere"):
        formats.write("csv", [BARK], tmp_path / "nowhere" / "out.csv")


@pytest.mark.parametrize(
    ("format", "content", "message"),
    [
        ("csv", "path,start,label\na.wav,1,x\n", "line 2.*'end' is missing"),
        ("csv", "path,start,end,label\na.wav,one,2,x\n", "line 2.*'one'"),
        ("csv", 'path,start,end,label\na.wav,1,2,"x\n', "unexpected end"),
        ("csv", "path,start,end,label\na.wav,1,2\n", "must be text"),
        ("csv", "path,start,end,label\na.wav,2,1,x\n", "line 2.*is no event"),
        ("json", "{}", "no array"),
        ("json", '[{"path": 1, "start": 0, "end": 1, "label": "x"}]', "must be text"),
        ("json", "[1]", "not json"),
        ("json", "", "not json"),
        ("audacity", "1.0\t2.0\tx\nhello\n", "line 2.*'hello'"),
        ("raven", "Selection\tBegin Time (s)\n1\t0.5\n", r"line 2.*'End Time \(s\)' is missing"),
        ("jams", "[]", "no JAMS object"),
        ("jams", '{"annotations": [{"data": [{"time": 0}]}]}', "'value' is missing"),
        ("jams", '{"file_metadata": [], "annotations": []}', "not jams"),
        ("rttm", "SPEAKER a 1 0.0\n", "line 1.*4 fields"),
        ("m3u8", "#EXTM3U\n#AURICLE:{}\n", "line 2.*'path' is missing"),
        ("srt", "1\n00:01 --> 00:02\nx\n", "no times like"),
        ("vtt", "WEBVTT\n\n1.5 --> 2.5\nx\n", "no times like"),
        ("parquet", "path,start\n", "not parquet"),
    ],
)
def test_a_bad_file_is_explained(format, content, message, tmp_path):
    path = tmp_path / "bad file"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(QueryError, match=f"bad file.*{message}"):
        formats.read(format, path)


@patient
@given(st.binary(max_size=200))
@example(b"\x00" * 50)
@example(b'path,start,end,label\n"')
@example(b'{"annotations": {}}')
def test_any_bytes_are_read_or_refused_with_a_reason(data):
    for format in FORMATS:
        with suppress(QueryError):
            assert all(isinstance(event, Event) for event in formats.read(format, io.BytesIO(data)))
