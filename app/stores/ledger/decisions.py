"""Records and finds the answers of customers, inside a transaction of the ledger.

Statements are built here once, since building one costs more than the database takes to run it.
"""

from dataclasses import replace
from datetime import datetime

from sqlalchemy import bindparam, select

from app.domain.consent import ConsentDecision, ConsentGrant, ShownConsent
from app.domain.history import Actor, EventKind, Reason
from app.domain.notice_registration import EventsAsked, asked_by_default
from app.stores.ledger.grants import replaced_event_row, supersede_grant
from app.stores.ledger.inserting import Row, insert_rows
from app.stores.ledger.notifying import Happened, notices_of, overtaking
from app.stores.ledger.refresh_tokens import revoking
from app.stores.ledger.rows import (
    Answered,
    agreement_row,
    answered_from,
    decision_row,
    event_row,
    grant_row,
    screen_row,
)
from app.stores.ledger.schema import agreements, decisions, grants, notices, screens
from app.stores.ledger.statements import Change, DatabaseConnection

_ANSWERS = select(
    decisions,
    grants.c.granted_scope.label("current_scope"),
    grants.c.resources,
    grants.c.expires_at,
    grants.c.redeemed_at,
    grants.c.ended_at,
    agreements.c.document,
).select_from(
    decisions.outerjoin(grants, grants.c.request_id == decisions.c.request_id).outerjoin(
        agreements, agreements.c.agreement_hash == decisions.c.agreement_hash
    )
)
_ANSWER_TO = _ANSWERS.where(decisions.c.request_id == bindparam("to_request"))
_ANSWER_TO_PUSHED = _ANSWERS.where(decisions.c.pushed_id == bindparam("pushed"))
_ANSWER_UNDER = _ANSWERS.where(decisions.c.consent_id == bindparam("of_consent"))


class ConnectionChanged(Exception):
    """The connection that an approval would replace is not the one that its page showed."""


def find_answer_to(
    connection: DatabaseConnection, request_id: str, pushed_id: str | None = None
) -> Answered | None:
    """The answer that the request has, or that another browser gave to what was pushed for it."""
    if pushed_id is None:
        row = connection.first(_ANSWER_TO, to_request=request_id)
    else:
        row = connection.first(_ANSWER_TO_PUSHED, pushed=pushed_id)
    return None if row is None else answered_from(row)


def find_answer_under(connection: DatabaseConnection, consent_id: str) -> Answered | None:
    """The answer under its consent_id, which a denial has too."""
    row = connection.first(_ANSWER_UNDER, of_consent=consent_id)
    return None if row is None else answered_from(row)


def insert_decision(
    connection: DatabaseConnection,
    decision: ConsentDecision,
    grant: ConsentGrant | None,
    shown: ShownConsent | None,
    *,
    asked: EventsAsked = asked_by_default,
) -> Answered:
    """Records an answer and its grant; returns them as they were recorded, with the grant that they replaced.

    Raises UniqueViolation where the request has an answer, and ConnectionChanged.
    """
    replaced = None
    if grant is not None:
        replaced = supersede_grant(connection, grant)
        if shown is not None:
            _require_shown(replaced, shown, decision.decided_at)
        # Another machine's clock may be ahead of this one's: a successor is never approved before its
        # predecessor was.
        if replaced is not None and replaced.approved_at > grant.approved_at:
            decision = replace(decision, decided_at=replaced.approved_at)
            grant = replace(grant, approved_at=replaced.approved_at)
    rows: list[Row] = []
    changes: list[Change] = []
    if shown is not None:
        rows.append((screens, screen_row(shown.screen, decision.decided_at)))
    if decision.agreement is not None:
        rows.append((agreements, agreement_row(decision.agreement, decision.decided_at)))
    rows.append((decisions, decision_row(decision)))
    answered = EventKind.DENIED if grant is None else EventKind.APPROVED
    happened = [
        event_row(decision, EventKind.ASKED, Actor.CLIENT, Reason.USER_ACTION, decision.asked_at),
        event_row(decision, answered, Actor.CUSTOMER, Reason.USER_ACTION, decision.decided_at),
    ]
    told: list[Happened] = []
    if grant is not None:
        rows.append((grants, grant_row(grant)))
        told.append(Happened(grant, happened[-1]))
    if grant is not None and replaced is not None:
        end = Happened(replaced, replaced_event_row(replaced, grant))
        happened.append(end.event)
        told.append(end)
        changes += [*revoking(replaced, end.event["happened_at"]), overtaking(end)]
    rows += [(notices, row) for row in notices_of(told, asked)]
    insert_rows(connection, rows, *happened, changes=changes)
    return Answered(decision, grant, replaced)


def _require_shown(replaced: ConsentGrant | None, shown: ShownConsent, now: datetime) -> None:
    """Raises ConnectionChanged unless the page said that `replaced`, as it is now, would be replaced."""
    in_force = replaced if replaced is not None and now < replaced.expires_at else None
    if _terms(in_force) != _terms(shown.standing):
        raise ConnectionChanged


def _terms(grant: ConsentGrant | None) -> object:
    return (
        None if grant is None else (grant.consent_id, grant.granted_scope, grant.resources, grant.expires_at)
    )
