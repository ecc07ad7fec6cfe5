"""Which accounts are shared, and how one of them stops: on the pages, on the receipt and in the history."""

from collections.abc import Mapping
from typing import Any

import pytest

from app.domain.accounts import Account, AccountCategory
from app.domain.clusters import DataCluster
from app.domain.consent import GrantStatus
from app.domain.history import Actor
from app.domain.narrowing import Withdrawn
from app.domain.resources import AccountGroup
from app.stores.ledger.connections import ConnectionStore
from app.stores.ledger.ledger import Ledger
from app.web.connections.stopping import account_parameter, find_stopping
from tests.support import texts
from tests.support.applications import Clock
from tests.support.builders import BASIC, a_grant, an_account
from tests.support.customer import BrowserCustomer
from tests.support.expected_pages import check_page
from tests.support.ledger_tables import LedgerTables
from tests.support.machine_requests import connect, introspect
from tests.support.page_contract import Element, parse_page
from tests.web.connections.connection_pages import THREE, detail_page, facts, leads, list_page, shown

CHEQUING = an_account(account_id="acc-chequing")
SAVINGS = an_account(account_id="acc-savings", name="Rainy day", last_digits="0377")
TFSA = an_account(
    account_id="acc-tfsa", name="", type="TFSA", category=AccountCategory.INVESTMENT_ACCOUNT, last_digits=""
)
TRANSACTIONS = frozenset({DataCluster.TRANSACTIONS})


def name_of(account: Account, lang: str) -> str:
    """An account as a page names it, with the end of its number as it is seen and as it is heard."""
    digits = account.last_digits
    return f"{account.name} ••{digits}{texts.ENDING_IN.of(digits=digits)[lang]}"


def by_language(account: Account) -> Mapping[str, str]:
    return {lang: name_of(account, lang) for lang in ("en", "fr")}


def connect_accounts(
    customer: BrowserCustomer, recorded: LedgerTables, *accounts: Account, lang: str = "en"
) -> dict[str, Any]:
    tokens = connect(customer, "TRANSACTIONS", "STATEMENTS", scope=THREE, lang=lang)
    recorded.name_accounts(tokens["consent_id"], *accounts)
    return tokens


def stop_address(tokens: dict[str, Any], account: Account) -> str:
    return f"/connections/{tokens['consent_id']}?stop={parameter(tokens, account)}"


def parameter(tokens: dict[str, Any], account: Account) -> str:
    return account_parameter(tokens["consent_id"], account.account_id)


# What is shared


def test_the_list_the_page_and_the_receipt_in_both_languages_say_which_accounts(
    customer: BrowserCustomer, recorded: LedgerTables, lang: str
) -> None:
    tokens = connect_accounts(customer, recorded, CHEQUING, SAVINGS, lang=lang)
    both = {one: f"{name_of(CHEQUING, one)} {name_of(SAVINGS, one)}" for one in ("en", "fr")}
    [one] = shown(list_page(customer, lang))
    assert facts(one)[texts.FROM_WHICH_ACCOUNTS[lang]] == both[lang]
    page = detail_page(customer, tokens["consent_id"], lang)
    other = {"en": "fr", "fr": "en"}[lang]
    receipts = {lang: page.one("main").all("dl")[0], other: page.one("section", lang=f"{other}-CA").one("dl")}
    for language, receipt in receipts.items():
        assert facts(receipt)[texts.FROM_WHICH_ACCOUNTS[language]] == both[language]
    assert texts.TO_SHARE_ANOTHER_ACCOUNT.of(recipient=texts.BUDGET_COMPASS)[lang] in page.text


def test_a_consent_from_before_accounts_were_chosen_is_from_all_of_them(
    customer: BrowserCustomer, recorded: LedgerTables, lang: str
) -> None:
    consent_id = connect(customer, lang=lang)["consent_id"]
    recorded.name_no_account(consent_id)
    page = detail_page(customer, consent_id, lang)
    said = texts.ALL_YOUR_ACCOUNTS.of(provider=texts.MAPLE)
    assert facts(page.one("main").all("dl")[0])[texts.FROM_WHICH_ACCOUNTS[lang]] == said[lang]
    assert texts.TO_SHARE_ANOTHER_ACCOUNT.of(recipient=texts.BUDGET_COMPASS)[lang] not in page.text
    receipt = customer.client.get(f"/connections/{consent_id}/receipt.json").get_json()
    assert receipt[lang]["accounts"] is None


