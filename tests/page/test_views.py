"""Collections and the library: what is kept, and what is heard."""

import re
import zipfile

import pytest
from playwright.sync_api import Page, Route, expect

from auricle.library import Library
from auricle.serve.app import create_app
from tests.page.conftest import Site, hits, like, save, serving, tone, watched

pytestmark = pytest.mark.timeout(120)


def test_collections_keep_hits(page: Page, site: Site):
    page.goto(like(site))
    expect(hits(page).nth(1)).to_be_visible()
    hits(page).nth(0).focus()
    page.keyboard.press("s")
    page.get_by_label("New collection").fill("Beeps")
    page.keyboard.press("Enter")
    expect(page.locator("#toasts")).to_contain_text("Saved to Beeps")
    hits(page).nth(1).get_by_role("button", name="Save").click()
    page.get_by_role("dialog").get_by_role("button", name="Beeps").click()
    expect(page.get_by_role("dialog")).to_have_count(0)

    page.get_by_role("link", name="Collections").click()
    expect(page.get_by_role("heading", name="Beeps")).to_be_visible()
    expect(hits(page)).to_have_count(2)
    with page.expect_download() as download:
        page.get_by_role("link", name="Clips (ZIP)").click()
    with zipfile.ZipFile(download.value.path()) as archive:
        assert sum(name.endswith(".flac") for name in archive.namelist()) == 2
    with page.expect_download() as download:
        page.get_by_role("link", name="Playlist (M3U8)").click()
    assert download.value.path().read_text().startswith("#EXTM3U")

    hits(page).first.get_by_role("button", name="Remove").click()
    expect(hits(page)).to_have_count(1)
    page.locator("#toasts").get_by_role("button", name="Undo").click()
    expect(hits(page)).to_have_count(2)

    page.get_by_role("button", name="Rename").click()
    page.get_by_role("textbox", name="Name").fill("Whistles")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Whistles")).to_be_visible()
    page.get_by_role("button", name="Delete").click()
    expect(page.get_by_role("heading", name="No collections yet")).to_be_visible()
    page.locator("#toasts").get_by_role("button", name="Undo").click()
    expect(page.get_by_role("heading", name="Whistles")).to_be_visible()
    expect(hits(page)).to_have_count(2)


def test_the_library_shows_what_is_in_it(page: Page, site: Site):
    page.goto(site.at("library"))
    expect(page.locator(".numbers")).to_contain_text("Recordings20")
    expect(page.locator("tbody tr")).to_have_count(20)
    page.get_by_label("Name contains").fill("MIDDLE")
    expect(page.locator("tbody tr")).to_have_count(6)
    page.get_by_label("Name contains").fill("")
    page.get_by_label("Sort by").select_option("duration")
    expect(page.locator("tbody tr")).to_have_count(20)
    page.get_by_text("1 file could not be heard").click()
    expect(page.locator(".quarantine")).to_contain_text("broken.wav")


def test_a_folder_is_indexed_from_the_page(browser, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))  # only folders below it can be added
    library = Library(tmp_path / "library", ear="fake_ear")
    library.index(save(tmp_path / "one" / "first.wav", tone(400, 2)).parent, workers=1)
    for i in range(3):
        save(tmp_path / "two" / f"new {i}.wav", tone(900 + 50 * i, 2))
    app = create_app({"growing": library.path}, ear="fake_ear")
    with serving(app, library) as site, watched(browser) as page:
        page.watch.expected = ("403", "422")
        page.goto(site.at("library"))
        expect(page.locator("tbody tr")).to_have_count(1)
        page.get_by_label("Folder to index").fill("/usr/share")
        page.keyboard.press("Enter")
        expect(page.locator(".progress [role=alert]")).to_contain_text("home")
        page.get_by_label("Folder to index").fill(str(tmp_path / "two"))
        page.keyboard.press("Enter")
        expect(page.locator(".progress")).to_contain_text(re.compile("^Done"), timeout=60_000)
        expect(page.locator("tbody tr")).to_have_count(4)
        expect(page.locator(".roots li")).to_have_count(2)


def test_the_map_can_be_lassoed(page: Page, site: Site):
    page.goto(site.at("map"))
    expect(page.locator(".legend button").first).to_be_visible(timeout=60_000)
    page.get_by_label("Colour by").select_option("folder")
    expect(page.locator(".legend")).to_contain_text("middle")
    assert "colour=folder" in page.url

    page.get_by_role("button", name="Lasso").click()
    board = page.locator(".board canvas").bounding_box()
    assert board
    left, top, right, bottom = (
        board["x"] + 16,  # within the rounded corners
        board["y"] + 16,
        board["x"] + board["width"] - 16,
        board["y"] + board["height"] - 16,
    )
    page.mouse.move(left, top)
    page.mouse.down()
    for x, y in ((right, top), (right, bottom), (left, bottom)):
        page.mouse.move(x, y, steps=4)
    page.mouse.up()
    expect(page.locator(".chosen-row")).to_contain_text("20 recordings inside")
    asked: list[Route] = []
    page.route(re.compile(r"/collections(\?|$)"), lambda route: slowly(route, asked))
    page.get_by_role("button", name="Save to a collection").click()
    page.get_by_label("New collection").fill("Everything")
    asked[0].fulfill(json={"items": [{"id": "another", "name": "Another"}]})  # they come while the name is typed
    expect(page.locator(".choices")).to_contain_text("Another")
    page.keyboard.press("Enter")
    expect(page.locator("#toasts")).to_contain_text("Saved to Everything")

    page.get_by_text("As a list").click()
    page.get_by_role("button", name="Play high 0.wav").click()
    expect(page.locator("#player .name")).to_have_text("high 0.wav")


def slowly(route: Route, asked: list[Route]) -> None:
    """Lets all pass but questions, which are kept in ``asked``."""
    if route.request.method == "GET":
        asked.append(route)
    else:
        route.continue_()


def judge(page: Page, key: str) -> None:
    """Says the same of the first five sounds."""
    for _ in range(5):
        hits(page).first.focus()
        left = hits(page).count()
        page.keyboard.press(key)
        expect(hits(page)).to_have_count(left - 1)


def test_a_sound_is_taught(page: Page, site: Site):
    page.goto(site.at(f"recording/{site.ids['high 0.wav']}"))
    page.get_by_role("button", name=re.compile("^High tone, ")).first.click()
    page.get_by_role("button", name="Teach this sound").click()
    page.get_by_role("dialog").get_by_label("Its name").fill("Beep")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Teach “Beep”")
    learn = page.get_by_role("button", name="Learn")
    expect(hits(page).first).to_be_focused()
    expect(learn).to_be_disabled()
    judge(page, "y")
    page.goto(site.at(f"teach/Beep?like=r.{site.ids['low 0.wav']}@0-2"))
    expect(hits(page).first).to_contain_text("low")
    expect(page.locator(".tally")).to_contain_text("5 yes")
    judge(page, "n")
    learn.click()
    expect(page.locator("#toasts")).to_contain_text("Learned Beep", timeout=60_000)
    page.get_by_role("button", name="Best first").click()
    expect(hits(page).first).to_contain_text("high")

    page.goto(site.at("teach"))
    expect(page.locator(".taught")).to_contain_text("Beep")
    page.get_by_role("button", name="Forget Beep").click()
    expect(page.locator(".taught")).to_have_count(0)
    page.get_by_role("button", name="Undo").click()
    expect(page.locator(".taught")).to_contain_text("Beep")
