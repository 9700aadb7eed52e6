import os
import subprocess
import sys

import pytest

import auricle
from auricle import cli
from auricle.cli import VERBS, main

HEAVY = {"numpy", "torch", "lance", "pyarrow", "onnxruntime", "rich", "tyro", "soundfile"}


def imported(*words: str) -> set[str]:
    """Top-level modules that a call of ``auricle`` imports."""
    code = f"import sys; from auricle.cli import main; main({list(words)}); print(*sys.modules, file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return {name.partition(".")[0] for name in done.stderr.split()}


@pytest.mark.parametrize("words", [[], ["--help"], ["--version"], ["serach"]])
def test_help_is_instant(words):
    modules = {name for name in imported(*words) if name in HEAVY}
    assert not modules


def test_help_of_a_verb_imports_nothing_that_listens():
    assert not imported("search", "--help") & (HEAVY - {"tyro", "rich"})


def test_asking_does_without_what_takes_long_to_import(indexed, sounds):
    words = ("search", "--like", str(sounds / "low 1.wav"), "--library", str(indexed), "--offline")
    assert not imported(*words) & {"pandas", "torch", "transformers", "scipy", "rich", "lancedb"}


def test_help_names_every_verb(run):
    result = run("--help")
    assert result.code == 0
    assert run().out == run("help").out == result.out
    assert all(f"  {verb} " in result.out and what in result.out for verb, (what, _) in VERBS.items())
    assert max(map(len, result.out.splitlines())) <= 100


def test_version(run):
    assert run("--version").out == f"auricle {auricle.__version__}\n"


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_explains_itself(run, verb):
    result = run(verb, "--help")
    assert result.code == 0
    assert f"auricle {verb}" in result.out
    assert ("--json" in result.out) == (verb != "mcp")  # whose standard output carries a protocol
    assert "None" not in result.out
    assert run("help", verb).out == result.out


def test_an_unknown_verb_is_refused_with_close_ones(run):
    result = run("serach", "rain")
    assert (result.code, result.out) == (2, "")
    assert "search" in result.err


def test_options_before_the_verb_are_refused(run):
    result = run("--json", "stats")
    assert result.code == 2
    assert "follow the verb" in result.err


def test_an_unknown_option_is_refused_with_close_ones(run):
    result = run("search", "rain", "--libary", "x")
    assert (result.code, result.out) == (2, "")
    assert "--library" in result.err


def test_a_wrong_value_is_refused(run):
    assert run("search", "rain", "--limit", "many").code == 2


def test_errors_are_one_line_without_a_traceback(run, tmp_path):
    result = run("stats", "--library", tmp_path / "none")
    assert (result.code, result.out) == (1, "")
    assert result.err.startswith("auricle: error: There is no library at")
    assert result.err.count("\n") == 1


def test_ctrl_c_is_quiet(run, monkeypatch):
    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(cli, "_run", interrupt)
    result = run("stats")
    assert result.code == 130
    assert "Traceback" not in result.err


def test_a_reader_that_goes_away_is_no_error(command):
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run([*command, "--help"], stdout=writing, stderr=subprocess.PIPE, text=True)
    os.close(writing)
    assert (done.returncode, done.stderr) == (141, "")


def test_exit_code_and_streams_of_the_process(command, tmp_path):
    env = os.environ | {"AURICLE_LIBRARY": str(tmp_path / "none")}
    done = subprocess.run([*command, "search", "rain", "--json"], capture_output=True, text=True, env=env)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("auricle: error: ")


def test_main_reads_the_command_line(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["auricle", "--version"])
    assert main() == 0
    assert capsys.readouterr().out.startswith("auricle ")
