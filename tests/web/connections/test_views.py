"""`/connections`: what is shared, with whom, until when; and how it stops, in both languages."""

from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import NullPool, create_engine, update
from werkzeug.test import TestResponse

from app.development.embedded import EmbeddedValkey
from app.domain.history import Actor
from app.domain.language import Language
from app.stores.ledger.connections import ConnectionStore
from app.stores.ledger.ledger import Ledger
from app.stores.ledger.schema import decisions, metadata
from app.web.connections.pages import MOST_ENDED
from tests.support import texts
from tests.support.applications import Clock, a_browser, services_of
from tests.support.builders import NOON, a_decision, a_grant
from tests.support.customer import BUDGET, LOANS_REQUEST, BrowserCustomer, basic, hidden_fields
from tests.support.expected_pages import check_error_page, check_page
from tests.support.ledger_tables import LedgerTables
from tests.support.machine_requests import connect, end, failing_server, introspect, locked
from tests.support.page_contract import ContractClient, Element, parse_page

NOTHING_CHANGED = texts.NOTHING_CHANGED
NOT_STOPPED_BY_FORM = texts.NOT_STOPPED_BY_FORM
NOT_RECORDED = texts.MAYBE_STILL_SHARED
STOPPED_TODAY = texts.YOU_STOPPED.of(recipient=texts.BUDGET_COMPASS, date=texts.TODAY)
PURPOSE = {
    "en": "To show all your accounts in one place and help you plan your spending.",
    "fr": "Pour montrer tous vos comptes au même endroit et vous aider à planifier vos dépenses.",
}
THREE = "ACCOUNT_BASIC TRANSACTIONS STATEMENTS"
TRANSACTIONS = texts.TRANSACTIONS
FROM = texts.FROM_WHICH_BANK
BANKS = {
    "1000": texts.MAPLE,
    "2000": texts.NORTHERN,
}


def sign_in_at(
    customer: BrowserCustomer, provider_id: str, lang: str, user_name: str = "alex"
) -> TestResponse:
    """Without any request in progress; nothing to do when that customer is signed in."""
    address = f"/connections/sign-in/{provider_id}"
    response = customer.client.get(f"{address}?lang={lang}")
    if response.status_code == 302:
        return response
    page = parse_page(response.text)
    fields = {**hidden_fields(page, address), "user_name": user_name, "password": "maple-syrup"}
    return customer.client.post(address, data=fields)


def list_page(customer: BrowserCustomer, lang: str, query: str = "") -> Element:
    return check_page(customer.client.get(f"/connections{query}"), "connections", lang)


def detail_page(customer: BrowserCustomer, consent_id: str, lang: str, name: str = "active") -> Element:
    return check_page(customer.client.get(f"/connections/{consent_id}"), name, lang)


def shown(page: Element) -> list[Element]:
    return page.all("section", **{"class": "connection"})


def leads(page: Element) -> list[str]:
    """What a page says first."""
    return [paragraph.text for paragraph in page.one("main").all("p", **{"class": "lead"})]


def facts(page: Element) -> dict[str, str]:
    labels, values = page.all("dt"), page.all("dd")
    return {label.text: value.text for label, value in zip(labels, values, strict=True)}


def own_links(page: Element) -> list[str]:
    """Where the page leads within this customer's own connections."""
    addresses = [link.attributes["href"] for link in page.one("main").all("a")]
    return [address for address in addresses if "/connections/" in address and "/sign-in/" not in address]


# Who may see what


def test_nobody_who_is_signed_out_sees_anything_but_the_choice_of_a_bank(
    client: ContractClient, lang: str
) -> None:
    page = check_page(client.get(f"/connections?lang={lang}"), "choose", lang)
    links = {link.attributes["href"]: link.text for link in page.one("main").all("a")}
    for provider_id, name in BANKS.items():
        assert links[f"/connections/sign-in/{provider_id}?lang={lang}"] == name[lang]


def test_signing_in_without_a_request_leads_to_what_one_shares(customer: BrowserCustomer, lang: str) -> None:
    assert sign_in_at(customer, "1000", lang).location == "/connections"
    page = list_page(customer, lang)
    assert texts.YOU_SHARE_NOTHING[lang] in page.text
    assert "Alex Tremblay" in page.text
    assert shown(page) == []


