"""`lang=x` and `lang=keys`: what who works on the texts can ask for in development, and nobody in production."""

import re
from collections.abc import Callable

import polib
import pytest
from werkzeug.test import TestResponse

from app.web.consent.visible_text import visible_text
from app.web.edge.pseudo_locale import key, pseudo
from tests.support import texts
from tests.support.builders import EVERYTHING, a_query
from tests.support.customer import BrowserCustomer, hidden_fields
from tests.support.ledger_tables import LedgerTables
from tests.support.page_contract import ContractClient, parse_page
from tests.support.pseudo_locale import untranslated
from tools.catalogues import TEMPLATE

Register = Callable[..., ContractClient]

ALL_CLUSTERS = " ".join(sorted(EVERYTHING))
FIELD = re.compile(r"%\(\w+\)s")
MSGIDS = [text for entry in polib.pofile(str(TEMPLATE)) for text in (entry.msgid, entry.msgid_plural) if text]


def language_of(response: TestResponse) -> str:
    return response.headers["Content-Language"]


# A text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Why", "[Ŵĥý]"),
        ("Share my data", "[Ŝĥåŕé ḿý ðåţå öñé ţ]"),
        ("%(name)s, 12 %%", "[%(name)s, 12 %%]"),
        ("<b class='x'>Stop</b> &amp; go", "[<b class='x'>Ŝţöþ</b> &amp; ĝö öñ]"),
    ],
)
def test_the_pseudo_locale_changes_words_and_leaves_fields_and_markup(text: str, shown: str) -> None:
    assert pseudo(None, text) == shown


def test_every_text_keeps_its_fields_and_grows_by_two_thirds() -> None:
    for text in MSGIDS:
        words, shown = FIELD.sub("", text), FIELD.sub("", pseudo(None, text))
        assert FIELD.findall(pseudo(None, text)) == FIELD.findall(text)
        assert not re.search("[A-Za-z]", shown), shown
        assert len(words) * 1.65 - 2 <= len(shown) <= max(len(words) * 1.65 + 1, len(words) + 2), shown


@pytest.mark.parametrize(
    ("context", "text", "shown"),
    [
        (None, "Share my data", "Share my data"),
        (None, "Bonjour %(name)s", "Bonjour %%(name)s"),  # filled in, it is the msgid again
        ("button", "Continue", "button | Continue"),
    ],
)
def test_a_key_is_the_msgid_after_its_context(context: str | None, text: str, shown: str) -> None:
    assert key(context, text) == shown


# Whole pages


def check_pseudo(response: TestResponse, status: int = 200) -> TestResponse:
    assert response.status_code == status
    assert "[" in parse_page(response.text).one("main").text
    assert untranslated(response.text) == []
    assert language_of(response) == "en-CA"
    return response


def test_the_pseudo_locale_goes_along_from_the_request_to_the_answer(customer: BrowserCustomer) -> None:
    request_id = customer.begin(lang="x", scope=ALL_CLUSTERS)
    check_pseudo(customer.client.get(f"/sign-in/{request_id}"))
    check_pseudo(customer.sign_in(request_id, password="wrong"), 400)
    assert customer.sign_in(request_id).status_code == 303
    check_pseudo(customer.client.get(f"/consent/{request_id}/accounts"))
    customer.choose_accounts(request_id)
    check_pseudo(customer.client.get(f"/consent/{request_id}"))
    check_pseudo(customer.answer(request_id, "neither"), 400)
    assert customer.answer(request_id, "approve", "TRANSACTIONS", "STATEMENTS").status_code == 302
    check_pseudo(customer.client.get(f"/consent/{request_id}"))
    check_pseudo(customer.client.get("/connections"))
    (consent_id,) = customer.connections()
    check_pseudo(customer.client.get(f"/connections/{consent_id}?stop=TRANSACTIONS"))
    check_pseudo(customer.client.get(f"/connections/{consent_id}?stop=all"))
    customer.stop(consent_id, "STATEMENTS")
    check_pseudo(customer.client.get(f"/connections/{consent_id}"))
    again = customer.signed_in_request(lang="x", scope="ACCOUNT_BASIC ACCOUNT_DETAILED")
    check_pseudo(customer.client.get(f"/consent/{again}"))
    customer.stop(consent_id)
    check_pseudo(customer.client.get(f"/connections/{consent_id}"))
    check_pseudo(customer.client.get("/connections"))


def test_every_page_without_a_request_has_the_pseudo_locale(client: ContractClient) -> None:
    check_pseudo(client.get("/?lang=x"))
    check_pseudo(client.get("/connections?lang=x"))
    check_pseudo(client.get("/connections/sign-in/1000?lang=x"))
    check_pseudo(client.get("/nothing?lang=x"), 404)
    check_pseudo(client.get("/consent/nothing?lang=x"), 404)
    check_pseudo(client.get("/sign-in/callback/3000?lang=x"), 404)
    check_pseudo(client.post("/sign-out?lang=x"), 400)
    check_pseudo(client.get(f"/api/v1/authorize?{a_query(client_id='nobody', lang='x')}"), 400)


