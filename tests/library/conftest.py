"""Sounds and libraries for the tests of the library floor, heard by the fake ear."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from auricle.library import Library

RATE = 16_000
TONES = {"low": 120.0, "middle": 800.0, "high": 4000.0}


def tone(hertz: float, seconds: float, level: float = 0.5) -> np.ndarray:
    return (level * np.sin(2 * np.pi * hertz * np.arange(int(seconds * RATE)) / RATE)).astype(np.float32)


def save(path: Path, sound: np.ndarray, rate: int = RATE) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, sound, rate)
    return path


@pytest.fixture
def sounds(tmp_path) -> Path:
    """Nine short files of three kinds, and one long file with a high tone from 10 s to 14 s."""
    folder = tmp_path / "sounds"
    for kind, hertz in TONES.items():
        for i in range(3):
            save(folder / kind / f"{kind} {i}.wav", tone(hertz * (1 + 0.05 * i), 2.0 + 0.5 * i))
    long = np.concatenate([tone(120, 10, 0.3), tone(4000, 4), tone(120, 10, 0.3)])
    save(folder / "long.flac", long)
    return folder


@pytest.fixture
def library(tmp_path, sounds) -> Library:
    """The sounds, indexed."""
    library = Library(tmp_path / "library", ear="fake_ear")
    library.index(sounds, workers=1)
    return library


def rows(library: Library) -> list[tuple]:
    """Everything stored, in an order that does not depend on how it was written."""
    windows = library.store.windows(library.ear).to_table().to_pylist()
    recordings = library.store.recordings().to_pylist()
    stored = [(w["recording"], w["start"], w["end"], tuple(w["embedding"]), tuple(w["scores"])) for w in windows]
    return sorted(stored) + sorted((r["path"], r["id"], r["duration"], tuple(r["tags"])) for r in recordings)
