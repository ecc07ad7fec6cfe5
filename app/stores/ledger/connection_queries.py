"""The ledger's queries about connections: grants with what was asked, agreed, answered, and what ended each.

They are built here once, since building one costs more than the database takes to run it.
"""

from functools import cache
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Integer,
    Select,
    and_,
    bindparam,
    exists,
    func,
    literal_column,
    not_,
    or_,
    select,
)

from app.domain.history import ENDINGS, EventKind
from app.domain.notice_registration import NoticeType
from app.stores.ledger.grants import IS_STANDING, OF_CONSENT
from app.stores.ledger.notice_rows import IS_UNSETTLED
from app.stores.ledger.schema import (
    UtcDateTime,
    agreements,
    decisions,
    events,
    grants,
    notice_endpoints,
    notices,
    refresh_tokens,
)

AT_ONCE = 500
"""Connections that one statement reads or one transaction writes, where there may be any number of them.

Customers whose grants a transaction has locked wait for its end: 500 are over in a fraction of a second.
"""


def _is_one_of(kinds: frozenset[EventKind]) -> ColumnElement[bool]:
    """Whether an event is of one of `kinds`: constants in the statement's text, by which an index is used."""
    return events.c.kind.in_([literal_column(f"'{kind}'") for kind in sorted(kinds)])


_LAST_USED = (
    select(func.max(refresh_tokens.c.last_used_at))
    .where(refresh_tokens.c.consent_id == grants.c.consent_id)
    .scalar_subquery()
)
_narrowings = events.alias()
_NARROWED_AT = (
    select(func.max(_narrowings.c.happened_at))
    .where(
        _narrowings.c.consent_id == grants.c.consent_id,
        _narrowings.c.kind == literal_column(f"'{EventKind.NARROWED}'"),
    )
    .scalar_subquery()
)
_IS_ENDING = _is_one_of(ENDINGS)
_CONNECTIONS = (
    select(
        grants,
        decisions.c.requested_scope,
        decisions.c.granted_scope.label("approved_scope"),
        decisions.c.language,
        decisions.c.screen_hash,
        decisions.c.accounts,
        _LAST_USED.label("last_used_at"),
        _NARROWED_AT.label("narrowed_at"),
        agreements.c.document,
        *(events.c.kind, events.c.actor, events.c.reason, events.c.happened_at),
        *(events.c.detail, events.c.operator, events.c.note),
    )
    .select_from(grants)
    .join(decisions, decisions.c.request_id == grants.c.request_id)
    .outerjoin(agreements, agreements.c.agreement_hash == decisions.c.agreement_hash)
    .outerjoin(events, and_(events.c.consent_id == grants.c.consent_id, _IS_ENDING))
)
CONNECTION = _CONNECTIONS.where(OF_CONSENT)
STANDING_CONSENT = (
    select(grants, decisions.c.requested_scope, decisions.c.asked_at, decisions.c.agreement_hash)
    .join(decisions, decisions.c.request_id == grants.c.request_id)
    .where(*IS_STANDING)
)
_NEWEST_FIRST = (grants.c.approved_at.desc(), grants.c.consent_id.desc())
_OLDER = (
    grants.c.approved_at <= bindparam("approved_at", type_=UtcDateTime),
    or_(
        grants.c.approved_at < bindparam("approved_at", type_=UtcDateTime),
        grants.c.consent_id < bindparam("older"),
    ),
)
_WHOSE = {
    "provider_id": grants.c.provider_id == bindparam("at_provider"),
    "subject": grants.c.subject == bindparam("of_customer"),
    "client_id": grants.c.client_id == bindparam("to_client"),
}
BINDS = {"provider_id": "at_provider", "subject": "of_customer", "client_id": "to_client"}
_OF_CUSTOMER = _CONNECTIONS.where(_WHOSE["provider_id"], _WHOSE["subject"]).order_by(*_NEWEST_FIRST)
_NOW = bindparam("now", type_=UtcDateTime)
ACTIVE = _OF_CUSTOMER.where(grants.c.ended_at.is_(None), grants.c.expires_at > _NOW)
ENDED = _OF_CUSTOMER.where(or_(grants.c.ended_at.is_not(None), grants.c.expires_at <= _NOW)).limit(
    bindparam("most", type_=Integer)
)
ENDED_OLDER = ENDED.where(*_OLDER)
OF_CLIENT = (
    _CONNECTIONS.where(_WHOSE["client_id"]).order_by(*_NEWEST_FIRST).limit(bindparam("most", type_=Integer))
)
OF_CLIENT_OLDER = OF_CLIENT.where(*_OLDER)
HISTORY = select(events).where(events.c.consent_id == bindparam("of_consent")).order_by(events.c.event_id)
HISTORY_WITHOUT_USE = HISTORY.where(_is_one_of(frozenset(EventKind) - {EventKind.REFRESHED}))
_IS_DISABLED = exists().where(
    notice_endpoints.c.client_id == notices.c.client_id, notice_endpoints.c.disabled_at.is_not(None)
)
END_TO_TELL = select(notices.c.notice_id).where(
    notices.c.client_id == bindparam("to_client"),
    IS_UNSETTLED,
    # A notice has the moment of what it tells, by which the index finds it among those of its receiver.
    notices.c.happened_at == bindparam("at", type_=UtcDateTime),
    notices.c.consent_id == bindparam("of_consent"),
    notices.c.type == literal_column(f"'{NoticeType.CONSENT_REVOKED}'"),
    not_(_IS_DISABLED),
)


@cache
def portion_of(whose: tuple[str, ...], *, is_first: bool) -> Select[Any]:
    """The query for the first or a later portion of the connections with values in the columns `whose`."""
    query = _CONNECTIONS.where(*(_WHOSE[name] for name in whose)).order_by(*_NEWEST_FIRST).limit(AT_ONCE)
    return query if is_first else query.where(*_OLDER)


@cache
def standing_of(whose: tuple[str, ...]) -> Select[Any]:
    """The query for the connections, with values in the columns `whose`, that nothing has ended yet."""
    return select(grants.c.consent_id).where(*(_WHOSE[name] for name in whose), grants.c.ended_at.is_(None))
