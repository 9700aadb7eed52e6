"""A dropped excerpt is named, above what merely sounds like it."""

import shutil
from pathlib import Path

import pytest
import soundfile
from playwright.sync_api import Page, expect

from auricle.library import Library
from auricle.serve.app import create_app
from tests.page.conftest import Site, serving

MUSIC = sorted((Path(__file__).parents[2] / "data/mini/music").iterdir())[:3]

pytestmark = pytest.mark.timeout(120)


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    folder = tmp_path_factory.mktemp("identify")
    (folder / "music").mkdir()
    for path in MUSIC:
        shutil.copy(path, folder / "music")
    library = Library(folder / "library", ear="fake_ear")
    library.index(folder / "music", prints=True, workers=1)
    with serving(create_app({"music": library.path}, ear="fake_ear"), library) as running:
        yield running


def test_a_sound_that_is_in_the_library_is_identified(page: Page, site: Site, tmp_path):
    sound, rate = soundfile.read(MUSIC[2])
    soundfile.write(tmp_path / "heard.wav", sound[4 * rate : 10 * rate], rate)
    page.goto(site.at("search"))
    page.locator("input[type=file]").set_input_files(tmp_path / "heard.wav")
    found = page.get_by_role("region", name="Identified")
    expect(found.get_by_role("link", name=MUSIC[2].name)).to_be_visible()
    found.get_by_role("button", name="Play ").first.click()
    expect(page.locator("#player").get_by_role("button", name="Pause", exact=True)).to_be_visible()
    found.get_by_role("link", name=MUSIC[2].name).click()
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    assert site.ids[MUSIC[2].name] in page.url
