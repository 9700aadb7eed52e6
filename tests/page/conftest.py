"""A real server with small libraries, and a real Chromium in front of it. Skips where no Chromium is installed."""

import contextlib
import os
import shutil
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import soundfile
import uvicorn
from fastapi import FastAPI
from playwright.sync_api import Browser, Locator, Page, expect, sync_playwright

from auricle.library import Library
from auricle.serve.app import create_app

RATE = 16_000
CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--autoplay-policy=no-user-gesture-required",
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
)
HOSTILE = "<img src=x onerror=document.title='owned'> & 'high' 3.wav"  # a name no page may take for markup

expect.set_options(timeout=15_000)


@dataclass(frozen=True, slots=True)
class Site:
    """A running server."""

    url: str
    ids: dict[str, str]  # name of a file -> id of the recording

    def at(self, route: str) -> str:
        return f"{self.url}/#/{route}"


def tone(hertz: float, seconds: float, level: float = 0.5) -> np.ndarray:
    return (level * np.sin(2 * np.pi * hertz * np.arange(int(seconds * RATE)) / RATE)).astype(np.float32)


def save(path: Path, sound: np.ndarray) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, sound, RATE)
    return path


@pytest.fixture(scope="session")
def sounds(tmp_path_factory) -> Path:
    """Nineteen short tones in three folders, a longer recording with a high tone from 10 s to 14 s, a broken file."""
    folder = tmp_path_factory.mktemp("page") / "sounds"
    for kind, hertz in {"low": 115.0, "middle": 800.0, "high": 4000.0}.items():
        for i in range(6):
            save(folder / kind / f"{kind} {i}.wav", tone(hertz * (1 + 0.01 * i), 2.0 + 0.25 * i))
    save(folder / "high" / HOSTILE, tone(4100, 2.0))
    save(folder / "long.flac", np.concatenate([tone(120, 10, 0.3), tone(4000, 4), tone(120, 10, 0.3)]))
    (folder / "broken.wav").write_bytes(b"RIFF but nothing else")
    return folder


@pytest.fixture(scope="session")
def served(sounds, tmp_path_factory) -> dict[str, Path]:
    """Two libraries: one heard, one still empty."""
    folder = tmp_path_factory.mktemp("libraries")
    Library(folder / "tones", ear="fake_ear").index(sounds, workers=1)
    return {"tones": folder / "tones", "empty": folder / "empty"}


@pytest.fixture(scope="session")
def site(served):
    with serving(create_app(served, ear="fake_ear"), Library(served["tones"])) as running:
        yield running


@contextlib.contextmanager
def serving(app: FastAPI, library: Library):
    """Runs the real application in a thread of this process; ``library`` is the one whose recordings have names."""
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=0, ws="none", log_level="warning"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        assert thread.is_alive()
        time.sleep(0.02)
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        yield Site(f"http://127.0.0.1:{port}", {Path(row.path).name: row.id for row in library.recordings()})
    finally:
        server.should_exit = True
        thread.join(20)


@pytest.fixture(scope="package")  # its event loop must not run on into the tests of other packages
def browser():
    if not CHROMIUM:
        pytest.skip("no Chromium: apt-get install chromium, or name one in $CHROMIUM")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        yield browser
        browser.close()


class Watch:
    """What the browser complains about while a test runs."""

    def __init__(self, page: Page):
        self.complaints: list[str] = []
        self.expected: tuple[str, ...] = ()
        page.on("pageerror", lambda error: self.complaints.append(f"exception: {error}"))
        page.on("console", self._console)
        page.add_init_script(
            "document.addEventListener('securitypolicyviolation',"
            " e => console.error('content policy: ' + e.violatedDirective + ' ' + e.blockedURI))"
        )

    def _console(self, message) -> None:
        if message.type in ("error", "warning"):
            self.complaints.append(f"{message.type}: {message.text}")

    @property
    def unexpected(self) -> list[str]:
        return [c for c in self.complaints if not any(part in c for part in self.expected)]


@contextlib.contextmanager
def watched(browser: Browser, **options):
    """A page in a fresh profile that must not complain."""
    context = browser.new_context(permissions=["microphone"], accept_downloads=True, **options)
    page = context.new_page()
    page.watch = Watch(page)  # pyright: ignore[reportAttributeAccessIssue]
    try:
        yield page
        assert page.watch.unexpected == []  # pyright: ignore[reportAttributeAccessIssue]
    finally:
        context.close()


@pytest.fixture
def page(browser):
    with watched(browser, viewport={"width": 1280, "height": 800}) as page:
        yield page


def like(site: Site, name: str = "high 0.wav", start: float = 0, end: float = 2) -> str:
    """Address of a search with an example: the fake ear knows no words."""
    return site.at(f"search?like=r.{site.ids[name]}@{start:g}-{end:g}")


def hits(page: Page) -> Locator:
    return page.locator(".hit")
