import json

import pytest

from auricle.library import formats, speakers


@pytest.fixture
def listening(monkeypatch):
    """The fake ear as the ear for voices, and low tones as the speech of it."""
    for name, value in {"EAR": "fake_ear", "WITNESS": "fake_ear", "SPEECH": "Low tone"}.items():
        monkeypatch.setattr(speakers, name, value)


def test_lines_for_a_pipe_and_a_table_for_people(run, sounds, listening):
    lines = run("speakers").lines
    assert {len(line) for line in lines} == {5}
    assert [line[0] for line in lines if line[1] == str(sounds / "long.flac")].count("speaker 1") == 2
    table = run("speakers", for_people=True).out
    assert "speaker" in table.splitlines()[0]


def test_json_and_a_limit_to_some(run, sounds, listening):
    turns = json.loads(run("speakers", "--where", "format = 'FLAC'", "--json").out)
    assert {turn["path"] for turn in turns} == {str(sounds / "long.flac")}
    assert set(turns[0]) == {"speaker", "path", "start", "end", "score"}


def test_rttm(run, sounds, listening, tmp_path):
    printed = run("speakers", "--format", "rttm").out
    assert printed.startswith("SPEAKER ")
    run("speakers", "-o", tmp_path / "who.rttm")
    assert (tmp_path / "who.rttm").read_text() == printed
    events = formats.read("rttm", tmp_path / "who.rttm")
    assert {"speaker 1", "speaker 2"} <= {event.label for event in events}
    assert str(sounds / "long.flac") in {event.path for event in events}


def test_where_one_voice_speaks(run, sounds, listening):
    found = run("speakers", "--like", sounds / "low 1.wav")
    assert {line[1].rpartition("/")[2].split(".")[0] for line in found.lines} >= {"low 1", "low copy", "long"}
    nobody = run("speakers", "--like", sounds / "low 1.wav", "--where", "path LIKE '%high%'")
    assert (nobody.code, nobody.out) == (0, "")
    assert "not heard" in nobody.err


def test_verify(run, sounds, listening):
    low, again, other = (sounds / name for name in ("low 1.wav", "low copy.wav", "long.flac"))
    [[answer, _, threshold]] = run("speakers", "--verify", low, again).lines
    assert (answer, threshold) == ("the same voice", "0.50")
    verdict = json.loads(run("speakers", "--verify", low, f"{other}@8-12", "--json").out)
    assert verdict["same"]
    assert verdict["score"] >= verdict["threshold"] == 0.5
    assert run("speakers", "--verify", low, again, "--like", low).code == 1
    assert run("speakers", "--verify", low).code == 2


def test_without_an_ear_for_voices_it_says_what_to_do(run):
    result = run("speakers")
    assert result.code == 1
    assert "auricle index --ear ge2e" in result.err
