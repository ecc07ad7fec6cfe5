"""What a customer saw and what was agreed, as an operator reads it again."""

import pytest
from flask import Flask

from app.domain.history import Actor
from app.domain.narrowing import Withdrawn
from tests.commands.consents import Operate, consent_of
from tests.support.applications import services_of
from tests.support.builders import NOON, an_account
from tests.support.customer import BrowserCustomer
from tests.support.ledger_tables import LedgerTables
from tests.support.page_contract import parse_page


@pytest.mark.parametrize("lang", ["en", "fr"])
def test_the_page_is_shown_again_word_for_word(
    operate: Operate, app: Flask, customer: BrowserCustomer, lang: str
) -> None:
    request_id = customer.signed_in_request(lang=lang)
    heading = parse_page(customer.client.get(f"/consent/{request_id}").text).one("h1").text
    customer.answer(request_id, "approve")
    shown = operate("ledger", "show", consent_of(app))
    assert shown.exit_code == 0
    assert f"shown in: {lang}, catalogue " in shown.stdout
    assert f"\n{heading}\n" in shown.stdout.replace("\N{NO-BREAK SPACE}", " ")
    assert " approved by customer, USER_ACTION\n" in shown.stdout


def test_of_a_connection_that_is_used_its_last_use_is_said_and_not_each_of_them(
    operate: Operate, app: Flask, customer: BrowserCustomer, tokens: dict[str, str]
) -> None:
    customer.refresh(tokens["refresh_token"])
    (connection,) = services_of(app).connections.of(client_id="dc-budget")
    assert connection.last_used_at is not None
    shown = operate("ledger", "show", consent_of(app)).stdout
    assert f"\nlast used: {connection.last_used_at.isoformat()}\n" in shown
    assert "refreshed" not in shown


@pytest.mark.usefixtures("tokens")
def test_the_accounts_are_shown_as_they_were_chosen_with_what_is_shared_of_each_now(
    operate: Operate, app: Flask, recorded: LedgerTables
) -> None:
    consent_id, connections = consent_of(app), services_of(app).connections
    recorded.name_no_account(consent_id)
    assert "\naccounts: all of them\n" in operate("ledger", "show", consent_id).stdout
    recorded.name_accounts(
        consent_id, an_account(), an_account(account_id="acc-2", name="", type="SAVINGS", last_digits="")
    )
    part = Withdrawn(accounts=frozenset({"acc-2"}))
    connections.withdraw(
        consent_id, part, actor=Actor.OPERATOR, now=NOON, operator="Robin", note="it was closed"
    )
    lines = operate("ledger", "show", consent_id).stdout.splitlines()
    for line in (
        "accounts: 2 of 2 that could be chosen; 0 could not",
        "account acc-1 (Everyday chequing ••4821): ACCOUNT_BASIC TRANSACTIONS",
        "account acc-2 (SAVINGS): no longer shared",
    ):
        assert line in lines
    (narrowed,) = (line for line in lines if " narrowed by " in line)
    assert narrowed.endswith(" narrowed by operator Robin, BUSINESS_RULE (acc-2): it was closed")


@pytest.mark.usefixtures("tokens")
def test_what_was_agreed_is_shown_in_both_languages(operate: Operate, app: Flask) -> None:
    lines = operate("ledger", "show", consent_of(app)).stdout.splitlines()
    for line in (
        "agreed with: Budget Compass | Boussole Budget",
        "its legal name: Budget Compass Technologies Inc. | Technologies Boussole Budget inc.",
        "bank: Maple Credit Union | Caisse Érable",
        "look-back: 24 months",
    ):
        assert line in lines
    assert [line for line in lines if line.startswith("purpose: To show all your accounts")]


@pytest.mark.usefixtures("tokens")
def test_what_was_agreed_before_that_was_recorded_is_said_to_be_missing(
    operate: Operate, app: Flask, recorded: LedgerTables
) -> None:
    recorded.change("decisions", agreement_hash=None)
    shown = operate("ledger", "show", consent_of(app))
    assert shown.exit_code == 0
    assert "\nwhat was agreed is not on record\n" in shown.stdout


@pytest.mark.usefixtures("tokens")
def test_a_text_that_was_changed_is_not_passed_off_as_what_was_shown(
    operate: Operate, app: Flask, recorded: LedgerTables
) -> None:
    recorded.change("screens", text="another text")
    shown = operate("ledger", "show", consent_of(app))
    assert shown.exit_code == 1
    assert shown.stderr == "Error: the text on record is not the one that was shown: its hash differs\n"


def test_what_a_customer_said_no_to_is_shown_too(
    operate: Operate, recorded: LedgerTables, customer: BrowserCustomer
) -> None:
    customer.answer(customer.signed_in_request(), "deny")
    (decision,) = recorded["decisions"]
    shown = operate("ledger", "show", decision["consent_id"])
    assert shown.exit_code == 0
    assert "\nanswer: deny\n" in shown.stdout
    assert " denied by customer, USER_ACTION\n" in shown.stdout
    assert "\nShare your data with Budget Compass?\n" in shown.stdout


def test_an_unknown_consent_is_one_line(operate: Operate) -> None:
    result = operate("ledger", "show", "unknown")
    assert (result.exit_code, result.stderr) == (1, "Error: unknown: no such consent\n")
