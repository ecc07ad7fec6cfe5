"""Operators forget by policy, hand the ledger to an auditor, and find out whose codes were lost."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from flask import Flask
from sqlalchemy import NullPool, create_engine, text

from app.commands.ledger import ledger as ledger_commands
from app.stores.ledger.connection_queries import AT_ONCE
from app.stores.ledger.ledger import Ledger
from tests.commands.consents import Operate, consent_of
from tests.support import texts
from tests.support.applications import services_of
from tests.support.builders import NOON, a_decision, a_grant, an_account
from tests.support.customer import BrowserCustomer
from tests.support.ledger_tables import LedgerTables
from tests.support.registrations import with_notices

LONG_AGO = datetime.now(UTC) - timedelta(days=9 * 365.25)


@pytest.fixture
def operate(ledger_url: str) -> Operate:
    def run(*arguments: str) -> Result:
        return CliRunner().invoke(ledger_commands, arguments, env={"ACCORD_LEDGER_URL": ledger_url})

    return run


def approve(ledger: Ledger, name: str, at: datetime, **changes: str) -> None:
    names = {"request_id": f"r-{name}", "consent_id": f"c-{name}", "subject": f"s-{name}", **changes}
    grant = a_grant(**names, approved_at=at, expires_at=at + timedelta(days=365))
    ledger.record_decision(a_decision(**names, asked_at=at, decided_at=at), grant)


# Prune


def test_without_a_yes_it_is_only_said_what_would_go(
    operate: Operate, ledger: Ledger, recorded: LedgerTables
) -> None:
    approve(ledger, "old", LONG_AGO)
    said = operate("prune")
    assert (said.exit_code, said.stderr) == (0, "")
    assert said.stdout == (
        "would delete 1 consents with 2 events, 0 refresh tokens, 0 screens, 0 agreements and 0 notices; "
        "with --yes it does\n"
    )
    assert len(recorded["decisions"]) == 1


def test_with_a_yes_it_goes_and_the_log_says_so(
    operate: Operate, ledger: Ledger, recorded: LedgerTables
) -> None:
    approve(ledger, "old", LONG_AGO)
    approve(ledger, "new", datetime.now(UTC))
    said = operate("prune", "--yes")
    assert said.stdout == (
        "deleted 1 consents with 2 events, 0 refresh tokens, 0 screens, 0 agreements and 0 notices\n"
    )
    event = json.loads(said.stderr)
    assert (event["event"], event["actor"], event["consents"]) == ("ledger_pruned", "operator", 1)
    assert [row["consent_id"] for row in recorded["decisions"]] == ["c-new"]
    assert operate("prune").stdout.startswith("would delete 0 consents with 0 events, 0 refresh tokens")


@pytest.mark.parametrize("arguments", [("--years", "2"), ("--token-days", "29"), ("--years", "-1")])
def test_less_than_claims_may_be_made_for_is_not_kept(operate: Operate, arguments: tuple[str, str]) -> None:
    assert operate("prune", *arguments, "--yes").exit_code == 2


@pytest.mark.parametrize(
    ("option", "most"), [("--years", 1000), ("--token-days", 365_000), ("--refresh-token-idle", 31_536_000)]
)
def test_a_span_that_no_date_is_that_far_back_is_refused(operate: Operate, option: str, most: int) -> None:
    assert operate("prune", option, str(most)).exit_code == 0
    for span in (most + 1, 10**30):
        refused = operate("prune", option, str(span), "--yes")
        assert refused.exit_code == 2
        assert f"Invalid value for '{option}'" in refused.stderr


@pytest.mark.parametrize("number", ["nan", "NaN", "-nan", "inf", "-inf", "1e999", "0", "-0.5", "ten", ""])
@pytest.mark.parametrize("option", ["--years", "--token-days", "--refresh-token-idle"])
def test_what_is_no_span_is_refused_in_one_line(operate: Operate, option: str, number: str) -> None:
    refused = operate("prune", option, number, "--yes")
    assert (refused.exit_code, refused.stdout) == (2, "")
    assert f"Invalid value for '{option}'" in refused.stderr


def test_an_idle_period_may_have_parts_of_a_second_as_the_setting_may(operate: Operate) -> None:
    assert operate("prune", "--refresh-token-idle", "0.5").exit_code == 0


# Export


def test_every_line_of_an_export_is_json_and_two_exports_are_the_same(
    operate: Operate, customer: BrowserCustomer
) -> None:
    customer.redeem(customer.approve("TRANSACTIONS", lang="fr"))
    exported = operate("export")
    lines = [json.loads(line) for line in exported.stdout.splitlines()]
    assert {line["record"] for line in lines} == {"screen", "agreement", "decision", "grant", "event"}
    (screen,) = [line for line in lines if line["record"] == "screen"]
    heading = texts.SHARE_YOUR_DATA.of(recipient=texts.BUDGET_COMPASS)["fr"]
    assert heading in " ".join(screen["text"].split())
    (decision,) = [line for line in lines if line["record"] == "decision"]
    assert decision["screen_hash"] == screen["screen_hash"]
    (agreement,) = [line for line in lines if line["record"] == "agreement"]
    assert decision["agreement_hash"] == agreement["agreement_hash"]
    assert json.loads(agreement["document"])["recipient_name"]["fr"] == "Boussole Budget"
    assert decision["decided_at"].endswith("+00:00")
    assert operate("export").stdout == exported.stdout


def test_an_export_has_the_accounts_as_they_were_chosen_and_what_is_shared_of_them(
    operate: Operate, customer: BrowserCustomer, recorded: LedgerTables
) -> None:
    customer.approve("TRANSACTIONS")
    (row,) = recorded["grants"]
    recorded.name_accounts(row["consent_id"], an_account(name="Épargne"))
    exported = operate("export")
    lines = {(line := json.loads(text))["record"]: line for text in exported.stdout.splitlines()}
    (chosen,) = json.loads(lines["decision"]["accounts"])["chosen"]
    assert (chosen["account_id"], chosen["name"], chosen["last_digits"]) == ("acc-1", "Épargne", "4821")
    (group,) = json.loads(lines["grant"]["resources"])
    assert group == {"clusters": "ACCOUNT_BASIC TRANSACTIONS", "accounts": ["acc-1"]}


def test_an_export_since_a_day_leaves_out_what_is_older(operate: Operate, ledger: Ledger) -> None:
    approve(ledger, "old", datetime(2026, 3, 30, 23, 59, tzinfo=UTC))
    approve(ledger, "new", datetime(2026, 3, 31, tzinfo=UTC))
    lines = [json.loads(line) for line in operate("export", "--since", "2026-03-31").stdout.splitlines()]
    assert {line["consent_id"] for line in lines} == {"c-new"}


@pytest.mark.parametrize(
    ("since", "has_it"),
    [
        ("2026-03-31", True),
        ("2026-04-01", False),
        ("2026-03-31T23:00", True),
        ("2026-03-31T23:00:00Z", True),
        ("2026-03-31T19:00-04:00", True),
        ("2026-03-31T23:00-04:00", False),
    ],
)
@pytest.mark.parametrize("command", ["export", "reconcile"])
def test_a_date_begins_at_midnight_in_utc_and_a_zone_may_be_named(
    operate: Operate, ledger: Ledger, command: str, since: str, has_it: bool
) -> None:
    approve(ledger, "a", datetime(2026, 3, 31, 23, 0, tzinfo=UTC))
    assert ("c-a" in operate(command, "--since", since).stdout) is has_it


@pytest.mark.parametrize("command", ["export", "reconcile"])
def test_the_help_says_in_which_zone_a_date_is_read(operate: Operate, command: str) -> None:
    said = " ".join(operate(command, "--help").stdout.split())
    assert "A date begins at midnight in UTC; 2026-03-31T00:00-04:00 says its zone." in said


@pytest.mark.parametrize("moment", ["yesterday", "0001-01-01T00:00:00+23:00", "9999-12-31T23:00:00-23:00"])
def test_what_is_no_moment_is_refused(operate: Operate, moment: str) -> None:
    refused = operate("export", "--since", moment)
    assert refused.exit_code == 2
    assert f"'{moment}' is no date such as 2026-03-31" in refused.stderr


# Reconcile


def test_approvals_that_never_reached_the_recipient_are_explained_and_counted(
    operate: Operate, ledger: Ledger
) -> None:
    hour_ago = datetime.now(UTC) - timedelta(hours=1)
    approve(ledger, "lost", hour_ago)
    approve(ledger, "reached", hour_ago)
    approve(ledger, "under-way", datetime.now(UTC))
    ledger.redeem("r-reached", "dc-budget", token_hash="t", now=hour_ago)
    approved_at, nobody = hour_ago.isoformat(), "nobody redeemed it"
    said = operate("reconcile")
    assert said.stdout.splitlines() == [
        f"c-lost dc-budget 1000 approved {approved_at}: the code expired, {nobody} (correlation correlation-1)",
        "dc-budget: 1 approvals were never redeemed",
    ]
    assert "s-lost" not in said.stdout


def test_an_approval_that_was_replaced_says_when(operate: Operate, ledger: Ledger) -> None:
    hour_ago = datetime.now(UTC) - timedelta(hours=1)
    again = hour_ago + timedelta(minutes=5)
    approve(ledger, "lost", hour_ago, subject="s")
    approve(ledger, "again", again, subject="s")
    ledger.redeem("r-again", "dc-budget", token_hash="t", now=again)
    assert f"nobody redeemed it, revoked since {again.isoformat()} (" in operate("reconcile").stdout


def test_where_every_code_arrived_that_is_said(operate: Operate) -> None:
    assert operate("reconcile").stdout == "every code reached its recipient\n"


@pytest.mark.parametrize("command", ["prune", "export", "reconcile"])
def test_a_ledger_that_cannot_be_reached_is_one_line(command: str) -> None:
    result = CliRunner().invoke(ledger_commands, [command, "--url", "sqlite:////no-such-folder/ledger"])
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == "Error: the store cannot be used: ledger: OperationalError, SQLITE_CANTOPEN\n"


# Expire


def test_more_than_one_portion_of_run_out_connections_gets_its_events(
    operate: Operate, ledger: Ledger
) -> None:
    long_ago = NOON - timedelta(days=1000)
    for number in range(AT_ONCE + 1):
        names = {"request_id": f"r-{number}", "consent_id": f"c-{number}", "subject": f"s-{number}"}
        decision = a_decision(**names, asked_at=long_ago, decided_at=long_ago)
        ledger.record_decision(
            decision, a_grant(**names, approved_at=long_ago, expires_at=long_ago + timedelta(days=1))
        )
    expired = operate("expire")
    assert expired.stdout == f"{AT_ONCE + 1} connections had run out; each has its event now\n"


def test_who_has_asked_is_told_that_a_connection_ran_out(
    operate: Operate, ledger: Ledger, recorded: LedgerTables, tmp_path: Path
) -> None:
    approve(ledger, "old", LONG_AGO)
    approve(ledger, "of-another", LONG_AGO, client_id="dc-loans")
    path = tmp_path / "registry.toml"
    path.write_text(with_notices('{ events = ["CONSENT_REVOKED", "CONSENT_EXPIRED"] }'), encoding="utf-8")
    assert operate("expire", "--registry", str(path)).stdout.startswith("2 connections had run out")
    assert [(row["client_id"], row["type"]) for row in recorded["notices"]] == [
        ("dc-budget", "CONSENT_EXPIRED")
    ]


@pytest.fixture
def asks_for_reminders(tmp_path: Path) -> str:
    """A registration file in which dc-budget asks to be reminded."""
    path = tmp_path / "reminders.toml"
    path.write_text(with_notices('{ events = ["CONSENT_REVOKED", "RENEWAL_DUE"] }'), encoding="utf-8")
    return str(path)


def redeem(ledger: Ledger, name: str, client_id: str = "dc-budget") -> None:
    """Soon after the approval."""
    ledger.redeem(f"r-{name}", client_id, token_hash=f"token of {name}", now=NOON - timedelta(days=999))


def test_who_has_asked_is_reminded_once_of_what_ends_soon(
    operate: Operate,
    ledger: Ledger,
    recorded: LedgerTables,
    asks_for_reminders: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    today = datetime.now(UTC)
    for name, days, client_id in (
        ("soon", 10, "dc-budget"),
        ("later", 20, "dc-budget"),
        ("of-another", 10, "dc-loans"),
    ):
        approve(ledger, name, today - timedelta(days=365 - days), client_id=client_id)
        redeem(ledger, name, client_id)
    for many in (1, 0):
        assert operate("expire", "--registry", asks_for_reminders).stdout == (
            "0 connections had run out; each has its event now\n"
            f"dc-budget: {many} connections end soon, of which it is told now\n"
        )
    assert [(row["consent_id"], row["type"]) for row in recorded["notices"]] == [("c-soon", "RENEWAL_DUE")]
    monkeypatch.setenv("ACCORD_RENEWAL_DAYS", "21")
    assert operate("expire", "--registry", asks_for_reminders).exit_code == 0
    assert {row["consent_id"] for row in recorded["notices"]} == {"c-soon", "c-later"}
    assert operate("expire", "--registry", asks_for_reminders, "--renewal-days", "91").exit_code == 2


LIKE_THE_FIRST = """
INSERT INTO grants (consent_id, request_id, client_id, provider_id, subject, granted_scope, correlation_id,
                    approved_at, expires_at, redeemed_at)
