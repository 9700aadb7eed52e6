"""Beside a recording: other performances of the same work, and who speaks when."""

import re
import shutil
from pathlib import Path

import pytest
import soundfile
import soxr
from playwright.sync_api import Page, expect

from auricle.library import Library
from auricle.serve.app import create_app
from tests.page.conftest import serving

MINI = Path(__file__).parents[2] / "data/mini"
FASTER = 1.06  # about a semitone

pytestmark = pytest.mark.timeout(180)


@pytest.fixture(scope="module")
def music(tmp_path_factory):
    """Three pieces and a faster copy of the first, heard by the ear that tells works apart."""
    folder = tmp_path_factory.mktemp("works")
    (folder / "music").mkdir()
    for path in sorted((MINI / "music").iterdir())[:3]:
        shutil.copy(path, folder / "music")
    first = sorted((folder / "music").iterdir())[0]
    sound, rate = soundfile.read(first)
    soundfile.write(folder / "music" / "faster.wav", soxr.resample(sound, FASTER * rate, rate), rate)
    library = Library(folder / "library", ear="fake_ear")
    library.index(folder / "music", workers=1)
    Library(folder / "library", ear="bytecover3").index(folder / "music", workers=1)
    with serving(create_app({"music": library.path}, ear="fake_ear"), library) as running:
        yield running, first.name


def test_other_versions_of_a_recording(page: Page, music):
    site, first = music
    page.goto(site.at(f"recording/{site.ids['faster.wav']}"))
    versions = page.get_by_role("region", name="Other versions")
    versions.get_by_role("link", name=first).click()
    expect(page.get_by_role("heading", level=1)).to_contain_text(Path(first).stem)
    expect(page.get_by_role("region", name="Other versions").get_by_role("link", name="faster.wav")).to_be_visible()


@pytest.mark.weights
def test_who_speaks_when(page: Page, tmp_path):
    (tmp_path / "speech").mkdir()
    for path in sorted((MINI / "speech").iterdir())[:2]:
        shutil.copy(path, tmp_path / "speech")
    library = Library(tmp_path / "library", ear="fake_ear")
    library.index(tmp_path / "speech", workers=1)
    Library(tmp_path / "library", ear="ge2e").index(tmp_path / "speech", workers=1)
    with serving(create_app({"speech": library.path}, ear="fake_ear"), library) as site:
        page.goto(site.at(f"recording/{next(iter(site.ids.values()))}"))
        turn = page.get_by_role("region", name="Who speaks").get_by_role("link").first
        expect(turn).to_contain_text("speaker 1")
        turn.click()
        expect(page).to_have_url(re.compile(r"[?&]t="))
