"""Commands on the stores: `flask ledger`, `flask connections`, `flask sessions`.

Each says what it did. What changes a consent is an event in the ledger, by the operator.
"""

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import timedelta
from typing import Any

import click

from app.clock import utc_now
from app.domain.clusters import format_scope
from app.domain.evidence import hash_of
from app.domain.history import Actor, Event
from app.environment import value_from_file
from app.logs import operator_event
from app.stores import migrations, redis
from app.stores.connections import MOST_LISTED, ConnectionStore
from app.stores.database import Database
from app.stores.evidence import EvidenceStore
from app.stores.ledger import Ledger
from app.stores.rows import Answered
from app.stores.sessions import forget_all
from app.stores.unavailable import StoreUnavailable

_TIMEOUT = timedelta(seconds=10)

Command = Callable[..., None]


def address_option(option: str, variable: str) -> Callable[[Command], Command]:
    """An option for a store's address, else in `variable`, else in the file that `<variable>_FILE` names."""

    def or_from_file(context: click.Context, option: click.Parameter, given: str | None) -> str:
        try:
            address = given or value_from_file(variable)
        except ValueError as error:
            raise click.UsageError(str(error)) from error
        if address is None:
            raise click.MissingParameter(ctx=context, param=option)
        return address

    return click.option(
        option, envvar=variable, callback=or_from_file, help=f"{variable}, or {variable}_FILE"
    )


def at_the_ledger(command: Command) -> Command:
    """Adds the option that says where the ledger is."""
    return address_option("--url", "ACCORD_LEDGER_URL")(command)


@click.group()
def ledger() -> None:
    """The ledger's database."""


@ledger.command()
@at_the_ledger
def upgrade(url: str) -> None:
    """Brings the ledger to the newest schema."""
    with _one_line_faults():
        migrations.upgrade(url)
    click.echo("the ledger is up to date")


@ledger.command()
@at_the_ledger
def expire(url: str) -> None:
    """Writes down the end of connections that have run out. They ended without this, too."""
    count, now = 0, utc_now()
    with open_database(url) as database:
        while written := ConnectionStore(database).record_expired(now=now):
            count += written
    click.echo(f"{count} connections had run out; each has its event now")


@ledger.command()
@at_the_ledger
@click.argument("consent_id")
def show(url: str, consent_id: str) -> None:
    """Says everything about a consent: who, what, what happened, and what the customer saw, word for word."""
    with _one_line_faults(), closing(Ledger(url, timeout=_TIMEOUT)) as kept:
        answered = kept.find_consent(consent_id)
        if answered is None:
            raise click.ClickException(f"{consent_id}: no such consent")
        _show_facts(answered)
        store = ConnectionStore(kept.database)
        for event in store.history_without_use(consent_id):
            _show_event(event)
        connection = store.find(consent_id)
        if connection is not None and connection.last_used_at is not None:
            click.echo(f"last used: {connection.last_used_at.isoformat()}")
        _show_screen(EvidenceStore(kept.database), answered.decision.screen_hash)


@click.group()
def connections() -> None:
    """What customers share."""


@connections.command(name="list")
@at_the_ledger
@click.option("--customer", metavar="PROVIDER/SUBJECT", help="Those of one customer.")
@click.option("--client", "client_id", metavar="CLIENT_ID", help="Those of one recipient.")
def list_connections(url: str, customer: str | None, client_id: str | None) -> None:
    """Lists the connections of a customer, or of a recipient, the newest first."""
    if (customer is None) is (client_id is None):
        raise click.UsageError("name either --customer or --client")
    with open_database(url) as database:
        store = ConnectionStore(database)
        found = store.of_client(client_id) if client_id is not None else store.of_customer(*_parted(customer))
    now = utc_now()
    for one in found:
        grant = one.grant
        click.echo(
            f"{grant.consent_id} {one.status_at(now)} {grant.provider_id}/{grant.subject} {grant.client_id} "
            f"until {grant.expires_at.isoformat()} {format_scope(grant.granted_scope)}"
        )
    at_most = f", the newest {MOST_LISTED} of more perhaps" if len(found) == MOST_LISTED else ""
    click.echo(f"{len(found)} connections{at_most}")


