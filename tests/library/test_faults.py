"""What goes wrong around the library: broken files, full disks, dying workers, two runs at once, Ctrl-C; and, by
properties, the arithmetic that must hold for any recording and any scores."""

import errno
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.broken import OK, build
from tests.library.conftest import rows, save, tone

from auricle.errors import LibraryError
from auricle.library import Library, listen
from auricle.library.search import KEEP, Searcher
from auricle.library.store import Store, writing
from auricle.types import Heard, windows_in

AURICLE = [sys.executable, "-m", "auricle"]


# --- broken files ----------------------------------------------------------------------------------------------------


def test_every_broken_file_is_heard_or_put_aside_with_its_reason(tmp_path):
    folder = tmp_path / "corpus"
    expected = build(folder) | {"target.wav": OK, "dangling.wav": "No such file", "loop.wav": "symbolic links"}
    for name in [name for name in expected if (folder / name).is_dir()]:
        del expected[name]  # entered, not heard
    library = Library(tmp_path / "library", ear="fake_ear")
    roots = [folder, folder / ".hidden.wav"]  # a hidden file is tried when it is named
    report = library.index(*roots, follow_links=True, workers=2)

    unprintable = {name for name in expected if name != name.encode(errors="replace").decode()}
    for name in unprintable:  # shown with its odd bytes spelt out
        del expected[name]
        expected[os.fsencode(name).decode("utf-8", "backslashreplace")] = "not valid UTF-8"
    listed = {recording.path for recording in library.recordings()}
    heard = library.store.heard(library.ear)
    aside = {entry["path"]: entry["reason"] for entry in library.doctor()["quarantined"]}
    assert report.problems == aside
    assert {os.path.relpath(path, folder) for path in listed} == {n for n, wanted in expected.items() if wanted == OK}
    assert {os.path.relpath(path, folder) for path in aside} == {n for n, wanted in expected.items() if wanted != OK}
    wrong = {name: reason for name, reason in aside.items() if expected[os.path.relpath(name, folder)] not in reason}
    assert not wrong
    assert {recording.id for recording in library.recordings()} == heard
    assert report.done == report.total == len(expected)
    assert report.heard + report.copies + report.quarantined == report.total

    again = library.index(*roots, follow_links=True, workers=2)
    assert (again.heard, again.unchanged, again.quarantined) == (0, len(listed), len(aside))
    assert again.problems == aside


def test_links_and_hidden_files_are_passed_over_unless_asked_for(tmp_path):
    folder = tmp_path / "folder"
    save(folder / "a.wav", tone(300, 1))
    save(folder / ".hidden.wav", tone(500, 1))
    (folder / "link.wav").symlink_to("a.wav")
    os.mkfifo(folder / "pipe.wav")
    library = Library(tmp_path / "library", ear="fake_ear")
    report = library.index(folder, workers=1)
    assert [recording.path for recording in library.recordings()] == [str(folder / "a.wav")]
    assert report.problems[str(folder / "pipe.wav")].startswith("This is a named pipe")


def test_copies_of_a_broken_file_are_all_put_aside(tmp_path):
    for name in ("a.wav", "b.wav", "c.flac"):
        (tmp_path / "in").mkdir(exist_ok=True)
        (tmp_path / "in" / name).write_bytes(b"the same noise")
    library = Library(tmp_path / "library", ear="fake_ear")
    report = library.index(tmp_path / "in", workers=1)
    assert (report.done, report.quarantined) == (3, 3)
    assert len(set(report.problems.values())) == 1


