"""From the request to the answer: begin, approve or deny.

The order is always the same: the ledger first, Redis second, so that nothing exists that a code could be made
from until the decision is on record.
"""

import secrets
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from app.domain import codes
from app.domain.agreement import make_agreement
from app.domain.authorization import AuthorizationRequest, is_still_allowed
from app.domain.clusters import Scope
from app.domain.consent import (
    Answer,
    ConsentDecision,
    ConsentGrant,
    ConsentOffer,
    GrantStatus,
    ShownConsent,
    make_decision,
    make_grant,
    make_offer,
)
from app.domain.history import EventKind
from app.domain.pending_request import PendingRequest
from app.domain.registry import Client, DataProvider, Registry
from app.flow.events import log_event
from app.stores.ledger.decisions import ConnectionChanged
from app.stores.ledger.ledger import Ledger
from app.stores.redis.codes import CodeStore
from app.stores.redis.requests import KEPT_AFTER_EXPIRY, RequestStore
from app.stores.unavailable import StoreUnavailable


@dataclass(frozen=True, slots=True)
class Approved:
    """Send the browser back with `code`."""

    decision: ConsentDecision
    code: str


@dataclass(frozen=True, slots=True)
class Denied:
    """Send the browser back with access_denied."""

    decision: ConsentDecision


@dataclass(frozen=True, slots=True)
class AlreadyAnswered:
    """The request had its answer, which is this one."""

    decision: ConsentDecision


@dataclass(frozen=True, slots=True)
class Changed:
    """Nothing was recorded: what would be approved now is not what the page said."""


@dataclass(frozen=True, slots=True)
class Expired:
    """Nothing was recorded: the time to answer is over."""


