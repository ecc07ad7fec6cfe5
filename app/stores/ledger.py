"""The ledger: what must never be lost, and what must happen once.

One answer per request, one redemption per code and one connection per customer, recipient and provider are
decided here, by keys and guarded updates, never in Redis, whose replicas can bring a consumed code back.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, Engine, Row, create_engine, event, insert, select, update
from sqlalchemy.exc import IntegrityError, SQLAlchemyError

from app.domain.clusters import format_scope, parse_scope
from app.domain.consent import Answer, ConsentDecision, ConsentGrant
from app.domain.language import Language
from app.stores.schema import decisions, events, grants, refresh_tokens
from app.stores.unavailable import StoreUnavailable

_MIGRATIONS = Path(__file__).resolve().parents[2] / "migrations"
_ATTEMPTS = 3


class EventKind(StrEnum):
    """What can happen to a consent."""

    ASKED = "asked"
    APPROVED = "approved"
    DENIED = "denied"
    REDEEMED = "redeemed"
    REPLAYED = "replayed"
    REFRESHED = "refreshed"
    SUPERSEDED = "superseded"


class Actor(StrEnum):
    """Who made it happen."""

    CUSTOMER = "customer"
    CLIENT = "client"
    ACCORD = "accord"


class Reason(StrEnum):
    """FDX revocation reasons, used for every event."""

    USER_ACTION = "USER_ACTION"
    BUSINESS_RULE = "BUSINESS_RULE"


@dataclass(frozen=True, slots=True)
class Answered:
    """The answer that a request has, and the grant it created (None after a denial)."""

    decision: ConsentDecision
    grant: ConsentGrant | None


@dataclass(frozen=True, slots=True)
class Redeemed:
    """This call was the one redemption."""

    grant: ConsentGrant


@dataclass(frozen=True, slots=True)
class Replayed:
    """The code had been redeemed before; its grant and every token of it has been ended."""

    grant: ConsentGrant


@dataclass(frozen=True, slots=True)
class NotRedeemable:
    """No grant of this client's that could be redeemed: unknown, ended or expired."""


class Ledger:
    """Decisions, grants, refresh tokens and events. Every method raises StoreUnavailable.

    Each method is one transaction: it happens whole or not at all. After StoreUnavailable from a method
    that writes it is unknown which, and the same call may be made again.
    """

    def __init__(self, url: str, *, timeout: timedelta) -> None:
        self._engine = _make_engine(url, timeout)
        self._reading = self._engine.execution_options(**_reading_options(self._engine))

    def check(self) -> None:
        """Returns when the ledger can be read and has its tables."""
        with self._reads() as connection:
            connection.execute(select(decisions.c.request_id).limit(1)).first()

    def record_decision(self, decision: ConsentDecision, grant: ConsentGrant | None) -> Answered:
        """Records the answer unless the request has one; returns the answer that stands.

        The caller's is the one that stands if the consent_id is the caller's. A grant supersedes the
        connection that the same customer had with the same recipient, in the same transaction.
        """
        for _ in range(_ATTEMPTS):
            try:
                with self._writes() as connection:
                    _insert_decision(connection, decision, grant)
                return Answered(decision, grant)
            except IntegrityError:
                # Either this request has its answer, or a parallel request made a connection just now
                # which this one, tried again, supersedes.
                standing = self.find_answer(decision.request_id)
                if standing is not None:
                    return standing
        raise StoreUnavailable("ledger: too many decisions at once")

    def find_answer(self, request_id: str) -> Answered | None:
        """The answer that the request has."""
        query = (
            select(decisions, grants.c.expires_at, grants.c.redeemed_at, grants.c.ended_at)
            .select_from(decisions.outerjoin(grants, grants.c.request_id == decisions.c.request_id))
            .where(decisions.c.request_id == request_id)
        )
        with self._reads() as connection:
            row = connection.execute(query).first()
        return None if row is None else _answered(row)

    def redeem(
        self, request_id: str, client_id: str, *, token_hash: str, now: datetime
    ) -> Redeemed | Replayed | NotRedeemable:
        """Redeems the grant that answers the request, once (RFC 6749 4.1.2), and keeps the token's hash.

        Of any number of calls, one is Redeemed. A later call by the same client is Replayed: the grant and
        all its tokens end. Somebody else's client changes nothing.
        """
        redeemable = (
            update(grants)
            .where(
                grants.c.request_id == request_id,
                grants.c.client_id == client_id,
                grants.c.redeemed_at.is_(None),
                grants.c.ended_at.is_(None),
                grants.c.expires_at > now,
            )
            .values(redeemed_at=now)
        )
        with self._writes() as connection:
            redeemed = connection.execute(redeemable).rowcount == 1
            grant = _find_grant(connection, request_id, client_id)
            if grant is None or (not redeemed and grant.redeemed_at is None):
                return NotRedeemable()
            if not redeemed:
                _end_replayed(connection, grant, now)
                return Replayed(grant)
            connection.execute(
                insert(refresh_tokens).values(
                    token_hash=token_hash, consent_id=grant.consent_id, issued_at=now, last_used_at=now
                )
            )
            _append(connection, grant, EventKind.REDEEMED, Actor.CLIENT, Reason.USER_ACTION, now)
            return Redeemed(grant)

    def end_replayed(self, grant: ConsentGrant, *, now: datetime) -> None:
        """Ends a grant whose code was presented again, and every token of it (RFC 6749 4.1.2)."""
        with self._writes() as connection:
            _end_replayed(connection, grant, now)

    def find_refreshable(
        self, token_hash: str, client_id: str, *, idle: timedelta, now: datetime
    ) -> ConsentGrant | None:
        """The grant that the refresh token works for.

        None when it is unknown, somebody else's, revoked or idle for too long, or when its consent is over.
        """
        query = (
            select(grants)
            .select_from(refresh_tokens.join(grants, grants.c.consent_id == refresh_tokens.c.consent_id))
            .where(
                refresh_tokens.c.token_hash == token_hash,
                refresh_tokens.c.revoked_at.is_(None),
                refresh_tokens.c.last_used_at > now - idle,
                grants.c.client_id == client_id,
                grants.c.ended_at.is_(None),
                grants.c.expires_at > now,
            )
        )
        with self._reads() as connection:
            row = connection.execute(query).first()
        return None if row is None else _grant(row)

    def record_refresh(self, token_hash: str, grant: ConsentGrant, *, now: datetime) -> bool:
        """Begins the token's idle period anew; False when it was revoked in the meantime."""
        living = update(refresh_tokens).where(
            refresh_tokens.c.token_hash == token_hash, refresh_tokens.c.revoked_at.is_(None)
        )
        with self._writes() as connection:
            if connection.execute(living.values(last_used_at=now)).rowcount != 1:
                return False
            _append(connection, grant, EventKind.REFRESHED, Actor.CLIENT, Reason.USER_ACTION, now)
            return True

    @contextmanager
    def _writes(self) -> Iterator[Connection]:
        with _answering(), self._engine.begin() as connection:
            yield connection

    @contextmanager
    def _reads(self) -> Iterator[Connection]:
        with _answering(), self._reading.connect() as connection:
            yield connection


