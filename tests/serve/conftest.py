"""A small library heard by the fake ear, served in this process or by a real server on a free port."""

import contextlib
import shutil
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile
from fake_ear import spelled
from fastapi.testclient import TestClient

from auricle.library import Library
from auricle.library.words import Words
from auricle.serve.app import create_app
from auricle.serve.server import server_of

RATE = 16_000
ADDRESS = "http://127.0.0.1:8765"
BASE = "/api/v1/libraries/default"
MUSIC = sorted((Path(__file__).parents[2] / "data/mini/music").iterdir())[:3]


def tone(hertz: float, seconds: float, level: float = 0.5) -> np.ndarray:
    return (level * np.sin(2 * np.pi * hertz * np.arange(int(seconds * RATE)) / RATE)).astype(np.float32)


@pytest.fixture(scope="package", autouse=True)
def _no_encoder():
    """Words are matched by their letters: no test here needs the sentence encoder."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Words, "for_classes", spelled)
        patch.setenv("FAKE_EAR_SPELLS", "1")  # for the process that searches
        yield


@pytest.fixture(scope="session")
def sounds(tmp_path_factory) -> Path:
    """Low and high tones, a copy, a long recording with a high tone from 4 s to 8 s, odd formats, a broken file."""
    folder = tmp_path_factory.mktemp("serve") / "sounds"
    for name, hertz in {"low/1": 110, "low/2": 130, "high/1": 4000, "high/2": 4150}.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(folder / f"{name}.wav", tone(hertz, 2.5), RATE)
    shutil.copy(folder / "low/1.wav", folder / "low/copy of 1.wav")
    soundfile.write(folder / "long.flac", np.concatenate([tone(120, 4), tone(4100, 4), tone(120, 4)]), RATE)
    stereo = np.stack([tone(800, 3), tone(900, 3)], 1)
    soundfile.write(folder / "stereo.aiff", stereo, RATE)
    soundfile.write(folder / "naïve 🎧;name.wav", tone(700, 1.5), RATE)
    (folder / "broken.wav").write_bytes(b"this is no sound")
    return folder


@pytest.fixture(scope="session")
def indexed(sounds, tmp_path_factory) -> Path:
    """Folder of the library of ``sounds``; not to be written to."""
    folder = tmp_path_factory.mktemp("served") / "library"
    Library(folder, ear="fake_ear").index(sounds, workers=1)
    return folder


@pytest.fixture(scope="session")
def printed(tmp_path_factory) -> Path:
    """A library of three pieces of music, with prints and heard by the ear for works."""
    folder = tmp_path_factory.mktemp("identify")
    (folder / "music").mkdir()
    for path in MUSIC:
        shutil.copy(path, folder / "music")
    Library(folder / "library", ear="fake_ear").index(folder / "music", prints=True, workers=1)
    Library(folder / "library", ear="bytecover3").index(folder / "music", workers=1)
    return folder / "library"


@pytest.fixture
def own(indexed, tmp_path) -> Path:
    """A copy of the library that a test may change."""
    return Path(shutil.copytree(indexed, tmp_path / "library"))


@pytest.fixture
def ids(indexed) -> dict[str, str]:
    """Content ids by the name of the file."""
    return {Path(r.path).name: r.id for r in Library(indexed).recordings()} | {
        f"{Path(r.path).parent.name}/{Path(r.path).name}": r.id for r in Library(indexed).recordings()
    }


@contextlib.contextmanager
def asking(*folders: Path, **options) -> Iterator[TestClient]:
    """A client of an application that serves some libraries."""
    app = create_app({folder.name: folder for folder in folders}, **options)
    with TestClient(app, base_url=ADDRESS, follow_redirects=False) as client:
        yield client


@pytest.fixture(scope="session")
def _reader(indexed) -> Iterator[TestClient]:
    with asking(indexed) as client:
        yield client


@pytest.fixture
def client(_reader) -> TestClient:
    """Asks the indexed library; nothing may be changed through it."""
    return _reader


@pytest.fixture
def writer(own) -> Iterator[TestClient]:
    """Asks a library of the test's own."""
    with asking(own) as client:
        yield client


@contextlib.contextmanager
def running(*folders: Path, **options) -> Iterator[tuple[str, int]]:
    """A real server in a thread; gives its address."""
    app = create_app({folder.name: folder for folder in folders}, **options)
    bound = socket.create_server(("127.0.0.1", 0))
    server = server_of(app)
    thread = threading.Thread(target=server.run, args=([bound],), daemon=True)
    thread.start()
    try:
        while not server.started:
            time.sleep(0.01)
        yield bound.getsockname()
    finally:
        server.should_exit = True
        thread.join(20)
        bound.close()


def problem(response, status: int) -> str:
    """The problem an answer tells, which must have ``status`` and the form of all errors."""
    assert response.status_code == status, response.text
    error = response.json()["error"]
    assert set(error) == {"problem", "remedy"}
    assert error["problem"]
    assert "Traceback" not in response.text
    return error["problem"]
