import json
import signal
import subprocess
import time

import pytest
import soundfile

from auricle.cli import progress
from auricle.cli.index import summary
from auricle.library import IndexReport, Library, Progress
from tests.cli.conftest import RATE, tone


def test_index_tells_what_became_of_every_file(run, sounds, tmp_path):
    words = ("index", sounds, "--ear", "fake_ear", "--workers", 1, "--library", tmp_path / "new")
    first = run(*words)
    assert first.code == 0
    assert first.out.startswith("Heard 5 files, 0:22.0 of sound, in ")
    assert "1 with the same content as another" in first.out
    assert "1 file could not be heard; `auricle doctor` says why." in first.out
    assert "7/7 files" in first.err

    again = json.loads(run(*words, "--json").out)
    assert (again["heard"], again["unchanged"], again["quarantined"]) == (0, 6, 1)
    assert list(again["problems"]) == [str(sounds / "broken.wav")]


def test_include_and_exclude_can_be_repeated(run, sounds, tmp_path):
    words = ("--ear", "fake_ear", "--workers", 1, "--library", tmp_path / "new", "--json")
    result = run("index", sounds, "--include", "low*", "--include", "high*", "--exclude", "*2.wav", *words)
    assert json.loads(result.out)["total"] == 3


def test_a_path_that_does_not_exist_is_an_error(run, tmp_path):
    result = run("index", tmp_path / "none", "--ear", "fake_ear", "--library", tmp_path / "new")
    assert (result.code, result.out) == (1, "")
    assert "does not exist" in result.err
    assert not (tmp_path / "new").exists()


def test_a_second_run_need_not_wait(run, own, sounds):
    with Library(own).store.lock():
        result = run("index", sounds, "--library", own, "--no-wait")
    assert result.code == 1
    assert "Another auricle is writing" in result.err


def test_ctrl_c_stops_cleanly_and_the_next_run_continues(command, tmp_path):
    for number in range(40):
        soundfile.write(tmp_path / f"{number}.wav", tone(100 + number, 60), RATE)
    words = [*command, "index", str(tmp_path), "--ear", "fake_ear", "--library", str(tmp_path / "library")]
    running = subprocess.Popen([*words, "--json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    staging = tmp_path / "library" / "staging"
    deadline = time.monotonic() + 120
    while not any(staging.rglob("*.*")) and time.monotonic() < deadline:  # until it listens
        time.sleep(0.05)
    running.send_signal(signal.SIGINT)
    out, err = running.communicate(timeout=120)
    assert "Traceback" not in err
    assert running.returncode == 130
    stopped = json.loads(out)
    assert stopped["stopped"]
    done = subprocess.run([*words, "--json"], capture_output=True, text=True, check=True)
    resumed = json.loads(done.stdout)
    assert stopped["heard"] + resumed["heard"] == 40
    assert resumed["unchanged"] == stopped["heard"]


def test_the_summary_mentions_only_what_happened():
    assert summary(IndexReport()) == ["No sound files found."]
    assert summary(IndexReport(total=2, unchanged=2)) == ["2 unchanged."]
    lines = summary(IndexReport(total=9, heard=3, seconds=3600, elapsed=10, missing=["a", "b"], stopped=True))
    assert lines == [
        "Heard 3 files, 1:00:00.0 of sound, in 0:10.0 (360 × real time).",
        "2 files gone since; `auricle prune` forgets them.",
        "Stopped; run the same command again to continue.",
    ]


def test_a_log_gets_a_line_every_few_seconds(capsys, monkeypatch):
    now = 100.0
    monkeypatch.setattr(progress.time, "monotonic", lambda: now)
    state = Progress(total=400, done=100, seconds=1800, elapsed=6, bytes=25, bytes_total=100)
    with progress.shown() as tell:
        for _ in range(10):
            tell(state)
            now += 1
        state.done, state.bytes, state.elapsed = 400, 100, 24
        tell(state)
    lines = capsys.readouterr().err.splitlines()
    assert (
        lines
        == [
            "100/400 files, 0.50 h heard, 300 × real time, 0:18 left",
            "400/400 files, 0.50 h heard, 75 × real time",
            "400/400 files, 0.50 h heard, 75 × real time",
        ][: len(lines)]
    )
    assert len(lines) == 3


@pytest.mark.parametrize("done", [0, 1])
def test_no_guess_is_made_from_too_little(done):
    assert "left" not in progress.line(Progress(total=400, done=done, bytes=done, bytes_total=10_000, elapsed=9))