def upgrade(url: str) -> None:
    """Brings the ledger at `url` to the newest schema."""
    command.upgrade(migration_config(url), "head")


def migration_config(url: str) -> Config:
    """Alembic's configuration for the ledger at `url`."""
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS))
    config.attributes["url"] = url
    return config


@contextmanager
def _answering() -> Iterator[None]:
    """Turns whatever goes wrong between here and the database into `StoreUnavailable`.

    A broken constraint is an answer, not a fault: IntegrityError passes.
    """
    try:
        yield
    except IntegrityError:
        raise
    except (SQLAlchemyError, OSError) as error:
        raise StoreUnavailable(f"ledger: {type(error).__name__}") from error


def _insert_decision(connection: Connection, decision: ConsentDecision, grant: ConsentGrant | None) -> None:
    connection.execute(insert(decisions), _decision_row(decision))
    happened = [
        _event_row(decision, EventKind.ASKED, Actor.CLIENT, Reason.USER_ACTION, decision.asked_at),
        _event_row(
            decision,
            EventKind.DENIED if grant is None else EventKind.APPROVED,
            Actor.CUSTOMER,
            Reason.USER_ACTION,
            decision.decided_at,
        ),
    ]
    if grant is not None:
        happened += _supersede(connection, grant)
        connection.execute(insert(grants), _grant_row(grant))
    connection.execute(insert(events), happened)


def _supersede(connection: Connection, grant: ConsentGrant) -> list[dict[str, Any]]:
    """Ends the connection that `grant` replaces."""
    standing = (
        grants.c.provider_id == grant.provider_id,
        grants.c.subject == grant.subject,
        grants.c.client_id == grant.client_id,
        grants.c.ended_at.is_(None),
    )
    replaced = connection.execute(select(grants).where(*standing).with_for_update()).all()
    for row in replaced:
        _end(connection, row.consent_id, grant.approved_at)
    return [
        _event_row(_grant(row), EventKind.SUPERSEDED, Actor.CUSTOMER, Reason.USER_ACTION, grant.approved_at)
        for row in replaced
    ]


def _end_replayed(connection: Connection, grant: ConsentGrant, now: datetime) -> None:
    """RFC 6749 4.1.2: every token issued from a code that is presented again is revoked."""
    _end(connection, grant.consent_id, now)
    _append(connection, grant, EventKind.REPLAYED, Actor.CLIENT, Reason.BUSINESS_RULE, now)