@pytest.mark.parametrize("whose", ["another customer's", "a stranger's", "nobody's", "another bank's"])
@pytest.mark.parametrize("part", ["", "/receipt.json", "/end-date.ics", "?stop=all"])
def test_what_is_not_ones_own_is_as_unknown_as_what_does_not_exist(
    customer: BrowserCustomer, app: Flask, whose: str, part: str, lang: str
) -> None:
    consent_id = connect(customer, lang=lang)["consent_id"]
    other = BrowserCustomer(a_browser(app))
    if whose == "another customer's":
        sign_in_at(other, "1000", lang, "sam")
    elif whose == "another bank's":
        sign_in_at(other, "2000", lang)
    elif whose == "nobody's":
        other, consent_id = customer, "00000000-0000-4000-8000-000000000000"
    separator = "&" if "?" in part else "?"
    response = other.client.get(f"/connections/{consent_id}{part}{separator}lang={lang}")
    page = check_error_page(response, "connection_unknown", lang, status=404, assurance=NOTHING_CHANGED)
    assert page.one("a", id="way-back").attributes["href"] == "/connections"
    assert "Budget" not in page.text


def test_another_customers_connections_are_not_on_the_list(
    customer: BrowserCustomer, app: Flask, lang: str
) -> None:
    connect(customer)
    other = BrowserCustomer(a_browser(app))
    sign_in_at(other, "1000", lang, "sam")
    assert shown(list_page(other, lang)) == []


def test_nobody_stops_what_is_another_customers(customer: BrowserCustomer, app: Flask, lang: str) -> None:
    tokens = connect(customer)
    other = BrowserCustomer(a_browser(app))
    sign_in_at(other, "1000", lang, "sam")
    response = other.client.post(f"/connections/{tokens['consent_id']}", data={"stop": "all"})
    check_error_page(response, "connection_unknown", lang, status=404, assurance=NOTHING_CHANGED)
    assert customer.refresh(tokens["refresh_token"]).status_code == 200


def test_signing_out_ends_what_one_can_see(customer: BrowserCustomer, lang: str) -> None:
    consent_id = connect(customer, lang=lang)["consent_id"]
    page = list_page(customer, lang)
    assert page.one("form").one("button").text == texts.SIGN_OUT[lang]
    response = customer.client.post("/sign-out", data=hidden_fields(page, "/sign-out"))
    said = check_page(response, "signed_out", lang).one("main").text
    assert [name[lang] in said for name in BANKS.values()] == [True, False]
    check_page(customer.client.get("/connections"), "choose", lang)
    assert customer.client.get(f"/connections/{consent_id}").status_code == 404


def test_a_bank_that_is_no_longer_registered_has_no_connections(
    customer: BrowserCustomer, register: Callable[..., ContractClient]
) -> None:
    consent_id = connect(customer)["consent_id"]
    server = register(
        ('provider_id = "1000"', 'provider_id = "1001"'),
        *[('"1000" = "ACTIVE"', '"1001" = "ACTIVE"')] * 3,
        browser=customer.client,
    )
    assert server.get(f"/connections/{consent_id}").status_code == 404
    check_page(server.get("/connections"), "choose", "en")


# The list


def test_the_list_says_what_with_whom_since_until_and_when_it_was_last_used(
    customer: BrowserCustomer, clock: Clock, lang: str
) -> None:
    tokens = connect(customer, "TRANSACTIONS", lang=lang)
    clock.advance(timedelta(days=3))
    customer.refresh(tokens["refresh_token"])
    sign_in_at(customer, "1000", lang)
    [one] = shown(list_page(customer, lang))
    assert one.one("h3").text == texts.BUDGET_COMPASS[lang]
    assert facts(one) == {
        texts.WHAT[lang]: f"{texts.ACCOUNT_BASIC[lang]} {texts.TRANSACTIONS[lang]}",
        texts.FROM_WHICH_BANK[lang]: texts.MAPLE[lang],
        texts.SINCE[lang]: texts.TODAY[lang],
        texts.UNTIL[lang]: texts.IN_A_YEAR[lang],
        texts.LAST_USED[lang]: {"en": "November 27, 2026", "fr": "27 novembre 2026"}[lang],
    }
    links = [link.attributes["href"] for link in one.all("a")]
    assert links == [
        f"/connections/{tokens['consent_id']}",
        f"/connections/{tokens['consent_id']}?stop=all",
    ]


def test_what_was_never_used_says_so(customer: BrowserCustomer, lang: str) -> None:
    customer.approve(lang=lang)
    [one] = shown(list_page(customer, lang))
    assert f"{texts.LAST_USED[lang]} {texts.NOT_YET[lang]}" in one.text


