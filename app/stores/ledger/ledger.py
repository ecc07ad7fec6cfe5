"""The ledger: it keeps what must not be lost, and decides what must happen once.

One answer per request, one redemption per code, and one connection per customer, recipient and provider: keys
and guarded updates decide that here, and not in Redis, whose replicas can bring a consumed code back.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select

from app.domain.consent import ConsentDecision, ConsentGrant, GrantStatus, ShownConsent
from app.domain.history import Actor, EventKind, Reason
from app.domain.notice_registration import EventsAsked, asked_by_default
from app.stores.ledger.database import MOST_CONNECTIONS, Database, UniqueViolation
from app.stores.ledger.decisions import (
    ConnectionChanged,
    find_answer_to,
    find_answer_under,
    insert_decision,
)
from app.stores.ledger.events import append_events
from app.stores.ledger.grants import LOCKED_GRANT, connection_name, end_grant, find_grant
from app.stores.ledger.redemption import find_redeemed, redeem_once
from app.stores.ledger.refresh_tokens import (
    find_grant_of_token,
    find_refreshable_grant,
    replace_unused_token,
    use_token,
)
from app.stores.ledger.rows import Answered, event_row
from app.stores.ledger.schema import decisions
from app.stores.ledger.statements import DatabaseConnection
from app.stores.unavailable import StoreUnavailable

_ANY_DECISION = select(decisions.c.request_id).limit(1)


@dataclass(frozen=True, slots=True)
class Redeemed:
    """This call was the redemption of the code."""

    grant: ConsentGrant


@dataclass(frozen=True, slots=True)
class Replayed:
    """The code had been redeemed before. Its grant and its tokens are over; `ended_now`, by this call."""

    grant: ConsentGrant
    ended_now: bool


@dataclass(frozen=True, slots=True)
class NotRedeemable:
    """This client has no such grant, or it has ended or expired."""


class Ledger:
    """Decisions, grants, refresh tokens and events. Every method raises StoreUnavailable.

    Each method that writes is one transaction, which happens whole or not at all. After StoreUnavailable it
    is unknown which, and the same call may be made again (`redeem` says how).
    """

    def __init__(
        self,
        url: str,
        *,
        timeout: timedelta,
        connections: int = MOST_CONNECTIONS,
        asked: EventsAsked = asked_by_default,
    ) -> None:
        """`asked` says of which events each recipient and each bank is told."""
        self.database = Database(url, timeout=timeout, connections=connections)
        self._asked = asked

    def close(self) -> None:
        self.database.close()

    def require_alive(self) -> None:
        """Raises StoreUnavailable unless the ledger answers, or has answered another call a moment ago."""
        if not self.database.has_answered_lately():
            self.check()

    def check(self) -> None:
        """Raises StoreUnavailable unless the ledger can be read and has its tables."""
        with self.database.reading() as connection:
            connection.first(_ANY_DECISION)

    def record_decision(
        self, decision: ConsentDecision, grant: ConsentGrant | None, shown: ShownConsent | None = None
    ) -> Answered:
        """Records the answer, unless the request or its pushed request has one; returns the recorded one.

        That is the caller's where the consent_id is the caller's. A grant supersedes, in the same
        transaction, the connection that the customer had with the recipient, and is approved no earlier than
        that one was. What the page said, `shown`, is recorded with it. Raises ConnectionChanged where the
        page did not name the connection that the grant would supersede.
        """
        try:
            with self.database.writing(after=None if grant is None else connection_name(grant)) as connection:
                return insert_decision(connection, decision, grant, shown, asked=self._asked)
        except (UniqueViolation, ConnectionChanged) as error:
            standing = self.find_answer(decision.request_id, pushed_id=decision.pushed_id)
            if standing is not None:
                return standing
            if isinstance(error, ConnectionChanged):
                raise
            raise StoreUnavailable("ledger: an answer that contradicts what is on record") from error

    def find_answer(self, request_id: str, *, pushed_id: str | None = None) -> Answered | None:
        """The answer that the request has, or that another browser gave to what was pushed for it."""
        with self.database.reading() as connection:
            return find_answer_to(connection, request_id, pushed_id)

    def find_consent(self, consent_id: str) -> Answered | None:
        """The answer under its consent_id, which a denial has too."""
        with self.database.reading() as connection:
            return find_answer_under(connection, consent_id)

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
        all its tokens end. A call by another client changes nothing.

        `unanswered` are the token hashes of earlier calls that ended in StoreUnavailable. Where one of them
        did happen, this call takes its place, since nobody was given that token. A call whose own commit got
        no answer looks whether its token is on record.
        """
        try:
            grant = redeem_once(self.database, request_id, client_id, token_hash, now=now)
            if grant is not None:
                return Redeemed(grant)
            return self._redeem_again(request_id, client_id, token_hash, unanswered, now)
        except StoreUnavailable as error:
            grant = self._find_grant_of(token_hash) if error.is_committed_perhaps else None
            if grant is None:
                raise
            return Redeemed(grant)

    def _redeem_again(
        self, request_id: str, client_id: str, token_hash: str, unanswered: frozenset[str], now: datetime
    ) -> Redeemed | Replayed | NotRedeemable:
        """The result of a call that redeemed nothing: the code was redeemed before, or cannot be redeemed."""
        with self.database.writing() as connection:
            redeemed = find_redeemed(connection, request_id, client_id)
            if redeemed is None:
                return NotRedeemable()
            is_active = redeemed.status_at(now) is GrantStatus.ACTIVE
            for given_to_nobody in sorted(unanswered) if is_active else ():
                if replace_unused_token(
                    connection, given_to_nobody, token_hash, redeemed.consent_id, now=now
                ):
                    return Redeemed(redeemed)
            return Replayed(redeemed, ended_now=self._end_replayed(connection, redeemed, now))

    def _find_grant_of(self, token_hash: str) -> ConsentGrant | None:
        with self.database.reading() as connection:
            return find_grant_of_token(connection, token_hash)

    def end_replayed(self, grant: ConsentGrant, *, now: datetime) -> bool:
        """Ends a grant whose code was presented again, with all its tokens (RFC 6749 4.1.2).

        False where it had ended before.
        """
        with self.database.writing() as connection:
            return self._end_replayed(connection, grant, now)

    def find_refreshable(
        self, token_hash: str, client_id: str, *, idle: timedelta, now: datetime
    ) -> ConsentGrant | None:
        """The grant that the refresh token works for.

        None where the token is unknown, another client's, revoked or unused for `idle`, or its consent over.
        """
        with self.database.reading() as connection:
            return find_refreshable_grant(connection, token_hash, client_id, idle=idle, now=now)

    def record_refresh(self, token_hash: str, consent_id: str, *, now: datetime) -> ConsentGrant | None:
        """Records a use of the token, whose idle period begins anew; returns its grant as it is then.

        None where the token is not live any more. The first use of a token is an event, and so is the first
        of each day in UTC: the cost of a connection must not grow with the number of refreshes. Parallel
        calls queue at the lock on the grant.
        """
        with self.database.writing() as connection:
            grant = find_grant(connection, LOCKED_GRANT, of_consent=consent_id)
            before = None if grant is None else use_token(connection, token_hash, now=now)
            if grant is None or before is None:
                return None
            if before.is_first_use_of_day(now):
                append_events(
                    connection, event_row(grant, EventKind.REFRESHED, Actor.CLIENT, Reason.USER_ACTION, now)
                )
            return grant

    def _end_replayed(self, connection: DatabaseConnection, grant: ConsentGrant, now: datetime) -> bool:
        """RFC 6749 4.1.2: every token issued from a code that is presented again is revoked."""
        why = (EventKind.REPLAYED, Actor.CLIENT, Reason.BUSINESS_RULE)
        return end_grant(connection, grant, *why, now, asked=self._asked)
