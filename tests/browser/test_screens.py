"""Every page in every state: axe finds nothing, nothing scrolls sideways, whatever the names are."""

from collections.abc import Iterator
from itertools import product
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from app.domain.language import Language
from app.web.screens.gallery import SCREENS
from tests.browser.accessibility import check_accessible, second_opinion
from tools.gallery import write_gallery


@pytest.fixture(scope="module")
def gallery(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("gallery")
    write_gallery(folder)
    return folder


@pytest.fixture(scope="module")
def page(browser: Browser) -> Iterator[Page]:
    """One tab for all of them. Motion is off: colours in transition have no contrast to measure."""
    page = browser.new_page(reduced_motion="reduce")
    yield page
    page.close()


@pytest.mark.parametrize(("name", "language"), list(product(SCREENS, Language)))
def test_a_screen_is_accessible_and_fits(gallery: Path, page: Page, name: str, language: Language) -> None:
    page.goto((gallery / f"{name}.{language}.html").as_uri())
    check_accessible(page)
    assert second_opinion(page) == []


def test_the_second_opinion_finds_what_is_wrong(gallery: Path, page: Page) -> None:
    page.goto((gallery / "sign-in.en.html").as_uri())
    page.evaluate("document.querySelector('label[for=user_name]').remove()")
    page.evaluate("document.documentElement.removeAttribute('lang')")
    found = " ".join(second_opinion(page))
    assert "4_1_2.H91.InputText.Name" in found
    assert "3_1_1.H57" in found


@pytest.mark.parametrize("name", SCREENS)
def test_a_text_that_is_two_thirds_longer_fits_a_phone(gallery: Path, page: Page, name: str) -> None:
    page.set_viewport_size({"width": 320, "height": 640})
    page.goto((gallery / f"{name}.x.html").as_uri())
    assert page.evaluate("document.documentElement.scrollWidth") <= 320
