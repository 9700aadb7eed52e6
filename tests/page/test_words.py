"""Searching in words, with the default ear over a few sample recordings."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import expect

from auricle.library import Library
from auricle.serve.app import create_app
from tests.page.conftest import hits, serving, watched

pytestmark = [pytest.mark.weights, pytest.mark.timeout(180)]

SAMPLES = Path(__file__).parents[2] / "data" / "demo"


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    folder = tmp_path_factory.mktemp("words")
    library = Library(folder / "animals")
    library.index(SAMPLES / "animals", workers=1)
    with serving(create_app({"animals": library.path}), library) as running:
        yield running


def test_words_find_sounds(browser, site):
    with watched(browser) as page:
        page.goto(site.at("search"))
        expect(page.locator("#words")).to_be_focused()
        page.keyboard.type("dog barking")
        page.keyboard.press("Enter")
        expect(hits(page).first).to_contain_text("two dogs barking.mp3")
        expect(hits(page).first.locator(".tag").first).to_be_visible()
        assert "q=dog+barking" in page.url

        page.get_by_label("Describe the sound").fill("a lion roaring")
        page.keyboard.press("Enter")
        expect(hits(page).first).to_contain_text("lion roaring.ogg")
        page.keyboard.press("ArrowDown")
        expect(hits(page).first).to_be_focused()

        page.get_by_label("Describe the sound").fill("church organ")
        page.keyboard.press("Enter")
        expect(page.get_by_role("heading", name="Nothing like that here")).to_be_visible()
        expect(page.locator(".results")).to_contain_text(re.compile(r"scores 0\.\d\d"))
        page.get_by_role("button", name="Show the closest anyway").click()
        expect(hits(page).first).to_be_visible()
