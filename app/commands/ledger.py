"""`flask ledger`: the schema of the ledger's database, and commands on the ledger as a whole."""

from datetime import datetime, timedelta
from pathlib import Path

import click

from app.clock import utc_now
from app.commands.journal import record_operation
from app.commands.ledger_export import export, reconcile
from app.commands.ledger_prune import prune
from app.commands.ledger_show import show
from app.commands.open_stores import (
    ledger_option,
    one_line_faults,
    open_database,
    registry_option,
    registry_or_none,
)
from app.domain.notice_registration import NoticeType, asked_by_default
from app.domain.registry import Registry
from app.settings import Settings
from app.stores.ledger import migrations
from app.stores.ledger.connections import ConnectionStore
from app.stores.ledger.copying import NotCopied, copy_ledger
from app.stores.ledger.database import Database
from app.stores.ledger.renewals import RenewalStore


@click.group()
def ledger() -> None:
    """The ledger's database."""


@ledger.command()
@ledger_option
def upgrade(url: str) -> None:
    """Migrates the ledger to the newest schema. A ledger that is newer than this version is not changed."""
    with one_line_faults():
        is_known = migrations.upgrade(url)
    click.echo(
        "the ledger is up to date" if is_known else "the ledger is newer than this version: nothing to do"
    )


@ledger.command()
@ledger_option
@registry_option
@click.option(
    "--renewal-days",
    envvar="ACCORD_RENEWAL_DAYS",
    type=click.IntRange(min=1, max=90),
    default=Settings.model_fields["renewal_days"].default,
    show_default=True,
    help="ACCORD_RENEWAL_DAYS: how long before the end recipients are reminded.",
)
def expire(url: str, registry: Path | None, renewal_days: int) -> None:
    """Records an event for each connection that has run out. A connection ends on its date without this.

    Recipients and banks that have asked for CONSENT_EXPIRED are told; recipients that have asked for
    RENEWAL_DUE are told of each connection that ends soon, once, which is an event, too.
    """
    count, now, known = 0, utc_now(), registry_or_none(registry)
    asked = asked_by_default if known is None else known.events_asked
    with open_database(url) as database:
        while written := ConnectionStore(database, asked).record_expired(now=now):
            count += written
        click.echo(f"{count} connections had run out; each has its event now")
        if known is not None:
            _remind(database, known, now, timedelta(days=renewal_days))


def _remind(database: Database, known: Registry, now: datetime, before: timedelta) -> None:
    """Reminds the recipients that have asked for it; prints a line for each of them."""
    store = RenewalStore(database, known.events_asked)
    for client_id in sorted(known.clients):
        if NoticeType.RENEWAL_DUE not in known.events_asked(client_id):
            continue
        count = 0
        while written := store.record_due(client_id, now=now, before=before):
            count += written
        click.echo(f"{client_id}: {count} connections end soon, of which it is told now")


@ledger.command()
@click.option("--from", "source", required=True, metavar="URL", help="The ledger to copy.")
@click.option("--to", "target", required=True, metavar="URL", help="One that is migrated and empty.")
def copy(source: str, target: str) -> None:
    """Copies a ledger into another database, completely or not at all.

    Stop Accord first. The command counts the rows on both sides, and checks each text against its hash.
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


for part in (show, prune, export, reconcile):
    ledger.add_command(part)
