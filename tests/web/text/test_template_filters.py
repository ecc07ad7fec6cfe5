"""What every page does with dates, registered names and languages."""

from collections.abc import Callable
from datetime import UTC, date, datetime

import pytest
from flask import Flask

from app.development.screens import parties
from app.development.screens.gallery import SCREENS
from app.domain.language import Language
from app.web.text.template_filters import long_date, long_time
from tests.support.applications import Clock
from tests.support.customer import BrowserCustomer
from tests.support.ledger_tables import LedgerTables
from tests.support.page_contract import ContractClient, Element, parse_page

START = {"en": "January\N{NO-BREAK SPACE}1, 2027", "fr": "1er\N{NO-BREAK SPACE}janvier 2027"}
END = {"en": "January\N{NO-BREAK SPACE}1, 2028", "fr": "1er\N{NO-BREAK SPACE}janvier 2028"}
PURPOSES = [
    text
    for client in (parties.BUDGET, parties.LOANS, parties.LONG_PURPOSE)
    for text in (client.purpose, *client.cluster_purposes.values())
    if text is not None
]
ShowScreen = Callable[[str, str], Element]


@pytest.fixture
def screens(client: ContractClient) -> ShowScreen:
    return lambda name, lang: parse_page(client.get(f"/dev/screens/{name}?lang={lang}").text)


# Dates


@pytest.mark.parametrize(
    ("day", "written"),
    [
        (date(2026, 12, 1), {"en": "December 1, 2026", "fr": "1er décembre 2026"}),
        (date(2026, 12, 2), {"en": "December 2, 2026", "fr": "2 décembre 2026"}),
        (date(2026, 12, 11), {"en": "December 11, 2026", "fr": "11 décembre 2026"}),
        (date(2026, 12, 21), {"en": "December 21, 2026", "fr": "21 décembre 2026"}),
        (date(2027, 1, 31), {"en": "January 31, 2027", "fr": "31 janvier 2027"}),
    ],
)
def test_the_first_of_a_month_is_written_as_each_language_does(
    app: Flask, lang: str, day: date, written: dict[str, str]
) -> None:
    noon = datetime(day.year, day.month, day.day, 17, tzinfo=UTC)
    with app.test_request_context(f"/?lang={lang}"):
        assert long_date(noon).replace("\N{NO-BREAK SPACE}", " ") == written[lang]
        assert long_time(noon).startswith(long_date(noon))


def test_every_date_that_a_customer_reads_is_the_languages_own(
    customer: BrowserCustomer, clock: Clock, lang: str, recorded: LedgerTables
) -> None:
    """The form and its evidence, the list, the receipts that are printed, the receipt as data."""
    clock.now = datetime(2027, 1, 1, 17, tzinfo=UTC)  # and 365 days later it is the first of January again
    request_id = customer.signed_in_request(lang=lang)
    form = customer.form(request_id).text
    customer.answer(request_id, "approve")
    assert " ".join(END[lang].split()) in form
    assert END[lang] in recorded["screens"][0]["text"]
    address = f"/connections/{customer.connections()[0]}"
    detail = customer.client.get(f"{address}?lang={lang}").text
    mark_untranslated = customer.client.get(f"{address}/receipt.json").get_json()
    assert START[lang] in customer.client.get(f"/connections?lang={lang}").text
    for spoken in Language:
        assert START[spoken] in detail, "the receipt is on the page in every language"
        assert END[spoken] in detail
        assert mark_untranslated[spoken]["approved_on"] == START[spoken]
        assert mark_untranslated[spoken]["ends_on"] == END[spoken]


# Names


@pytest.mark.parametrize("name", SCREENS)
def test_no_browser_translates_a_name_a_host_or_a_number_and_each_may_translate_a_purpose(
    screens: ShowScreen, name: str, lang: str
) -> None:
    page = screens(name, lang)
    purposes = {" ".join(text[spoken].split()) for text in PURPOSES for spoken in Language}
    found = page.all("bdi")
    assert found
    for element in found:
        is_purpose = element.text in purposes
        assert element.attributes.get("translate") == (None if is_purpose else "no"), element.text
        assert "lang" not in element.attributes, "nothing is borrowed from another language"


def test_purposes_were_among_them(screens: ShowScreen, lang: str) -> None:
    page = screens("form", lang)
    assert [element for element in page.all("bdi") if "translate" not in element.attributes]
