"""Operators list and end connections, one or many, and what they did is on record with who and why."""

import json
import socket
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from flask import Flask

from app.commands.connections import connections
from app.commands.ledger import ledger as ledger_commands
from app.domain.history import Actor
from app.stores.ledger.connection_queries import AT_ONCE
from app.stores.ledger.connections import ConnectionStore
from app.stores.ledger.ledger import Ledger
from tests.commands.consents import Operate, consent_of
from tests.support.applications import services_of
from tests.support.builders import NOON, a_decision, a_grant, an_account
from tests.support.customer import BrowserCustomer
from tests.support.ledger_tables import LedgerTables
from tests.support.registrations import with_notices

YEAR = timedelta(days=365)
WHY = ("--reason", "a breach at the recipient", "--by", "Robin Roy")


@pytest.fixture
def operate(ledger_url: str) -> Operate:
    """Runs a command where the ledger is configured."""

    def run(*arguments: str) -> Result:
        return CliRunner().invoke(connections, arguments, env={"ACCORD_LEDGER_URL": ledger_url})

    return run


def approve(ledger: Ledger, consent_id: str, *, at: datetime | None = None, **changes: str) -> None:
    at = at or datetime.now(UTC)
    names = {"request_id": f"r-{consent_id}", "consent_id": consent_id, **changes}
    decision = a_decision(**names, asked_at=at, decided_at=at)
    ledger.record_decision(decision, a_grant(**names, approved_at=at, expires_at=at + YEAR))


def connect_three_parties(ledger: Ledger) -> None:
    """Connections of two recipients at two banks; c-0 has ended."""
    parties = [("a", "1", "s"), ("a", "1", "t"), ("a", "2", "s"), ("b", "1", "s"), ("b", "2", "u")]
    for number, (client_id, provider_id, subject) in enumerate(parties):
        approve(ledger, f"c-{number}", client_id=client_id, provider_id=provider_id, subject=subject)
    ConnectionStore(ledger.database).withdraw("c-0", None, actor=Actor.CUSTOMER, now=datetime.now(UTC))


def standing(recorded: LedgerTables) -> list[str]:
    return [row["consent_id"] for row in recorded["grants"] if row["ended_at"] is None]


def said_of(ended: int, *, run_out: int = 0, others: int = 0) -> str:
    return (
        f"{ended} connections ended; {run_out} had run out, now it is written down; "
        f"{others} are unknown, or had ended before\n"
    )


def a_registration(tmp_path: Path, notices: str) -> str:
    """A registration file in which dc-budget has these notices; its path."""
    path = tmp_path / "registry.toml"
    path.write_text(with_notices(notices), encoding="utf-8")
    return str(path)


# What recipients are told


@pytest.mark.parametrize(
    ("notices", "told"),
    [
        ('{ events = ["CONSENT_REVOKED"] }', ["CONSENT_REVOKED"]),
        ('{ events = ["CONSENT_REVOKED", "CONSENT_EXPIRED"] }', ["CONSENT_EXPIRED", "CONSENT_REVOKED"]),
        ('{ events = ["CONSENT_GONE"] }', ["CONSENT_REVOKED"]),
    ],
    ids=["nothing else", "that it ran out", "a faulty registration"],
)
def test_recipients_are_told_as_they_are_registered_and_a_faulty_file_hinders_nobody(
    operate: Operate, ledger: Ledger, recorded: LedgerTables, tmp_path: Path, notices: str, told: list[str]
) -> None:
    approve(ledger, "c-1", client_id="dc-budget")
    approve(ledger, "c-2", client_id="dc-budget", at=datetime.now(UTC) - 2 * YEAR, subject="another")
    registry = ("--registry", a_registration(tmp_path, notices))
    said = operate("end", "--client", "dc-budget", "--yes", *WHY, *registry)
    assert said.stdout == said_of(1, run_out=1)
    assert ("recipients are told as by default, and banks are not" in said.stderr) is ("GONE" in notices)
    assert sorted(row["type"] for row in recorded["notices"]) == told


