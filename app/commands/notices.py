"""`flask notices`: what recipients are told, and whether it has reached them."""

import click

from app.clock import utc_now
from app.commands.journal import record_operation
from app.commands.notices_deliver import deliver
from app.commands.open_stores import ledger_option, open_database
from app.stores.ledger.notices import NoticeCounts, NoticeStore


@click.group()
def notices() -> None:
    """Notices to recipients."""


@notices.command(name="list")
@ledger_option
@click.argument("client_id", metavar="CLIENT", required=False)
def list_notices(url: str, client_id: str | None) -> None:
    """Lists how many notices each recipient, or CLIENT, has in which state, and whether its server fails.

    What is waiting can also be asked for, and so can what is dead unless the recipient has refused it.
    """
    with open_database(url) as database:
        store = NoticeStore(database)
        client_ids = store.client_ids() if client_id is None else [client_id]
        for each in client_ids:
            click.echo(f"{each}: {_in_words(store.counts_of(each))}")
    if client_id is None:
        click.echo(f"{len(client_ids)} recipients have notices")


@notices.command()
@ledger_option
@click.argument("client_id", metavar="CLIENT")
def retry(url: str, client_id: str) -> None:
    """Makes due at once what CLIENT has not taken, also what it refused or what was given up."""
    with open_database(url) as database:
        count = NoticeStore(database).retry(client_id, now=utc_now())
    record_operation("notices_retried", client_id=client_id, notices=count)
    click.echo(f"{count} notices to {client_id} are due now")


@notices.command()
@ledger_option
@click.argument("client_id", metavar="CLIENT")
def enable(url: str, client_id: str) -> None:
    """Sends notices to CLIENT again after its server was disabled (410) or paused."""
    with open_database(url) as database:
        if not NoticeStore(database).enable(client_id):
            raise click.ClickException(f"{client_id}: nothing has failed there")
    record_operation("notices_enabled", client_id=client_id)
    click.echo(f"{client_id} is sent notices again")


def _in_words(counts: NoticeCounts) -> str:
    states = ", ".join(f"{many} {state}" for state, many in sorted(counts.by_state.items()))
    parts = [states or "no notices"]
    if counts.oldest_unsettled_at is not None:
        parts.append(f"the oldest that it has not taken is of {counts.oldest_unsettled_at.isoformat()}")
    endpoint = counts.endpoint
    if endpoint is not None and endpoint.disabled_at is not None:
        parts.append(f"disabled since {endpoint.disabled_at.isoformat()} ({endpoint.disabled_why})")
    elif endpoint is not None and endpoint.paused_until is not None:
        parts.append(f"paused until {endpoint.paused_until.isoformat()} after {endpoint.failures} failures")
    elif endpoint is not None:
        parts.append(f"{endpoint.failures} failures running")
    return "; ".join(parts)


notices.add_command(deliver)
