#!/usr/bin/env python3
"""Pictures of every view of the page, over the sample recordings, as Chromium shows them.

    .venv/bin/python scripts/screenshots.py FOLDER    every view, light and dark, 1600 and 380 pixels wide
    .venv/bin/python scripts/screenshots.py --docs    those in docs/images

Needs the packages of the test group, and Chromium ($CHROMIUM names another than the first on the path).
"""

import argparse
import json
import os
import re
import shutil
import tempfile
import threading
import time
import urllib.request
from pathlib import Path

import uvicorn
from playwright.sync_api import Browser, Page, expect, sync_playwright

from auricle.library import Library
from auricle.serve.app import create_app

ROOT = Path(__file__).parents[1]
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--autoplay-policy=no-user-gesture-required",
]
RECORDING = "one day on a farm.opus"
VIEWS = ("intro", "search", "part", "recording", "collections", "map", "teach", "lesson", "library")
PAUSE = 2500  # ms for pictures of sound to come; a network that is idle is no sign, since players keep connections
SIZES = {1600: 1000, 380: 800}  # width -> height


class Site:
    """A server over the sample recordings, in a thread."""

    def __init__(self, folder: Path):
        library = Library(folder / "samples")
        library.index(ROOT / "data" / "demo")
        self.ids = {Path(recording.path).name: recording.id for recording in library.recordings()}
        config = uvicorn.Config(create_app({"samples": library.path}), port=0, ws="none", log_level="warning")
        self.server = uvicorn.Server(config)
        self.thread = threading.Thread(target=self.server.run, daemon=True)
        self.thread.start()
        while not self.server.started:
            time.sleep(0.05)
        port = self.server.servers[0].sockets[0].getsockname()[1]
        self.url = f"http://127.0.0.1:{port}/#/"
        self._warm(f"http://127.0.0.1:{port}/api/v1/libraries/samples/search")

    def _warm(self, url: str) -> None:
        """Searches a few times, so that the answers in the pictures come from memory."""
        body = json.dumps({"words": [{"text": "dog barking"}]}).encode()
        for _ in range(3):
            request = urllib.request.Request(url, body, {"Content-Type": "application/json"})
            urllib.request.urlopen(request).close()

    def close(self) -> None:
        self.server.should_exit = True
        self.thread.join(20)


def settled(page: Page) -> None:
    """Waits until what is to be seen has been drawn."""
    expect(page.locator(".skeletons")).to_have_count(0, timeout=60_000)
    page.wait_for_timeout(PAUSE)


def show(page: Page, site: Site, view: str) -> None:
    """Brings a view to a state worth a picture."""
    farm, dogs = site.ids[RECORDING], site.ids["two dogs barking.mp3"]
    routes = {
        "intro": "search",
        "search": "search?q=dog+barking",
        "part": f"search?like=r.{dogs}@0-3",
        "recording": f"recording/{farm}?t=14",
        "lesson": "teach/my%20dog?q=dog",
    }
    page.goto(site.url + routes.get(view, view))
    settled(page)
    if view == "search":
        page.locator(".hit .tile").first.click()
        page.wait_for_timeout(900)
        page.locator("#player").get_by_role("button", name="Pause").click()
        page.locator(".hit .tile").first.hover()
    elif view == "part":
        page.locator(".chip .body").click()
    elif view == "recording":
        for label, key in (("Wild animals", "x"), ("Crowing", "c")):
            page.get_by_role("button", name=re.compile(f"^{label}")).first.click()
            if not page.locator(".judge [aria-pressed=true]").count():
                page.keyboard.press(key)
                page.wait_for_timeout(PAUSE)
        page.mouse.move(0, 0)
        page.evaluate("scrollTo(0, 0)")
    elif view == "collections":
        fill_collection(page, site)
    elif view == "map":
        expect(page.locator(".legend button").first).to_be_visible(timeout=60_000)
    page.wait_for_timeout(300)
    page.evaluate("document.getElementById('toasts').replaceChildren()")
    settled(page)


def fill_collection(page: Page, site: Site) -> None:
    if page.get_by_role("link", name="Farm voices").count():
        return
    page.goto(site.url + "search?q=rooster+crowing&single=1")
    settled(page)
    for n in range(3):
        page.locator(".hit").nth(n).get_by_role("button", name="Save").click(force=True)
        dialog = page.get_by_role("dialog")
        if n:
            dialog.get_by_role("button", name="Farm voices").click()
        else:
            dialog.get_by_label("New collection").fill("Farm voices")
            page.keyboard.press("Enter")
        expect(dialog).to_have_count(0)
    page.goto(site.url + "collections")
    settled(page)


def picture(browser: Browser, site: Site, view: str, width: int, scheme, place: Path, height: int = 0) -> None:
    size = {"width": width, "height": height or SIZES[width]}
    context = browser.new_context(viewport=size, color_scheme=scheme, reduced_motion="reduce")
    page = context.new_page()
    show(page, site, view)
    page.screenshot(path=place)
    context.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", type=Path)
    parser.add_argument("--docs", action="store_true")
    parser.add_argument("--views", nargs="*", default=VIEWS, choices=VIEWS)
    asked = parser.parse_args()
    if not asked.docs and not asked.folder:
        parser.error("name a folder, or --docs")
    chromium = os.environ.get("CHROMIUM") or shutil.which("chromium") or parser.error("no Chromium is installed")
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        site = Site(Path(folder))
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        if asked.docs:
            for view, scheme, height in (("search", "light", 860), ("recording", "dark", 1020)):
                picture(browser, site, view, 1280, scheme, ROOT / "docs" / "images" / f"page-{view}.png", height)
        else:
            asked.folder.mkdir(parents=True, exist_ok=True)
            for view in asked.views:
                for width in SIZES:
                    for scheme in ("light", "dark"):
                        picture(browser, site, view, width, scheme, asked.folder / f"{view}-{width}-{scheme}.png")
        browser.close()
        site.close()


if __name__ == "__main__":
    main()