# A list, and an ending of one


@pytest.mark.usefixtures("tokens")
@pytest.mark.parametrize("whose", [("--customer", "1000/maple-0001"), ("--client", "dc-budget")])
def test_connections_are_listed_by_customer_and_by_client(
    operate: Operate, app: Flask, whose: tuple[str, str]
) -> None:
    listed = operate("list", *whose)
    assert listed.exit_code == 0
    first, count = listed.stdout.splitlines()
    assert first.startswith(f"{consent_of(app)} ACTIVE 1000/maple-0001 dc-budget until ")
    assert first.endswith("ACCOUNT_BASIC TRANSACTIONS")
    assert count == "1 connections"


@pytest.mark.usefixtures("tokens")
def test_nobody_elses_connections_are_listed(operate: Operate) -> None:
    assert operate("list", "--customer", "1000/maple-0002").stdout == "0 connections\n"
    assert operate("list", "--client", "dc-loans").stdout == "0 connections\n"


@pytest.mark.parametrize("whose", [(), ("--customer", "alex"), ("--customer", "1000/x", "--client", "y")])
def test_a_list_of_nobody_in_particular_is_refused(operate: Operate, whose: tuple[str, ...]) -> None:
    assert operate("list", *whose).exit_code == 2


def test_an_ended_connection_gives_no_tokens_and_says_who_ended_it(
    operate: Operate, app: Flask, customer: BrowserCustomer, tokens: dict[str, str], ledger_url: str
) -> None:
    consent_id = consent_of(app)
    ended = operate("end", consent_id, *WHY)
    assert (ended.exit_code, ended.stdout) == (0, f"{consent_id}: ended\n")
    event = json.loads(ended.stderr)
    assert (event["event"], event["actor"]) == ("connection_ended", "operator")
    assert (event["consent_id"], event["client_id"], event["provider_id"]) == (
        consent_id,
        "dc-budget",
        "1000",
    )
    assert (event["operator"], event["note"]) == ("Robin Roy", "a breach at the recipient")
    assert "maple-0001" not in ended.stderr
    assert customer.refresh(tokens["refresh_token"]).get_json()["error"] == "invalid_grant"
    last = services_of(app).connections.history(consent_id)[-1]
    assert (last.kind, last.actor, last.reason) == ("withdrawn", "operator", "BUSINESS_RULE")
    assert (last.operator, last.note) == ("Robin Roy", "a breach at the recipient")
    shown = CliRunner().invoke(ledger_commands, ["show", consent_id, "--url", ledger_url])
    assert " withdrawn by operator Robin Roy, BUSINESS_RULE: a breach at the recipient\n" in shown.stdout
    page = customer.client.get(f"/connections/{consent_id}").text
    assert "Robin" not in page
    assert "breach" not in page


@pytest.mark.usefixtures("tokens")
def test_one_account_is_taken_out_and_with_the_last_one_the_connection_ends(
    operate: Operate, app: Flask, recorded: LedgerTables
) -> None:
    consent_id = consent_of(app)
    recorded.name_accounts(consent_id, an_account(), an_account(account_id="acc-2"))
    taken = operate("end", consent_id, "--account", "acc-2", *WHY)
    assert (taken.exit_code, taken.stdout) == (0, f"{consent_id}: that account is shared no longer\n")
    told = json.loads(taken.stderr)
    assert (told["event"], told["operator"], told["note"]) == ("connection_narrowed", WHY[3], WHY[1])
    assert "acc-2" not in taken.stderr
    last = services_of(app).connections.history(consent_id)[-1]
    assert (last.kind, last.actor, last.accounts) == ("narrowed", "operator", frozenset({"acc-2"}))
    assert (last.operator, last.note) == (WHY[3], WHY[1])
    again = operate("end", consent_id, "--account", "acc-2", *WHY)
    assert (again.exit_code, again.stdout) == (1, "")
    ended = operate("end", consent_id, "--account", "acc-1", *WHY)
    assert ended.stdout == f"{consent_id}: ended, since it was for no other account\n"
    assert json.loads(ended.stderr)["event"] == "connection_ended"
    assert standing(recorded) == []
    assert operate("end", consent_id, "--account", "acc-1", *WHY).exit_code == 1


