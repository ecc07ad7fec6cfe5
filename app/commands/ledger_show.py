"""`flask ledger show`: prints everything that the ledger has about one consent."""

from contextlib import closing

import click

from app.clock import utc_now
from app.commands.open_stores import (
    TIMEOUT,
    ledger_option,
    one_line_faults,
)
from app.domain.agreement import Agreement
from app.domain.clusters import format_scope
from app.domain.evidence import hash_text
from app.domain.history import Event
from app.domain.resources import clusters_by_account
from app.stores.ledger.connections import ConnectionStore
from app.stores.ledger.evidence import EvidenceStore
from app.stores.ledger.ledger import Ledger
from app.stores.ledger.rows import Answered


@click.command()
@ledger_option
@click.argument("consent_id")
def show(url: str, consent_id: str) -> None:
    """Prints a consent: the parties, the scope, the events, and the text that the customer saw."""
    with one_line_faults(), closing(Ledger(url, timeout=TIMEOUT)) as kept:
        answered = kept.find_consent(consent_id)
        if answered is None:
            raise click.ClickException(f"{consent_id}: no such consent")
        _show_facts(answered)
        _show_accounts(answered)
        _show_agreement(answered.decision.agreement)
        store = ConnectionStore(kept.database)
        for event in store.history_without_use(consent_id):
            _show_event(event)
        connection = store.find_connection(consent_id)
        if connection is not None and connection.last_used_at is not None:
            click.echo(f"last used: {connection.last_used_at.isoformat()}")
        _show_screen(EvidenceStore(kept.database), answered.decision.screen_hash)


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


def _show_accounts(answered: Answered) -> None:
    """Prints the accounts that were chosen, as they were shown, and what is shared of each now."""
    accounts, grant = answered.decision.accounts, answered.grant
    if grant is None:
        return
    if accounts is None:
        click.echo("accounts: all of them")
        return
    click.echo(
        f"accounts: {len(accounts.chosen)} of {accounts.offered} that could be chosen; "
        f"{accounts.unshareable} could not"
    )
    shared = clusters_by_account(grant.resources or ())
    for account in accounts.chosen:
        name = f"{account.name or account.type} ••{account.last_digits}".removesuffix(" ••")
        clusters = shared.get(account.account_id)
        now = "no longer shared" if clusters is None else format_scope(clusters)
        click.echo(f"account {account.account_id} ({name}): {now}")


def _show_agreement(agreement: Agreement | None) -> None:
    """Prints the agreement: the parties, the purposes and the look-back, in each language."""
    if agreement is None:
        click.echo("what was agreed is not on record")
        return
    months = agreement.history_months
    texts = {
        "agreed with": agreement.recipient_name,
        "its legal name": agreement.recipient_legal_name,
        "its site": agreement.recipient_site,
        "on behalf of": agreement.agent,
        "bank": agreement.provider_name,
        "the bank's legal name": agreement.provider_legal_name,
        "purpose": agreement.purpose,
        **{f"purpose of {cluster}": text for cluster, text in sorted(agreement.cluster_purposes.items())},
    }
    for name, text in texts.items():
        if text is not None:
            click.echo(f"{name}: {text.en} | {text.fr}")
    click.echo(f"look-back: {'no limit named' if months is None else f'{months} months'}")


def _show_event(event: Event) -> None:
    parts = [*([event.detail] if event.detail else []), *sorted(event.accounts)]
    detail = f" ({', '.join(parts)})" if parts else ""
    operator = f" {event.operator}" if event.operator else ""
    note = f": {event.note}" if event.note else ""
    actor = f"{event.actor}{operator}"
    click.echo(f"{event.happened_at.isoformat()} {event.kind} by {actor}, {event.reason}{detail}{note}")


def _show_screen(evidence: EvidenceStore, screen_hash: str | None) -> None:
    """Prints the text of the page. Raises ClickException when its hash is not the recorded one."""
    screen = None if screen_hash is None else evidence.find_screen(screen_hash)
    if screen is None:
        raise click.ClickException("what was on the page is not on record")
    click.echo(f"shown in: {screen.language}, catalogue {screen.catalogue_version}, SHA-256 {screen_hash}")
    if hash_text(screen.text) != screen_hash:
        raise click.ClickException("the text on record is not the one that was shown: its hash differs")
    click.echo("the text has this hash; word for word:")
    click.echo(screen.text)
