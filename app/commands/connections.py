"""`flask connections`: lists what customers share, and ends connections.

When an operator ends a connection, an event in the ledger has their name and reason, and the system's journal
gets a line.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO

import click

from app.clock import utc_now
from app.commands.journal import record_operation
from app.commands.open_stores import (
    events_asked,
    ledger_option,
    open_database,
    parse_customer,
    registry_option,
)
from app.domain.clusters import format_scope
from app.domain.consent import ConsentGrant, GrantStatus
from app.domain.display_text import printable_line
from app.domain.history import Actor
from app.domain.narrowing import Withdrawn
from app.domain.notice_registration import EventsAsked, asked_by_default
from app.stores.ledger.connections import ConnectionStore
from app.stores.unavailable import StoreUnavailable

# How many connections one transaction ends: a judgement. A customer who changes one of them waits for that
# long.
_AT_ONCE = 100
_RUN_OUT = "had run out; now it is written down"


class PrintableText(click.ParamType[str]):
    """An option of printable text on one line, of at most `most` characters."""

    name = "text"

    def __init__(self, most: int) -> None:
        self._most = most

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        words = printable_line(str(value))
        if not words or len(words) > self._most:
            self.fail(f"say it in 1 to {self._most} characters", param, ctx)
        return words


@click.group()
def connections() -> None:
    """What customers share."""


@connections.command(name="list")
@ledger_option
@click.option("--customer", metavar="PROVIDER/SUBJECT", help="Those of one customer.")
@click.option("--client", "client_id", metavar="CLIENT_ID", help="Those of one recipient.")
def list_connections(url: str, customer: str | None, client_id: str | None) -> None:
    """Lists the connections of a customer, or of a recipient, the newest first."""
    if (customer is None) is (client_id is None):
        raise click.UsageError("name either --customer or --client")
    columns = _common_columns(customer, client_id, None)
    now, count = utc_now(), 0
    with open_database(url) as database:
        for one in ConnectionStore(database).of(**columns):
            grant = one.grant
            click.echo(
                f"{grant.consent_id} {one.status_at(now)} {grant.provider_id}/{grant.subject} "
                f"{grant.client_id} until {grant.expires_at.isoformat()} {format_scope(grant.granted_scope)}"
            )
            count += 1
    click.echo(f"{count} connections")


@connections.command(name="end")
@ledger_option
@registry_option
@click.argument("consent_id", required=False)
@click.option("--customer", metavar="PROVIDER/SUBJECT", help="All of one customer.")
@click.option("--client", "client_id", metavar="CLIENT_ID", help="All of one recipient.")
@click.option("--provider", "provider_id", metavar="PROVIDER_ID", help="All at one bank.")
@click.option("--from", "file", type=click.File(), help="Those whose consent ids are in FILE, one a line.")
@click.option("--account", "account_id", metavar="ACCOUNT_ID", help="Of CONSENT_ID, this account alone.")
@click.option("--reason", "note", type=PrintableText(500), required=True, help="Why, for the record.")
@click.option("--by", "operator", type=PrintableText(255), required=True, help="Your name, for the record.")
@click.option("--yes", is_flag=True, help="End them; without it, only how many would end is said.")
def end_connections(
    url: str,
    registry: Path | None,
    consent_id: str | None,
    customer: str | None,
    client_id: str | None,
    provider_id: str | None,
    file: TextIO | None,
    account_id: str | None,
    note: str,
    operator: str,
    yes: bool,
) -> None:
    """Ends one connection, or many, at once: none of their tokens works any more.

    CONSENT_ID ends one connection. --customer, --client and --provider select the connections that have not
    ended and to which all of the given options apply. These options, and --from, need --yes. With --account
    only that account is taken out of CONSENT_ID; with the last one the connection ends. Recipients are
    told, and so are banks that have registered notices.
    """
    columns = _common_columns(customer, client_id, provider_id)
    if [consent_id is not None, file is not None, bool(columns)].count(True) != 1:
        raise click.UsageError("name CONSENT_ID, or --from, or any of --customer, --client and --provider")
    if account_id is not None and consent_id is None:
        raise click.UsageError("--account is of one connection: name CONSENT_ID")
    with open_database(url) as database:
        store = ConnectionStore(database, _events_asked(registry))
        if consent_id is not None and account_id is not None:
            _end_account(store, consent_id, account_id, operator, note)
            return
        if consent_id is not None:
            _end_one(store, consent_id, operator, note)
            return
        consent_ids = store.standing(**columns) if file is None else _named_in(file)
        if not yes:
            click.echo(f"would end {len(consent_ids)} connections; with --yes it does")
            return
        _end_many(store, consent_ids, operator, note)


def _events_asked(registry: Path | None) -> EventsAsked:
    """The events of which each receiver is told. A faulty registration file does not prevent an ending."""
    try:
        return events_asked(registry)
    except click.ClickException as error:
        click.echo(f"recipients are told as by default, and banks are not: {error.message}", err=True)
        return asked_by_default


def _end_one(store: ConnectionStore, consent_id: str, operator: str, note: str) -> None:
    ended = _end_some(store, [consent_id], operator, note)
    if not ended:
        raise click.ClickException(f"{consent_id}: no such connection, or it had ended before")
    click.echo(f"{consent_id}: {_RUN_OUT if _had_run_out(ended[0]) else 'ended'}")


def _end_account(store: ConnectionStore, consent_id: str, account_id: str, operator: str, note: str) -> None:
    """Takes one account out. The journal does not say which: the ids of accounts are in no log."""
    found = store.find_connection(consent_id)
    if found is None or account_id not in found.grant.account_ids:
        raise click.ClickException(f"{consent_id}: no such connection, or it does not name that account")
    now, part = utc_now(), Withdrawn(accounts=frozenset({account_id}))
    after = store.withdraw(consent_id, part, actor=Actor.OPERATOR, now=now, operator=operator, note=note)
    if after is None:
        raise click.ClickException(f"{consent_id}: it had ended before")
    status = after.status_at(now)
    if status is GrantStatus.ACTIVE:
        _record(after, operator, note, event="connection_narrowed")
        click.echo(f"{consent_id}: that account is shared no longer")
        return
    _record(after, operator, note, event="connection_ended")
    run_out = status is GrantStatus.EXPIRED
    click.echo(f"{consent_id}: {_RUN_OUT if run_out else 'ended, since it was for no other account'}")


def _end_many(store: ConnectionStore, consent_ids: list[str], operator: str, note: str) -> None:
    ended: list[ConsentGrant] = []
    try:
        for portion in _portions(consent_ids):
            ended += _end_some(store, portion, operator, note)
    except StoreUnavailable as error:
        so_far = f"{len(ended)} connections ended, then the store could not be used: {error}"
        raise click.ClickException(f"{so_far}; the same command ends the rest") from error
    run_out = sum(_had_run_out(grant) for grant in ended)
    click.echo(
        f"{len(ended) - run_out} connections ended; {run_out} had run out, now it is written down; "
        f"{len(consent_ids) - len(ended)} are unknown, or had ended before"
    )


def _end_some(store: ConnectionStore, consent_ids: list[str], operator: str, note: str) -> list[ConsentGrant]:
    """Ends the connections in one transaction, and then writes a line to the journal for each of them."""
    ended = store.end_all(consent_ids, operator=operator, note=note, now=utc_now())
    for grant in ended:
        _record(grant, operator, note, event="connection_ended")
    return ended


def _record(grant: ConsentGrant, operator: str, note: str, *, event: str) -> None:
    record_operation(
        event,
        consent_id=grant.consent_id,
        client_id=grant.client_id,
        provider_id=grant.provider_id,
        correlation_id=grant.correlation_id,
        operator=operator,
        note=note,
    )


def _had_run_out(grant: ConsentGrant) -> bool:
    return grant.status_at(utc_now()) is GrantStatus.EXPIRED


def _portions(consent_ids: list[str]) -> Iterator[list[str]]:
    for begin in range(0, len(consent_ids), _AT_ONCE):
        yield consent_ids[begin : begin + _AT_ONCE]


def _named_in(file: TextIO) -> list[str]:
    """The consent ids in `file`, each once."""
    lines = (line.strip() for line in file)
    return list(dict.fromkeys(line for line in lines if line and "\0" not in line))


def _common_columns(customer: str | None, client_id: str | None, provider_id: str | None) -> dict[str, str]:
    """The values that all selected connections have, by the columns of the ledger. Raises UsageError."""
    columns = {} if client_id is None else {"client_id": client_id}
    if provider_id is not None:
        columns["provider_id"] = provider_id
    if customer is not None:
        at_provider, columns["subject"] = parse_customer(customer)
        if columns.setdefault("provider_id", at_provider) != at_provider:
            raise click.UsageError("--customer is at another bank than --provider")
    return columns