def test_the_receipt_as_data_has_the_accounts_by_their_names_and_not_by_their_ids(
    customer: BrowserCustomer, recorded: LedgerTables
) -> None:
    tokens = connect_accounts(customer, recorded, SAVINGS, TFSA)
    response = customer.client.get(f"/connections/{tokens['consent_id']}/receipt.json")
    receipt = response.get_json()
    assert receipt["en"]["accounts"] == [
        {"name": "Rainy day", "last_digits": "0377"},
        {"name": "TFSA", "last_digits": ""},
    ]
    assert receipt["fr"]["accounts"][1]["name"] == "CELI"
    assert "acc-" not in response.text


# Stopping one


def test_what_follows_is_said_before_an_account_stops(
    customer: BrowserCustomer, recorded: LedgerTables, lang: str
) -> None:
    tokens = connect_accounts(customer, recorded, CHEQUING, SAVINGS, lang=lang)
    page = detail_page(customer, tokens["consent_id"], lang)
    said = texts.STOP_ONLY_THIS_ACCOUNT.of(account=by_language(SAVINGS))
    [link] = [link for link in page.all("a") if link.text == said[lang]]
    assert link.attributes["href"] == stop_address(tokens, SAVINGS)
    assert "acc-" not in page.text
    page = check_page(customer.client.get(stop_address(tokens, SAVINGS)), "stop_account", lang)
    stopping, _, clusters_left, accounts_left = page.all("ul")
    assert stopping.text == name_of(SAVINGS, lang)
    assert len(clusters_left.all("li")) == 3
    assert accounts_left.text == name_of(CHEQUING, lang)
    assert texts.LAST_ACCOUNT.of(recipient=texts.BUDGET_COMPASS)[lang] not in page.text
    assert introspect(customer.client, tokens["access_token"])["active"]


def test_an_account_that_was_stopped_is_gone_at_once_and_in_the_history(
    customer: BrowserCustomer, recorded: LedgerTables, lang: str
) -> None:
    tokens = connect_accounts(customer, recorded, CHEQUING, SAVINGS, lang=lang)
    consent_id = tokens["consent_id"]
    response = customer.stop(consent_id, parameter(tokens, SAVINGS))
    assert (response.status_code, response.location) == (303, f"/connections/{consent_id}#stopped")
    [detail] = introspect(customer.client, tokens["access_token"])["authorization_details"]
    assert [one["resourceId"] for one in detail["consentRequest"]["resources"]] == ["acc-chequing"]
    page = detail_page(customer, consent_id, lang)
    stopped = texts.YOU_STOPPED_AN_ACCOUNT.of(date=texts.TODAY, account=by_language(SAVINGS))[lang]
    assert page.one("p", id="stopped").text == stopped
    assert stopped in leads(page)
    history = page.one("ol").text
    assert texts.YOU_STOPPED_SHARING_AN_ACCOUNT.of(account=by_language(SAVINGS))[lang] in history
    assert facts(page.one("main").all("dl")[0])[texts.FROM_WHICH_ACCOUNTS[lang]] == name_of(CHEQUING, lang)
    assert parameter(tokens, CHEQUING) not in page_links(page), "with it everything would stop"


def page_links(page: Element) -> str:
    return " ".join(link.attributes["href"] for link in page.all("a"))


def test_with_the_last_account_everything_stops_and_the_page_before_says_so(
    customer: BrowserCustomer, recorded: LedgerTables, lang: str
) -> None:
    tokens = connect_accounts(customer, recorded, CHEQUING, lang=lang)
    page = check_page(customer.client.get(stop_address(tokens, CHEQUING)), "stop", lang)
    assert texts.LAST_ACCOUNT.of(recipient=texts.BUDGET_COMPASS)[lang] in page.text
    assert len(page.all("ul")[0].all("li")) == 3
    customer.stop(tokens["consent_id"], parameter(tokens, CHEQUING))
    detail_page(customer, tokens["consent_id"], lang, "ended")
    assert introspect(customer.client, tokens["access_token"]) == {"active": False}
    assert customer.refresh(tokens["refresh_token"]).status_code == 400


