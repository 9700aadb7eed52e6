import os
import sys

import pytest

from auricle.errors import WeightsError
from auricle.hub import home, library_dir, weights_dir
from auricle.hub.cache import make_once


def test_everything_is_under_the_chosen_home(monkeypatch, tmp_path):
    monkeypatch.setenv("AURICLE_HOME", str(tmp_path))
    assert (home(), weights_dir(), library_dir()) == (tmp_path, tmp_path / "weights", tmp_path / "library")


@pytest.mark.skipif(sys.platform != "linux", reason="the data directory of other platforms is elsewhere")
def test_the_default_home_is_the_data_directory(monkeypatch, tmp_path):
    monkeypatch.delenv("AURICLE_HOME")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert home() == tmp_path / "auricle"


def test_a_file_is_made_once(tmp_path):
    made = []

    def make(part):
        made.append(part)
        part.write_bytes(b"whole")

    for _ in range(2):
        assert make_once(tmp_path / "deep" / "file", make).read_bytes() == b"whole"
    assert len(made) == 1


def test_a_failure_leaves_nothing_and_the_next_try_starts_afresh(tmp_path):
    def fail(part):
        part.write_bytes(b"half")
        raise RuntimeError("killed")

    target = tmp_path / "file"
    with pytest.raises(RuntimeError):
        make_once(target, fail)
    assert not [path for path in tmp_path.iterdir() if path.suffix != ".lock"]
    (tmp_path / ".file.part").write_bytes(b"what a killed process left, longer than the file")
    assert make_once(target, lambda part: part.write_bytes(b"whole")).read_bytes() == b"whole"  # pyright: ignore


def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    blocked = tmp_path / "file"
    blocked.write_bytes(b"")
    with pytest.raises(WeightsError, match="AURICLE_HOME"):
        make_once(blocked / "below", lambda part: None)


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs a device that is always full")
def test_a_full_disk_is_said(tmp_path):
    def fill(part):
        with open("/dev/full", "wb", buffering=0) as full:
            full.write(b"a")

    with pytest.raises(WeightsError, match="No space left"):
        make_once(tmp_path / "file", fill)