@pytest.mark.usefixtures("tokens")
def test_an_account_that_a_connection_does_not_name_cannot_be_taken_out(
    operate: Operate, app: Flask, recorded: LedgerTables
) -> None:
    for consent_id in (consent_of(app), "unknown"):
        assert operate("end", consent_id, "--account", "acc-1", *WHY).exit_code == 1
    assert operate("end", "--client", "dc-budget", "--account", "acc-1", *WHY).exit_code == 2
    assert standing(recorded) == [consent_of(app)]


@pytest.mark.usefixtures("tokens")
def test_what_has_ended_or_never_was_cannot_be_ended(operate: Operate, app: Flask) -> None:
    operate("end", consent_of(app), *WHY)
    for consent_id in (consent_of(app), "unknown"):
        result = operate("end", consent_id, *WHY)
        assert result.exit_code == 1
        assert result.stderr == f"Error: {consent_id}: no such connection, or it had ended before\n"


def test_a_list_has_every_connection_the_newest_first(operate: Operate, ledger: Ledger) -> None:
    for number in range(AT_ONCE + 3):
        at = NOON + timedelta(seconds=number // 2)
        approve(ledger, f"c-{number}", at=at, subject=f"s-{number}")
    *listed, count = operate("list", "--client", "dc-budget").stdout.splitlines()
    assert count == f"{AT_ONCE + 3} connections"
    assert len({line.split()[0] for line in listed}) == AT_ONCE + 3
    ends = [line.split()[5] for line in listed]
    assert ends == sorted(ends, reverse=True)


@pytest.mark.parametrize(
    "why",
    [("--by", "x"), ("--reason", "x"), ("--reason", " \u200b", "--by", "x"), ("--reason", "x", "--by", "")],
)
def test_nobody_ends_a_connection_without_a_name_and_a_reason(
    operate: Operate, ledger: Ledger, recorded: LedgerTables, why: tuple[str, ...]
) -> None:
    connect_three_parties(ledger)
    assert operate("end", "c-1", *why).exit_code == 2
    assert "c-1" in standing(recorded)


# Many


@pytest.mark.parametrize(
    ("whose", "left"),
    [
        (("--client", "a"), ["c-3", "c-4"]),
        (("--provider", "1"), ["c-2", "c-4"]),
        (("--customer", "1/s"), ["c-1", "c-2", "c-4"]),
        (("--client", "b", "--provider", "2"), ["c-1", "c-2", "c-3"]),
        (("--client", "b", "--customer", "1/s"), ["c-1", "c-2", "c-4"]),
        (("--client", "b", "--customer", "1/t"), ["c-1", "c-2", "c-3", "c-4"]),
        (("--client", "unknown"), ["c-1", "c-2", "c-3", "c-4"]),
    ],
)
def test_all_that_are_named_end_together_once_that_is_confirmed(
    operate: Operate, ledger: Ledger, recorded: LedgerTables, whose: tuple[str, ...], left: list[str]
) -> None:
    connect_three_parties(ledger)
    before = standing(recorded)
    gone = sorted(set(before) - set(left))
    said = operate("end", *whose, *WHY)
    assert said.stdout == f"would end {len(gone)} connections; with --yes it does\n"
    assert (standing(recorded), said.stderr, said.exit_code) == (before, "", 0)
    done = operate("end", *whose, *WHY, "--yes")
    assert done.stdout == said_of(len(gone))
    assert standing(recorded) == left
    lines = [json.loads(line) for line in done.stderr.splitlines()]
    assert [line["consent_id"] for line in lines] == gone
    events = [row for row in recorded["events"] if row["actor"] == "operator"]
    assert [row["consent_id"] for row in events] == gone
    assert all((row["operator"], row["note"]) == (WHY[3], WHY[1]) for row in [*lines, *events])


def test_a_file_names_them_and_what_had_ended_is_no_fault(
    operate: Operate, ledger: Ledger, recorded: LedgerTables, tmp_path: Path
) -> None:
    connect_three_parties(ledger)
    file = tmp_path / "ids"
    file.write_text("c-1\n\n  c-3 \nc-1\nunknown\nc-0\n")
    asked = operate("end", "--from", str(file), *WHY)
    assert asked.stdout == "would end 4 connections; with --yes it does\n"
    done = operate("end", "--from", str(file), *WHY, "--yes")
    assert (done.exit_code, done.stdout) == (0, said_of(2, others=2))
    assert standing(recorded) == ["c-2", "c-4"]


def test_more_than_one_portion_ends_with_its_tokens(
    operate: Operate, ledger: Ledger, recorded: LedgerTables
) -> None:
    many = 250
    for number in range(many):
        approve(ledger, f"c-{number}", subject=f"s-{number}")
        ledger.redeem(f"r-c-{number}", "dc-budget", token_hash=f"t-{number}", now=datetime.now(UTC))
    assert operate("end", "--client", "dc-budget", *WHY, "--yes").stdout == said_of(many)
    assert standing(recorded) == []
    assert all(row["revoked_at"] is not None for row in recorded["refresh_tokens"])
    assert [row["kind"] for row in recorded["events"]].count("withdrawn") == many


def test_what_has_run_out_is_written_down_as_that(
    operate: Operate, ledger: Ledger, recorded: LedgerTables
) -> None:
    approve(ledger, "c-1", at=datetime.now(UTC) - 2 * YEAR)
    assert operate("end", "--client", "dc-budget", *WHY, "--yes").stdout == said_of(0, run_out=1)
    assert recorded["events"][-1]["kind"] == "expired"


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("x", "--client", "a"),
        ("x", "--from", "-"),
        ("--client", "a", "--from", "-"),
        ("--customer", "1/s", "--provider", "2"),
        ("--customer", "s"),
    ],
)
def test_an_ending_of_nobody_in_particular_is_refused(
    operate: Operate, ledger: Ledger, recorded: LedgerTables, arguments: tuple[str, ...]
) -> None:
    connect_three_parties(ledger)
    before = standing(recorded)
    assert operate("end", *arguments, *WHY, "--yes").exit_code == 2
    assert standing(recorded) == before


