"""What the ledger does to a grant inside a transaction: find it, end it, write down what happened."""

from datetime import datetime

from sqlalchemy import ColumnElement, Connection, insert, select, update

from app.domain.consent import ConsentGrant, GrantStatus
from app.domain.history import Actor, EventKind, Reason
from app.stores.rows import event_row, grant_from
from app.stores.schema import events, grants, refresh_tokens


def find(connection: Connection, *conditions: ColumnElement[bool]) -> ConsentGrant | None:
    """The one grant that fits, locked until the transaction ends."""
    row = connection.execute(select(grants).where(*conditions).with_for_update()).first()
    return None if row is None else grant_from(row)


def standing(*, provider_id: str, subject: str, client_id: str) -> tuple[ColumnElement[bool], ...]:
    """What fits the grant of this customer, provider and recipient that nothing has ended yet."""
    return (
        grants.c.provider_id == provider_id,
        grants.c.subject == subject,
        grants.c.client_id == client_id,
        grants.c.ended_at.is_(None),
    )


def end(
    connection: Connection, grant: ConsentGrant, kind: EventKind, actor: Actor, reason: Reason, now: datetime
) -> None:
    """Ends a grant and its refresh tokens. One that has run out already has expired, whatever `kind`."""
    if grant.status_at(now) is GrantStatus.EXPIRED:
        kind, actor, reason, now = EventKind.EXPIRED, Actor.ACCORD, Reason.BUSINESS_RULE, grant.expires_at
    over = update(grants).where(grants.c.consent_id == grant.consent_id, grants.c.ended_at.is_(None))
    if connection.execute(over.values(ended_at=now)).rowcount != 1:
        return
    dead = update(refresh_tokens).where(
        refresh_tokens.c.consent_id == grant.consent_id, refresh_tokens.c.revoked_at.is_(None)
    )
    connection.execute(dead.values(revoked_at=now))
    append(connection, grant, kind, actor, reason, now)


def append(
    connection: Connection,
    grant: ConsentGrant,
    kind: EventKind,
    actor: Actor,
    reason: Reason,
    now: datetime,
    detail: str | None = None,
) -> None:
    """Writes down what happened; nothing written is ever changed."""
    connection.execute(insert(events), event_row(grant, kind, actor, reason, now, detail))