def test_all_banks_at_which_one_is_signed_in_are_on_one_page(customer: BrowserCustomer, lang: str) -> None:
    connect(customer, lang=lang)
    customer.approve(provider_id="2000", lang=lang)
    page = list_page(customer, lang)
    assert {facts(one)[FROM[lang]] for one in shown(page)} == {name[lang] for name in BANKS.values()}
    for provider_id, name in BANKS.items():
        assert texts.SIGNED_IN_AT.of(customer="Alex Tremblay", provider=name)[lang] in page.text
        assert not page.all("a", href=f"/connections/sign-in/{provider_id}?lang={lang}")
    complaints = [link.attributes["href"] for link in page.all("a", rel="noreferrer")]
    word = {"en": "/complaints", "fr": "/plaintes"}[lang]
    assert [address.endswith(word) for address in complaints] == [True, True]
    button = texts.SIGN_OUT_AT_ALL
    assert page.one("form").one("button").text == button[lang]
    signed_out = customer.client.post("/sign-out", data=hidden_fields(page, "/sign-out"))
    said = check_page(signed_out, "signed_out", lang).one("main").text
    assert all(name[lang] in said for name in BANKS.values())


def _stop(customer: BrowserCustomer, tokens: dict[str, str], ledger: Ledger, clock: Clock) -> None:
    customer.stop(tokens["consent_id"])


def _revoke(customer: BrowserCustomer, tokens: dict[str, str], ledger: Ledger, clock: Clock) -> None:
    assert end(customer.client, tokens["access_token"]).status_code == 204


def _replace(customer: BrowserCustomer, tokens: dict[str, str], ledger: Ledger, clock: Clock) -> None:
    customer.approve()


def _replay(customer: BrowserCustomer, tokens: dict[str, str], ledger: Ledger, clock: Clock) -> None:
    customer.redeem(tokens["code"])


def _end_by_bank(customer: BrowserCustomer, tokens: dict[str, str], ledger: Ledger, clock: Clock) -> None:
    ConnectionStore(ledger.database).withdraw(tokens["consent_id"], None, actor=Actor.OPERATOR, now=clock())


def _run_out(customer: BrowserCustomer, tokens: dict[str, str], ledger: Ledger, clock: Clock) -> None:
    clock.advance(timedelta(days=365))


@pytest.mark.parametrize(
    ("happen", "said"),
    [
        (_stop, STOPPED_TODAY),
        (
            _revoke,
            texts.RECIPIENT_ENDED_IT.of(recipient=texts.BUDGET_COMPASS, date=texts.TODAY),
        ),
        (
            _replace,
            texts.REPLACED.of(date=texts.TODAY),
        ),
        (
            _replay,
            texts.ENDED_TO_PROTECT.of(date=texts.TODAY),
        ),
        (
            _end_by_bank,
            texts.BANK_ENDED_IT.of(provider=texts.MAPLE, recipient=texts.BUDGET_COMPASS, date=texts.TODAY),
        ),
        (
            _run_out,
            texts.ENDED_AS_PLANNED.of(recipient=texts.BUDGET_COMPASS, date=texts.IN_A_YEAR),
        ),
    ],
    ids=["stopped", "revoked", "replaced", "replayed", "ended by the bank", "run out"],
)
def test_what_has_ended_is_apart_and_says_how(
    customer: BrowserCustomer,
    ledger: Ledger,
    clock: Clock,
    happen: Callable[[BrowserCustomer, dict[str, str], Ledger, Clock], None],
    said: Mapping[str, str],
    lang: str,
) -> None:
    code = customer.approve("TRANSACTIONS")
    tokens = customer.redeem(code).get_json()
    [consent_id] = customer.connections()
    happen(customer, {**tokens, "code": code, "consent_id": consent_id}, ledger, clock)
    sign_in_at(customer, "1000", lang)
    page = list_page(customer, lang, f"?lang={lang}")
    assert texts.WHAT_HAS_ENDED[lang] in [h.text for h in page.all("h2")]
    [one] = [one for one in shown(page) if said[lang] in one.text]
    assert f"/connections/{consent_id}" in [link.attributes["href"] for link in one.all("a")]
    assert f"/connections/{consent_id}?stop=all" not in [link.attributes["href"] for link in one.all("a")]
    detail = detail_page(customer, consent_id, lang, "ended")
    assert leads(detail)[0].startswith(said[lang])
    assert not detail.all("div", id="stop")


# The receipt


