"""The form is read in a minute: how many words it has, how much of a phone it fills, and text that is made large."""

from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Final

import pytest
from playwright.sync_api import Browser, Page, ViewportSize, expect

from app.development.screens.gallery import SCREENS
from app.domain.language import Language
from tests.browser.accessibility import broken_words

PHONE: Final[ViewportSize] = {"width": 390, "height": 844}
WORDS_IN_A_MINUTE = 238  # read silently, most adults (Brysbaert 2019)
# By how many types of data are asked for, and the language.
MOST_WORDS = {
    ("form", "en"): 260,
    ("form", "fr"): 290,
    ("form-three", "en"): 200,
    ("form-three", "fr"): 220,
}
# The same where accounts are chosen, without their names.
MOST_WORDS_BESIDE_ACCOUNTS = {
    ("accounts", "en"): 120,
    ("accounts", "fr"): 130,
    ("form-accounts", "en"): 210,
    ("form-accounts", "fr"): 230,
}
_WITHOUT_ACCOUNTS = """() => {
  const names = ".row label, .heard, .digits, #chosen-accounts [lang='']";
  for (const name of document.querySelectorAll(names)) name.remove();
}"""
_WORDS = "document.body.innerText.split(/\\s+/).filter(Boolean).length"
_HEIGHT = "document.documentElement.scrollHeight"
_LONG_NAMES = "-hostile"  # screens about names of hundreds of letters, which nobody can keep on a line


@pytest.fixture(scope="module")
def phone(browser: Browser) -> Iterator[Page]:
    page = browser.new_page(viewport=PHONE, reduced_motion="reduce")
    yield page
    page.close()


def open_screen(page: Page, gallery: Path, name: str, lang: str) -> None:
    page.goto((gallery / f"{name}.{lang}.html").as_uri())


@pytest.mark.parametrize(("name", "lang"), MOST_WORDS)
def test_the_form_has_no_more_words_than_are_read_in_a_minute_and_a_bit(
    gallery: Path, phone: Page, name: str, lang: str
) -> None:
    open_screen(phone, gallery, name, lang)
    words = phone.evaluate(_WORDS)
    assert words <= MOST_WORDS[name, lang]
    if name == "form-three":
        assert words / WORDS_IN_A_MINUTE * 60 <= 55


@pytest.mark.parametrize(("name", "lang"), MOST_WORDS_BESIDE_ACCOUNTS)
def test_choosing_accounts_adds_few_words(gallery: Path, phone: Page, name: str, lang: str) -> None:
    open_screen(phone, gallery, name, lang)
    phone.evaluate(_WITHOUT_ACCOUNTS)
    assert phone.evaluate(_WORDS) <= MOST_WORDS_BESIDE_ACCOUNTS[name, lang]


@pytest.mark.parametrize("lang", Language)
def test_signing_in_and_answering_take_little_more_than_a_minute_to_read(
    gallery: Path, phone: Page, lang: Language
) -> None:
    words = 0
    for name in ("sign-in", "form-three"):
        open_screen(phone, gallery, name, lang)
        words += phone.evaluate(_WORDS)
    assert words / WORDS_IN_A_MINUTE * 60 <= 70


@pytest.mark.parametrize("lang", Language)
def test_the_first_box_is_in_the_first_screen_of_a_phone(gallery: Path, phone: Page, lang: Language) -> None:
    open_screen(phone, gallery, "form", lang)
    box = phone.locator("[type=checkbox]").first.bounding_box()
    assert box is not None
    assert box["y"] + box["height"] <= PHONE["height"]


@pytest.mark.parametrize("lang", Language)
def test_three_types_of_data_and_both_buttons_are_less_than_two_screens(
    gallery: Path, phone: Page, lang: Language
) -> None:
    open_screen(phone, gallery, "form-three", lang)
    answer = phone.locator("#answer").bounding_box()
    assert answer is not None
    assert answer["y"] + answer["height"] <= 1.8 * PHONE["height"]


@pytest.mark.parametrize(("name", "lang"), list(product(SCREENS, Language)))
def test_text_twice_as_large_breaks_no_word(gallery: Path, phone: Page, name: str, lang: Language) -> None:
    open_screen(phone, gallery, name, lang)
    phone.add_style_tag(content="html { font-size: 200% }")
    if _LONG_NAMES not in name:
        assert broken_words(phone) == []
    assert phone.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    widths = {
        round(button.bounding_box()["width"])  # type: ignore[index]  # they are drawn
        for button in phone.locator("#answer button").all()
        if button.is_visible()
    }
    assert len(widths) <= 1, "the two answers are equally wide"


def test_a_word_that_is_broken_is_found(gallery: Path, phone: Page) -> None:
    open_screen(phone, gallery, "form", "en")
    phone.add_style_tag(content="#answer button { width: 3rem; overflow-wrap: anywhere }")
    assert "share" in broken_words(phone)


def test_the_whole_row_is_the_target_of_its_box(gallery: Path, phone: Page) -> None:
    open_screen(phone, gallery, "form", "en")
    row = phone.locator("[data-cluster=TRANSACTIONS]")
    place = row.bounding_box()
    assert place is not None
    assert place["height"] >= 44
    for x, y in ((4, 4), (place["width"] / 2, place["height"] - 4), (place["width"] - 4, 4)):
        row.click(position={"x": x, "y": y})
    expect(row.locator("input")).to_be_checked()
    row.locator("summary").click()
    expect(row.locator("input")).to_be_checked()
    expect(row.locator(".items")).to_be_visible()


def test_what_is_checked_is_counted_and_named_beside_the_buttons(gallery: Path, phone: Page) -> None:
    open_screen(phone, gallery, "form", "en")
    counted = phone.locator(".sum [role=status]")
    expect(counted).to_have_text("1 of 8: Basic account details")
    phone.check("#scope-TRANSACTIONS")
    expect(counted).to_have_text("2 of 8: Basic account details, Transactions")
    phone.click("button[name=check][value=all]")
    expect(counted).to_contain_text("8 of 8: ")
    assert phone.locator("[type=checkbox]:checked").count() == 7
    phone.click("button[name=check][value=none]")
    expect(counted).to_have_text("1 of 8: Basic account details")