def test_a_text_that_is_in_no_catalogue_is_found() -> None:
    page = "<title>[Ŵĥý]</title><h1>[Ŵĥý \u2068Maple\u2069]</h1><script>let it = 1</script><p id='a'>[Ŵĥý] 12:30 · %</p>"
    assert untranslated(page) == []
    for fault in (
        "<p>Why</p>",
        "<p>[Ŵĥý] now</p>",
        "<title>\u2068Maple\u2069 Bank</title>",
        "<img alt='A logo'>",
    ):
        assert untranslated(page + fault), fault
    for fault in (
        "<p aria-label='Your answer'>",
        "<input placeholder='Name'>",
        "<input type='submit' value='Go'>",
    ):
        assert untranslated(page + fault), fault
    assert untranslated("<input type='hidden' value='token'><button value='deny'>[Ŵĥý]</button>") == []


def test_the_msgids_are_shown_with_their_fields(customer: BrowserCustomer) -> None:
    request_id = customer.begin(lang="keys")
    page = parse_page(customer.client.get(f"/sign-in/{request_id}").text)
    assert page.one("h1").text == "Sign in"
    customer.sign_in(request_id, password="wrong")
    customer.sign_in(request_id)
    text = customer.form(request_id).text
    assert "Share your data with %(recipient)s?" in text
    assert "%(num)s of yours: %(accounts)s" in text


@pytest.mark.parametrize("lang", ["en", "fr", "EN", "fr-CA", "de"])
def test_a_language_in_the_address_ends_a_reading(client: ContractClient, lang: str) -> None:
    check_pseudo(client.get("/connections?lang=x"))
    check_pseudo(client.get("/connections"))
    for address in (f"/connections?lang={lang}", "/connections"):
        assert "[" not in client.get(address).text


def test_the_switch_on_the_form_ends_a_reading(customer: BrowserCustomer) -> None:
    request_id = customer.signed_in_request(lang="x")
    fields = hidden_fields(customer.form(request_id), f"/consent/{request_id}")
    response = customer.client.post(f"/consent/{request_id}", data={**fields, "language": "fr"})
    assert response.status_code == 303
    assert customer.form(request_id).one("h1").text.startswith(texts.SHARE_YOUR_DATA.beginning["fr"])


def test_the_switch_on_the_sign_in_page_ends_a_reading(customer: BrowserCustomer) -> None:
    address = f"/sign-in/{customer.begin(lang='x')}"
    fields = hidden_fields(parse_page(customer.client.get(address).text), address)
    pages = [customer.client.post(address, data={**fields, "language": "fr"}), customer.client.get(address)]
    assert [parse_page(page.text).one("h1").text for page in pages] == ["Ouvrir une session"] * 2


def test_the_switch_in_a_reading_leads_to_the_other_language(client: ContractClient) -> None:
    switch = parse_page(client.get("/connections?lang=x").text).one("a", hreflang="fr")
    assert switch.attributes["href"] == "/connections?lang=fr"


def test_dates_in_the_pseudo_locale_are_canadian_english(customer: BrowserCustomer) -> None:
    request_id = customer.signed_in_request(lang="x")
    assert "\u2068November 24, 2027\u2069" in customer.form(request_id).text


def test_the_other_language_on_a_receipt_is_read_the_same_way(customer: BrowserCustomer) -> None:
    customer.approve(lang="x")
    (consent_id,) = customer.connections()
    receipt = parse_page(customer.client.get(f"/connections/{consent_id}").text).one("section", lang="fr-CA")
    assert pseudo(None, "Ends") in receipt.text
    assert "24 novembre 2027" in receipt.text


def test_a_page_in_a_reading_is_on_record_as_one(customer: BrowserCustomer, recorded: LedgerTables) -> None:
    """Nobody who looks later takes the accents for what customers saw."""
    customer.answer(customer.signed_in_request(lang="en"), "deny")
    customer.answer(customer.signed_in_request(lang="x"), "deny")
    customer.answer(customer.signed_in_request(lang="keys"), "deny")
    versions = [row["catalogue_version"] for row in recorded["screens"]]
    assert sorted(version[12:] for version in versions) == ["", "-keys", "-x"]
    assert len({row["text"] for row in recorded["screens"]}) == 3


@pytest.mark.parametrize("lang", ["x", "keys"])
def test_production_knows_no_readings(production: ContractClient, lang: str) -> None:
    """They are refused like every language that Accord does not speak: the page is in English."""
    production.set_cookie("accord-catalogue-view", lang, secure=True)
    response = production.get(f"/connections?lang={lang}")
    assert visible_text(response.text) == visible_text(production.get("/connections?lang=de").text)
    assert parse_page(response.text).one("h1").text == "Data sharing"
    assert "Set-Cookie" not in response.headers