def test_an_account_that_the_bank_took_out_is_said_to_be_the_banks_doing(
    customer: BrowserCustomer, recorded: LedgerTables, ledger: Ledger, clock: Clock, lang: str
) -> None:
    consent_id = connect_accounts(customer, recorded, CHEQUING, SAVINGS, lang=lang)["consent_id"]
    part = Withdrawn(accounts=frozenset({"acc-savings"}))
    ConnectionStore(ledger.database).withdraw(consent_id, part, actor=Actor.OPERATOR, now=clock.now)
    page = detail_page(customer, consent_id, lang)
    said = texts.BANK_ENDED_AN_ACCOUNT.of(provider=texts.MAPLE, account=by_language(SAVINGS))
    assert said[lang] in page.one("ol").text


@pytest.mark.parametrize("stop", ["account:", "account:0123456789abcdef", "account:acc-savings", "accounts"])
def test_what_names_no_account_of_the_connection_stops_nothing(
    customer: BrowserCustomer, recorded: LedgerTables, stop: str, lang: str
) -> None:
    tokens = connect_accounts(customer, recorded, CHEQUING, SAVINGS, lang=lang)
    address = f"/connections/{tokens['consent_id']}"
    check_page(customer.client.get(f"{address}?stop={stop}"), "active", lang)
    customer.stop(tokens["consent_id"], parameter(tokens, SAVINGS))
    again = customer.client.get(stop_address(tokens, SAVINGS))
    check_page(again, "active", lang)
    [detail] = introspect(customer.client, tokens["access_token"])["authorization_details"]
    assert len(detail["consentRequest"]["resources"]) == 1


def test_of_many_accounts_the_links_are_folded_and_a_receipt_has_them_all(
    customer: BrowserCustomer, recorded: LedgerTables
) -> None:
    many = [an_account(account_id=f"a-{number}", name=f"Unit {number}") for number in range(9)]
    consent_id = connect_accounts(customer, recorded, *many)["consent_id"]
    page = parse_page(customer.client.get(f"/connections/{consent_id}").text)
    assert len(page.one("div", id="stop").one("details").all("a")) == 9
    receipt = page.one("main").all("dl")[0]
    assert not receipt.all("details")
    assert all(name_of(account, "en") in receipt.text for account in many)


def test_no_address_and_no_line_of_the_log_has_the_id_of_an_account(
    customer: BrowserCustomer, recorded: LedgerTables, capsys: pytest.CaptureFixture[str]
) -> None:
    tokens = connect_accounts(customer, recorded, CHEQUING, SAVINGS)
    page = parse_page(customer.client.get(f"/connections/{tokens['consent_id']}").text)
    assert "acc-" not in page_links(page)
    customer.stop(tokens["consent_id"], parameter(tokens, SAVINGS))
    lines = "".join(capsys.readouterr())
    assert "narrowed" in lines
    assert "acc-" not in lines


# By itself

GRANT = a_grant(
    granted_scope=BASIC | TRANSACTIONS,
    resources=(AccountGroup(BASIC | TRANSACTIONS, ("acc-1", "acc-2")),),
)


def test_the_parameter_of_an_account_differs_from_consent_to_consent() -> None:
    assert account_parameter("consent-1", "acc-1") != account_parameter("consent-2", "acc-1")
    assert len(account_parameter("consent-1", "acc-1")) == len("account:") + 16


@pytest.mark.parametrize("status", [GrantStatus.EXPIRED, GrantStatus.REVOKED])
def test_of_what_is_over_nothing_stops(status: GrantStatus) -> None:
    assert find_stopping(GRANT, status, "all") is None


@pytest.mark.parametrize(
    ("asked", "part"),
    [
        ("all", None),
        ("ACCOUNT_BASIC", None),
        ("TRANSACTIONS", Withdrawn(TRANSACTIONS)),
        (account_parameter("consent-1", "acc-1"), Withdrawn(accounts=frozenset({"acc-1"}))),
    ],
)
def test_what_is_withdrawn_is_what_was_asked_or_everything(asked: str, part: Withdrawn | None) -> None:
    stopping = find_stopping(GRANT, GrantStatus.ACTIVE, asked)
    assert stopping is not None
    assert stopping.part == part
    assert (stopping.left is None) is (part is None)
