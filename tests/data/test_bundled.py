"""The mini sets are complete, credited, small, readable, and split as they say."""

import hashlib
from collections import Counter, defaultdict
from pathlib import Path

import pytest
import soundfile as sf

from auricle.data import Clips, mini
from auricle.data.bundled import TASKS, folder
from auricle.errors import DataError

LICENCES = {
    "BSD-2-Clause-like", "CC-BY-3.0", "CC-BY-SA-3.0", "CC-BY-SA-3.0-IT", "CC0-1.0", "GPL-2.0-only", "GPL-2.0-or-later",
    "GPL-2.0-or-later WITH composition exception", "GPL-3.0-only", "GPL-3.0-or-later", "LAL-1.3", "MIT",
}  # fmt: skip
HELD_BACK = ("wesnoth-1.16-music", "warzone2100-music", "supertux-data")  # music to test identification with


@pytest.fixture(scope="module", params=TASKS)
def task(request):
    return request.param


def test_every_clip_is_listed_once_and_unchanged(task):
    manifest = mini(task, "grouped")
    assert {path.resolve() for path in (folder() / task).iterdir()} == {path.resolve() for path in manifest.paths}
    assert len(set(manifest.column("path"))) == len(manifest)
    for path, digest in zip(manifest.paths, manifest.column("sha256"), strict=True):
        assert hashlib.sha256(path.read_bytes()).hexdigest() == digest
    assert len(set(manifest.column("sha256"))) == len(manifest)


def test_origin_author_and_licence_are_named(task):
    for row in mini(task, "grouped"):
        assert row["package"]
        assert row["version"]
        assert row["file"]
        assert row["author"]
        assert row["licence"] in LICENCES
        assert task != "music" or row["package"] not in HELD_BACK


def test_all_of_it_is_small():
    assert sum(path.stat().st_size for path in folder().rglob("*") if path.is_file()) <= 30_000_000


def test_clips_are_as_long_as_said(task):
    manifest = mini(task, "grouped")
    for path, seconds in list(zip(manifest.paths, manifest.column("seconds"), strict=True))[::17]:
        info = sf.info(path)
        assert (info.format, info.subtype, info.channels) == ("OGG", "OPUS", 1)
        assert info.duration == pytest.approx(float(seconds), abs=0.03)


@pytest.mark.parametrize("name", ["events", "drums", "digits", "letters"])
def test_held_out_means_that_no_source_crosses(name):
    homes = defaultdict(set)
    for row in mini(name):
        homes[row["source"]].add("test" if row["split"] == "test" else "before")
    assert all(len(home) == 1 for home in homes.values())


@pytest.mark.parametrize("name", ["events", "drums", "speech"])
def test_grouped_means_that_no_group_crosses(name):
    homes = defaultdict(set)
    for row in mini(name, "grouped"):
        homes[row["group"]].add(row["split"])
    assert all(len(home) == 1 for home in homes.values())


def test_every_class_of_events_can_be_learnt_and_tested():
    events = mini("events")
    assert len(events.classes) == 22
    counts = Counter((row["split"], *row["labels"]) for row in events)
    for name in events.classes:
        assert counts["train", name] >= 2
        assert counts["test", name] >= 2
    assert len(mini("events", "grouped").classes) == 27


def test_no_sentence_crosses_splits():
    homes = defaultdict(set)
    for row in mini("speech"):
        assert row["text"]
        assert row["labels"] == [row["language"]]
        homes[row["group"]].add(row["split"])
    assert all(len(home) == 1 for home in homes.values())


def test_clips_decode():
    item = Clips(mini("events").split("valid"), 16_000, 1.0)[0]
    assert item["wave"].shape == (16_000,)
    assert abs(item["wave"]).max() > 0


def test_what_is_not_there_is_said(monkeypatch, tmp_path):
    with pytest.raises(DataError, match="no mini set 'colours'"):
        mini("colours")
    with pytest.raises(DataError, match="no protocol"):
        mini("events", "random")
    monkeypatch.setenv("AURICLE_MINI", str(tmp_path / "none"))
    with pytest.raises(DataError, match="AURICLE_MINI"):
        mini("events")
    monkeypatch.setenv("AURICLE_MINI", str(Path(__file__).parents[2] / "data/mini"))
    assert len(mini("events"))
