"""`flask ledger prune`: deletes records whose retention period is over."""

import math
from datetime import timedelta
from typing import Any

import click

from app.clock import utc_now
from app.commands.journal import record_operation
from app.commands.open_stores import (
    ledger_option,
    open_database,
)
from app.stores.ledger.retention import Forgettable, Policy, RetentionStore

# The bank needs the record for as long as a customer may bring a claim: three years in Quebec (Civil Code,
# article 2925), and two or more elsewhere in Canada.
_FEWEST_YEARS = 3
_MOST_YEARS = 1000  # Python's dates begin with the year 1, so that subtracting more would fail
_YEAR = timedelta(days=365.25)


class _Seconds(click.FloatRange):
    """A number of seconds within a range. Click's FloatRange would accept `nan`."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        seconds: float = super().convert(value, param, ctx)
        if math.isnan(seconds):
            self.fail(f"{value!r} is no number of seconds", param, ctx)
        return seconds


@click.command()
@ledger_option
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
@click.option(
    "--notice-days",
    type=click.IntRange(min=7, max=365 * _MOST_YEARS),
    default=90,
    show_default=True,
    help="Since what it tells happened.",
)
@click.option("--yes", is_flag=True, help="Delete; without it, only what would be deleted is said.")
def prune(
    url: str, years: int, token_days: int, refresh_token_idle: float, notice_days: int, yes: bool
) -> None:
    """Deletes records whose retention period is over; without --yes it only counts them.

    Decisions, grants and events are deleted --years after the consent ended or was denied, refresh tokens
    --token-days after they stopped working, and the texts of pages and agreements when no remaining decision
    refers to them. Notices are deleted --notice-days after what they tell, whether or not the recipient has
    taken them; that it has is an event. Consents in force are never deleted.
    """
    policy = Policy(
        records=years * _YEAR,
        tokens=timedelta(days=token_days),
        token_idle=timedelta(seconds=refresh_token_idle),
        notices=timedelta(days=notice_days),
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
        notices=forgotten.notices,
    )
    click.echo(f"deleted {_in_words(forgotten)}")


def _in_words(much: Forgettable) -> str:
    return (
        f"{much.consents} consents with {much.events} events, {much.refresh_tokens} refresh tokens, "
        f"{much.screens} screens, {much.agreements} agreements and {much.notices} notices"
    )
