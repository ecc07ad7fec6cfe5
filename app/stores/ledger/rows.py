"""Decisions, grants, events and texts as rows of the ledger's tables, and read back as values.

`<noun>_row` gives a row to insert, by the names of its columns; `<noun>_from` reads a row that was selected.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, TypedDict

from app.domain.agreement import Agreement, parse_agreement
from app.domain.clusters import format_scope, parse_scope
from app.domain.consent import Answer, ConsentDecision, ConsentGrant
from app.domain.evidence import Screen
from app.domain.history import Actor, Event, EventKind, Reason
from app.domain.language import Language
from app.domain.notices import Notice
from app.stores.ledger.account_columns import (
    account_ids_column,
    account_ids_from,
    chosen_column,
    chosen_from,
    resources_column,
    resources_from,
)


@dataclass(frozen=True, slots=True)
class Answered:
    """The answer that a request has, and the grant that it created, which is None after a denial.

    `replaced` is the connection that the grant has ended; only the call that recorded the answer gets it.
    """

    decision: ConsentDecision
    grant: ConsentGrant | None
    replaced: ConsentGrant | None = None


class EventRow(TypedDict):
    """A row of the table of events, without its key, which the database generates."""

    consent_id: str
    kind: EventKind
    actor: Actor
    reason: Reason
    detail: str | None
    resources: str | None
    operator: str | None
    note: str | None
    correlation_id: str
    happened_at: datetime


def event_row(
    subject: ConsentDecision | ConsentGrant | Notice,
    kind: EventKind,
    actor: Actor,
    reason: Reason,
    now: datetime,
    detail: str | None = None,
    *,
    accounts: frozenset[str] = frozenset(),
    operator: str | None = None,
    note: str | None = None,
) -> EventRow:
    return {
        "consent_id": subject.consent_id,
        "kind": kind,
        "actor": actor,
        "reason": reason,
        "detail": detail,
        "resources": account_ids_column(accounts),
        "operator": operator,
        "note": note,
        "correlation_id": subject.correlation_id,
        "happened_at": now,
    }


def decision_row(decision: ConsentDecision) -> dict[str, Any]:
    return {
        "request_id": decision.request_id,
        "consent_id": decision.consent_id,
        "client_id": decision.client_id,
        "provider_id": decision.provider_id,
        "subject": decision.subject,
        "answer": decision.answer,
        "requested_scope": format_scope(decision.requested_scope),
        "granted_scope": format_scope(decision.granted_scope),
        "language": decision.language,
        "screen_hash": decision.screen_hash,
        "agreement_hash": None if decision.agreement is None else decision.agreement.agreement_hash,
        "accounts": chosen_column(decision.accounts),
        "correlation_id": decision.correlation_id,
        "asked_at": decision.asked_at,
        "decided_at": decision.decided_at,
        "pushed_id": decision.pushed_id,
    }


def screen_row(screen: Screen, now: datetime) -> dict[str, Any]:
    return {
        "screen_hash": screen.screen_hash,
        "language": screen.language,
        "catalogue_version": screen.catalogue_version,
        "text": screen.text,
        "first_shown_at": now,
    }


def agreement_row(agreement: Agreement, now: datetime) -> dict[str, Any]:
    return {
        "agreement_hash": agreement.agreement_hash,
        "document": agreement.document,
        "first_agreed_at": now,
    }


def agreement_from(row: Any) -> Agreement | None:
    """What was agreed, from a row that has its `document`; None where that was not recorded."""
    return None if row.document is None else parse_agreement(row.document)


def grant_row(grant: ConsentGrant) -> dict[str, Any]:
    return {
        "consent_id": grant.consent_id,
        "request_id": grant.request_id,
        "client_id": grant.client_id,
        "provider_id": grant.provider_id,
        "subject": grant.subject,
        "granted_scope": format_scope(grant.granted_scope),
        "resources": resources_column(grant.resources),
        "correlation_id": grant.correlation_id,
        "approved_at": grant.approved_at,
        "expires_at": grant.expires_at,
    }


def token_row(token_hash: str, consent_id: str, now: datetime) -> dict[str, Any]:
    """The row of a refresh token that is issued now."""
    return {"token_hash": token_hash, "consent_id": consent_id, "issued_at": now, "last_used_at": now}


def grant_from(row: Any) -> ConsentGrant:
    return _grant_from(row, granted_scope=row.granted_scope, approved_at=row.approved_at)


def _grant_from(row: Any, *, granted_scope: str, approved_at: datetime) -> ConsentGrant:
    """The grant in `row`, whose scope and approval have other names where a decision stands beside it."""
    scope = parse_scope(granted_scope)
    return ConsentGrant(
        consent_id=row.consent_id,
        request_id=row.request_id,
        client_id=row.client_id,
        provider_id=row.provider_id,
        subject=row.subject,
        granted_scope=scope,
        resources=resources_from(row.resources, scope),
        correlation_id=row.correlation_id,
        approved_at=approved_at,
        expires_at=row.expires_at,
        redeemed_at=row.redeemed_at,
        ended_at=row.ended_at,
    )


def answered_from(row: Any) -> Answered:
    decision = ConsentDecision(
        request_id=row.request_id,
        consent_id=row.consent_id,
        client_id=row.client_id,
        provider_id=row.provider_id,
        subject=row.subject,
        answer=Answer(row.answer),
        requested_scope=parse_scope(row.requested_scope),
        granted_scope=parse_scope(row.granted_scope),
        language=Language(row.language),
        screen_hash=row.screen_hash,
        agreement=agreement_from(row),
        accounts=chosen_from(row.accounts),
        correlation_id=row.correlation_id,
        asked_at=row.asked_at,
        decided_at=row.decided_at,
        pushed_id=row.pushed_id,
    )
    if decision.answer is Answer.DENY:
        return Answered(decision, None)
    grant = _grant_from(row, granted_scope=row.current_scope, approved_at=row.decided_at)
    return Answered(decision, grant)


def event_from(row: Any) -> Event:
    """The event in a row of its table."""
    return replace(ending_from(row), accounts=account_ids_from(row.resources))


def ending_from(row: Any) -> Event:
    """The event that ended a grant, in a row in which the grant stands beside it."""
    return Event(
        consent_id=row.consent_id,
        kind=EventKind(row.kind),
        actor=Actor(row.actor),
        reason=Reason(row.reason),
        correlation_id=row.correlation_id,
        happened_at=row.happened_at,
        detail=row.detail,
        operator=row.operator,
        note=row.note,
    )
