"""Finds, narrows and ends grants, with the events of that, inside a transaction of the ledger.

Statements are built here once, since building one costs more than the database takes to run it.
"""

import json
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from sqlalchemy import Executable, bindparam, case, select, update

from app.domain.clusters import format_scope
from app.domain.consent import ConsentGrant, GrantStatus
from app.domain.history import Actor, EventKind, Reason
from app.domain.notice_registration import EventsAsked, asked_by_default
from app.stores.ledger.account_columns import resources_column
from app.stores.ledger.notifying import Happened, record_happened
from app.stores.ledger.refresh_tokens import revoking
from app.stores.ledger.rows import EventRow, event_row, grant_from
from app.stores.ledger.schema import UtcDateTime, grants
from app.stores.ledger.statements import Change, DatabaseConnection

_AT = bindparam("at", type_=UtcDateTime)

IS_STANDING = (
    grants.c.provider_id == bindparam("at_provider"),
    grants.c.subject == bindparam("of_customer"),
    grants.c.client_id == bindparam("to_client"),
    grants.c.ended_at.is_(None),
)
"""Whether it is the grant `of_customer` `at_provider` `to_client` that nothing has ended yet."""

OF_CONSENT = grants.c.consent_id == bindparam("of_consent")
"""The condition that a row is the grant `of_consent`."""

GRANT = select(grants).where(OF_CONSENT)
"""The grant `of_consent`."""

LOCKED_GRANT = GRANT.with_for_update()
"""The grant `of_consent`, locked until the transaction ends."""

_END = update(grants).where(OF_CONSENT, grants.c.ended_at.is_(None)).values(ended_at=_AT)
_NARROW = (
    update(grants)
    .where(OF_CONSENT)
    .values(granted_scope=bindparam("scope_left"), resources=bindparam("resources_left"))
)
# A grant that has run out ended when it ran out, and none ends before it was approved.
_SUPERSEDE = (
    update(grants)
    .where(*IS_STANDING)
    .values(
        ended_at=case(
            (grants.c.expires_at <= _AT, grants.c.expires_at),
            (grants.c.approved_at > _AT, grants.c.approved_at),
            else_=_AT,
        )
    )
    .returning(grants)
)


def find_grant(connection: DatabaseConnection, query: Executable, **values: Any) -> ConsentGrant | None:
    """The grant that `query` finds with `values`; None where there is none."""
    row = connection.first(query, **values)
    return None if row is None else grant_from(row)


def connection_name(grant: ConsentGrant) -> str:
    """The name of the connection between the parties of `grant`, of which one grant at a time is in force."""
    return json.dumps([grant.provider_id, grant.subject, grant.client_id])


def end_grant(
    connection: DatabaseConnection,
    grant: ConsentGrant,
    kind: EventKind,
    actor: Actor,
    reason: Reason,
    now: datetime,
    *,
    asked: EventsAsked = asked_by_default,
    operator: str | None = None,
    note: str | None = None,
) -> bool:
    """Ends a grant and its refresh tokens, and appends the event. False where it had ended before.

    A grant that has run out has expired: that is the event then, whatever `kind` says.
    """
    told = {"operator": operator, "note": note}
    return bool(end_grants(connection, [grant], kind, actor, reason, now, asked=asked, **told))


def end_grants(
    connection: DatabaseConnection,
    standing: Iterable[ConsentGrant],
    kind: EventKind,
    actor: Actor,
    reason: Reason,
    now: datetime,
    *,
    asked: EventsAsked,
    operator: str | None = None,
    note: str | None = None,
) -> list[ConsentGrant]:
    """Ends those that have not ended before, as `end_grant` does, and returns them as they were."""
    ended: list[ConsentGrant] = []
    for grant in standing:
        event = event_row(grant, kind, actor, reason, now, operator=operator, note=note)
        if grant.status_at(now) is GrantStatus.EXPIRED:
            event = _expired_row(grant, operator=operator, note=note)
        if connection.change(_END, of_consent=grant.consent_id, at=event["happened_at"]) == 1:
            changes = revoking(grant, event["happened_at"])
            record_happened(connection, Happened(grant, event), asked, changes)
            ended.append(grant)
    return ended


def narrow_grant(
    connection: DatabaseConnection,
    grant: ConsentGrant,
    left: ConsentGrant,
    actor: Actor,
    reason: Reason,
    now: datetime,
    *,
    asked: EventsAsked = asked_by_default,
    operator: str | None = None,
    note: str | None = None,
) -> None:
    """Makes `left` of a grant that the caller has locked, and appends the event with what was taken out."""
    narrowing: Change = (
        _NARROW,
        {
            "of_consent": grant.consent_id,
            "scope_left": format_scope(left.granted_scope),
            "resources_left": resources_column(left.resources),
        },
    )
    taken = format_scope(grant.granted_scope - left.granted_scope) or None
    accounts = grant.account_ids - left.account_ids
    told = {"operator": operator, "note": note}
    event = event_row(grant, EventKind.NARROWED, actor, reason, now, taken, accounts=accounts, **told)
    record_happened(connection, Happened(grant, event), asked, [narrowing])


def supersede_grant(connection: DatabaseConnection, successor: ConsentGrant) -> ConsentGrant | None:
    """Ends the grant that `successor` replaces, if any, and returns it.

    The caller appends `replaced_event_row` with the events of the successor, writes the notice of it, and
    revokes its tokens.
    """
    return find_grant(
        connection,
        _SUPERSEDE,
        at_provider=successor.provider_id,
        of_customer=successor.subject,
        to_client=successor.client_id,
        at=successor.approved_at,
    )


def replaced_event_row(replaced: ConsentGrant, successor: ConsentGrant) -> EventRow:
    """The event of a grant that `successor` replaced: superseded, or expired where it had run out."""
    now = successor.approved_at
    if replaced.status_at(now) is GrantStatus.EXPIRED:
        return _expired_row(replaced)
    detail = successor.consent_id
    return event_row(replaced, EventKind.SUPERSEDED, Actor.CUSTOMER, Reason.OTHER, now, detail)


def _expired_row(grant: ConsentGrant, *, operator: str | None = None, note: str | None = None) -> EventRow:
    why = (EventKind.EXPIRED, Actor.ACCORD, Reason.BUSINESS_RULE)
    return event_row(grant, *why, grant.expires_at, operator=operator, note=note)
