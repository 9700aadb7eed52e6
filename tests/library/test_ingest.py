import json
import os
import shutil
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
import soundfile
from tests.library.conftest import RATE, rows, save, tone

from auricle.errors import AuricleError, LibraryError
from auricle.library import Library


def test_everything_is_heard_once(library, sounds):
    assert len(library.recordings()) == 10
    report = library.index(sounds, workers=1)
    assert (report.heard, report.unchanged, report.quarantined) == (0, 10, 0)
    assert len(library.store.heard(library.ear)) == 10


def test_rows_cover_every_sample(library, sounds):
    for recording in library.recordings():
        table = library.store.windows(library.ear).to_table(filter=f"recording = '{recording.id}'").sort_by("start")
        assert table["start"][0].as_py() == 0
        assert table["end"][-1].as_py() == pytest.approx(recording.duration)
        assert recording.duration == pytest.approx(soundfile.info(recording.path).duration)
        assert np.allclose(np.diff(table["start"].to_numpy()), 7_680 / RATE)


def test_same_rows_alone_in_a_batch_and_with_more_workers(library, sounds, tmp_path):
    together = rows(library)
    many = Library(tmp_path / "many", ear="fake_ear")
    many.index(sounds, workers=2)
    assert rows(many) == together
    alone = Library(tmp_path / "alone", ear="fake_ear")
    for path in sorted(sounds.rglob("*.*"), reverse=True):
        alone.index(path, workers=1)
    assert rows(alone) == together


def test_a_moved_file_is_linked_again_not_heard_again(library, sounds):
    before = {r.id: r.path for r in library.recordings()}
    (sounds / "elsewhere").mkdir()
    shutil.move(sounds / "long.flac", sounds / "elsewhere" / "new name.flac")
    report = library.index(sounds, workers=1)
    assert (report.heard, report.moved, report.copies) == (0, 1, 0)
    after = {r.id: r.path for r in library.recordings()}
    assert before.keys() == after.keys()
    assert str(sounds / "elsewhere" / "new name.flac") in after.values()


def test_a_changed_file_is_heard_again_and_its_old_rows_go(library, sounds):
    before = len(library.store.heard(library.ear))
    save(sounds / "low" / "low 0.wav", tone(3000, 5))
    report = library.index(sounds, workers=1)
    assert (report.heard, report.changed) == (1, 1)
    assert len(library.recordings()) == 10
    assert len(library.store.heard(library.ear)) == before
    assert library.show(sounds / "low" / "low 0.wav").duration == 5.0


def test_a_touched_file_is_only_noted(library, sounds):
    os.utime(sounds / "long.flac", (1, 1))
    report = library.index(sounds, workers=1)
    assert report.heard == 0
    assert library.show(sounds / "long.flac").modified == 1
    assert library.index(sounds, workers=1).unchanged == 10


def test_copies_share_what_was_heard(library, sounds):
    shutil.copy(sounds / "long.flac", sounds / "copy.flac")
    report = library.index(sounds, workers=1)
    assert (report.heard, report.copies, report.moved) == (0, 1, 0)
    assert len(library.recordings()) == 11
    assert len(library.store.heard(library.ear)) == 10


def test_copies_met_in_one_run(tmp_path):
    for name in ("a.wav", "b.wav", "c.wav"):
        save(tmp_path / "in" / name, tone(500, 2))
    library = Library(tmp_path / "library", ear="fake_ear")
    report = library.index(tmp_path / "in", workers=1)
    assert (report.heard, report.copies) == (1, 2)
    assert len({r.id for r in library.recordings()}) == 1
    assert library.index(tmp_path / "in", workers=1).unchanged == 3


def test_a_deleted_file_stays_until_pruned(library, sounds):
    (sounds / "long.flac").unlink()
    report = library.index(sounds, workers=1)
    assert report.missing == [str(sounds / "long.flac")]
    assert len(library.recordings()) == 10
    assert library.prune() == [str(sounds / "long.flac")]
    assert len(library.recordings()) == 9
    assert len(library.store.heard(library.ear)) == 9