def test_decoders_do_not_write_to_the_terminal(tmp_path):
    build(tmp_path / "corpus")
    for path in (tmp_path / "corpus").iterdir():
        if path.suffix != ".mp3" and not path.is_dir():
            path.unlink()
    done = subprocess.run(
        [*AURICLE, "index", tmp_path / "corpus", "--ear", "fake_ear", "--library", tmp_path / "library"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "mpg123" not in done.stderr
    assert all(" files, " in line for line in done.stderr.splitlines())  # progress only


def test_errors_of_python_still_reach_the_terminal():
    script = (
        "import os, sys; from auricle.library.pool import _silence_decoders\n"
        "_silence_decoders(); os.write(2, b'from C'); print('from Python', file=sys.stderr); 1 / 0"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert "from C" not in done.stderr
    assert done.stderr.startswith("from Python")
    assert "ZeroDivisionError" in done.stderr


def test_a_worker_that_dies_takes_only_its_own_file_along(tmp_path):
    for number in range(8):
        save(tmp_path / "in" / f"{number}.wav", tone(200 * (number + 1), 1))
    save(tmp_path / "in" / "3 crash.wav", tone(7500, 1))
    save(tmp_path / "in" / "5 crash.wav", tone(7600, 2))
    library = Library(tmp_path / "library", ear="crashing_ear")
    report = library.index(tmp_path / "in", workers=2)
    assert (report.heard, report.quarantined) == (8, 2)
    assert {os.path.basename(path) for path in report.problems} == {"3 crash.wav", "5 crash.wav"}
    assert all("the decoder crashed" in reason for reason in report.problems.values())
    assert len(library.store.heard(library.ear)) == 8
    assert library.index(tmp_path / "in", workers=2).unchanged == 8


# --- a full disk -----------------------------------------------------------------------------------------------------

FULL_DISK = """
import json, os, subprocess, sys
from pathlib import Path

from auricle.errors import LibraryError
from auricle.library import Library, ingest
from tests.library.conftest import rows

if __name__ == "__main__":  # workers import this file, too
    disk, sounds = map(Path, sys.argv[1:])
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "none", disk], check=True)
    ingest.COMMIT_SECONDS = 1e9  # or what is full when would depend on the speed of the machine
    library, problems, counts = Library(disk / "library", ear="fake_ear"), [], []

    def leave(free):  # bytes, of a disk otherwise full
        (disk / "ballast").unlink(missing_ok=True)
        state = os.statvfs(disk)
        (disk / "ballast").write_bytes(bytes(max(0, state.f_bavail * state.f_bsize - free)))

    def attempt(what):
        try:
            what()
        except LibraryError as error:
            problems.append(str(error))

    for kilobytes in (8, 40, 176, 240, 320):
        leave(1024 * kilobytes)
        attempt(lambda: library.index(sounds, workers=1))
        counts.append(len(library.recordings()) if library.store.exists else 0)
        assert not (disk / "library" / "staging").exists()
    leave(8192)
    example = str(next(sounds.iterdir()))
    attempt(lambda: library.similar(example))
    (disk / "ballast").unlink()
    library.index(sounds, workers=1)
    undisturbed = Library(disk / "undisturbed", ear="fake_ear")
    undisturbed.index(sounds, workers=1)
    facts = {"problems": problems, "counts": counts, "orphans": library.doctor()["orphans"]}
    facts["same rows"] = rows(library) == rows(undisturbed)
    facts["same hits"] = library.similar(example) == undisturbed.similar(example)
    print(json.dumps(facts))
"""


@pytest.fixture
def own_mounts(tmp_path) -> list[str]:
    """Words before a command that let it mount a file system of its own, gone when it ends."""
    if not shutil.which("unshare"):
        pytest.skip("no command unshare here")
    for words in (["unshare", "--mount"], ["unshare", "--map-root-user", "--mount"]):
        tried = subprocess.run([*words, "mount", "-t", "tmpfs", "none", tmp_path], capture_output=True, text=True)
        if tried.returncode == 0:
            return words
    pytest.skip(f"this system does not let tests mount a small disk: {tried.stderr.strip()}")


def test_a_full_disk_is_named_and_loses_nothing(tmp_path, own_mounts):
    for number in range(4):
        save(tmp_path / "sounds" / f"{number}.wav", tone(300 + 100 * number, 200))
    script, disk = tmp_path / "script.py", tmp_path / "disk"
    script.write_text(FULL_DISK)
    disk.mkdir()
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [*own_mounts, sys.executable, script, disk, tmp_path / "sounds"],
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join([str(root), os.environ["PYTHONPATH"]])},
    )
    assert done.returncode == 0, done.stderr
    facts = json.loads(done.stdout)
    assert all("is full. Free some space and run again: nothing is lost." in problem for problem in facts["problems"])
    assert any("/staging/" in problem for problem in facts["problems"])  # while a worker wrote what it heard
    assert any("library is full" in problem for problem in facts["problems"])  # while the windows were committed
    assert any("/cache/" in problem for problem in facts["problems"])  # while a search made its matrices
    assert facts["counts"] == sorted(facts["counts"])
    assert facts["same rows"]
    assert facts["same hits"]
    assert facts["orphans"] == 0


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), "The disk of here is full. Free some space and run again"),
        (OSError(errno.EDQUOT, "Disk quota exceeded"), "The disk of here is full"),
        (OSError("LanceError(IO): No space left on device (os error 28), writer.rs:1"), "The disk of here is full"),
        (OSError(errno.EROFS, "Read-only file system"), "here cannot be written (Read-only file system). Check its"),
        (PermissionError(errno.EACCES, "Permission denied"), "here cannot be written (Permission denied)"),
    ],
)
def test_a_disk_that_refuses_is_named(error, told):
    with pytest.raises(LibraryError) as caught, writing("here"):
        raise error
    assert str(caught.value).startswith(told)


