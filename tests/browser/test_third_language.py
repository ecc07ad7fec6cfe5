"""A page in a language that is written from right to left is one, and a borrowed name is not turned round in it."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from tests.browser.accessibility import check_accessible
from tools.gallery import file_of

# How far the first thing within an element is from its right edge, and from its left.
_MARGINS = """(element) => {
  const outer = element.getBoundingClientRect(), inner = element.firstElementChild.getBoundingClientRect();
  return [outer.right - inner.right, inner.left - outer.left];
}"""


@pytest.fixture(scope="module")
def page(browser: Browser) -> Iterator[Page]:
    page = browser.new_page(reduced_motion="reduce")
    yield page
    page.close()


@pytest.mark.parametrize("name", ["form", "connections-one", "connection", "sign-in", "error-expired"])
@pytest.mark.parametrize("lang", ["ar", "cr"])
def test_a_screen_in_another_script_is_accessible_and_fits(
    four_languages: Path, page: Page, name: str, lang: str
) -> None:
    page.goto((four_languages / file_of(name, lang)).as_uri())
    assert page.evaluate("getComputedStyle(document.body).direction") == ("rtl" if lang == "ar" else "ltr")
    check_accessible(page)


def test_what_begins_on_the_left_begins_on_the_right(four_languages: Path, page: Page) -> None:
    page.set_viewport_size({"width": 1280, "height": 900})
    for lang in ("ar", "cr"):
        page.goto((four_languages / file_of("form", lang)).as_uri())
        for place in (".bar", ".items ul"):
            page.evaluate("for (const details of document.querySelectorAll('details')) details.open = true")
            at_right, at_left = page.locator(place).first.evaluate(_MARGINS)
            padding = at_right if lang == "ar" else at_left
            assert 0 < padding < 100, place
        row = page.locator("[data-cluster=TRANSACTIONS]").bounding_box()
        box = page.locator("#scope-TRANSACTIONS").bounding_box()
        assert row is not None
        assert box is not None
        is_at_the_left = box["x"] < row["x"] + row["width"] / 2
        assert is_at_the_left == (lang == "cr")
