"""The sample recordings are complete, credited, small, readable, and as their manifest says."""

import csv
import hashlib
from collections import Counter
from pathlib import Path

import pytest
import soundfile as sf

DEMO = Path(__file__).parent.parent / "data" / "demo"
ALLOWED = {"CC0-1.0", "CC-BY-3.0", "CC-BY-SA-3.0", "MIT"}
FORMATS = {  # suffix: (container, codec)
    ".wav": ("WAV", "PCM_16"),
    ".flac": ("FLAC", "PCM_16"),
    ".ogg": ("OGG", "VORBIS"),
    ".opus": ("OGG", "OPUS"),
    ".mp3": ("MP3", "MPEG_LAYER_III"),
}

with (DEMO / "manifest.csv").open(encoding="utf-8", newline="") as _file:
    MANIFEST = list(csv.DictReader(_file))
PATHS = [row["path"] for row in MANIFEST]


def test_every_recording_is_listed_once():
    on_disk = {path.relative_to(DEMO).as_posix() for path in DEMO.rglob("*") if path.is_file()}
    assert on_disk - {"README.md", "manifest.csv"} == set(PATHS)
    assert sorted(PATHS) == PATHS
    assert len(set(PATHS)) == len(PATHS)


@pytest.mark.parametrize("row", MANIFEST, ids=PATHS)
def test_origin_author_and_licence_are_named(row):
    assert all(row.values())
    assert row["licence"] in ALLOWED  # one licence a file: mixes use sources of one licence only


def test_mixes_are_public_domain_and_say_what_they_mix():
    mixes = [row for row in MANIFEST if row["path"].startswith("mixes/")]
    assert mixes
    for row in mixes:
        assert row["licence"] == "CC0-1.0"
        assert row["changes"].startswith("mixed")


def test_it_is_small():
    assert sum(path.stat().st_size for path in DEMO.rglob("*") if path.is_file()) <= 5_000_000


@pytest.mark.parametrize("path", PATHS)
def test_recording_is_readable_and_not_silent(path):
    info = sf.info(DEMO / path)
    assert (info.format, info.subtype) == FORMATS[Path(path).suffix]
    assert 0.3 <= info.duration <= 300
    waveform, _ = sf.read(DEMO / path, dtype="float32")
    assert len(waveform) == info.frames
    assert abs(waveform).max() > 0.1


def test_every_format_and_some_long_recordings_are_there():
    assert {Path(path).suffix for path in PATHS} == set(FORMATS)
    assert sum(sf.info(DEMO / path).duration > 60 for path in PATHS) >= 4


def test_one_recording_is_there_twice():
    contents = Counter(hashlib.sha256((DEMO / path).read_bytes()).digest() for path in PATHS)
    assert sorted(contents.values())[-2:] == [1, 2]
