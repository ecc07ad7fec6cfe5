"""`flask ledger export` and `flask ledger reconcile`, for auditors."""

import json
from collections import Counter
from datetime import UTC, datetime
from typing import Any

import click

from app.clock import utc_now
from app.commands.open_stores import (
    ledger_option,
    open_database,
)
from app.domain.codes import LONGEST_CODE_LIFETIME
from app.domain.consent import ConsentGrant
from app.stores.ledger.audit import Audit, Record


class _Timestamp(click.ParamType[datetime]):
    """A date, which means midnight in UTC, or a date and time, which is UTC where it names no time zone."""

    name = "moment"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        try:
            moment = datetime.fromisoformat(value)
            return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
        except (ValueError, OverflowError):
            example = "2026-03-31, which begins at midnight in UTC, or 2026-03-31T12:00:00-04:00"
            self.fail(f"{value!r} is no date such as {example}", param, ctx)


_SINCE = click.option(
    "--since",
    type=_Timestamp(),
    help="Nothing that is older. A date begins at midnight in UTC; 2026-03-31T00:00-04:00 says its zone.",
)


@click.command()
@ledger_option
@_SINCE
def export(url: str, since: datetime | None) -> None:
    """Writes screens, agreements, decisions, grants and events as JSON lines, the oldest of each kind first.

    The output says who shared what with whom: protect it as you protect the ledger.
    """
    with open_database(url) as database:
        for record in Audit(database).records(since=since):
            click.echo(_as_json(record))


@click.command()
@ledger_option
@_SINCE
def reconcile(url: str, since: datetime | None) -> None:
    """Lists approvals whose code was never redeemed, and counts them for each recipient.

    The customer approved, and the recipient did not redeem the code: the browser did not reach the callback,
    or the callback failed. No token exists, and nothing was shared. The output names no customer.
    """
    now = utc_now()
    by_client: Counter[str] = Counter()
    with open_database(url) as database:
        for grant in Audit(database).unredeemed(approved_before=now - LONGEST_CODE_LIFETIME, since=since):
            by_client[grant.client_id] += 1
            click.echo(_lost(grant, now))
    for client_id, count in sorted(by_client.items()):
        click.echo(f"{client_id}: {count} approvals were never redeemed")
    if not by_client:
        click.echo("every code reached its recipient")


def _lost(grant: ConsentGrant, now: datetime) -> str:
    who = f"{grant.consent_id} {grant.client_id} {grant.provider_id}"
    what = f"approved {grant.approved_at.isoformat()}: the code expired, nobody redeemed it"
    ended_at = grant.ended_at
    ended = "" if ended_at is None else f", {grant.status_at(now).lower()} since {ended_at.isoformat()}"
    return f"{who} {what}{ended} (correlation {grant.correlation_id})"


def _as_json(record: Record) -> str:
    return json.dumps({"record": record.kind, **record.values}, default=_as_text, ensure_ascii=False)


def _as_text(value: datetime) -> str:
    return value.isoformat()
