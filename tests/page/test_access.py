"""For everybody, everywhere: accessibility, keyboard, themes, widths; no complaint of the browser."""

import re

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tests.page.conftest import Site, hits, like, watched

pytestmark = pytest.mark.timeout(180)

VIEWS = ("search", "hits", "part", "recording", "selected", "collections", "library", "teach", "help", "map")


def visit(page: Page, site: Site, view: str) -> None:
    """Goes to a view and waits until what it loads is there."""
    recording = site.at(f"recording/{site.ids['long.flac']}?t=10&e=14")
    page.goto(
        {"hits": like(site), "part": like(site), "selected": recording, "recording": recording}.get(view, site.at(view))
    )
    if view in ("hits", "part"):
        expect(hits(page).first).to_be_visible()
        expect(page.locator(".facet").first).to_be_attached()
    if view == "part":
        page.locator(".chip .body").click()
        expect(page.locator(".range")).to_be_visible()
    if view in ("recording", "selected"):
        expect(page.locator(".event").first).to_be_visible()
    if view == "selected":
        page.locator(".event").first.click()
        expect(page.get_by_role("button", name="Confirm")).to_be_visible()
    if view == "library":
        expect(page.locator("tbody tr").first).to_be_visible()
    if view == "map":
        expect(page.locator(".legend button").first).to_be_visible(timeout=60_000)
    if view == "help":
        page.get_by_role("button", name="Keyboard shortcuts").click()
        expect(page.get_by_role("dialog")).to_be_visible()
    expect(page.locator(".skeletons")).to_have_count(0)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious(browser, site: Site, scheme):
    with watched(
        browser, viewport={"width": 1280, "height": 900}, color_scheme=scheme, reduced_motion="reduce"
    ) as page:
        for view in VIEWS:
            visit(page, site, view)
            found = Axe().run(page).response["violations"]
            serious = [
                (violation["id"], violation["impact"], [node["html"][:200] for node in violation["nodes"]][:3])
                for violation in found
                if violation["impact"] in ("serious", "critical")
            ]
            assert serious == [], view


@pytest.mark.parametrize("width", [380, 1600])
def test_no_view_is_wider_than_the_window(browser, site: Site, width):
    with watched(browser, viewport={"width": width, "height": 800}) as page:
        for view in VIEWS:
            visit(page, site, view)
            wide = page.evaluate(
                "[...document.querySelectorAll('body *')].filter(e => {"
                "  const box = e.getBoundingClientRect();"
                "  return box.width > 1 && box.right > document.documentElement.clientWidth + 1"
                "    && !e.closest('.lanes, .surface, .ruler, .overview, .tile, .unseen, dialog');"
                "}).map(e => e.outerHTML.slice(0, 120))"
            )
            assert wide == [], view
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), view


def test_by_keyboard_alone(page: Page, site: Site):
    page.goto(site.at("library"))
    expect(page.locator("tbody tr").first).to_be_visible()
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to content")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_be_focused()

    page.keyboard.press("/")
    expect(page.locator("#words")).to_be_focused()
    page.goto(like(site))
    expect(hits(page).first).to_be_visible()
    page.locator("body").click(position={"x": 2, "y": 2})
    page.keyboard.press("ArrowDown")
    expect(hits(page).nth(0)).to_be_focused()
    page.keyboard.press("ArrowDown")
    expect(hits(page).nth(1)).to_be_focused()
    page.keyboard.press(" ")
    expect(page.locator("#player").get_by_role("button", name="Pause", exact=True)).to_be_visible()
    page.keyboard.press("ArrowUp")
    expect(hits(page).nth(0)).to_be_focused()
    name = hits(page).nth(0).locator(".name").text_content()
    expect(page.locator("#player .name")).to_have_text(name or "")  # the sound follows the arrow keys
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text(name or "")

    expect(page.locator(".event").first).to_be_visible()
    page.keyboard.press("k")
    expect(page.locator(".event[aria-pressed=true]")).to_have_count(1)
    page.keyboard.press("x")
    expect(page.locator(".event.rejected")).to_have_count(1)
    page.keyboard.press("r")
    page.keyboard.type("My own name")
    page.keyboard.press("Enter")
    expect(page.locator(".event.renamed")).to_contain_text("My own name")
    page.keyboard.press("u")
    expect(page.locator(".event.rejected")).to_have_count(1)
    page.keyboard.press("u")
    expect(page.locator(".event.rejected")).to_have_count(0)
    for key in "++0":
        page.keyboard.press(key)
    page.keyboard.press("?")
    expect(page.get_by_role("dialog")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)


def test_a_region_is_drawn_and_named(page: Page, site: Site):
    visit(page, site, "recording")
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Draw").click()
    surface = page.locator(".surface").bounding_box()
    assert surface
    page.mouse.move(surface["x"] + 0.25 * surface["width"], surface["y"] + 0.2 * surface["height"])
    page.mouse.down()
    page.mouse.move(surface["x"] + 0.5 * surface["width"], surface["y"] + 0.6 * surface["height"], steps=4)
    page.mouse.up()
    expect(page.get_by_label("From, seconds")).to_have_value(re.compile(r"^[56]\.\d\d$"))  # a quarter of 24 s
    low, high = (float(page.get_by_label(label).input_value()) for label in ("Low, Hz", "High, Hz"))
    assert 0 < low < high < 8000
    page.get_by_label("What is it?").fill("Hum")
    page.keyboard.press("Enter")
    expect(page.locator(".box")).to_contain_text("Hum")
    expect(page.get_by_role("button", name=re.compile("^Hum, .*, drawn$"))).to_be_visible()
    page.reload()
    expect(page.locator(".labels")).to_contain_text("Hum")
    page.get_by_role("button", name="Remove Hum").click()
    expect(page.locator(".labels")).to_have_count(0)


def test_a_region_loops(page: Page, site: Site):
    visit(page, site, "recording")
    page.keyboard.press("o")
    expect(page.get_by_role("button", name="Loop", exact=True).first).to_have_attribute("aria-pressed", "true")
    expect(page.locator("#player .what")).to_contain_text("0:10.0 – 0:14.0")
    page.keyboard.press(" ")
    expect(page.locator(".toolbar").get_by_role("button", name="Play", exact=True)).to_be_visible()


def test_the_theme_follows_the_system_until_chosen(browser, site: Site):
    ground = "getComputedStyle(document.body).backgroundColor"
    with watched(browser, color_scheme="dark") as page:
        page.goto(site.at("search"))
        button = page.locator("#theme")
        expect(button).to_have_attribute("aria-label", "Theme: as the system")
        dark = page.evaluate(ground)
        button.click()
        expect(button).to_have_attribute("aria-label", "Theme: light")
        assert page.evaluate(ground) != dark
        page.reload()
        expect(button).to_have_attribute("aria-label", "Theme: light")
        assert page.evaluate(ground) != dark


def test_nothing_is_fetched_from_elsewhere(page: Page, site: Site):
    asked: set[str] = set()
    page.on("request", lambda request: asked.add(request.url))
    for view in VIEWS:
        visit(page, site, view)
    assert {url for url in asked if not url.startswith((site.url, "blob:", "data:"))} == set()