def test_the_receipt_is_in_both_languages_whatever_was_used(customer: BrowserCustomer, lang: str) -> None:
    consent_id = connect(customer, "TRANSACTIONS", lang=lang)["consent_id"]
    page = detail_page(customer, consent_id, lang)
    other = {"en": "fr", "fr": "en"}[lang]
    section = page.one("section", lang=f"{other}-CA")
    receipts = {other: section.one("dl"), lang: page.one("main").all("dl")[0]}
    legal_name = {"en": "Budget Compass Technologies Inc.", "fr": "Technologies Boussole Budget inc."}
    for language, receipt in receipts.items():
        said = facts(receipt)
        recipient, legally = texts.BUDGET_COMPASS[language], texts.LEGAL_NAME.of(legal_name=legal_name)
        assert said[texts.WHO_GETS_THE_DATA[language]] == f"{recipient} {legally[language]}"
        assert said[texts.WHY[language]] == PURPOSE[language]
        assert said[texts.FROM_WHICH_BANK[language]] == texts.MAPLE[language]
        assert said[texts.SINCE[language]] == texts.TODAY[language]
        assert said[texts.UNTIL[language]] == texts.IN_A_YEAR[language]
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
    assert page.text.count("24 mo") == (len(Language) if months else 0)  # in every language
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
        "[recipients.providers]",
        '[recipients.cluster_purposes]\nTRANSACTIONS = { en = "To sort it.", fr = "Pour trier." }\n\n[recipients.providers]',
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


# The reminder (RFC 5545)


def unfolded(calendar: str) -> dict[str, str]:
    lines = calendar.replace("\r\n ", "").removesuffix("\r\n").split("\r\n")
    return dict(line.split(":", 1) for line in lines)


def test_the_reminder_is_an_event_on_the_end_date(customer: BrowserCustomer, lang: str) -> None:
    consent_id = connect(customer, lang=lang)["consent_id"]
    response = customer.client.get(f"/connections/{consent_id}/end-date.ics")
    assert response.mimetype == "text/calendar"
    assert response.headers["Content-Type"] == "text/calendar; charset=utf-8"
    assert response.headers["Content-Disposition"] == 'attachment; filename="end-date.ics"'
    text = response.get_data(as_text=True)
    assert text.startswith("BEGIN:VCALENDAR\r\nVERSION:2.0\r\n")
    assert text.endswith("END:VEVENT\r\nEND:VCALENDAR\r\n")
    assert text.replace("\r\n", "").isprintable()
    event = unfolded(text)
    assert event["UID"] == f"{consent_id}@accord"
    assert event["DTSTAMP"] == "20261124T120000Z"
    assert event["DTSTART;VALUE=DATE"] == "20271124"
    assert event["URL"] == f"http://localhost:8000/connections/{consent_id}"
    assert event["SUMMARY"] == texts.REMINDER.of(recipient=texts.BUDGET_COMPASS, provider=texts.MAPLE)[lang]


def test_names_in_the_reminder_are_escaped_and_long_lines_folded(
    register: Callable[..., ContractClient],
) -> None:
    name = r"Ünder, one; roof \\ " + "é" * 120
    server = register(('name = { en = "Budget Compass"', f'name = {{ en = "{name}"'))
    consent_id = connect(BrowserCustomer(server))["consent_id"]
    calendar = server.get(f"/connections/{consent_id}/end-date.ics").get_data()
    assert all(len(line) <= 75 for line in calendar.split(b"\r\n"))
    summary = unfolded(calendar.decode())["SUMMARY"]
    assert summary.startswith("Sharing with Ünder\\, one\\; roof \\\\ éé")
    assert summary.endswith("é ends (Maple Credit Union)")


# Stopping


def test_what_follows_is_said_before_anything_stops(customer: BrowserCustomer, lang: str) -> None:
    tokens = connect(customer, "TRANSACTIONS", "STATEMENTS", scope=THREE, lang=lang)
    response = customer.client.get(f"/connections/{tokens['consent_id']}?stop=TRANSACTIONS")
    page = check_page(response, "stop_one", lang)
    assert TRANSACTIONS[lang] in page.one("h1").text
    stopping, _, left = page.all("ul")
    assert [item.text for item in stopping.all("li")] == [TRANSACTIONS[lang]]
    assert len(left.all("li")) == 2
    for said in (
        texts.NO_NEW_DATA.of(num=1, recipient=texts.BUDGET_COMPASS, provider=texts.MAPLE),
        texts.STOPS_AT_ONCE,
        texts.KEEPS_OLD_DATA.of(recipient=texts.BUDGET_COMPASS),
        texts.STATEMENTS_STILL_SHOW,
    ):
        assert said[lang] in page.text
    keep, stop = page.one("div", role="group").all("button")
    assert (keep.attributes["value"], stop.attributes["value"]) == ("nothing", "TRANSACTIONS")
    assert keep.attributes.keys() == stop.attributes.keys()
    assert customer.refresh(tokens["refresh_token"]).get_json()["scope"].count("TRANSACTIONS") == 1


