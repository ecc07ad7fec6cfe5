"""Pages for those who set their own colours, want nothing to move, zoom in, or print."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import Browser, Page, expect

from app.development.screens.gallery import SCREENS
from app.registration.contrast import contrast
from tests.browser.accessibility import broken_words
from tests.support import texts

_EDGES = """() => [...document.querySelectorAll("button:not(.enter):not(.plain):not(.language), .button, input:not([type=hidden])")]
  .map((control) => ({ name: control.outerHTML.slice(0, 100), edge: getComputedStyle(control).borderTopWidth,
                       ink: getComputedStyle(control).color, ground: getComputedStyle(control).backgroundColor }))"""
_MOVES = """() => [...document.querySelectorAll("*")]
  .filter((element) => {
    const style = getComputedStyle(element);
    return style.transitionDuration.split(", ").some((time) => parseFloat(time) > 0) || style.animationName !== "none";
  })
  .map((element) => element.outerHTML.slice(0, 100))"""


at_both_lights = pytest.mark.parametrize("light", ["light", "dark"])


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    page = browser.new_page()
    yield page
    page.close()


@pytest.mark.parametrize("name", ["form", "sign-in-failed", "connection", "stop", "error-expired"])
def test_in_forced_colours_every_control_has_an_edge_and_its_text_differs_from_its_ground(
    gallery: Path, page: Page, name: str
) -> None:
    page.emulate_media(forced_colors="active")
    page.goto((gallery / f"{name}.en.html").as_uri())
    controls = page.evaluate(_EDGES)
    assert controls
    for control in controls:
        is_box = 'type="checkbox"' in control["name"]  # drawn by the browser
        assert is_box or control["edge"] != "0px", control
        assert is_box or control["ink"] != control["ground"], control
    expect(page.locator(".band")).to_be_hidden()


def style(page: Page, element: str, name: str, part: str | None = None) -> str:
    """The computed value of a property; colours as #rrggbb."""
    script = "([found, name, part]) => getComputedStyle(document.querySelector(found), part)[name]"
    value = str(page.evaluate(script, [element, name, part]))
    rgb = re.fullmatch(r"rgb\((\d+), (\d+), (\d+)\)", value)
    return value if rgb is None else "#{:02x}{:02x}{:02x}".format(*map(int, rgb.groups()))


@at_both_lights
def test_a_box_is_drawn_and_its_edge_is_seen(
    gallery: Path, page: Page, light: Literal["light", "dark"]
) -> None:
    page.emulate_media(color_scheme=light)
    page.goto((gallery / "form.en.html").as_uri())
    box = "[type=checkbox]"
    assert style(page, box, "appearance") == "none"
    assert (
        contrast(style(page, box, "borderTopColor"), style(page, "main", "backgroundColor")) >= 3
    )  # WCAG 1.4.11
    page.check("#scope-TRANSACTIONS")
    checked = "#scope-TRANSACTIONS"
    ground = style(page, checked, "backgroundColor")
    assert contrast(style(page, checked, "borderTopColor", "::before"), ground) >= 3


@at_both_lights
def test_neither_answer_is_filled(gallery: Path, page: Page, light: Literal["light", "dark"]) -> None:
    page.emulate_media(color_scheme=light)
    for name in ("form", "stop"):
        page.goto((gallery / f"{name}.en.html").as_uri())
        for answer in (".answers > :first-child", ".answers > :last-child"):
            assert style(page, answer, "backgroundColor") == style(page, "main", "backgroundColor")
            assert style(page, answer, "borderTopWidth") != "0px"


def test_what_was_just_stopped_is_a_panel_with_a_bar_and_a_check_and_the_rest_is_a_line(
    gallery: Path, page: Page
) -> None:
    page.goto((gallery / "connection-stopped.en.html").as_uri())
    assert style(page, "#stopped", "borderInlineStartWidth") == "6px"
    assert style(page, "#stopped", "borderTopWidth") == "0px", "no input"
    assert style(page, "#stopped", "content", "::before") == '""'
    assert style(page, "#stopped", "backgroundColor") != style(page, "main", "backgroundColor")
    page.goto((gallery / "connection-revoked.en.html").as_uri())
    assert style(page, "#stopped", "borderInlineStartWidth") == "0px"
    assert style(page, "#stopped", "content", "::before") == "none"


