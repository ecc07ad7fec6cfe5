"""`flask notices`: what recipients and banks are told, and whether it has reached them."""

import click

from app.clock import utc_now
from app.commands.journal import record_operation
from app.commands.notices_deliver import deliver
from app.commands.open_stores import ledger_option, open_database
from app.domain.notice_registration import log_fields
from app.stores.ledger.notices import Endpoint, NoticeCounts, NoticeStore


@click.group()
def notices() -> None:
    """Notices to recipients, and to banks of their own customers' consents.

    A RECEIVER is the client_id of a recipient, or a bank as provider:PROVIDER_ID.
    """


@notices.command(name="list")
@ledger_option
@click.argument("receiver", required=False)
def list_notices(url: str, receiver: str | None) -> None:
    """Lists how many notices each receiver, or RECEIVER, has in which state, and whether its server fails.

    What is waiting can also be asked for, and so can what is dead unless the receiver has refused it.
    """
    with open_database(url) as database:
        store = NoticeStore(database)
        receivers = store.receivers() if receiver is None else [receiver]
        for each in receivers:
            click.echo(f"{each}: {_in_words(store.counts_of(each))}")
    if receiver is None:
        click.echo(f"{len(receivers)} receivers have notices")


@notices.command()
@ledger_option
@click.argument("receiver")
def retry(url: str, receiver: str) -> None:
    """Makes due at once what RECEIVER has not taken, also what it refused or what was given up.

    While it is paused or disabled, nothing is sent there before that is over, or `enable` ends it.
    """
    with open_database(url) as database:
        store, now = NoticeStore(database), utc_now()
        count = store.retry(receiver, now=now)
        endpoint = store.counts_of(receiver).endpoint
    record_operation("notices_retried", **log_fields(receiver), notices=count)
    click.echo(f"{count} notices to {receiver} are due now")
    if endpoint is not None and endpoint.is_stopped_at(now):
        click.echo(f"not sent yet, since it is {_state_of(endpoint)}; flask notices enable {receiver}")


@notices.command()
@ledger_option
@click.argument("receiver")
def enable(url: str, receiver: str) -> None:
    """Sends notices to RECEIVER again, at once, after its server was disabled (410) or paused."""
    with open_database(url) as database:
        if not NoticeStore(database).enable(receiver, now=utc_now()):
            raise click.ClickException(f"{receiver}: nothing has failed there")
    record_operation("notices_enabled", **log_fields(receiver))
    click.echo(f"{receiver} is sent notices again")


def _in_words(counts: NoticeCounts) -> str:
    states = ", ".join(f"{many} {state}" for state, many in sorted(counts.by_state.items()))
    parts = [states or "no notices"]
    if counts.oldest_unsettled_at is not None:
        parts.append(f"the oldest that it has not taken is of {counts.oldest_unsettled_at.isoformat()}")
    if counts.endpoint is not None:
        parts.append(_state_of(counts.endpoint))
    return "; ".join(parts)


def _state_of(endpoint: Endpoint) -> str:
    if endpoint.disabled_at is not None:
        return f"disabled since {endpoint.disabled_at.isoformat()} ({endpoint.disabled_why})"
    if endpoint.paused_until is not None:
        return f"paused until {endpoint.paused_until.isoformat()} after {endpoint.failures} failures"
    return f"{endpoint.failures} failures running"


notices.add_command(deliver)
