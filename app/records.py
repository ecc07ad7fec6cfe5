"""Commands on the ledger as a whole: `flask ledger prune`, `export`, `copy` and `reconcile`."""

import json
import math
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import click

from app.clock import utc_now
from app.domain.codes import LONGEST_CODE_LIFETIME
from app.domain.consent import ConsentGrant
from app.journal import record_operation
from app.open_stores import at_the_ledger, open_database
from app.operators import ledger
from app.stores.audit import Audit, Record
from app.stores.copying import NotCopied, copy_ledger
from app.stores.retention import Forgettable, Policy, RetentionStore

__all__ = ["ledger"]

# Nobody who was party to a consent can be asked about it for less: claims expire after three years in Quebec
# (Civil Code, article 2925), and elsewhere in Canada after two or more.
_FEWEST_YEARS = 3
_MOST_YEARS = 1000  # a date that far back still has a name
_YEAR = timedelta(days=365.25)


class _Moment(click.ParamType[datetime]):
    """A date, its first moment in UTC; or a date and time, in UTC where it names no zone."""

    name = "moment"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        try:
            moment = datetime.fromisoformat(value)
            return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
        except (ValueError, OverflowError):
            example = "2026-03-31, which begins at midnight in UTC, or 2026-03-31T12:00:00-04:00"
            self.fail(f"{value!r} is no date such as {example}", param, ctx)


class _Seconds(click.FloatRange):
    """A number of seconds within a range, which what is no number is not."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        seconds: float = super().convert(value, param, ctx)
        if math.isnan(seconds):
            self.fail(f"{value!r} is no number of seconds", param, ctx)
        return seconds


_SINCE = click.option(
    "--since",
    type=_Moment(),
    help="Nothing that is older. A date begins at midnight in UTC; 2026-03-31T00:00-04:00 says its zone.",
)


@ledger.command()
@at_the_ledger
@click.option(
    "--years",
    type=click.IntRange(min=_FEWEST_YEARS, max=_MOST_YEARS),
    default=7,
    show_default=True,
    help="Since it ended.",
)
@click.option(
    "--token-days",
    type=click.IntRange(min=30, max=365 * _MOST_YEARS),
    default=365,
    show_default=True,
    help="Since it died.",
)
@click.option(
    "--refresh-token-idle",
    envvar="ACCORD_REFRESH_TOKEN_IDLE",
    type=_Seconds(min=0, min_open=True, max=365 * 24 * 3600),
    default=30 * 24 * 3600,
    show_default=True,
    help="ACCORD_REFRESH_TOKEN_IDLE",
)
@click.option("--yes", is_flag=True, help="Delete; without it, only what would be deleted is said.")
def prune(url: str, years: int, token_days: int, refresh_token_idle: float, yes: bool) -> None:
    """Deletes what the law no longer asks anybody to keep, or says what that is.

    Decisions, grants and events go some years after the consent ended, or was denied; refresh tokens some
    days after they died; and pages that were shown, and what was agreed, when no answer that is kept refers
    to them. What is in force is never touched.
    """
    policy = Policy(
        records=years * _YEAR,
        tokens=timedelta(days=token_days),
        token_idle=timedelta(seconds=refresh_token_idle),
    )
    now = utc_now()
    with open_database(url) as database:
        store = RetentionStore(database, policy)
        if not yes:
            click.echo(f"would delete {_in_words(store.count(now=now))}; with --yes it does")
            return
        forgotten = Forgettable()
        for step in store.forget(now=now):
            forgotten += step
    record_operation(
        "ledger_pruned",
        years=years,
        consents=forgotten.consents,
        events=forgotten.events,
        refresh_tokens=forgotten.refresh_tokens,
        screens=forgotten.screens,
        agreements=forgotten.agreements,
    )
    click.echo(f"deleted {_in_words(forgotten)}")


@ledger.command()
@at_the_ledger
@_SINCE
def export(url: str, since: datetime | None) -> None:
    """Writes screens, agreements, decisions, grants and events as JSON, one a line, the oldest of each first.

    It says who shared what with whom: keep it as carefully as the ledger.
    """
    with open_database(url) as database:
        for record in Audit(database).records(since=since):
            click.echo(_as_json(record))


@ledger.command()
@click.option("--from", "source", required=True, metavar="URL", help="The ledger to copy.")
@click.option("--to", "target", required=True, metavar="URL", help="One that is migrated and empty.")
def copy(source: str, target: str) -> None:
    """Copies a ledger into another database, whole or not at all.

    Stop Accord first. The rows are counted on both sides, and each text is held against its hash.
    """
    if source == target:
        raise click.UsageError("--from and --to are the same ledger")
    with open_database(source) as old, open_database(target) as new:
        try:
            counts = copy_ledger(old, new)
        except NotCopied as error:
            raise click.ClickException(f"nothing was copied: {error}") from error
    for name, count in sorted(counts.items()):
        click.echo(f"{name}: {count}")
    record_operation("ledger_copied", **counts)
    click.echo("copied; as many rows are on both sides, and every screen and agreement has its hash")


@ledger.command()
@at_the_ledger
@_SINCE
def reconcile(url: str, since: datetime | None) -> None:
    """Lists approvals whose code nobody redeemed, and says so of each recipient.

    The customer said yes, and the recipient never came: the browser was lost on the way, or the recipient's
    callback failed. No token exists, and nothing was shared. Names no customer.
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


def _in_words(much: Forgettable) -> str:
    return (
        f"{much.consents} consents with {much.events} events, {much.refresh_tokens} refresh tokens, "
        f"{much.screens} screens and {much.agreements} agreements"
    )


def _as_json(record: Record) -> str:
    return json.dumps({"record": record.kind, **record.values}, default=_as_text, ensure_ascii=False)


def _as_text(value: datetime) -> str:
    return value.isoformat()
