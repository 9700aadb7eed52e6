"""A small library heard by the fake ear, and ``auricle`` called in this process."""

import os
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow.dataset  # noqa: F401  # with pandas, which other tests need; the command imports it without
import pytest
import soundfile

from auricle.cli import main
from auricle.library import Library

RATE = 16_000


@dataclass(frozen=True)
class Result:
    code: int
    out: str
    err: str

    @property
    def lines(self) -> list[list[str]]:
        """Standard output as rows of cells."""
        return [line.split("\t") for line in self.out.splitlines()]


def tone(hertz: float, seconds: float) -> np.ndarray:
    return (0.5 * np.sin(2 * np.pi * hertz * np.arange(int(seconds * RATE)) / RATE)).astype(np.float32)


@pytest.fixture(scope="session")
def sounds(tmp_path_factory) -> Path:
    """Two low and two high tones, a copy of one, a recording with a high tone from 4 s to 8 s, and a broken file."""
    folder = tmp_path_factory.mktemp("sounds")
    for name, hertz in {"low 1": 110, "low 2": 130, "high 1": 4000, "high 2": 4300}.items():
        soundfile.write(folder / f"{name}.wav", tone(hertz, 2.5), RATE)
    shutil.copy(folder / "low 1.wav", folder / "low copy.wav")
    soundfile.write(folder / "long.flac", np.concatenate([tone(120, 4), tone(4100, 4), tone(120, 4)]), RATE)
    (folder / "broken.wav").write_bytes(b"this is no sound")
    return folder


@pytest.fixture(scope="session")
def indexed(sounds, tmp_path_factory) -> Path:
    """Folder of the library of ``sounds``; not to be written to."""
    folder = tmp_path_factory.mktemp("cli") / "library"
    Library(folder, ear="fake_ear").index(sounds, workers=1)
    return folder


@pytest.fixture
def own(indexed, tmp_path) -> Path:
    """A copy of the library that a test may change."""
    return Path(shutil.copytree(indexed, tmp_path / "library"))


@pytest.fixture
def run(indexed, capsys, monkeypatch):
    """Calls ``auricle`` with some words, on the indexed library unless they name another."""
    monkeypatch.setenv("AURICLE_LIBRARY", str(indexed))
    monkeypatch.setenv("AURICLE_OFFLINE", "1")
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "160")

    def call(*words: object, for_people: bool = False) -> Result:
        monkeypatch.setenv("FORCE_COLOR", "1" if for_people else "")
        capsys.readouterr()
        code = main([str(word) for word in words])
        return Result(code, *capsys.readouterr())

    return call


@pytest.fixture
def command() -> list[str]:
    """``auricle`` as a process of its own."""
    assert os.environ["PYTHONPATH"]  # where the fake ear is
    return [sys.executable, "-m", "auricle"]
