"""Every page in every state: axe finds nothing, nothing scrolls sideways, whatever the names are."""

from collections.abc import Iterator
from itertools import product
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from app.development.screens.gallery import SCREENS
from app.domain.language import Language
from tests.browser.accessibility import NARROW, check_accessible, check_fits, second_opinion
from tests.support import texts
from tools.gallery import INDEX

UNFOLD = "for (const details of document.querySelectorAll('details')) details.open = true"


@pytest.fixture(scope="module")
def page(browser: Browser) -> Iterator[Page]:
    """One tab for all of them. Motion is off: colours in transition have no contrast to measure."""
    page = browser.new_page(reduced_motion="reduce")
    yield page
    page.close()


@pytest.mark.parametrize(("name", "language"), list(product(SCREENS, Language)))
def test_a_screen_is_accessible_and_fits(gallery: Path, page: Page, name: str, language: Language) -> None:
    page.goto((gallery / f"{name}.{language}.html").as_uri())
    page.evaluate(UNFOLD)
    check_accessible(page)
    assert second_opinion(page) == []


def test_the_second_opinion_finds_what_is_wrong(gallery: Path, page: Page) -> None:
    page.goto((gallery / "sign-in.en.html").as_uri())
    page.evaluate("document.querySelector('label[for=user_name]').remove()")
    page.evaluate("document.documentElement.removeAttribute('lang')")
    found = " ".join(second_opinion(page))
    assert "4_1_2.H91.InputText.Name" in found
    assert "3_1_1.H57" in found


def test_a_list_without_marks_that_does_not_say_so_is_found(gallery: Path, page: Page) -> None:
    page.goto((gallery / "connection.en.html").as_uri())
    assert page.locator("ol[role=list], ul[role=list]").count() > 2
    page.locator("ol.history").evaluate("(list) => list.removeAttribute('role')")
    with pytest.raises(AssertionError, match="history"):
        check_accessible(page)


@pytest.mark.parametrize("name", SCREENS)
def test_a_text_that_is_two_thirds_longer_fits_a_phone(gallery: Path, page: Page, name: str) -> None:
    page.goto((gallery / f"{name}.x.html").as_uri())
    page.evaluate(UNFOLD)
    check_fits(page, NARROW)


def test_the_copy_opens_from_a_disk_and_asks_for_nothing_else(browser: Browser, gallery: Path) -> None:
    asked: list[str] = []
    failed: list[str] = []
    page = browser.new_page()
    page.on("request", lambda request: asked.append(request.url))
    page.on("requestfailed", lambda request: failed.append(request.url))
    page.goto((gallery / INDEX).as_uri())
    page.frame_locator("iframe").first.locator("h1").wait_for()
    page.close()
    assert failed == []
    assert [url for url in asked if not url.startswith(gallery.as_uri())] == []


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("form-running-out", texts.LESS_THAN_2_MINUTES),
        ("form-run-out", texts.TIME_IS_OVER),
    ],
)
def test_a_page_that_comes_late_offers_more_time_at_once(
    gallery: Path, page: Page, name: str, said: texts.Text
) -> None:
    page.goto((gallery / f"{name}.en.html").as_uri())
    assert said["en"] in page.locator("#time-offer").inner_text()