def test_keeping_keeps(customer: BrowserCustomer, lang: str) -> None:
    tokens = connect(customer, lang=lang)
    address = f"/connections/{tokens['consent_id']}"
    page = parse_page(customer.client.get(f"{address}?stop=all").text)
    response = customer.client.post(address, data={**hidden_fields(page, address), "stop": "nothing"})
    assert (response.status_code, response.location) == (303, address)
    detail_page(customer, tokens["consent_id"], lang)
    assert customer.refresh(tokens["refresh_token"]).status_code == 200


def test_the_way_of_a_connection_from_approval_to_its_end(
    customer: BrowserCustomer, client: ContractClient, recorded: LedgerTables, lang: str
) -> None:
    tokens = connect(customer, "TRANSACTIONS", "STATEMENTS", scope=THREE, lang=lang)
    consent_id = tokens["consent_id"]
    assert customer.connections() == [consent_id]

    response = customer.stop(consent_id, "TRANSACTIONS")
    assert (response.status_code, response.location) == (303, f"/connections/{consent_id}#stopped")
    page = detail_page(customer, consent_id, lang)
    assert page.one("p", id="stopped").text in leads(page)
    assert texts.YOU_STOPPED_A_PART.of(date=texts.TODAY, clusters=texts.TRANSACTIONS)[lang] in leads(page)
    assert customer.refresh(tokens["refresh_token"]).get_json()["scope"] == "ACCOUNT_BASIC STATEMENTS"
    assert introspect(client, tokens["access_token"])["scope"] == "ACCOUNT_BASIC STATEMENTS"

    customer.stop(consent_id)
    page = detail_page(customer, consent_id, lang, "ended")
    assert leads(page)[0] == STOPPED_TODAY[lang]
    refused = customer.refresh(tokens["refresh_token"])
    assert (refused.status_code, refused.get_json()["error"]) == (400, "invalid_grant")
    assert introspect(client, tokens["access_token"]) == {"active": False}
    kinds = [event["kind"] for event in recorded["events"]]
    assert kinds == ["asked", "approved", "redeemed", "narrowed", "refreshed", "withdrawn"]
    assert {event["actor"] for event in recorded["events"] if event["kind"] in ("narrowed", "withdrawn")} == {
        "customer"
    }


def test_an_outstanding_code_is_dead_once_sharing_has_stopped(customer: BrowserCustomer) -> None:
    code = customer.approve()
    customer.stop(customer.connections()[0])
    response = customer.redeem(code)
    assert (response.status_code, response.get_json()["error"]) == (400, "invalid_grant")


def test_a_code_redeemed_after_a_part_was_stopped_gives_the_rest(customer: BrowserCustomer) -> None:
    code = customer.approve("TRANSACTIONS", "STATEMENTS", scope=THREE)
    customer.stop(customer.connections()[0], "STATEMENTS")
    assert customer.redeem(code).get_json()["scope"] == "ACCOUNT_BASIC TRANSACTIONS"


def test_without_the_basic_data_nothing_is_left(customer: BrowserCustomer, lang: str) -> None:
    tokens = connect(customer, "TRANSACTIONS", lang=lang)
    address = f"/connections/{tokens['consent_id']}"
    page = check_page(customer.client.get(f"{address}?stop=ACCOUNT_BASIC"), "stop", lang)
    assert len(page.all("ul")[0].all("li")) == 2
    said = texts.NO_NEW_DATA.of(num=2, recipient=texts.BUDGET_COMPASS, provider=texts.MAPLE)[lang]
    assert said in page.text
    assert texts.ALL_OF_IT_STOPS.of(cluster=texts.ACCOUNT_BASIC)[lang] in page.text
    fields = hidden_fields(page, address)
    assert customer.client.post(address, data={**fields, "stop": "ACCOUNT_BASIC"}).status_code == 303
    detail_page(customer, tokens["consent_id"], lang, "ended")
    assert customer.refresh(tokens["refresh_token"]).status_code == 400