WITH RECURSIVE n(number) AS (SELECT 1 UNION ALL SELECT number + 1 FROM n WHERE number < :many)
SELECT 'c-' || number, 'r-' || number, client_id, provider_id, 's-' || number, granted_scope, correlation_id,
       approved_at, expires_at, redeemed_at FROM n JOIN grants
"""


def test_more_than_one_portion_is_reminded_of(
    operate: Operate, ledger: Ledger, ledger_url: str, asks_for_reminders: str
) -> None:
    approve(ledger, "0", datetime.now(UTC) - timedelta(days=360))
    redeem(ledger, "0")
    with create_engine(ledger_url, poolclass=NullPool).begin() as connection:
        connection.execute(text(LIKE_THE_FIRST), {"many": AT_ONCE})
    said = operate("expire", "--registry", asks_for_reminders).stdout
    assert f"dc-budget: {AT_ONCE + 1} connections end soon" in said


def test_nothing_is_written_down_where_nobody_knows_who_has_asked(
    operate: Operate, ledger: Ledger, recorded: LedgerTables, tmp_path: Path
) -> None:
    """The next run does it."""
    approve(ledger, "old", LONG_AGO)
    said = operate("expire", "--registry", str(tmp_path / "nothing.toml"))
    assert (said.exit_code, said.stdout) == (1, "")
    assert "expired" not in [kind for _, kind in recorded.events()]


def test_connections_that_have_run_out_get_their_event(
    operate: Operate, recorded: LedgerTables, customer: BrowserCustomer, app: Flask
) -> None:
    customer.approve()
    long_ago = datetime(2020, 1, 1, tzinfo=UTC)
    recorded.change("grants", approved_at=long_ago, expires_at=long_ago + timedelta(days=150))
    assert operate("expire").stdout == "1 connections had run out; each has its event now\n"
    assert operate("expire").stdout == "0 connections had run out; each has its event now\n"
    assert services_of(app).connections.history(consent_of(app))[-1].kind == "expired"
