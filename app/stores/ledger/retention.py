"""Deletes from the ledger what is older than the retention policy keeps. Nothing else deletes from it.

A record is kept for years after the consent has ended, so that what was agreed can be shown for as long as
somebody may ask. Nothing of a consent that is in force, or ended more recently, is touched.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Column, ColumnElement, Select, Table, and_, delete, exists, func, or_, select

from app.stores.ledger.database import Database
from app.stores.ledger.notices import NoticeStore
from app.stores.ledger.schema import agreements, decisions, events, grants, refresh_tokens, screens
from app.stores.ledger.statements import DatabaseConnection

TEXTS_WITHOUT_ANSWER: Final = timedelta(days=30)
"""How old a text without an answer must be: a younger one may be recorded with another answer any moment."""
MOST_AT_ONCE: Final = 500
"""Rows that one transaction deletes, so that it is over in a fraction of a second."""
MOST_EVENTS_AT_ONCE: Final = 5000
"""Events that one transaction deletes: one consent may have thousands, and their rows are small."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """How long records are kept: of a consent, since it ended or was denied; of a token, since it died.

    `token_idle` is how long a token may be unused before it dies. Of a notice, since what it tells happened:
    a recipient has that long to ask for it.
    """

    records: timedelta
    tokens: timedelta
    token_idle: timedelta
    notices: timedelta = timedelta(days=90)


@dataclass(frozen=True, slots=True)
class Forgettable:
    """Numbers of rows that may be deleted, or were."""

    consents: int = 0
    events: int = 0
    refresh_tokens: int = 0
    screens: int = 0
    agreements: int = 0
    notices: int = 0

    @property
    def is_something(self) -> bool:
        return self != Forgettable()

    def __add__(self, other: "Forgettable") -> "Forgettable":
        return Forgettable(
            self.consents + other.consents,
            self.events + other.events,
            self.refresh_tokens + other.refresh_tokens,
            self.screens + other.screens,
            self.agreements + other.agreements,
            self.notices + other.notices,
        )


@dataclass(frozen=True, slots=True)
class _Texts:
    """A table of texts, each kept once under its hash, and the column of decisions that names them."""

    table: Table
    key: Column[str]
    first_kept_at: Column[datetime]
    named_by: Column[str]


_SCREENS: Final = _Texts(screens, screens.c.screen_hash, screens.c.first_shown_at, decisions.c.screen_hash)
_AGREEMENTS: Final = _Texts(
    agreements, agreements.c.agreement_hash, agreements.c.first_agreed_at, decisions.c.agreement_hash
)


class RetentionStore:
    """Counts and deletes what `policy` no longer keeps. Every method raises StoreUnavailable."""

    def __init__(self, database: Database, policy: Policy) -> None:
        self._database = database
        self._notices = NoticeStore(database)
        self._policy = policy

    def count(self, *, now: datetime) -> Forgettable:
        """What `forget` would delete, with the texts to which only deleted consents refer."""
        over = self._over(now)
        is_kept = decisions.c.consent_id.not_in(over)
        happened = sum(self._count_events(portion) for portion in self._portions(now))
        old_notices = self._notices.count_older(now - self._policy.notices)
        with self._database.reading() as connection:
            return Forgettable(
                consents=_count(connection, decisions, decisions.c.consent_id.in_(over)),
                events=happened,
                refresh_tokens=_count(
                    connection,
                    refresh_tokens,
                    or_(refresh_tokens.c.consent_id.in_(over), self._dead_token(now)),
                ),
                screens=_count(connection, screens, _old(_SCREENS, now), _unanswered(_SCREENS, is_kept)),
                agreements=_count(
                    connection, agreements, _old(_AGREEMENTS, now), _unanswered(_AGREEMENTS, is_kept)
                ),
                notices=old_notices,
            )

    def forget(self, *, now: datetime) -> Iterator[Forgettable]:
        """Deletes in portions, each in a transaction of its own, and yields what each of them has deleted."""
        for portion in self._portions(now):
            while (step := self._forget_events(portion)).is_something:
                yield step
            yield self._forget_consents(portion)
        while (step := self._forget_tokens(now)).is_something:
            yield step
        while many := self._forget_texts(_SCREENS, now):
            yield Forgettable(screens=many)
        while many := self._forget_texts(_AGREEMENTS, now):
            yield Forgettable(agreements=many)
        while many := self._notices.forget_older(now - self._policy.notices):
            yield Forgettable(notices=many)

    def _portions(self, now: datetime) -> Iterator[list[str]]:
        """The consent_ids to delete, in the order of their answers, MOST_AT_ONCE at a time."""
        answered_at, key = decisions.c.decided_at, decisions.c.consent_id
        query = self._over(now).add_columns(answered_at).order_by(answered_at, key).limit(MOST_AT_ONCE)
        rows = self._rows(query)
        while rows:
            yield [row.consent_id for row in rows]
            last = rows[-1]
            later = or_(answered_at > last.decided_at, key > last.consent_id)
            rows = self._rows(query.where(answered_at >= last.decided_at, later))

    def _rows(self, query: Select[Any]) -> list[Any]:
        with self._database.reading() as connection:
            return connection.rows(query)

    def _count_events(self, portion: list[str]) -> int:
        with self._database.reading() as connection:
            return _count(connection, events, events.c.consent_id.in_(portion))

    def _forget_events(self, portion: list[str]) -> Forgettable:
        some = events.alias()
        those = select(some.c.event_id).where(some.c.consent_id.in_(portion)).limit(MOST_EVENTS_AT_ONCE)
        with self._database.writing() as connection:
            return Forgettable(events=_delete(connection, events, events.c.event_id.in_(those)))

    def _forget_consents(self, portion: list[str]) -> Forgettable:
        with self._database.writing() as connection:
            tokens = _delete(connection, refresh_tokens, refresh_tokens.c.consent_id.in_(portion))
            # Their events are deleted by now, unless an end has been recorded meanwhile.
            happened = _delete(connection, events, events.c.consent_id.in_(portion))
            _delete(connection, grants, grants.c.consent_id.in_(portion))
            answered = _delete(connection, decisions, decisions.c.consent_id.in_(portion))
            return Forgettable(consents=answered, events=happened, refresh_tokens=tokens)

    def _forget_tokens(self, now: datetime) -> Forgettable:
        dead = select(refresh_tokens.c.token_hash).where(self._dead_token(now)).limit(MOST_AT_ONCE)
        with self._database.writing() as connection:
            hashes = [row.token_hash for row in connection.rows(dead)]
            forgotten = _delete(connection, refresh_tokens, refresh_tokens.c.token_hash.in_(hashes))
            return Forgettable(refresh_tokens=forgotten)

    def _forget_texts(self, texts: _Texts, now: datetime) -> int:
        some = select(texts.key.label("key")).where(_old(texts, now), _unanswered(texts)).limit(MOST_AT_ONCE)
        with self._database.writing() as connection:
            hashes = [row.key for row in connection.rows(some)]
            return _delete(connection, texts.table, texts.key.in_(hashes))

    def _over(self, now: datetime) -> Select[Any]:
        """The query for the consent_ids whose records the policy no longer keeps.

        No consent ends before it is answered, so that the index on the answers' times excludes most rows.
        """
        last = now - self._policy.records
        ended_at = func.coalesce(grants.c.ended_at, grants.c.expires_at, decisions.c.decided_at)
        return (
            select(decisions.c.consent_id)
            .select_from(decisions.outerjoin(grants, grants.c.request_id == decisions.c.request_id))
            .where(decisions.c.decided_at <= last, ended_at <= last)
        )

    def _dead_token(self, now: datetime) -> ColumnElement[bool]:
        """The condition that a token was revoked, became idle or lost its consent, each long enough ago.

        No token dies before it is issued, so that the index on the tokens' times excludes most rows.
        """
        last = now - self._policy.tokens
        over = exists().where(
            grants.c.consent_id == refresh_tokens.c.consent_id,
            func.coalesce(grants.c.ended_at, grants.c.expires_at) <= last,
        )
        return and_(
            refresh_tokens.c.issued_at <= last,
            or_(
                refresh_tokens.c.revoked_at <= last,
                refresh_tokens.c.last_used_at <= last - self._policy.token_idle,
                over,
            ),
        )


def _old(texts: _Texts, now: datetime) -> ColumnElement[bool]:
    return texts.first_kept_at <= now - TEXTS_WITHOUT_ANSWER


def _unanswered(texts: _Texts, *conditions: ColumnElement[bool]) -> ColumnElement[bool]:
    """The condition that no decision, among those that meet `conditions`, refers to the text."""
    return ~exists().where(texts.named_by == texts.key, *conditions)


def _count(connection: DatabaseConnection, table: Table, *conditions: ColumnElement[bool]) -> int:
    counted = connection.first(select(func.count().label("many")).select_from(table).where(*conditions))
    return 0 if counted is None else int(counted.many)


def _delete(connection: DatabaseConnection, table: Table, condition: ColumnElement[bool]) -> int:
    return connection.change(delete(table).where(condition))