@connections.command(name="end")
@at_the_ledger
@click.argument("consent_id")
def end_connection(url: str, consent_id: str) -> None:
    """Ends a connection at once: no token of it works any more."""
    with open_database(url) as database:
        ended = ConnectionStore(database).withdraw(consent_id, None, actor=Actor.OPERATOR, now=utc_now())
    if ended is None:
        raise click.ClickException(f"{consent_id}: no such connection, or it had ended before")
    event = operator_event(
        "connection_ended",
        consent_id=ended.consent_id,
        client_id=ended.client_id,
        provider_id=ended.provider_id,
        correlation_id=ended.correlation_id,
    )
    click.echo(event, err=True)
    had_run_out = ended.ended_at == ended.expires_at
    click.echo(f"{consent_id}: {'had run out; now it is written down' if had_run_out else 'ended'}")


@click.group()
def sessions() -> None:
    """Customers who are signed in."""


@sessions.command(name="end")
@address_option("--redis-url", "ACCORD_REDIS_URL")
@click.option("--customer", required=True, metavar="PROVIDER/SUBJECT")
def end_sessions(redis_url: str, customer: str) -> None:
    """Signs a customer out of every browser."""
    provider_id, subject = _parted(customer)
    with _one_line_faults(), closing(redis.connect(redis_url, timeout=_TIMEOUT)) as client:
        count = forget_all(client, lambda content: _is_of(content, provider_id, subject))
    click.echo(operator_event("sessions_ended", provider_id=provider_id, sessions=count), err=True)
    click.echo(f"{customer}: {count} sessions ended")


def _show_facts(answered: Answered) -> None:
    decision, grant = answered.decision, answered.grant
    facts = {
        "consent": decision.consent_id,
        "recipient": decision.client_id,
        "customer": f"{decision.provider_id}/{decision.subject}",
        "asked for": format_scope(decision.requested_scope),
        "answer": decision.answer.value,
        "answered at": decision.decided_at.isoformat(),
        "correlation": decision.correlation_id,
    }
    if grant is not None:
        facts |= {
            "approved": format_scope(decision.granted_scope),
            "shared now": format_scope(grant.granted_scope),
            "status": grant.status_at(utc_now()).value,
            "until": grant.expires_at.isoformat(),
        }
    for name, value in facts.items():
        click.echo(f"{name}: {value}")


def _show_event(event: Event) -> None:
    detail = f" ({event.detail})" if event.detail else ""
    click.echo(f"{event.happened_at.isoformat()} {event.kind} by {event.actor}, {event.reason}{detail}")


def _show_screen(evidence: EvidenceStore, screen_hash: str | None) -> None:
    """What was on the page. Raises ClickException when the text is not the one that was hashed."""
    screen = None if screen_hash is None else evidence.find(screen_hash)
    if screen is None:
        raise click.ClickException("what was on the page is not on record")
    click.echo(f"shown in: {screen.language}, catalogue {screen.catalogue_version}, SHA-256 {screen_hash}")
    if hash_of(screen.text) != screen_hash:
        raise click.ClickException("the text on record is not the one that was shown: its hash differs")
    click.echo("the text has this hash; word for word:")
    click.echo(screen.text)


def _is_of(content: dict[str, Any], provider_id: str, subject: str) -> bool:
    customers = content.get("customers")
    kept = customers.get(provider_id) if isinstance(customers, dict) else None
    return isinstance(kept, dict) and kept.get("subject") == subject


def _parted(customer: str | None) -> tuple[str, str]:
    provider_id, slash, subject = (customer or "").partition("/")
    if not slash or not subject:
        raise click.UsageError("a customer is written PROVIDER/SUBJECT, such as 1000/maple-0001")
    return provider_id, subject


@contextmanager
def open_database(url: str) -> Iterator[Database]:
    with _one_line_faults():
        database = Database(url, timeout=_TIMEOUT)
        try:
            yield database
        finally:
            database.close()


@contextmanager
def _one_line_faults() -> Iterator[None]:
    """What goes wrong in our own words: what a store's library says may quote its address, and a password."""
    try:
        yield
    except StoreUnavailable as error:
        raise click.ClickException(f"the store cannot be used: {error}") from error
    except ValueError as error:
        raise click.ClickException(str(error)) from error
