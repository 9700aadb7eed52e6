"""-o, --format and export: the right format in the right place, and standard output for one thing only."""

import json

import pytest

from auricle.cli.files import as_event, target, wanted
from auricle.cli.options import ToFile
from auricle.errors import QueryError
from auricle.library import formats
from auricle.types import Hit, Tag


@pytest.mark.parametrize(
    ("out", "format", "names"),
    [
        ("a.csv", None, ["csv"]),
        ("a.txt", None, ["audacity"]),
        ("a.selections.txt", None, ["raven"]),
        ("A.SRT", None, ["srt"]),
        ("a.anything", "vtt", ["vtt"]),
        (None, "csv, jams,csv", ["csv", "jams"]),
    ],
)
def test_formats_are_named_or_told_by_the_ending(out, format, names):
    assert [format.name for format in wanted(ToFile(out, format))] == names


@pytest.mark.parametrize(("out", "format"), [("a.ogg", None), ("folder/", None), (None, "tsv"), (None, "csv,")])
def test_an_unknown_format_is_refused_with_the_known_ones(out, format):
    with pytest.raises(QueryError, match="audacity"):
        wanted(ToFile(out, format))


def test_several_formats_get_endings_of_their_own(tmp_path):
    assert target("x/a.csv", formats.FORMATS["raven"], alone=False).as_posix() == "x/a.selections.txt"
    assert target("x/a.data", formats.FORMATS["csv"], alone=True).as_posix() == "x/a.data"
    assert target(f"{tmp_path}/new/", formats.FORMATS["srt"], alone=False).is_dir()


def test_a_hit_in_a_file_is_named_after_the_query_or_what_was_heard():
    hit = Hit("a.wav", 1.0, 2.0, 0.5, (Tag("Dog", 0.9),))
    assert as_event(hit, "barking").label == "barking"
    assert as_event(hit).label == "Dog"
    assert as_event(Hit("a.wav", 1.0, 2.0, 0.5)).label == ""


def test_search_writes_files_and_says_where(run, sounds, tmp_path):
    words = ("search", "--like", sounds / "low 1.wav", "--limit", 2)
    result = run(*words, "-o", tmp_path / "hits.csv", "--format", "csv,parquet")
    assert (result.code, result.out) == (0, "")
    hits = json.loads(run(*words, "--json").out)
    for name in ("csv", "parquet"):
        events = formats.read(name, tmp_path / f"hits.{name}")
        assert [(event.path, event.start, event.end, event.score) for event in events] == [
            (hit["path"], hit["start"], hit["end"], hit["score"]) for hit in hits
        ]
        assert f"wrote {tmp_path / f'hits.{name}'}, 2 rows" in result.err


def test_one_text_format_may_go_to_standard_output(run, sounds):
    result = run("events", sounds / "long.flac", "--format", "audacity")
    assert [line[2] for line in result.lines] == ["Low tone", "High tone", "Low tone"]


@pytest.mark.parametrize("words", [("--format", "csv,srt"), ("--format", "csv", "--json")])
def test_standard_output_holds_one_thing(run, words):
    result = run("events", *words)
    assert (result.code, result.out) == (1, "")
    assert "-o FILE" in result.err


def test_export_prints_csv_unless_told_otherwise(run, sounds):
    result = run("export")
    assert result.code == 0
    assert result.out.splitlines()[0] == "path,start,end,label,score,low,high"
    assert str(sounds / "long.flac") in result.out


def test_export_writes_a_file_for_each_recording_into_a_folder(run, tmp_path):
    result = run("export", "-o", f"{tmp_path}/labels/", "--format", "audacity,srt", "--json")
    assert [(row["format"], row["rows"]) for row in json.loads(result.out)] == [("audacity", 8), ("srt", 8)]
    assert {"long.txt", "long.srt", "low 1.txt"} <= {file.name for file in (tmp_path / "labels").iterdir()}


def test_export_of_recordings_is_one_row_each(run, sounds, tmp_path):
    for paths, count in {(): 6, (sounds / "long.flac",): 1, (sounds,): 6}.items():
        assert run("export", *paths, "--what", "recordings", "-o", tmp_path / "all.m3u8").code == 0
        events = formats.read("m3u8", tmp_path / "all.m3u8")
        assert len(events) == count
    assert {(event.start, event.label) for event in events} == {(0.0, "Low tone"), (0.0, "High tone")}


def test_a_place_that_cannot_be_written_is_an_error(run, tmp_path):
    for out in (tmp_path / "none" / "a.csv", "/proc/a.csv"):
        result = run("export", "-o", out)
        assert (result.code, result.out) == (1, "")
        assert "Traceback" not in result.err


@pytest.mark.filterwarnings("default")  # torch's exporter warns of itself
def test_export_writes_a_model(run, tmp_path):
    pytest.importorskip("onnxscript", reason="the extra [train] is not installed")
    result = run("export", "tiny_tagger", "--to", tmp_path / "tiny.onnx", "--json")
    assert result.code == 0, result.err
    written = json.loads(result.out)[0]
    assert written["path"].endswith("tiny.onnx")
    assert written["embedding"] < 1e-4
    assert run("tag", tmp_path / "tiny.onnx", "--ear", tmp_path / "tiny.onnx").code == 1  # no sound, but an ear
    refused = run("export", "fake_ear", "--to", tmp_path / "fake.onnx")
    assert refused.code == 1
    assert "no torch model" in refused.err