def test_what_the_recipient_needs_can_be_stopped_and_the_page_says_that_it_is_needed(
    customer: BrowserCustomer, lang: str
) -> None:
    request_id = customer.signed_in_request(**LOANS_REQUEST, lang=lang)
    customer.answer(request_id, "approve")
    [consent_id] = customer.connections()
    response = customer.client.get(f"/connections/{consent_id}?stop=TRANSACTIONS")
    page = check_page(response, "stop_one", lang)
    assert texts.NEEDED_BY_RECIPIENT.of(recipient=texts.PRAIRIE_LOANS)[lang] in page.text
    assert customer.stop(consent_id, "TRANSACTIONS").status_code == 303
    detail_page(customer, consent_id, lang)


@pytest.mark.parametrize("what", ["", "TRANSACTIONS", "INVESTMENTS", "nonsense", "everything"])
def test_what_is_not_shared_cannot_be_stopped(customer: BrowserCustomer, what: str, lang: str) -> None:
    tokens = connect(customer, lang=lang)
    address = f"/connections/{tokens['consent_id']}"
    check_page(customer.client.get(f"{address}?stop={what}"), "active", lang)
    fields = hidden_fields(parse_page(customer.client.get(f"{address}?stop=all").text), address)
    assert customer.client.post(address, data={**fields, "stop": what}).location == address
    assert customer.refresh(tokens["refresh_token"]).status_code == 200


def test_stopping_twice_says_what_is_so_and_records_it_once(
    customer: BrowserCustomer, recorded: LedgerTables, lang: str
) -> None:
    consent_id = connect(customer, lang=lang)["consent_id"]
    address = f"/connections/{consent_id}"
    fields = hidden_fields(parse_page(customer.client.get(f"{address}?stop=all").text), address)
    for _ in range(2):
        assert customer.client.post(address, data={**fields, "stop": "all"}).location == f"{address}#stopped"
    page = check_page(customer.client.get(f"{address}?stop=all"), "ended", lang)
    assert leads(page)[0] == STOPPED_TODAY[lang]
    assert [event["kind"] for event in recorded["events"]].count("withdrawn") == 1


@pytest.mark.parametrize(
    "whose", ["nobody's", "another connection's", "the sign-out form's", "another session's"]
)
def test_a_form_that_is_not_of_this_session_and_connection_stops_nothing(
    customer: BrowserCustomer, whose: str, lang: str
) -> None:
    tokens = connect(customer, lang=lang)
    address = f"/connections/{tokens['consent_id']}"
    token = ""
    if whose == "another connection's":
        customer.approve(provider_id="2000", lang=lang)
        [other] = {f"/connections/{consent_id}" for consent_id in customer.connections()} - {address}
        page = parse_page(customer.client.get(f"{other}?stop=all").text)
        token = hidden_fields(page, other)["csrf_token"]
    elif whose == "the sign-out form's":
        token = hidden_fields(list_page(customer, lang), "/sign-out")["csrf_token"]
    elif whose == "another session's":
        page = parse_page(customer.client.get(f"{address}?stop=all").text)
        token = hidden_fields(page, address)["csrf_token"]
        customer.client.post("/sign-out", data=hidden_fields(list_page(customer, lang), "/sign-out"))
        sign_in_at(customer, "1000", lang)
    response = customer.client.post(address, data={"csrf_token": token, "stop": "all"})
    page = check_error_page(response, "stop_refused", lang, status=400, assurance=NOT_STOPPED_BY_FORM)
    assert page.one("a", id="way-back").attributes["href"] == address
    assert customer.refresh(tokens["refresh_token"]).status_code == 200


def test_a_link_stops_nothing(customer: BrowserCustomer) -> None:
    tokens = connect(customer)
    for what in ("all", "ACCOUNT_BASIC"):
        customer.client.get(f"/connections/{tokens['consent_id']}?stop={what}")
        customer.client.head(f"/connections/{tokens['consent_id']}?stop={what}")
    assert customer.refresh(tokens["refresh_token"]).status_code == 200


