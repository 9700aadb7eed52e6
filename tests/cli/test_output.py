import json
import re
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auricle.cli import output
from auricle.cli.output import Cell, clock, jsonable, print_json, score, short, span, spans, strip, table, tags
from auricle.types import Event, Hit, Tag


@given(st.floats(0, 1e7))
def test_clock_is_the_time_to_a_tenth_of_a_second(seconds):
    hours, minutes, rest = re.fullmatch(r"(?:(\d+):(?=\d\d:))?(\d{1,2}):(\d\d\.\d)", clock(seconds)).groups()
    assert int(minutes) < 60
    assert float(rest) < 60
    assert 3600 * int(hours or 0) + 60 * int(minutes) + float(rest) == pytest.approx(seconds, abs=0.0501)


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(0, "0:00.0"), (59.96, "1:00.0"), (3599.96, "1:00:00.0"), (7384, "2:03:04.0")],
)
def test_clock_carries(seconds, shown):
    assert clock(seconds) == shown


def test_jsonable_keeps_to_the_contract():
    hit = Hit("a.wav", 0.0, 0.96, 0.5, (Tag("Dog", 0.9),), "id", 2.0)
    assert jsonable([hit]) == [
        {
            "path": "a.wav",
            "start": 0.0,
            "end": 0.96,
            "score": 0.5,
            "tags": [{"label": "Dog", "score": 0.9}],
            "recording": "id",
            "duration": 2.0,
        }
    ]
    assert jsonable({"when": datetime(2026, 1, 2, tzinfo=UTC)}) == {"when": "2026-01-02T00:00:00+00:00"}
    assert jsonable(Event("a", 0, 1, "Dog"))["low"] is None


def test_json_is_one_line_in_a_pipe(capsys):
    print_json([{"path": "naïve ♪.wav"}])
    out = capsys.readouterr().out
    assert out.count("\n") == 1
    assert json.loads(out) == [{"path": "naïve ♪.wav"}]


def test_a_table_is_lines_of_cells_in_a_pipe(capsys, monkeypatch):
    monkeypatch.delenv("FORCE_COLOR", raising=False)
    table(["", "file", "when"], [[Cell("", "1"), output.path("/x/a.wav"), span(1.5, 83.25)]])
    assert capsys.readouterr().out == "/x/a.wav\t1.500\t83.250\n"


def test_a_table_is_aligned_for_people(capsys, monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "100")
    table(["file", "when", "score"], [[output.path("[a].wav"), span(1.5, 83.24), score(0.5)]])
    header, row = capsys.readouterr().out.splitlines()
    assert header.split() == ["file", "when", "score"]
    assert row.rstrip() == "[a].wav  0:01.5–1:23.2  ███░░░ 0.50"  # nothing in a name is markup


def test_tags_are_readable():
    assert tags([Tag("Dog", 0.91), Tag("Crow, raven", 0.4)]) == Cell(
        "Dog 0.91; Crow, raven 0.40", "Dog 0.91  Crow 0.40", "dim"
    )


@given(st.lists(st.tuples(st.floats(0, 100), st.floats(0, 100)), min_size=1), st.floats(0, 200))
def test_a_strip_is_always_as_wide_and_never_empty(parts, whole):
    stretches = [(start, start + length) for start, length in parts]
    picture = strip(stretches, max(whole, *(end for _, end in stretches), 0)).pretty
    assert len(picture) == output.STRIP
    assert "━" in picture


def test_a_strip_shows_where():
    assert strip([(0, 1), (2, 4)], 4).pretty == "━" * 7 + "·" * 7 + "━" * 14


def test_many_stretches_are_cut_short():
    assert spans([(i, i + 1) for i in range(6)]).pretty.endswith("0:01.0–0:02.0 +4 more")


def test_paths_are_short_below_the_current_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert short(str(tmp_path / "a" / "b.wav")) == "a/b.wav"
    assert short("/elsewhere/b.wav") == "/elsewhere/b.wav"