# The journal


def test_what_was_done_is_in_the_journal_however_the_command_was_called(
    operate: Operate, ledger: Ledger, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    connect_three_parties(ledger)
    path = tmp_path / "journal"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as reading:
        reading.bind(str(path))
        reading.settimeout(10)
        monkeypatch.setattr("app.commands.journal.SOCKET", path)
        done = operate("end", "c-1", *WHY)
        fields = dict(line.split("=", 1) for line in reading.recv(65536).decode().splitlines())
    assert fields == {"MESSAGE": done.stderr.rstrip("\n"), "PRIORITY": "6", "SYSLOG_IDENTIFIER": "accord"}
    assert json.loads(fields["MESSAGE"])["consent_id"] == "c-1"


def test_a_journal_that_takes_nothing_is_said_and_what_was_done_is_done(
    operate: Operate, ledger: Ledger, recorded: LedgerTables, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    connect_three_parties(ledger)
    path = tmp_path / "journal"
    path.write_text("nobody listens")
    monkeypatch.setattr("app.commands.journal.SOCKET", path)
    done = operate("end", "c-1", *WHY)
    assert done.exit_code == 0
    event, fault = done.stderr.splitlines()
    assert json.loads(event)["consent_id"] == "c-1"
    assert fault == "the journal did not take that line: Connection refused"
    assert "c-1" not in standing(recorded)