@pytest.mark.parametrize("what", ["all", "TRANSACTIONS"])
def test_a_ledger_that_cannot_be_written_stops_nothing_and_nobody_is_told_that_it_did(
    customer: BrowserCustomer,
    valkey: EmbeddedValkey,
    ledger_url: str,
    signing_keys: Path,
    clock: Clock,
    what: str,
    lang: str,
) -> None:
    tokens = connect(customer, "TRANSACTIONS", lang=lang)
    server = BrowserCustomer(failing_server(valkey.url, ledger_url, signing_keys, clock))
    server.client.bring_cookies_of(customer.client)
    with locked(ledger_url):
        response = server.stop(tokens["consent_id"], what)
    page = check_error_page(response, "not_stopped", lang, status=503, assurance=NOT_RECORDED)
    assert int(response.headers["Retry-After"]) > 0
    assert page.one("a", id="way-back").attributes["href"] == f"/connections/{tokens['consent_id']}"
    detail_page(customer, tokens["consent_id"], lang)
    assert "TRANSACTIONS" in customer.refresh(tokens["refresh_token"]).get_json()["scope"]
    assert server.stop(tokens["consent_id"], what).status_code == 303


def test_a_ledger_that_is_gone_is_not_told_as_a_stop_either(
    customer: BrowserCustomer, ledger_url: str, tmp_path: Path, lang: str
) -> None:
    consent_id = connect(customer, lang=lang)["consent_id"]
    address = f"/connections/{consent_id}"
    fields = hidden_fields(parse_page(customer.client.get(f"{address}?stop=all").text), address)
    path = Path(ledger_url.removeprefix("sqlite:///"))
    services_of(customer.client.application).flow.ledger.close()
    for part in path.parent.glob(f"{path.name}*"):
        part.rename(tmp_path / f"away-{part.name}")
    path.mkdir()
    response = customer.client.post(address, data={**fields, "stop": "all"})
    check_error_page(response, "not_stopped", lang, status=503, assurance=NOT_RECORDED)
    assert customer.client.get("/connections").status_code == 503


# The end


def test_a_connection_ends_on_its_end_date_to_the_second(
    customer: BrowserCustomer, clock: Clock, lang: str
) -> None:
    tokens = connect(customer, lang=lang)
    clock.advance(timedelta(days=365) - timedelta(seconds=1))
    sign_in_at(customer, "1000", lang)
    detail_page(customer, tokens["consent_id"], lang)
    clock.advance(timedelta(seconds=1))
    page = detail_page(customer, tokens["consent_id"], lang, "ended")
    assert (
        leads(page)[0]
        == texts.ENDED_AS_PLANNED.of(recipient=texts.BUDGET_COMPASS, date=texts.IN_A_YEAR)[lang]
    )
    assert not page.all("button")
    assert customer.refresh(tokens["refresh_token"]).get_json()["error"] == "invalid_grant"


# Two languages


@pytest.mark.parametrize("part", ["/connections", "/connections/{id}", "/connections/{id}?stop=TRANSACTIONS"])
def test_the_switch_shows_the_same_in_the_other_language_and_is_remembered(
    customer: BrowserCustomer, part: str, lang: str
) -> None:
    consent_id = connect(customer, "TRANSACTIONS", lang=lang)["consent_id"]
    address = part.format(id=consent_id)
    here = parse_page(customer.client.get(address).text)
    other = {"en": "fr", "fr": "en"}[lang]
    there = parse_page(customer.client.get(here.one("a", hreflang=other).attributes["href"]).text)
    assert there.one("html").attributes["lang"] == f"{other}-CA"
    again = customer.client.get(address)
    assert parse_page(again.text).one("html").attributes["lang"] == f"{other}-CA"
    assert own_links(there) == own_links(here)


# A long past


def ended_before(app: Flask, many: int) -> list[str]:
    """So many that have ended, and before them one that is still active; the ended ones, the newest first."""
    store, ledger = services_of(app).connections, services_of(app).tokens.ledger
    for number in range(many + 1):
        at = NOON - timedelta(minutes=many + 1 - number)
        client_id = "dc-budget" if number == 0 else "dc-gone"
        names = {"request_id": f"r-{number}", "consent_id": f"c-{number:03}", "client_id": client_id}
        ledger.record_decision(
            a_decision(**names, asked_at=at, decided_at=at),
            a_grant(**names, approved_at=at, expires_at=at + timedelta(days=365)),
        )
    store.withdraw(f"c-{many:03}", None, actor=Actor.CUSTOMER, now=NOON)
    return [f"c-{number:03}" for number in range(many, 0, -1)]


def listed(page: Element) -> list[str]:
    links = [link for link in own_links(page) if "?" not in link]
    return [link.removeprefix("/connections/") for link in links]


