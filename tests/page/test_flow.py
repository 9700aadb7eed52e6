"""From a question to an answer and back: searching, hearing, correcting, taking away."""

import re

import numpy as np
import pytest
from playwright.sync_api import Page, expect

from tests.page.conftest import HOSTILE, Site, hits, like, save, tone

pytestmark = pytest.mark.timeout(120)


def is_playing(page: Page) -> None:
    expect(page.locator("#player").get_by_role("button", name="Pause", exact=True)).to_be_visible()


def test_search_play_confirm_reload_export(page: Page, site: Site):
    page.goto(site.at("library"))
    page.get_by_role("link", name="long.flac").click()
    page.get_by_role("button", name=re.compile("^High tone, ")).first.click()
    page.get_by_role("link", name="More like this").click()

    expect(hits(page).first).to_be_visible()
    names = hits(page).locator(".name").all_text_contents()
    assert "long.flac" in names
    assert any("high" in name for name in names)
    assert not any(name.startswith(("low", "middle")) for name in names)

    hits(page).first.get_by_role("button", name=re.compile("^Play ")).click()
    is_playing(page)
    expect(page.locator("#player output")).to_have_text(re.compile(r"^0:0(0\.[3-9]|[1-9]\.\d) / "))

    hits(page).filter(has_text="long.flac").first.locator(".name").click()
    event = page.get_by_role("button", name=re.compile("^High tone, ")).first
    event.click()
    page.get_by_role("button", name="Confirm").click()
    expect(event).to_have_attribute("aria-label", re.compile(", confirmed$"))

    page.reload()
    expect(page.get_by_role("button", name=re.compile("^High tone, .*, confirmed$"))).to_be_visible()
    expect(page.locator(".labels")).to_contain_text("High tone")

    page.get_by_label("Format").select_option("csv")
    with page.expect_download() as download:
        page.get_by_role("link", name="Export").click()
    table = download.value.path().read_text()
    assert "High tone" in table
    assert "long.flac" in table

    page.get_by_role("button", name="Undo", exact=True).click()
    expect(page.get_by_role("button", name=re.compile("^High tone, .*, confirmed$"))).to_have_count(0)


def test_back_leads_through_the_questions(page: Page, site: Site):
    page.goto(like(site))
    expect(hits(page).first).to_be_visible()
    page.locator(".facet", has_text="High tone").first.click()
    expect(page.locator(".chips")).to_contain_text("has High tone")
    assert "tag=High+tone" in page.url
    page.go_back()
    expect(page.locator(".chips")).not_to_contain_text("has High tone")
    page.go_forward()
    page.locator(".chip", has_text="has High tone").locator(".remove").click()
    expect(page.locator(".chips")).not_to_contain_text("has High tone")


def test_more_less_and_not_like_this(page: Page, site: Site):
    page.goto(like(site))
    row = hits(page).filter(has_text="high 2.wav").first
    row.get_by_role("button", name="More like this").click()
    expect(page.locator(".chip.example.like")).to_have_count(2)
    row = hits(page).filter(has_text="high 3.wav").first
    row.get_by_role("button", name="Less like this").click()
    expect(page.locator(".chip.example.not")).to_contain_text("less like")
    page.go_back()
    page.go_back()
    expect(page.locator(".chip.example")).to_have_count(1)

    hits(page).filter(has_text="high 4.wav").first.get_by_role("button", name="Not this").click()
    expect(hits(page).filter(has_text="high 4.wav")).to_have_count(0)
    page.reload()
    expect(hits(page).first).to_be_visible()
    expect(hits(page).filter(has_text="high 4.wav")).to_have_count(0)
    page.locator(".chip", has_text="1 hidden").locator(".remove").click()
    expect(hits(page).filter(has_text="high 4.wav").first).to_be_visible()


def test_a_file_and_a_part_of_it(page: Page, site: Site, tmp_path):
    mixed = save(tmp_path / "mixed.wav", np.concatenate([tone(4100, 3), tone(125, 3)]))
    page.goto(site.at("search"))
    page.locator("input[type=file]").set_input_files(mixed)
    expect(page.locator(".chip.example")).to_contain_text("mixed.wav")
    expect(page.locator(".range canvas")).to_be_visible()
    page.get_by_label("Stretch in seconds").fill("3.5-6")
    page.keyboard.press("Enter")
    expect(page.locator(".chip.example")).to_contain_text("0:03.5 – 0:06.0")
    expect(hits(page).first).to_contain_text("Low tone")
    page.get_by_role("button", name="Play the part").click()
    is_playing(page)

    box = page.locator("#words")
    box.fill("0-2")
    box.press("Enter")
    expect(page.locator(".chip.example")).to_contain_text("0:00.0 – 0:02.0")
    expect(hits(page).first).to_contain_text("High tone")

    strip = page.locator(".strip").bounding_box()
    assert strip
    y = strip["y"] + strip["height"] / 2
    page.mouse.move(strip["x"] + 0.5 * strip["width"], y)
    page.mouse.down()
    page.mouse.move(strip["x"] + 0.75 * strip["width"], y, steps=5)
    page.mouse.up()
    expect(page.locator(".chip.example")).to_contain_text("0:03.0 – 0:04.5")


def test_microphone(page: Page, site: Site):
    page.goto(site.at("search"))
    page.get_by_role("button", name="Record a sound with the microphone").click()
    expect(page.locator(".status")).to_contain_text(re.compile(r"0:01\.\d"))
    page.get_by_role("button", name="Stop and search").click()
    expect(page.locator(".chip.example")).to_contain_text(re.compile(r"Recording .*\.wav"))
    expect(page.locator(".results .hit, .results .state h2").first).to_be_visible()
    expect(page.locator(".range canvas")).to_be_visible()


def test_nothing_like_that_is_said_with_the_best_score(page: Page, site: Site, tmp_path):
    page.goto(like(site))
    expect(hits(page).first).to_be_visible()
    page.get_by_label("from").fill("3600")
    page.get_by_label("from").press("Enter")
    expect(page.locator(".results h2")).to_have_text("Nothing like that here")
    expect(page.locator(".results")).to_contain_text(re.compile(r"scores 0\.\d\d"))


def test_problems_are_told_with_their_remedy(page: Page, site: Site):
    page.watch.expected = ("404", "ERR_FAILED", "Failed to load resource")
    page.goto(site.at("recording/" + "0" * 32))
    expect(page.get_by_role("alert")).to_contain_text("There is no recording")

    page.route("**/api/v1/**", lambda route: route.abort())
    page.goto(like(site))
    expect(page.locator(".results [role=alert]")).to_contain_text("The server does not answer")
    page.unroute("**/api/v1/**")
    page.get_by_role("button", name="Try again").click()
    expect(hits(page).first).to_be_visible()


def test_names_are_text_whatever_they_hold(page: Page, site: Site):
    page.goto(site.at(f"recording/{site.ids[HOSTILE]}"))
    expect(page.get_by_role("heading", level=1)).to_have_text(HOSTILE)
    page.goto(like(site))
    expect(hits(page).filter(has_text="onerror").first).to_be_visible()
    assert page.locator("main img[src='x']").count() == 0
    assert page.title() != "owned"


def test_an_empty_library_says_what_to_do(page: Page, site: Site):
    page.goto(site.at("search"))
    page.get_by_role("combobox", name="Library").select_option("empty")
    expect(page.get_by_role("heading", name="Nothing has been heard yet")).to_be_visible()
    page.get_by_role("link", name="Index a folder").click()
    expect(page.get_by_role("heading", name="Listen to a folder")).to_be_visible()