def test_on_a_wide_screen_the_band_is_as_wide_as_the_window_and_the_text_is_not(
    gallery: Path, page: Page
) -> None:
    page.set_viewport_size({"width": 1280, "height": 800})
    page.goto((gallery / "form.en.html").as_uri())
    wide, text = (page.locator(part).bounding_box() for part in ("header", "main"))
    assert wide is not None
    assert text is not None
    assert (wide["x"], wide["y"], wide["width"]) == (0, 0, 1280)
    assert text["width"] <= 42 * 16
    assert text["x"] == pytest.approx((1280 - text["width"]) / 2, abs=1), "in the middle"


def test_nothing_moves_for_who_wants_nothing_to_move(gallery: Path, page: Page) -> None:
    page.emulate_media(reduced_motion="no-preference")
    page.goto((gallery / "form.en.html").as_uri())
    assert page.evaluate(_MOVES) != []
    page.emulate_media(reduced_motion="reduce")
    for name in SCREENS:
        page.goto((gallery / f"{name}.en.html").as_uri())
        assert page.evaluate(_MOVES) == [], name


def test_at_four_times_the_size_nothing_scrolls_sideways_and_text_is_as_large_as_asked(
    gallery: Path, browser: Browser
) -> None:
    """A window of 1280 pixels at 400 % is one of 320, with four pixels for each."""
    page = browser.new_page(viewport={"width": 320, "height": 256}, device_scale_factor=4)
    for name in ("form", "form-repeat", "connection", "connections-several", "stop-one", "sign-in-slowed"):
        page.goto((gallery / f"{name}.fr.html").as_uri())
        assert page.evaluate("document.documentElement.scrollWidth") <= 320, name
    page.close()


@pytest.mark.parametrize("lang", ["en", "fr"])
def test_on_a_phone_no_word_is_broken(gallery: Path, page: Page, lang: str) -> None:
    """But for names that are made to be too long."""
    page.set_viewport_size({"width": 320, "height": 900})
    for name in SCREENS:
        if "hostile" not in name:
            page.goto((gallery / f"{name}.{lang}.html").as_uri())
            assert broken_words(page) == [], name


@pytest.mark.parametrize("width", [320, 640, 1280])
def test_text_twice_as_large_still_fits(gallery: Path, page: Page, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 900})
    for name in SCREENS:
        page.goto((gallery / f"{name}.fr.html").as_uri())
        page.evaluate("document.documentElement.style.fontSize = '200%'")
        assert page.evaluate("document.documentElement.scrollWidth") <= width, name


def test_the_receipt_prints_one_language_a_page_and_without_links_to_press(gallery: Path, page: Page) -> None:
    page.goto((gallery / "connection.en.html").as_uri())
    page.emulate_media(media="print")
    receipts = page.locator("dl.facts")
    expect(receipts).to_have_count(2)
    for receipt, words in zip(receipts.all(), texts.HOW_TO_STOP.values(), strict=True):
        expect(receipt).to_contain_text(words)
        expect(receipt).to_be_visible()
    assert page.locator(".other-receipt").evaluate("(part) => getComputedStyle(part).breakBefore") == "page"
    for unprinted in ("#stop", ".language", ".band", "[href$='receipt.json']", "[href$='end-date.ics']"):
        expect(page.locator(unprinted).first).to_be_hidden()
    assert page.pdf(format="Letter").count(b"/Type /Page\n") >= 2


@pytest.mark.parametrize("name", ["connections-several", "connections-one"])
def test_what_one_shares_prints_as_a_list_without_links_to_press(
    gallery: Path, page: Page, name: str
) -> None:
    page.goto((gallery / f"{name}.fr.html").as_uri())
    page.emulate_media(media="print")
    expect(page.locator(".connection").first).to_be_visible()
    for link in page.locator(".connection a, .signed-in button").all():
        expect(link).to_be_hidden()


def test_the_form_prints_with_what_is_folded_away_and_without_buttons(gallery: Path, page: Page) -> None:
    page.goto((gallery / "form.en.html").as_uri())
    page.emulate_media(media="print")
    expect(page.locator("[data-cluster=TRANSACTIONS] .items")).to_be_visible()
    for unprinted in (".answers", ".language", ".plain >> nth=0", ".band", ".time-offer"):
        expect(page.locator(unprinted)).to_be_hidden()