def pages(customer: BrowserCustomer, lang: str) -> Iterator[Element]:
    """The pages of the list, by following the link to what is older."""
    address = f"/connections?lang={lang}"
    while True:
        page = check_page(customer.client.get(address), "connections", lang)
        yield page
        older = [
            link.attributes["href"] for link in page.one("main").all("a") if link.text == texts.OLDER[lang]
        ]
        if not older:
            return
        (address,) = older


@pytest.mark.parametrize("many", [MOST_ENDED, MOST_ENDED + 1, 2 * MOST_ENDED + 5])
def test_what_is_active_is_on_every_page_and_what_has_ended_on_one(
    customer: BrowserCustomer, app: Flask, lang: str, many: int
) -> None:
    ended = ended_before(app, many)
    sign_in_at(customer, "1000", lang)
    seen = [listed(page) for page in pages(customer, lang)]
    assert [page[0] for page in seen] == ["c-000"] * len(seen)
    assert [one for page in seen for one in page[1:]] == ended
    assert all(len(page) <= 1 + MOST_ENDED for page in seen)


def test_the_page_of_a_long_past_leads_back_to_its_beginning(
    customer: BrowserCustomer, app: Flask, lang: str
) -> None:
    ended_before(app, MOST_ENDED + 1)
    sign_in_at(customer, "1000", lang)
    first, last = pages(customer, lang)
    newest = texts.NEWEST[lang]
    assert newest not in first.text
    (back,) = [link for link in last.one("main").all("a") if link.text == newest]
    assert back.attributes["href"] == "/connections#ended"


@pytest.mark.parametrize("older_than", ["", "unknown", "%00", "c-somebody-else"])
def test_what_is_older_than_nothing_of_ones_own_is_the_first_page(
    customer: BrowserCustomer, app: Flask, lang: str, older_than: str
) -> None:
    ended = ended_before(app, MOST_ENDED + 1)
    names = {"request_id": "r-x", "consent_id": "c-somebody-else", "subject": "maple-0002"}
    before = NOON - timedelta(days=1)
    services_of(app).tokens.ledger.record_decision(
        a_decision(**names), a_grant(**names, approved_at=before, expires_at=NOON)
    )
    sign_in_at(customer, "1000", lang)
    assert (
        listed(list_page(customer, lang, f"?lang={lang}&older_than={older_than}"))[1:] == ended[:MOST_ENDED]
    )


def test_what_has_ended_at_two_banks_is_one_list(customer: BrowserCustomer, app: Flask, lang: str) -> None:
    ended = ended_before(app, MOST_ENDED + 4)
    engine = create_engine(services_of(app).settings.ledger_url.get_secret_value())
    with engine.begin() as connection:
        for table in (metadata.tables["grants"], metadata.tables["decisions"]):
            elsewhere = update(table).where(table.c.consent_id.in_(["c-003", "c-022"]))
            connection.execute(elsewhere.values(provider_id="2000", subject="northern-0001"))
    engine.dispose()
    sign_in_at(customer, "1000", lang)
    sign_in_at(customer, "2000", lang)
    assert [one for page in pages(customer, lang) for one in listed(page)[1:]] == ended


# Another server's clock


def test_what_was_stopped_on_a_server_whose_clock_is_ahead_is_over_on_every_other(
    customer: BrowserCustomer, clock: Clock, lang: str
) -> None:
    tokens = connect(customer, lang=lang)
    clock.advance(timedelta(seconds=40))
    customer.stop(tokens["consent_id"])
    clock.advance(timedelta(seconds=-40))
    bearer = {"Authorization": f"Bearer {tokens['access_token']}"}
    page = list_page(customer, lang)
    assert STOPPED_TODAY[lang] in page.text
    assert all("stop=all" not in link for link in own_links(page))
    assert customer.client.get(f"/api/v1/consents/{tokens['consent_id']}", headers=bearer).status_code == 401
    introspected = customer.client.post(
        "/api/v1/introspect", data={"token": tokens["access_token"]}, headers=basic(*BUDGET)
    )
    assert introspected.get_json() == {"active": False}
    assert customer.refresh(tokens["refresh_token"]).status_code == 400
    admin = customer.client.post(
        "/api/v1/token",
        data={"grant_type": "client_credentials", "scope": "client:admin"},
        headers=basic(*BUDGET),
    ).get_json()
    own = {"Authorization": f"Bearer {admin['access_token']}"}
    record = customer.client.get(f"/api/v1/consents/{tokens['consent_id']}", headers=own).get_json()
    assert record["status"] == "REVOKED"