def test_one_broken_file_stops_nothing(tmp_path, sounds):
    (sounds / "broken.wav").write_bytes(b"RIFF nonsense")
    (sounds / "empty.wav").write_bytes(b"")
    library = Library(tmp_path / "library", ear="fake_ear")
    report = library.index(sounds, workers=2)
    assert (report.heard, report.quarantined) == (10, 2)
    doctor = library.doctor()
    assert [os.path.basename(entry["path"]) for entry in doctor["quarantined"]] == ["broken.wav", "empty.wav"]
    assert all(entry["reason"] for entry in doctor["quarantined"])
    save(sounds / "broken.wav", tone(100, 1))
    assert library.index(sounds, workers=1).heard == 1
    assert len(library.doctor()["quarantined"]) == 1


def test_a_missing_folder_changes_nothing(tmp_path):
    library = Library(tmp_path / "library", ear="fake_ear")
    with pytest.raises(AuricleError, match="does not exist"):
        library.index(tmp_path / "nowhere")
    assert not library.path.exists()


def test_a_newer_library_is_refused(library):
    about = json.loads((library.path / "library.json").read_text())
    (library.path / "library.json").write_text(json.dumps(about | {"schema": 99}))
    with pytest.raises(LibraryError, match="Upgrade"):
        Library(library.path)


def test_a_second_run_waits_or_says_so(library, sounds):
    with library.store.lock(), pytest.raises(LibraryError, match="Another auricle is writing"):
        library.index(sounds, wait=False)
    held = threading.Event()

    def hold():
        with library.store.lock():
            held.set()
            time.sleep(0.5)

    holder = threading.Thread(target=hold)
    holder.start()
    held.wait()
    began = time.monotonic()
    assert library.index(sounds, workers=1).unchanged == 10
    assert time.monotonic() - began > 0.3
    holder.join()


def test_progress_counts_up_to_everything(tmp_path, sounds):
    seen = []
    library = Library(tmp_path / "library", ear="fake_ear")
    library.index(sounds, workers=1, progress=lambda p: seen.append((p.done, p.total, p.seconds, p.bytes)))
    assert seen[-1][:2] == (10, 10)
    assert seen[-1][2] == pytest.approx(sum(r.duration for r in library.recordings()))
    assert seen[-1][3] == sum(path.stat().st_size for path in sounds.rglob("*.*"))
    assert seen == sorted(seen)


def starts(library: Library) -> int:
    journal = library.path / "journal.jsonl"
    return journal.read_text().count('"event": "start"') if journal.exists() else 0


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_killed_twenty_times_at_random_points_the_rows_are_the_same(tmp_path):
    rng = np.random.default_rng(7)
    folder = tmp_path / "many"
    for i in range(60):
        save(folder / f"{i:02}.wav", tone(100 + 60 * i, 1.0 + rng.random() * 4))
    whole = Library(tmp_path / "whole", ear="fake_ear")
    whole.index(folder, workers=2)
    killed = Library(tmp_path / "killed", ear="fake_ear")
    script = (
        "import sys; from auricle.library import Library, ingest\n"
        "ingest.COMMIT_SECONDS = 0.02\n"  # many commits, so that kills fall between and inside them
        "Library(sys.argv[1], ear='fake_ear').index(sys.argv[2], workers=2)"
    )
    kills = begun = 0
    while kills < 20:
        run = subprocess.Popen([sys.executable, "-c", script, str(killed.path), str(folder)])
        while run.poll() is None and starts(killed) == begun:
            time.sleep(0.01)  # until it has begun to write
        begun = starts(killed)
        try:
            run.wait(timeout=rng.uniform(0.0, 2.0))
        except subprocess.TimeoutExpired:
            run.kill()
            run.wait()
            kills += 1
            continue
        assert rows(killed) == rows(whole)  # it got through in spite of the kills before: begin anew
        shutil.rmtree(killed.path)
        begun = 0
    killed.index(folder, workers=2)
    assert rows(killed) == rows(whole)
    assert killed.doctor()["orphans"] == 0
    assert not any((killed.path / "staging").glob("*"))