def test_other_errors_of_the_system_pass():
    with pytest.raises(OSError, match="Input/output"), writing("here"):
        raise OSError(errno.EIO, "Input/output error")


# --- several runs, stopped runs --------------------------------------------------------------------------------------


@pytest.fixture
def many(tmp_path) -> Path:
    for number in range(40):
        save(tmp_path / "many" / f"{number:02}.wav", tone(100 + 90 * number, 1 + number % 7))
    return tmp_path / "many"


@pytest.fixture
def undisturbed(tmp_path, many) -> list[tuple]:
    library = Library(tmp_path / "undisturbed", ear="fake_ear")
    library.index(many, workers=2)
    return rows(library)


def test_two_processes_at_once_store_everything_once(tmp_path, many, undisturbed):
    words = [*AURICLE, "index", many, "--ear", "fake_ear", "--library", tmp_path / "library", "--json"]
    both = [subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    reports = []
    for process in both:
        out, err = process.communicate(timeout=120)
        assert process.returncode == 0, err
        reports.append(json.loads(out))
    assert sorted(report["heard"] for report in reports) == [0, 40]
    assert sorted(report["unchanged"] for report in reports) == [0, 40]
    assert rows(Library(tmp_path / "library", ear="fake_ear")) == undisturbed


@pytest.mark.slow
def test_ctrl_c_at_any_moment_leaves_a_library_that_goes_on(tmp_path, many, undisturbed):
    script = (
        "import sys; from auricle.library import ingest; from auricle.cli import main\n"
        "ingest.COMMIT_SECONDS = 0.02; sys.exit(main(sys.argv[1:]))"
    )
    library = Library(tmp_path / "library", ear="fake_ear")
    words = ["index", many, "--ear", "fake_ear", "--library", library.path, "--workers", "2"]
    rng = np.random.default_rng(3)
    stopped = begun = 0
    while stopped < 6:
        run = subprocess.Popen(
            [sys.executable, "-c", script, *map(str, words)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        while run.poll() is None and starts(library) == begun:
            time.sleep(0.01)
        begun = starts(library)
        time.sleep(rng.uniform(0, 1.5))
        if run.poll() is None:
            os.killpg(run.pid, signal.SIGINT)  # as a terminal does: to the workers, too
        out, err = run.communicate(timeout=60)
        assert "Traceback" not in err
        if run.returncode == 0:  # it got through
            assert rows(Library(library.path, ear="fake_ear")) == undisturbed
            shutil.rmtree(library.path)
            begun = 0
            continue
        assert run.returncode == 130
        assert "run the same command again" in out or "auricle: stopped" in err
        stopped += 1
    library.index(many, workers=2)
    assert rows(library) == undisturbed
    assert library.doctor()["orphans"] == 0


def starts(library: Library) -> int:
    journal = library.path / "journal.jsonl"
    return journal.read_text().count('"event": "start"') if journal.exists() else 0


def test_ctrl_c_in_the_middle_of_a_commit_doubles_nothing(tmp_path, many, undisturbed, monkeypatch):
    append = Store.append_windows

    def interrupted(self, *args):
        append(self, *args)
        monkeypatch.undo()
        raise KeyboardInterrupt

    monkeypatch.setattr("auricle.library.ingest.COMMIT_SECONDS", 0.0)
    monkeypatch.setattr(Store, "append_windows", interrupted)
    library = Library(tmp_path / "library", ear="fake_ear")
    assert library.index(many, workers=1).stopped
    assert library.doctor()["orphans"] == 0
    assert not library.index(many, workers=1).stopped
    assert rows(library) == undisturbed


# --- properties ------------------------------------------------------------------------------------------------------


class Frames:
    """An ear whose vectors are the samples themselves."""

    classes = ("loud",)

    def __init__(self, window: int, hop: int):
        self.window, self.hop, self.dim = window, hop, window

    def hear(self, waveform):
        frames = np.lib.stride_tricks.sliding_window_view(waveform, self.window)[:: self.hop]
        assert (len(frames) - 1) * self.hop + self.window == len(waveform)
        return Heard(frames.copy(), frames.mean(axis=1, keepdims=True))


@st.composite
def recordings_in_blocks(draw):
    """A window, a hop no longer than it, and a recording cut anywhere."""
    window = draw(st.integers(1, 12))
    hop = draw(st.integers(1, window))
    samples = draw(st.integers(1, 6 * listen.BLOCK_WINDOWS * hop))
    cuts = sorted(draw(st.lists(st.integers(0, samples), max_size=8)))
    sound = np.arange(1, samples + 1, dtype=np.float32)
    return window, hop, sound, np.split(sound, cuts)


@settings(max_examples=200, deadline=None)
@given(recordings_in_blocks())
def test_windows_are_the_same_however_the_samples_arrive(recording):
    window, hop, sound, blocks = recording
    ear, heard, ends = Frames(window, hop), [], []
    for first, samples, part in listen.hear_blocks(ear, iter(blocks)):
        assert first == sum(map(len, heard))
        heard.append(part.embeddings)
        ends.append(first * hop + samples)
    count = windows_in(len(sound), window, hop)
    filled = np.zeros((count - 1) * hop + window, np.float32)
    filled[: len(sound)] = sound
    np.testing.assert_array_equal(np.concatenate(heard), [filled[i * hop : i * hop + window] for i in range(count)])
    assert ends[-1] == len(sound)
    assert (count - 1) * hop < len(sound)  # no window holds nothing but filling


def best_stretches(total, owner, limit, min_score, one_per_recording):
    """What ``Searcher.runs`` promises, slowly: the best row not yet taken, with its neighbours, again and again."""
    least = max(min_score, 1e-6)
    free = set(np.flatnonzero(total >= least))
    taken, found = set(), []
    while free and len(found) < limit:
        peak = min(free, key=lambda row: (-total[row], row))
        stretch = {peak}
        for step in (-1, 1):
            row = peak + step
            while (
                0 <= row < len(total)
                and owner[row] == owner[peak]
                and total[row] >= max(min_score, KEEP * total[peak])
                and row not in taken
            ):
                stretch.add(row)
                row += step
        taken |= stretch
        free -= {row for row in free if owner[row] == owner[peak]} if one_per_recording else stretch
        found.append((min(stretch), max(stretch), float(total[peak])))
    return found


@st.composite
def scored_rows(draw):
    """Scores of all rows of a few recordings, with ties, gaps and long stretches."""
    lengths = draw(st.lists(st.integers(1, 40), min_size=1, max_size=8))
    rows = sum(lengths)
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    levels = draw(st.sampled_from([2, 5, 1000]))
    smooth = draw(st.sampled_from([1, 5]))
    scores = np.convolve(rng.integers(0, levels + 1, rows + smooth - 1) / levels, np.ones(smooth) / smooth, "valid")
    return scores.astype(np.float32), np.repeat(np.arange(len(lengths), dtype=np.int32), lengths)


@settings(max_examples=300, deadline=None)
@given(scored_rows(), st.integers(1, 12), st.sampled_from([0.0, 0.2, 0.7]), st.booleans(), st.sampled_from([1, 3, 200]))
def test_neighbouring_windows_become_one_hit(scored, limit, min_score, one_per_recording, peaks):
    total, owner = scored
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("auricle.library.search.PEAKS", peaks)  # few, so that the best are found in several rounds
        searcher = SimpleNamespace(index=SimpleNamespace(owner=owner))
        searcher._stretch = Searcher._stretch.__get__(searcher)
        runs = Searcher.runs(searcher, total, limit, min_score, one_per_recording)  # pyright: ignore[reportArgumentType]
    assert runs == best_stretches(total, owner, limit, min_score, one_per_recording)
    assert len(runs) <= limit
    assert [score for _, _, score in runs] == sorted((score for _, _, score in runs), reverse=True)
    covered = [row for first, last, _ in runs for row in range(first, last + 1)]
    assert len(covered) == len(set(covered))
    assert all(owner[first] == owner[last] for first, last, _ in runs)
    assert all((total[first : last + 1] >= min_score).all() for first, last, _ in runs)
    assert all(total[first : last + 1].max() == np.float32(score) for first, last, score in runs)
