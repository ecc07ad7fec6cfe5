"""The receipt and the history of a connection, on its page and as data, in every language."""

import re
from collections.abc import Callable
from datetime import timedelta

import pytest
from sqlalchemy import NullPool, create_engine, update

from app.domain.language import Language
from app.stores.ledger.schema import decisions
from tests.support import texts
from tests.support.applications import Clock
from tests.support.customer import BrowserCustomer
from tests.support.expected_pages import check_page
from tests.support.machine_requests import connect
from tests.support.page_contract import ContractClient
from tests.web.connections.connection_pages import THREE, detail_page, facts


def test_the_receipt_is_in_both_languages_whatever_was_used(customer: BrowserCustomer, lang: str) -> None:
    consent_id = connect(customer, "TRANSACTIONS", lang=lang)["consent_id"]
    page = detail_page(customer, consent_id, lang)
    other = {"en": "fr", "fr": "en"}[lang]
    section = page.one("section", lang=f"{other}-CA")
    receipts = {other: section.one("dl"), lang: page.one("main").all("dl")[0]}
    legal_name = texts.BUDGET_COMPASS_INC
    for language, receipt in receipts.items():
        said = facts(receipt)
        recipient, legally = texts.BUDGET_COMPASS[language], texts.LEGAL_NAME.of(legal_name=legal_name)
        assert said[texts.WHO_GETS_THE_DATA[language]] == f"{recipient} {legally[language]}"
        assert said[texts.WHY[language]] == texts.PURPOSE_OF_BUDGET_COMPASS[language]
        assert said[texts.BANK[language]] == texts.MAPLE[language]
        assert said[texts.STARTED[language]] == texts.TODAY[language]
        assert said[texts.ENDS[language]] == texts.IN_A_YEAR[language]
        assert said[texts.RECEIPT_NUMBER[language]] == consent_id
        names = [strong.text for strong in receipt.all("strong")]
        assert names == [texts.ACCOUNT_BASIC[language], texts.TRANSACTIONS[language]]
        how_to_stop = said[texts.HOW_TO_STOP[language]]
        assert f"http://localhost:8000/connections/{consent_id}" in how_to_stop
        assert texts.CURRENCY[language] in receipt.text


def test_the_receipt_as_data_says_the_same_in_both_languages(customer: BrowserCustomer) -> None:
    consent_id = connect(customer, "TRANSACTIONS", lang="fr")["consent_id"]
    receipt = customer.client.get(f"/connections/{consent_id}/receipt.json").get_json()
    assert receipt.keys() == set(Language)
    for language in Language:
        one = receipt[language]
        assert one["reference"] == consent_id
        assert one["status"] == "ACTIVE"
        assert one["approved_at"] == "2026-11-24T12:00:00+00:00"
        assert one["ends_at"] == "2027-11-24T12:00:00+00:00"
        assert one["ended_at"] is None
        assert [data["cluster"] for data in one["clusters"]] == ["ACCOUNT_BASIC", "TRANSACTIONS"]
    assert receipt["en"]["recipient"] == texts.BUDGET_COMPASS["en"]
    assert receipt["en"]["clusters"][1]["shared"][0] == texts.DATE["en"]
    assert receipt["fr"]["recipient_legal_name"] == "Technologies Boussole Budget inc."
    assert receipt["fr"]["clusters"][1]["name"] == texts.TRANSACTIONS["fr"]
    assert receipt["fr"]["clusters"][1]["shared"][-1] == texts.WHO_SENT_OR_GOT_THE_MONEY["fr"]
    customer.stop(consent_id)
    ended = customer.client.get(f"/connections/{consent_id}/receipt.json").get_json()["fr"]
    assert (ended["status"], ended["ended_on"]) == ("REVOKED", "24\N{NO-BREAK SPACE}novembre 2026")


