"""A customer's connections: what the ledger knows of each, and how one ends or is narrowed."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, func, select, update

from app.domain.clusters import Scope, format_scope, parse_scope
from app.domain.consent import ConsentGrant, GrantStatus, narrowed_by
from app.domain.history import ENDINGS, Actor, Event, EventKind, Reason
from app.domain.language import Language
from app.stores.database import Database
from app.stores.grants import GRANT, LOCKED_GRANT, STANDING, append, end, find
from app.stores.rows import event_from, event_row, grant_from
from app.stores.schema import decisions, events, grants, refresh_tokens

MOST_LISTED = 500


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
        found = self._find_all(grants.c.consent_id == consent_id)
        return found[0] if found else None

    def of_customer(self, provider_id: str, subject: str) -> list[Connection]:
        """Every connection of one customer of one provider, the newest first."""
        return self._find_all(grants.c.provider_id == provider_id, grants.c.subject == subject)

    def of_client(self, client_id: str) -> list[Connection]:
        """Every connection of one recipient, the newest first."""
        return self._find_all(grants.c.client_id == client_id)

    def find_standing(self, *, provider_id: str, subject: str, client_id: str) -> ConsentGrant | None:
        """The connection that a repeat request would replace."""
        between = {"at_provider": provider_id, "of_customer": subject, "to_client": client_id}
        with self._database.reading() as connection:
            return find(connection, STANDING, **between)

    def history(self, consent_id: str, *, without: Iterable[EventKind] = ()) -> list[Event]:
        """Everything that happened to a consent, in order, but for the kinds in `without`."""
        query = (
            select(events)
            .where(events.c.consent_id == consent_id, events.c.kind.not_in(without))
            .order_by(events.c.event_id)
        )
        with self._database.reading() as connection:
            return [event_from(row) for row in connection.rows(query)]

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
                narrowing = update(grants).where(grants.c.consent_id == consent_id)
                connection.change(narrowing.values(granted_scope=format_scope(left)))
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

    def _find_all(self, *conditions: ColumnElement[bool]) -> list[Connection]:
        last_used = (
            select(func.max(refresh_tokens.c.last_used_at))
            .where(refresh_tokens.c.consent_id == grants.c.consent_id)
            .scalar_subquery()
        )
        query = (
            select(
                grants,
                decisions.c.requested_scope,
                decisions.c.granted_scope.label("approved_scope"),
                decisions.c.language,
                decisions.c.screen_hash,
                last_used.label("last_used_at"),
            )
            .join(decisions, decisions.c.request_id == grants.c.request_id)
            .where(*conditions)
            .order_by(grants.c.approved_at.desc())
            .limit(MOST_LISTED)
        )
        with self._database.reading() as connection:
            rows = connection.rows(query)
        endings = self._endings([row.consent_id for row in rows if row.ended_at is not None])
        return [
            Connection(
                grant=grant_from(row),
                requested_scope=parse_scope(row.requested_scope),
                approved_scope=parse_scope(row.approved_scope),
                language=Language(row.language),
                screen_hash=row.screen_hash,
                last_used_at=row.last_used_at,
                ending=endings.get(row.consent_id),
            )
            for row in rows
        ]

    def _endings(self, consent_ids: Sequence[str]) -> dict[str, Event]:
        if not consent_ids:
            return {}
        query = select(events).where(events.c.consent_id.in_(consent_ids), events.c.kind.in_(ENDINGS))
        with self._database.reading() as connection:
            return {row.consent_id: event_from(row) for row in connection.rows(query)}


def _reason(actor: Actor) -> Reason:
    return Reason.USER_ACTION if actor is Actor.CUSTOMER else Reason.BUSINESS_RULE
