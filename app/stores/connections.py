"""A customer's connections: what the ledger knows of each, and how one ends or is narrowed."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, bindparam, func, literal_column, select, update

from app.domain.clusters import Scope, format_scope, parse_scope
from app.domain.consent import ConsentGrant, GrantStatus, narrowed_by
from app.domain.history import ENDINGS, Actor, Event, EventKind, Reason
from app.domain.language import Language
from app.stores.database import Database
from app.stores.grants import GRANT, LOCKED_GRANT, OF_CONSENT, STANDING, append, end, find
from app.stores.rows import event_from, event_row, grant_from
from app.stores.schema import decisions, events, grants, refresh_tokens

MOST_LISTED = 500


def _is_one_of(kinds: frozenset[EventKind]) -> ColumnElement[bool]:
    """Whether an event is of one of `kinds`, which are found by a key: constants in the statement's text."""
    return events.c.kind.in_([literal_column(f"'{kind}'") for kind in sorted(kinds)])


# Built once: building a statement costs more than the database takes to run it.
_LAST_USED = (
    select(func.max(refresh_tokens.c.last_used_at))
    .where(refresh_tokens.c.consent_id == grants.c.consent_id)
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
        _LAST_USED.label("last_used_at"),
        *(events.c.kind, events.c.actor, events.c.reason, events.c.happened_at, events.c.detail),
    )
    .select_from(grants)
    .join(decisions, decisions.c.request_id == grants.c.request_id)
    .outerjoin(events, and_(events.c.consent_id == grants.c.consent_id, _IS_ENDING))
    .order_by(grants.c.approved_at.desc())
    .limit(MOST_LISTED)
)
_CONNECTION = _CONNECTIONS.where(OF_CONSENT)
_OF_CUSTOMER = _CONNECTIONS.where(
    grants.c.provider_id == bindparam("at_provider"), grants.c.subject == bindparam("of_customer")
)
_OF_CLIENT = _CONNECTIONS.where(grants.c.client_id == bindparam("to_client"))
_HISTORY = select(events).where(events.c.consent_id == bindparam("of_consent")).order_by(events.c.event_id)
_HISTORY_WITHOUT_USE = _HISTORY.where(_is_one_of(frozenset(EventKind) - {EventKind.REFRESHED}))
_NARROW = update(grants).where(OF_CONSENT).values(granted_scope=bindparam("left"))


@dataclass(frozen=True, slots=True)
class Connection:
    """A grant, with what was asked and answered, when it was last used, and how it ended, if it has."""

    grant: ConsentGrant
    requested_scope: Scope
    approved_scope: Scope
    language: Language
    screen_hash: str | None
    last_used_at: datetime | None
    ending: Event | None

    def status_at(self, now: datetime) -> GrantStatus:
        return self.grant.status_at(now)


class ConnectionStore:
    """Reads and ends connections. Every method raises StoreUnavailable."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def find(self, consent_id: str) -> Connection | None:
        if "\0" in consent_id:  # PostgreSQL would not even look for it
            return None
        found = self._find_all(_CONNECTION, of_consent=consent_id)
        return found[0] if found else None

    def of_customer(self, provider_id: str, subject: str) -> list[Connection]:
        """Every connection of one customer of one provider, the newest first."""
        return self._find_all(_OF_CUSTOMER, at_provider=provider_id, of_customer=subject)

    def of_client(self, client_id: str) -> list[Connection]:
        """Every connection of one recipient, the newest first."""
        return self._find_all(_OF_CLIENT, to_client=client_id)

    def find_standing(self, *, provider_id: str, subject: str, client_id: str) -> ConsentGrant | None:
        """The connection that a repeat request would replace."""
        between = {"at_provider": provider_id, "of_customer": subject, "to_client": client_id}
        with self._database.reading() as connection:
            return find(connection, STANDING, **between)

    def history(self, consent_id: str) -> list[Event]:
        """Everything that happened to a consent, in order."""
        return self._events(_HISTORY, consent_id)

    def history_without_use(self, consent_id: str) -> list[Event]:
        """The same without refreshed tokens, of which there is one every few minutes."""
        return self._events(_HISTORY_WITHOUT_USE, consent_id)

    def withdraw(
        self, consent_id: str, withdrawn: Scope | None, *, actor: Actor, now: datetime
    ) -> ConsentGrant | None:
        """Takes `withdrawn` out of a connection, or ends it (None: all). Returns what stands afterwards.

        None when there is no such connection or it had ended. Effective at once: when this returns, no
        token of what was withdrawn is issued any more.
        """
        with self._database.writing() as connection:
            grant = find(connection, LOCKED_GRANT, of_consent=consent_id)
            if grant is None or grant.ended_at is not None:
                return None
            left = frozenset() if withdrawn is None else narrowed_by(grant.granted_scope, withdrawn)
            if not left or grant.status_at(now) is not GrantStatus.ACTIVE:
                kind = EventKind.REVOKED if actor is Actor.CLIENT else EventKind.WITHDRAWN
                end(connection, grant, kind, actor, _reason(actor), now)
            elif left != grant.granted_scope:
                taken = format_scope(grant.granted_scope - left)
                connection.change(_NARROW, of_consent=consent_id, left=format_scope(left))
                append(connection, event_row(grant, EventKind.NARROWED, actor, _reason(actor), now, taken))
            return find(connection, GRANT, of_consent=consent_id)

    def record_expired(self, *, now: datetime, most: int = MOST_LISTED) -> int:
        """Writes down the end of grants that have run out; returns how many. They ended without this, too."""
        run_out = select(grants).where(grants.c.ended_at.is_(None), grants.c.expires_at <= now).limit(most)
        with self._database.writing() as connection:
            over = [grant_from(row) for row in connection.rows(run_out.with_for_update())]
            for grant in over:
                end(connection, grant, EventKind.EXPIRED, Actor.ACCORD, Reason.BUSINESS_RULE, now)
        return len(over)

    def _find_all(self, query: Select[Any], **values: str) -> list[Connection]:
        with self._database.reading() as connection:
            return [_connection_from(row) for row in connection.rows(query, **values)]

    def _events(self, query: Select[Any], consent_id: str) -> list[Event]:
        with self._database.reading() as connection:
            return [event_from(row) for row in connection.rows(query, of_consent=consent_id)]


def _connection_from(row: Any) -> Connection:
    return Connection(
        grant=grant_from(row),
        requested_scope=parse_scope(row.requested_scope),
        approved_scope=parse_scope(row.approved_scope),
        language=Language(row.language),
        screen_hash=row.screen_hash,
        last_used_at=row.last_used_at,
        ending=None if row.kind is None else event_from(row),
    )


def _reason(actor: Actor) -> Reason:
    return Reason.USER_ACTION if actor is Actor.CUSTOMER else Reason.BUSINESS_RULE