@dataclass(frozen=True, slots=True)
class Parties:
    """Who a pending request is between, as they are registered now."""

    client: Client
    provider: DataProvider
    offer: ConsentOffer


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsentFlow:
    """The way of a consent. Every method but `parties` and `note_expiry` may raise StoreUnavailable."""

    registry: Registry
    requests: RequestStore
    codes: CodeStore
    ledger: Ledger
    request_lifetime: timedelta
    code_lifetime: timedelta
    clock: Callable[[], datetime]

    def begin(self, request: AuthorizationRequest, browser_id: str) -> PendingRequest:
        """`request`, waiting for the browser's answer, once its session has kept it.

        The ledger is asked first: nobody should read a form that cannot be answered.
        """
        self.ledger.require_alive()
        now = self.clock()
        return PendingRequest(
            request_id=secrets.token_urlsafe(24),
            browser_id=browser_id,
            request=request,
            begun_at=now,
            expires_at=now + self.request_lifetime,
            consent_ends_at=now + self.registry.clients[request.client_id].consent_duration,
            language=request.language,
        )

    def open(self, pending: PendingRequest) -> None:
        """Keeps `pending` as its browser's newest."""
        self.requests.open(pending, now=self.clock())

    def keep(self, pending: PendingRequest) -> None:
        """Keeps what the customer has chosen so far."""
        self.requests.save(pending, now=self.clock())

    def extend(self, pending: PendingRequest) -> None:
        """Gives the customer more time, and keeps what they have chosen so far."""
        now = self.clock()
        self.requests.extend(pending.extended_at(now, self.request_lifetime), now=now)

    def is_expired(self, pending: PendingRequest) -> bool:
        """Whether the time to answer is over and nobody has."""
        return pending.is_expired_at(self.clock()) and self.find_answer(pending.request_id) is None

    def note_expiry(self, pending: PendingRequest) -> bool:
        """Whether nobody has noticed before that `pending` has expired.

        False when that cannot be known: a count that is short by one keeps no customer from the way back.
        """
        try:
            return self.requests.note_expiry(pending.request_id)
        except StoreUnavailable:
            return False

    def parties(self, pending: PendingRequest) -> Parties | None:
        """Who the request is between; None when the registration no longer allows it.

        Checked on every page: a client suspended, or a redirect_uri or a cluster removed, since the request
        began must not get an answer.
        """
        request = pending.request
        client = self.registry.find_client(request.client_id)
        provider = self.registry.find_provider(request.provider_id)
        if client is None or provider is None or not is_still_allowed(request, client, provider):
            return None
        return Parties(client, provider, make_offer(request.requested_scope, client, provider))

    def find_answer(self, request_id: str) -> ConsentDecision | None:
        """The answer that the request has."""
        answered = self.ledger.find_answer(request_id)
        return None if answered is None else answered.decision

    def answer(
        self,
        pending: PendingRequest,
        parties: Parties,
        answer: Answer,
        *,
        checked: Scope,
        subject: str,
        screen_hash: str,
        shown: ShownConsent,
    ) -> Approved | Denied | AlreadyAnswered | Changed | Expired:
        """Records the customer's answer, unless the request has one, and mints the code of an approval.

        `screen_hash` names the text that was answered, and `shown` is what the form says now. An approval of
        anything else is Changed, and nothing of it is recorded; a denial needs no page to be one.

        The first answer wins for ever. The same answer again gets the same code while it lives, so that fifty
        clicks end at the recipient; another answer, or the same one later, is AlreadyAnswered. What has
        expired gets no first answer. May be called again after StoreUnavailable.
        """
        if self.is_expired(pending):
            return Expired()
        is_as_shown = shown.screen.screen_hash == screen_hash
        if answer is Answer.APPROVE and not is_as_shown and self.find_answer(pending.request_id) is None:
            return Changed()
        now = self.clock()
        decision = make_decision(
            pending,
            parties.offer,
            answer,
            checked=checked,
            subject=subject,
            screen_hash=screen_hash,
            agreement=make_agreement(parties.client, parties.provider),
            consent_id=str(uuid.uuid4()),
            # The machine that began the request may have a clock that is ahead of this one's: a consent that
            # was answered before it was asked would last longer than it may.
            now=max(now, pending.begun_at),
        )
        grant = make_grant(decision, ends_at=pending.consent_ends_at) if answer is Answer.APPROVE else None
        try:
            standing = self.ledger.record_decision(decision, grant, shown if is_as_shown else None)
        except ConnectionChanged:
            return Changed()
        is_recorded = standing.decision.consent_id == decision.consent_id
        if is_recorded:
            log_event(EventKind.DENIED if grant is None else EventKind.APPROVED, decision)
        if standing.replaced is not None and standing.replaced.status_at(now) is not GrantStatus.EXPIRED:
            log_event(EventKind.SUPERSEDED, standing.replaced)
        if not decision.is_same_answer_as(standing.decision):
            return AlreadyAnswered(standing.decision)
        if standing.grant is None:
            return self._deny_again(standing.decision, now)
        if not is_recorded and not self._may_mint(pending, standing.grant, now):
            return AlreadyAnswered(standing.decision)
        return self._mint(pending, standing.decision, standing.grant, now)

    def _deny_again(self, standing: ConsentDecision, now: datetime) -> Denied | AlreadyAnswered:
        if now - standing.decided_at > self.code_lifetime:
            return AlreadyAnswered(standing)
        return Denied(standing)

    def _may_mint(self, pending: PendingRequest, grant: ConsentGrant, now: datetime) -> bool:
        """Whether a recorded approval may get a code: in force, not redeemed, and no code of it has died."""
        if grant.redeemed_at is not None or grant.ended_at is not None:
            return False
        if not pending.is_expired_at(now) and not self.codes.was_minted(pending.request_id):
            return True
        record = self.codes.find_code(pending.request_id)
        return record is not None and record.is_alive_at(now)

    def _mint(
        self, pending: PendingRequest, decision: ConsentDecision, grant: ConsentGrant, now: datetime
    ) -> Approved:
        """Gives the code its life, unless it has one."""
        record = codes.mint(
            grant,
            redirect_uri=pending.request.redirect_uri,
            code_challenge=pending.request.code_challenge,
            now=now,
            lifetime=self.code_lifetime,
        )
        # For as long as the request can be found, and answered the same way again.
        self.codes.save(record, now=now, remembered_until=pending.expires_at + KEPT_AFTER_EXPIRY)
        return Approved(decision, self.codes.code_for(pending.request_id))
