"""The ledger: what must never be lost, and what must happen once.

One answer per request, one redemption per code and one connection per customer, recipient and provider are
decided here, by keys and guarded updates, never in Redis, whose replicas can bring a consumed code back.
"""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Select, bindparam, insert, select, update

from app.domain.consent import ConsentDecision, ConsentGrant, GrantStatus, ShownConsent
from app.domain.history import Actor, EventKind, Reason
from app.stores.ledger.database import MOST_CONNECTIONS, Database, UniqueViolation
from app.stores.ledger.grants import (
    LOCKED_GRANT,
    append,
    end,
    find,
    queue_for_connection,
    replaced_row,
    supersede,
)
from app.stores.ledger.rows import (
    Answered,
    agreement_row,
    answered_from,
    decision_row,
    event_row,
    grant_row,
    screen_row,
)
from app.stores.ledger.schema import UtcDateTime, agreements, decisions, grants, refresh_tokens, screens
from app.stores.ledger.statements import DatabaseConnection, insert_once
from app.stores.unavailable import StoreUnavailable

# Built once: building a statement costs more than the database takes to run it.
_AT = bindparam("at", type_=UtcDateTime)
_ANY_DECISION = select(decisions.c.request_id).limit(1)
_ANSWERS = select(
    decisions,
    grants.c.granted_scope.label("current_scope"),
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
_ANSWER_UNDER = _ANSWERS.where(decisions.c.consent_id == bindparam("of_consent"))
_KEEP_SCREEN = insert_once(screens)
_KEEP_AGREEMENT = insert_once(agreements)
_RECORD_DECISION = insert(decisions)
_RECORD_GRANT = insert(grants)
_OF_CODE = (grants.c.request_id == bindparam("to_request"), grants.c.client_id == bindparam("to_client"))
_REDEEM = (
    update(grants)
    .where(*_OF_CODE, grants.c.redeemed_at.is_(None), grants.c.ended_at.is_(None), grants.c.expires_at > _AT)
    .values(redeemed_at=_AT)
    .returning(grants)
)
_REDEEMED = select(grants).where(*_OF_CODE, grants.c.redeemed_at.is_not(None)).with_for_update()
_KEEP_TOKEN = insert(refresh_tokens)
# One that nobody was given: it was never used.
_REPLACE_TOKEN = (
    update(refresh_tokens)
    .where(
        refresh_tokens.c.token_hash == bindparam("given_to_nobody"),
        refresh_tokens.c.consent_id == bindparam("of_consent"),
        refresh_tokens.c.revoked_at.is_(None),
        refresh_tokens.c.last_used_at == refresh_tokens.c.issued_at,
    )
    .values(token_hash=bindparam("instead"), issued_at=_AT, last_used_at=_AT)
)
_GRANT_OF_TOKEN = (
    select(grants)
    .select_from(refresh_tokens.join(grants, grants.c.consent_id == refresh_tokens.c.consent_id))
    .where(refresh_tokens.c.token_hash == bindparam("used"))
)
_TOKEN = select(refresh_tokens).where(
    refresh_tokens.c.token_hash == bindparam("used"), refresh_tokens.c.revoked_at.is_(None)
)
_USE_TOKEN = (
    update(refresh_tokens)
    .where(refresh_tokens.c.token_hash == bindparam("used"), refresh_tokens.c.revoked_at.is_(None))
    .values(last_used_at=_AT)
)
_REFRESHABLE = (
    select(grants)
    .select_from(refresh_tokens.join(grants, grants.c.consent_id == refresh_tokens.c.consent_id))
    .where(
        refresh_tokens.c.token_hash == bindparam("used"),
        refresh_tokens.c.revoked_at.is_(None),
        refresh_tokens.c.last_used_at > bindparam("used_since", type_=UtcDateTime),
        grants.c.client_id == bindparam("to_client"),
        grants.c.ended_at.is_(None),
        grants.c.expires_at > _AT,
    )
)


@dataclass(frozen=True, slots=True)
class Redeemed:
    """This call was the one redemption."""

    grant: ConsentGrant


@dataclass(frozen=True, slots=True)
class Replayed:
    """The code had been redeemed before. Its grant and every token of it are over, by this call or before."""

    grant: ConsentGrant
    ended_now: bool


@dataclass(frozen=True, slots=True)
class NotRedeemable:
    """No grant of this client's that could be redeemed: unknown, ended or expired."""


class ConnectionChanged(Exception):
    """The connection that an approval would replace is not the one that its page showed."""


class Ledger:
    """Decisions, grants, refresh tokens and events. Every method raises StoreUnavailable.

    Each method is one transaction: it happens whole or not at all. After StoreUnavailable from a method
    that writes it is unknown which, and the same call may be made again (`redeem` says how).
    """

    def __init__(self, url: str, *, timeout: timedelta, connections: int = MOST_CONNECTIONS) -> None:
        self.database = Database(url, timeout=timeout, connections=connections)

    def close(self) -> None:
        self.database.close()

    def require_alive(self) -> None:
        """Returns when the ledger has answered somebody a moment ago, or else does so now."""
        if not self.database.has_answered_lately():
            self.check()

    def check(self) -> None:
        """Returns when the ledger can be read and has its tables."""
        with self.database.reading() as connection:
            connection.first(_ANY_DECISION)

    def record_decision(
        self, decision: ConsentDecision, grant: ConsentGrant | None, shown: ShownConsent | None = None
    ) -> Answered:
        """Records the answer unless the request has one; returns the answer that stands.

        The caller's is the one that stands if the consent_id is the caller's. A grant supersedes the
        connection that the same customer had with the same recipient, in the same transaction, and is
        approved no earlier than that one was. What the page said is recorded with it. Raises
        ConnectionChanged when the page `shown` said of another connection, or of none, that it is replaced.
        """
        try:
            with self.database.writing() as connection:
                return _insert_decision(connection, decision, grant, shown)
        except (UniqueViolation, ConnectionChanged) as error:
            standing = self.find_answer(decision.request_id)
            if standing is not None:
                return standing
            if isinstance(error, ConnectionChanged):
                raise
            raise StoreUnavailable("ledger: an answer that contradicts what is on record") from error

    def find_answer(self, request_id: str) -> Answered | None:
        """The answer that the request has."""
        return self._find_answer(_ANSWER_TO, to_request=request_id)

    def find_consent(self, consent_id: str) -> Answered | None:
        """The answer under its consent_id, which a denial has too."""
        return self._find_answer(_ANSWER_UNDER, of_consent=consent_id)

    def _find_answer(self, query: Select[Any], **values: str) -> Answered | None:
        with self.database.reading() as connection:
            row = connection.first(query, **values)
        return None if row is None else answered_from(row)

    def redeem(
        self,
        request_id: str,
        client_id: str,
        *,
        token_hash: str,
        unanswered: frozenset[str] = frozenset(),
        now: datetime,
    ) -> Redeemed | Replayed | NotRedeemable:
        """Redeems the grant that answers the request, once (RFC 6749 4.1.2), and keeps the token's hash.

        Of any number of calls, one is Redeemed. A later call by the same client is Replayed: the grant and
        all its tokens end. Somebody else's client changes nothing.

        `unanswered` are the hashes of calls before this one that ended in StoreUnavailable. Where one of them
        did happen, this call takes its place: nobody was given that token. A call whose own commit got no
        answer looks whether its token is there.
        """
        code = {"to_request": request_id, "to_client": client_id}
        try:
            return self._redeem(code, token_hash, unanswered, now)
        except StoreUnavailable as error:
            grant = self._find_grant_of(token_hash) if error.is_committed_perhaps else None
            if grant is None:
                raise
            return Redeemed(grant)

    def _redeem(
        self, code: dict[str, str], token_hash: str, unanswered: frozenset[str], now: datetime
    ) -> Redeemed | Replayed | NotRedeemable:
        with self.database.writing() as connection:
            grant = find(connection, _REDEEM, **code, at=now)
            if grant is not None:
                token = {"token_hash": token_hash, "consent_id": grant.consent_id}
                connection.change(_KEEP_TOKEN, **token, issued_at=now, last_used_at=now)
                append(
                    connection, event_row(grant, EventKind.REDEEMED, Actor.CLIENT, Reason.USER_ACTION, now)
                )
                return Redeemed(grant)
            redeemed = find(connection, _REDEEMED, **code)
            if redeemed is None:
                return NotRedeemable()
            is_active = redeemed.status_at(now) is GrantStatus.ACTIVE
            for given_to_nobody in sorted(unanswered) if is_active else ():
                token = {"given_to_nobody": given_to_nobody, "instead": token_hash}
                if connection.change(_REPLACE_TOKEN, **token, of_consent=redeemed.consent_id, at=now) == 1:
                    return Redeemed(redeemed)
            return Replayed(redeemed, ended_now=_end_replayed(connection, redeemed, now))

    def _find_grant_of(self, token_hash: str) -> ConsentGrant | None:
        with self.database.reading() as connection:
            return find(connection, _GRANT_OF_TOKEN, used=token_hash)

    def end_replayed(self, grant: ConsentGrant, *, now: datetime) -> bool:
        """Ends a grant whose code was presented again, and every token of it (RFC 6749 4.1.2).

        False when it was over before.
        """
        with self.database.writing() as connection:
            return _end_replayed(connection, grant, now)

    def find_refreshable(
        self, token_hash: str, client_id: str, *, idle: timedelta, now: datetime
    ) -> ConsentGrant | None:
        """The grant that the refresh token works for.

        None when it is unknown, somebody else's, revoked or idle for too long, or when its consent is over.
        """
        values = {"used": token_hash, "used_since": now - idle, "to_client": client_id, "at": now}
        with self.database.reading() as connection:
            return find(connection, _REFRESHABLE, **values)

    def record_refresh(self, token_hash: str, consent_id: str, *, now: datetime) -> ConsentGrant | None:
        """Begins the token's idle period anew; returns its grant as it is at that moment.

        None when the token was revoked in the meantime. The first use of a token is an event, and the first
        of each day in UTC: what a connection costs must not grow with how often its token is used.
        """
        day = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        with self.database.writing() as connection:
            # Parallel refreshes queue at the grant: the token is read as the one before has left it.
            grant = find(connection, LOCKED_GRANT, of_consent=consent_id)
            token = connection.first(_TOKEN, used=token_hash)
            if grant is None or token is None:
                return None
            # Never backwards, whatever another machine's clock said, and never the moment of issue, which
            # is how a token looks that nobody has used.
            used_at = max(now, token.last_used_at, token.issued_at + timedelta.resolution)
            if connection.change(_USE_TOKEN, used=token_hash, at=used_at) != 1:
                return None
            if token.last_used_at == token.issued_at or token.last_used_at < day:
                append(
                    connection, event_row(grant, EventKind.REFRESHED, Actor.CLIENT, Reason.USER_ACTION, now)
                )
            return grant


def _insert_decision(
    connection: DatabaseConnection,
    decision: ConsentDecision,
    grant: ConsentGrant | None,
    shown: ShownConsent | None,
) -> Answered:
    """Returns the answer as it was recorded, with the grant that it has replaced."""
    replaced = None
    if grant is not None:
        queue_for_connection(connection, grant)
        replaced = supersede(connection, grant)
        if shown is not None:
            _require_shown(replaced, shown, decision.decided_at)
        # Another machine's clock may be ahead of this one's: a successor is never approved before its
        # predecessor was.
        if replaced is not None and replaced.approved_at > grant.approved_at:
            decision = replace(decision, decided_at=replaced.approved_at)
            grant = replace(grant, approved_at=replaced.approved_at)
    if shown is not None:
        connection.change(_KEEP_SCREEN[connection.kind], **screen_row(shown.screen, decision.decided_at))
    if decision.agreement is not None:
        agreed = agreement_row(decision.agreement, decision.decided_at)
        connection.change(_KEEP_AGREEMENT[connection.kind], **agreed)
    connection.change(_RECORD_DECISION, **decision_row(decision))
    answered = EventKind.DENIED if grant is None else EventKind.APPROVED
    happened = [
        event_row(decision, EventKind.ASKED, Actor.CLIENT, Reason.USER_ACTION, decision.asked_at),
        event_row(decision, answered, Actor.CUSTOMER, Reason.USER_ACTION, decision.decided_at),
    ]
    if grant is not None:
        if replaced is not None:
            happened.append(replaced_row(replaced, grant))
        connection.change(_RECORD_GRANT, **grant_row(grant))
    append(connection, *happened)
    return Answered(decision, grant, replaced)


def _require_shown(replaced: ConsentGrant | None, shown: ShownConsent, now: datetime) -> None:
    """Raises ConnectionChanged unless the page said that `replaced`, as it is now, would be replaced."""
    in_force = replaced if replaced is not None and now < replaced.expires_at else None
    if _terms(in_force) != _terms(shown.standing):
        raise ConnectionChanged


def _terms(grant: ConsentGrant | None) -> object:
    return None if grant is None else (grant.consent_id, grant.granted_scope, grant.expires_at)


def _end_replayed(connection: DatabaseConnection, grant: ConsentGrant, now: datetime) -> bool:
    """RFC 6749 4.1.2: every token issued from a code that is presented again is revoked."""
    return end(connection, grant, EventKind.REPLAYED, Actor.CLIENT, Reason.BUSINESS_RULE, now)