@pytest.mark.parametrize(
    ("shared", "months"),
    [([], None), (["INVESTMENTS"], None), (["TRANSACTIONS"], 24), (["STATEMENTS"], 24)],
)
def test_how_far_back_is_on_the_receipt_where_something_that_has_a_past_is_shared(
    customer: BrowserCustomer, shared: list[str], months: int | None, lang: str
) -> None:
    scope = f"{THREE} INVESTMENTS"
    consent_id = connect(customer, *shared, lang=lang, scope=scope)["consent_id"]
    page = detail_page(customer, consent_id, lang)
    assert len(re.findall("last 24 months|24 derniers mois", page.text)) == (
        len(Language) if months else 0
    )  # in every language
    receipt = customer.client.get(f"/connections/{consent_id}/receipt.json").get_json()
    assert receipt[lang]["history_months"] == months


def test_a_recipient_of_before_agreements_were_recorded_is_known_by_its_identifier_once_it_is_gone(
    customer: BrowserCustomer, register: Callable[..., ContractClient], ledger_url: str, lang: str
) -> None:
    consent_id = connect(customer, lang=lang)["consent_id"]
    with create_engine(ledger_url, poolclass=NullPool).begin() as connection:
        connection.execute(update(decisions).values(agreement_hash=None))
    server = register(('client_id = "dc-budget"', 'client_id = "dc-other"'), browser=customer.client)
    page = check_page(server.get(f"/connections/{consent_id}"), "active", lang)
    gone = texts.NO_LONGER_REGISTERED.of(client_id="dc-budget")
    assert page.one("h1").text.endswith(gone[lang])
    assert all(name in page.text for name in gone.values())  # on the receipt in both languages
    assert server.get(f"/connections/{consent_id}/receipt.json").get_json()["en"]["purpose"] is None
    assert BrowserCustomer(server).stop(consent_id).status_code == 303
    assert "dc-budget" in check_page(server.get("/connections"), "connections", lang).text


def test_the_purpose_of_a_single_type_of_data_is_on_the_receipt(
    register: Callable[..., ContractClient], lang: str
) -> None:
    purposes = (
        'TRANSACTIONS = { en = "To show where your money goes each month.", fr = "Pour montrer où va votre argent chaque mois." }',
        'TRANSACTIONS = { en = "To sort it.", fr = "Pour trier." }',
    )
    server = register(purposes)
    consent_id = connect(BrowserCustomer(server), "TRANSACTIONS", lang=lang)["consent_id"]
    page = check_page(server.get(f"/connections/{consent_id}"), "active", lang)
    assert "To sort it." in page.text
    assert "Pour trier." in page.text


def test_the_history_says_what_happened_and_leaves_out_everyday_use(
    customer: BrowserCustomer, clock: Clock, lang: str
) -> None:
    tokens = connect(customer, "TRANSACTIONS", lang=lang)
    clock.advance(timedelta(minutes=1))
    customer.refresh(tokens["refresh_token"])
    customer.stop(tokens["consent_id"], "TRANSACTIONS")
    customer.stop(tokens["consent_id"])
    page = detail_page(customer, tokens["consent_id"], lang, "ended")
    history = page.one("main").one("ol")
    times, told = zip(
        *([part.text for part in event.all("span")] for event in history.all("li")), strict=True
    )
    assert list(told) == [
        texts.RECIPIENT_ASKED.of(recipient=texts.BUDGET_COMPASS)[lang],
        texts.YOU_CHOSE_TO_SHARE[lang],
        texts.FIRST_ACCESS.of(recipient=texts.BUDGET_COMPASS)[lang],
        texts.YOU_STOPPED_PART_OF_IT.of(clusters=texts.TRANSACTIONS)[lang],
        texts.YOU_STOPPED_THE_SHARING[lang],
    ]
    assert (
        times[-1]
        == {
            "en": "November 24, 2026 at 7:01 a.m. (EST)",
            "fr": "24 novembre 2026 à 07 h 01 (HNE)",
        }[lang]
    )