def _end(connection: Connection, consent_id: str, now: datetime) -> None:
    over = update(grants).where(grants.c.consent_id == consent_id, grants.c.ended_at.is_(None))
    connection.execute(over.values(ended_at=now))
    dead = update(refresh_tokens).where(
        refresh_tokens.c.consent_id == consent_id, refresh_tokens.c.revoked_at.is_(None)
    )
    connection.execute(dead.values(revoked_at=now))


def _find_grant(connection: Connection, request_id: str, client_id: str) -> ConsentGrant | None:
    query = select(grants).where(grants.c.request_id == request_id, grants.c.client_id == client_id)
    row = connection.execute(query).first()
    return None if row is None else _grant(row)


def _append(
    connection: Connection, grant: ConsentGrant, kind: EventKind, actor: Actor, reason: Reason, now: datetime
) -> None:
    connection.execute(insert(events), _event_row(grant, kind, actor, reason, now))


def _event_row(
    subject: ConsentDecision | ConsentGrant, kind: EventKind, actor: Actor, reason: Reason, now: datetime
) -> dict[str, Any]:
    return {
        "consent_id": subject.consent_id,
        "kind": kind,
        "actor": actor,
        "reason": reason,
        "correlation_id": subject.correlation_id,
        "happened_at": now,
    }


def _decision_row(decision: ConsentDecision) -> dict[str, Any]:
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
        "correlation_id": decision.correlation_id,
        "asked_at": decision.asked_at,
        "decided_at": decision.decided_at,
    }


def _grant_row(grant: ConsentGrant) -> dict[str, Any]:
    return {
        "consent_id": grant.consent_id,
        "request_id": grant.request_id,
        "client_id": grant.client_id,
        "provider_id": grant.provider_id,
        "subject": grant.subject,
        "granted_scope": format_scope(grant.granted_scope),
        "correlation_id": grant.correlation_id,
        "approved_at": grant.approved_at,
        "expires_at": grant.expires_at,
    }


def _grant(row: Row[Any]) -> ConsentGrant:
    return ConsentGrant(
        consent_id=row.consent_id,
        request_id=row.request_id,
        client_id=row.client_id,
        provider_id=row.provider_id,
        subject=row.subject,
        granted_scope=parse_scope(row.granted_scope),
        correlation_id=row.correlation_id,
        approved_at=row.approved_at,
        expires_at=row.expires_at,
        redeemed_at=row.redeemed_at,
        ended_at=row.ended_at,
    )


def _answered(row: Row[Any]) -> Answered:
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
        correlation_id=row.correlation_id,
        asked_at=row.asked_at,
        decided_at=row.decided_at,
    )
    if decision.answer is Answer.DENY:
        return Answered(decision, None)
    grant = ConsentGrant(
        consent_id=row.consent_id,
        request_id=row.request_id,
        client_id=row.client_id,
        provider_id=row.provider_id,
        subject=row.subject,
        granted_scope=decision.granted_scope,
        correlation_id=row.correlation_id,
        approved_at=row.decided_at,
        expires_at=row.expires_at,
        redeemed_at=row.redeemed_at,
        ended_at=row.ended_at,
    )
    return Answered(decision, grant)


def _make_engine(url: str, timeout: timedelta) -> Engine:
    seconds = timeout.total_seconds()
    if url.startswith("sqlite"):
        engine = create_engine(url, hide_parameters=True, connect_args={"timeout": seconds})
        event.listen(engine, "connect", _set_up_sqlite)
        event.listen(engine, "begin", _begin_immediately)
        return engine
    milliseconds = int(seconds * 1000)
    return create_engine(
        url,
        hide_parameters=True,
        pool_pre_ping=True,
        pool_timeout=seconds,
        connect_args={
            "connect_timeout": max(2, int(seconds)),
            "options": f"-c statement_timeout={milliseconds} -c lock_timeout={milliseconds}",
        },
    )


def _set_up_sqlite(connection: Any, record: Any) -> None:
    connection.isolation_level = None  # transactions begin where `_begin_immediately` says
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode = WAL")
    cursor.execute("PRAGMA synchronous = FULL")  # a commit that was answered survives a power cut
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.close()


def _reading_options(engine: Engine) -> dict[str, Any]:
    """A single query needs no transaction around it."""
    return {"reads_only": True} if engine.dialect.name == "sqlite" else {"isolation_level": "AUTOCOMMIT"}


def _begin_immediately(connection: Connection) -> None:
    """Takes SQLite's write lock first, so that two writers queue instead of failing half way."""
    if not connection.get_execution_options().get("reads_only"):
        connection.exec_driver_sql("BEGIN IMMEDIATE")
