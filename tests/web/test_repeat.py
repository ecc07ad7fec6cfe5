"""A repeat request: what is new, what is shared already, what is no longer asked; and what an answer replaces."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from flask import Flask

from app.settings import Settings
from tests.support import texts
from tests.support.applications import Clock, Logged, a_browser, make_app
from tests.support.customer import LOANS_REQUEST, BrowserCustomer, answer_params
from tests.support.expected_pages import check_page
from tests.support.ledger_tables import LedgerTables
from tests.support.machine_requests import connect, introspect
from tests.support.page_contract import ContractClient, Element, parse_page

ALREADY = texts.YOU_ALREADY_SHARE.of(recipient=texts.BUDGET_COMPASS, end_date=texts.IN_A_YEAR)
FIRST = "ACCOUNT_BASIC TRANSACTIONS CUSTOMER_CONTACT"
SECOND = "ACCOUNT_BASIC TRANSACTIONS STATEMENTS"


def form_page(customer: BrowserCustomer, lang: str, **changes: str | None) -> Element:
    request_id = customer.signed_in_request(lang=lang, **changes)
    return check_page(customer.client.get(f"/consent/{request_id}?go=change"), "form", lang)


def marks(page: Element) -> dict[str, list[str]]:
    """What stands beside the name of each cluster."""
    return {
        section.attributes["data-cluster"]: [tag.text for tag in section.all("span", **{"class": "tag"})]
        for section in page.all("div", **{"class": "row"})
    }


def has_difference(page: Element) -> bool:
    return bool(page.all("div", id="repeat") or page.all("div", id="no-longer-asked"))


# The form


def test_the_form_says_what_is_new_what_is_shared_and_what_is_no_longer_asked(
    customer: BrowserCustomer, clock: Clock, lang: str
) -> None:
    connect(customer, "TRANSACTIONS", "CUSTOMER_CONTACT", scope=FIRST)
    clock.advance(timedelta(minutes=5))
    page = form_page(customer, lang, scope=SECOND)
    assert marks(page) == {
        "ACCOUNT_BASIC": [texts.NEEDED[lang], texts.YOU_SHARE_THIS_NOW[lang]],
        "TRANSACTIONS": [texts.YOU_SHARE_THIS_NOW[lang]],
        "STATEMENTS": [texts.NEW[lang]],
    }
    assert ALREADY[lang] in page.one("div", id="repeat").text
    assert texts.NEW_ANSWER_REPLACES[lang] in page.text
    assert texts.DENIAL_CHANGES_NOTHING[lang] in page.text
    ending = page.one("div", id="no-longer-asked")
    assert [item.text for item in ending.all("li")] == [texts.CUSTOMER_CONTACT[lang]]
    assert not [box for box in page.all("input", type="checkbox") if "checked" in box.attributes]


def test_the_date_of_what_is_shared_is_its_own(customer: BrowserCustomer, clock: Clock, lang: str) -> None:
    customer.approve()
    clock.advance(timedelta(days=30))
    page = form_page(customer, lang)
    assert ALREADY[lang] in page.text
    in_13_months = {"en": "December 24, 2027", "fr": "24 décembre 2027"}
    assert texts.THEN_IT_STOPS.of(end_date=in_13_months)[lang] in page.text


def test_a_first_request_says_nothing_of_the_kind(customer: BrowserCustomer, lang: str) -> None:
    page = form_page(customer, lang)
    assert not has_difference(page)
    assert marks(page) == {"ACCOUNT_BASIC": [texts.NEEDED[lang]], "TRANSACTIONS": []}


@pytest.mark.parametrize("other", ["customer", "bank", "recipient", "stopped", "run out", "denied"])
def test_only_what_one_shares_with_that_recipient_from_that_bank_makes_a_difference(
    customer: BrowserCustomer, app: Flask, clock: Clock, other: str, lang: str
) -> None:
    changes: dict[str, str | None] = {}
    if other == "denied":
        customer.answer(customer.signed_in_request(), "deny")
    else:
        customer.approve("TRANSACTIONS")
    if other == "customer":
        client = a_browser(app)
        customer = BrowserCustomer(client)
        customer.sign_in(customer.begin(), "sam")
    elif other == "bank":
        changes = {"provider_id": "2000"}
    elif other == "recipient":
        changes = dict(LOANS_REQUEST)
    elif other == "stopped":
        customer.stop(customer.connections()[0])
    elif other == "run out":
        clock.advance(timedelta(days=365))
    assert not has_difference(form_page(customer, lang, **changes))


def test_what_was_stopped_in_the_meantime_is_new_again(customer: BrowserCustomer, lang: str) -> None:
    customer.approve("TRANSACTIONS")
    customer.stop(customer.connections()[0], "TRANSACTIONS")
    assert marks(form_page(customer, lang))["TRANSACTIONS"] == [texts.NEW[lang]]


# The answer


def test_approving_again_ends_the_old_tokens_and_leaves_one_connection(
    customer: BrowserCustomer, client: ContractClient, clock: Clock, recorded: LedgerTables
) -> None:
    old = connect(customer, "TRANSACTIONS", "CUSTOMER_CONTACT", scope=FIRST)
    clock.advance(timedelta(minutes=5))
    new = connect(customer, "STATEMENTS", scope=SECOND)
    refused = customer.refresh(old["refresh_token"])
    assert (refused.status_code, refused.get_json()["error"]) == (400, "invalid_grant")
    assert introspect(client, old["access_token"]) == {"active": False}
    assert customer.refresh(new["refresh_token"]).get_json()["scope"] == "ACCOUNT_BASIC STATEMENTS"
    active = [grant["consent_id"] for grant in recorded["grants"] if grant["ended_at"] is None]
    assert active == [new["consent_id"]]
    assert customer.connections() == [new["consent_id"], old["consent_id"]]
    [superseded] = [event for event in recorded["events"] if event["kind"] == "superseded"]
    assert (superseded["consent_id"], superseded["actor"]) == (old["consent_id"], "customer")


@pytest.mark.parametrize("has_run_out", [False, True])
def test_the_log_names_the_connection_that_was_replaced_unless_it_had_run_out(
    logged: Logged, settings: Settings, clock: Clock, has_run_out: bool
) -> None:
    client = a_browser(make_app(settings, clock))
    customer = BrowserCustomer(client)
    customer.approve("TRANSACTIONS", correlation_id="the-old-one")
    clock.advance(timedelta(days=365) if has_run_out else timedelta(minutes=5))
    customer.approve(correlation_id="the-new-one")
    lines = logged()
    [old, _] = [line["consent_id"] for line in lines if line["event"] == "approved"]
    replaced = [line for line in lines if line["event"] == "superseded"]
    if has_run_out:
        assert replaced == []
        return
    [line] = replaced
    assert (line["consent_id"], line["client_id"], line["provider_id"]) == (old, "dc-budget", "1000")
    assert (line["correlation_id"], line["outcome"]) == ("the-old-one", "ended")
    assert "maple-0001" not in str(line)


def test_denying_leaves_what_is_shared_as_it_was(
    customer: BrowserCustomer, client: ContractClient, recorded: LedgerTables, lang: str
) -> None:
    old = connect(customer, "TRANSACTIONS", lang=lang)
    request_id = customer.signed_in_request(scope=SECOND, lang=lang)
    assert answer_params(customer.answer(request_id, "deny"))["error"] == "access_denied"
    assert customer.refresh(old["refresh_token"]).get_json()["scope"] == "ACCOUNT_BASIC TRANSACTIONS"
    assert introspect(client, old["access_token"])["active"]
    assert customer.connections() == [old["consent_id"]]
    [grant] = recorded["grants"]
    assert grant["ended_at"] is None


# After the answer


def test_an_answered_request_leads_to_its_connection(customer: BrowserCustomer, lang: str) -> None:
    request_id = customer.signed_in_request(lang=lang)
    customer.answer(request_id, "approve")
    page = check_page(customer.client.get(f"/consent/{request_id}"), "answered", lang)
    address = page.one("a", id="receipt").attributes["href"]
    assert address == f"/connections/{customer.connections()[0]}"
    check_page(customer.client.get(address), "active", lang)


def test_a_denied_request_leads_to_what_is_shared(customer: BrowserCustomer, lang: str) -> None:
    request_id = customer.signed_in_request(lang=lang)
    customer.answer(request_id, "deny")
    page = check_page(customer.client.get(f"/consent/{request_id}"), "answered", lang)
    assert page.one("main").one("a", href="/connections").text == texts.DATA_SHARING[lang]


def test_the_form_says_where_to_stop(customer: BrowserCustomer, lang: str) -> None:
    page = form_page(customer, lang)
    where = texts.STOP_ANY_TIME.of(page=texts.DATA_SHARING)
    assert f"{texts.TO_STOP[lang]} {where[lang]}" in page.text
    check_page(
        customer.client.get(page.one("main").one("a", href="/connections").attributes["href"]),
        "connections",
        lang,
    )


# All or nothing


def all_or_nothing(register: Callable[..., ContractClient]) -> BrowserCustomer:
    edit = ('needs = ["ACCOUNT_BASIC"]', 'needs = ["ACCOUNT_BASIC"]\nallow_subset = false')
    return BrowserCustomer(register(edit))


def test_a_recipient_that_takes_all_or_nothing_says_so_and_offers_no_boxes(
    register: Callable[..., ContractClient], lang: str
) -> None:
    customer = all_or_nothing(register)
    page = form_page(customer, lang, scope=SECOND)
    assert page.all("input", type="checkbox") == []
    assert marks(page) == {cluster: [] for cluster in SECOND.split()}, "nothing is more needed than the rest"
    assert texts.ALL_OR_NOTHING.of(recipient=texts.BUDGET_COMPASS)[lang] in page.text


def test_what_is_approved_there_is_all_of_it(register: Callable[..., ContractClient]) -> None:
    customer = all_or_nothing(register)
    assert connect(customer, scope=SECOND)["scope"] == SECOND


def test_a_part_of_it_can_still_be_stopped_later(register: Callable[..., ContractClient], lang: str) -> None:
    customer = all_or_nothing(register)
    tokens = connect(customer, scope=SECOND, lang=lang)
    assert customer.stop(tokens["consent_id"], "STATEMENTS").status_code == 303
    assert customer.refresh(tokens["refresh_token"]).get_json()["scope"] == "ACCOUNT_BASIC TRANSACTIONS"
    page = parse_page(customer.client.get(f"/connections/{tokens['consent_id']}").text)
    assert page.one("html").attributes["lang"] == f"{lang}-CA"
