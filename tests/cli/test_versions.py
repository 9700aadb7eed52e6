"""``auricle versions``: what it prints, and what it says when it cannot or finds nothing."""

import json

EAR = ("--ear", "fake_ear", "--min-score", "0")


def test_a_line_for_each_version(run, sounds):
    result = run("versions", sounds / "low 1.wav", *EAR)
    assert result.code == 0
    assert all(0 <= float(score) <= 1 for score, _ in result.lines)
    assert {path for _, path in result.lines} >= {str(sounds / "low 2.wav"), str(sounds / "high 1.wav")}
    assert str(sounds / "low copy.wav") not in result.out
    assert len(run("versions", sounds / "low 1.wav", *EAR, "-n", 1).lines) == 1


def test_json_is_an_array(run, sounds):
    found = json.loads(run("versions", sounds / "low 1.wav", *EAR, "--json").out)
    assert [set(version) for version in found] == [{"path", "score"}] * len(found)
    assert found[0]["score"] >= found[-1]["score"]


def test_nothing_found_is_an_answer(run, sounds):
    result = run("versions", sounds / "low 1.wav", "--ear", "fake_ear", "--where", "duration > 1000", "--json")
    assert (result.code, json.loads(result.out)) == (0, [])
    assert "No other version" in result.err


def test_a_library_that_has_not_been_heard_for_works(run, sounds):
    result = run("versions", sounds / "low 1.wav")
    assert (result.code, result.out) == (1, "")
    assert "auricle index FOLDER --ear bytecover3" in result.err
