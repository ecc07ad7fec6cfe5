"""From the request to the answer: begin, approve or deny.

The ledger is always written first and Redis second: there is no code before the decision is on record.
"""

import secrets
import uuid
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

from app.domain import codes
from app.domain.accounts import ChosenAccounts
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
    optional_share,
)
from app.domain.history import EventKind
from app.domain.pending_request import PendingRequest
from app.domain.registry import Client, DataProvider, Registry
from app.flow.events import log_event
from app.stores.ledger.decisions import ConnectionChanged
from app.stores.ledger.ledger import Ledger
from app.stores.ledger.rows import Answered
from app.stores.redis.codes import CodeStore
from app.stores.redis.pushed import PushedStore
from app.stores.redis.requests import KEPT_AFTER_EXPIRY, RequestStore
from app.stores.unavailable import StoreUnavailable


@dataclass(frozen=True, slots=True)
class Approved:
    """The browser is to go back to the client with `code`."""

    decision: ConsentDecision
    code: str


@dataclass(frozen=True, slots=True)
class Denied:
    """The browser is to go back to the client with access_denied."""

    decision: ConsentDecision


@dataclass(frozen=True, slots=True)
class AlreadyAnswered:
    """The request had its answer already, which is `decision`."""

    decision: ConsentDecision


@dataclass(frozen=True, slots=True)
class Changed:
    """Nothing was recorded, since the form says something else by now than what the customer answered."""


@dataclass(frozen=True, slots=True)
class Expired:
    """Nothing was recorded, since the time to answer is over."""


Outcome = Approved | Denied | AlreadyAnswered | Changed | Expired


@dataclass(frozen=True, slots=True, kw_only=True)
class SentAnswer:
    """What a customer has sent from a page whose text `screen_hash` names.

    `checked` are the boxes. `accounts` are those that the page named; None where the bank lists none, so that
    an approval is for all of them.
    """

    answer: Answer
    subject: str
    screen_hash: str
    checked: Scope = frozenset()
    accounts: ChosenAccounts | None = None


@dataclass(frozen=True, slots=True)
class Parties:
    """The client and the provider of a pending request, as registered now, and what the form offers."""

    client: Client
    provider: DataProvider
    offer: ConsentOffer


@dataclass(frozen=True, slots=True)
class WaitingRequest:
    """A request that still waits for an answer, and who it is between."""

    pending: PendingRequest
    parties: Parties


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsentFlow:
    """What happens to a pending request. Methods but `parties` and `note_expiry` raise StoreUnavailable."""

    registry: Registry
    requests: RequestStore
    codes: CodeStore
    ledger: Ledger
    pushed: PushedStore
    request_lifetime: timedelta
    code_lifetime: timedelta
    clock: Callable[[], datetime]

    def begin(
        self, request: AuthorizationRequest, browser_id: str, *, pushed_id: str | None = None
    ) -> PendingRequest:
        """A pending request for `request`, which the caller keeps together with the browser's session.

        The ledger is asked first, since nobody should read a form that cannot be answered.
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
            pushed_id=pushed_id,
        )

    def open(self, pending: PendingRequest) -> None:
        """Keeps `pending` as its browser's newest request."""
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
        return pending.is_expired_at(self.clock()) and self.find_answer(pending) is None

    def note_expiry(self, pending: PendingRequest) -> bool:
        """Whether this call is the first to note the expiry of `pending`, which is counted once.

        False while Redis does not answer: a count that is short by one matters less than the customer's page.
        """
        try:
            return self.requests.note_expiry(pending.request_id)
        except StoreUnavailable:
            return False

    def parties(self, request: AuthorizationRequest) -> Parties | None:
        """The parties of the request; None where the registration no longer allows it.

        This is checked on every page: a client that was suspended since the request began, or has lost its
        redirect_uri or a cluster, must not get an answer.
        """
        client = self.registry.find_client(request.client_id)
        provider = self.registry.find_provider(request.provider_id)
        if client is None or provider is None or not is_still_allowed(request, client, provider):
            return None
        return Parties(client, provider, make_offer(request.requested_scope, client, provider))

    def waiting_requests(self, browser_id: str) -> Iterator[WaitingRequest]:
        """The requests of a browser that nobody has answered while there is time, the newest first."""
        for pending in self.requests.opened_by(browser_id):
            if pending.is_expired_at(self.clock()) or self.find_answer(pending) is not None:
                continue
            parties = self.parties(pending.request)
            if parties is not None:
                yield WaitingRequest(pending, parties)

    def find_answer(self, pending: PendingRequest) -> ConsentDecision | None:
        """The answer that the request has, in whichever browser it was given."""
        answered = self.ledger.find_answer(pending.request_id, pushed_id=pending.pushed_id)
        return None if answered is None else answered.decision

    def answer(
        self, pending: PendingRequest, parties: Parties, sent: SentAnswer, shown: ShownConsent | None
    ) -> Outcome:
        """Records the customer's answer, unless the request has one, and mints the code of an approval.

        `shown` is what the page says now; None where that cannot be said. Where it is not what was answered,
        an approval is Changed and nothing is recorded; a denial is recorded all the same.

        The first answer stands for ever. The same answer again gets the same code while that lives, so that
        fifty clicks end at the recipient; another answer, or the same one later, is AlreadyAnswered. A
        request that has expired gets no first answer. After StoreUnavailable the call may be made again.
        """
        if self.is_expired(pending):
            return Expired()
        is_as_shown = shown is not None and shown.screen.screen_hash == sent.screen_hash
        if sent.answer is Answer.APPROVE and not is_as_shown and self.find_answer(pending) is None:
            return Changed()
        now, keeps = self.clock(), None if shown is None else shown.keeps
        decision = _decision(pending, parties, sent, keeps, now)
        grant = None
        if sent.answer is Answer.APPROVE:
            grant = make_grant(decision, ends_at=pending.consent_ends_at)
        try:
            standing = self.ledger.record_decision(decision, grant, shown if is_as_shown else None)
        except ConnectionChanged:
            return Changed()
        if _is_on_record(decision, standing):
            _log_answer(decision, parties.offer)
        if standing.replaced is not None and standing.replaced.status_at(now) is not GrantStatus.EXPIRED:
            log_event(EventKind.SUPERSEDED, standing.replaced)
        return self._outcome(pending, parties.client, decision, standing, now)

    def _outcome(
        self,
        pending: PendingRequest,
        client: Client,
        decision: ConsentDecision,
        standing: Answered,
        now: datetime,
    ) -> Outcome:
        """What the customer gets for `decision` where `standing` is what is on record."""
        if not decision.is_same_answer_as(standing.decision):
            return AlreadyAnswered(standing.decision)
        if standing.grant is None:
            self._forget_pushed(pending)
            return self._denied(standing.decision, now)
        if not _is_on_record(decision, standing) and not self._may_mint(pending, standing.grant, now):
            return AlreadyAnswered(standing.decision)
        return self._mint(pending, client, standing.decision, standing.grant, now)

    def _forget_pushed(self, pending: PendingRequest) -> None:
        """What was answered need not be opened any more; the ledger would refuse a second answer anyway."""
        if pending.pushed_id is not None:
            with suppress(StoreUnavailable):
                self.pushed.forget(pending.pushed_id)

    def _denied(self, standing: ConsentDecision, now: datetime) -> Denied | AlreadyAnswered:
        """The result of a denial, also of the same one again, for as long as a code would live."""
        if now - standing.decided_at > self.code_lifetime:
            return AlreadyAnswered(standing)
        return Denied(standing)

    def _may_mint(self, pending: PendingRequest, grant: ConsentGrant, now: datetime) -> bool:
        """Whether a recorded approval may get its code (again).

        It may while it is in force and not redeemed, and its code was never minted or still lives.
        """
        if grant.redeemed_at is not None or grant.ended_at is not None:
            return False
        if not pending.is_expired_at(now) and not self.codes.was_minted(pending.request_id):
            return True
        record = self.codes.find_code(pending.request_id)
        return record is not None and record.is_alive_at(now)

    def _mint(
        self,
        pending: PendingRequest,
        client: Client,
        decision: ConsentDecision,
        grant: ConsentGrant,
        now: datetime,
    ) -> Approved:
        """Keeps the code's record, unless there is one."""
        record = codes.mint(
            grant,
            redirect_uri=pending.request.redirect_uri,
            code_challenge=pending.request.code_challenge,
            dpop_jkt=pending.request.dpop_jkt,
            now=now,
            lifetime=self.code_lifetime,
            longest=codes.LONGEST_FAPI_CODE if client.is_fapi else codes.LONGEST_CODE_LIFETIME,
        )
        # That there was a code is remembered for as long as the request can be answered the same way again.
        self.codes.save(
            record,
            now=now,
            remembered_until=pending.expires_at + KEPT_AFTER_EXPIRY,
            also=self.pushed.forgetting(pending.pushed_id),
        )
        return Approved(decision, self.codes.code_for(pending.request_id))


def _decision(
    pending: PendingRequest, parties: Parties, sent: SentAnswer, keeps: Scope | None, now: datetime
) -> ConsentDecision:
    """The decision that was sent, under a consent_id of its own. A page without boxes has what it `keeps`."""
    return make_decision(
        pending,
        parties.offer,
        sent.answer,
        checked=sent.checked if keeps is None else keeps,
        subject=sent.subject,
        screen_hash=sent.screen_hash,
        agreement=make_agreement(parties.client, parties.provider),
        accounts=sent.accounts,
        consent_id=str(uuid.uuid4()),
        # The clock of the machine that began the request may be ahead of this one's. Otherwise the consent
        # could last over 365 days, because `consent_ends_at` comes from the other clock.
        now=max(now, pending.begun_at),
    )


def _is_on_record(decision: ConsentDecision, standing: Answered) -> bool:
    """Whether `decision` itself is what stands, and no earlier answer, which may be the same."""
    return standing.decision.consent_id == decision.consent_id


def _log_answer(decision: ConsentDecision, offer: ConsentOffer) -> None:
    if decision.answer is Answer.DENY:
        log_event(EventKind.DENIED, decision)
    else:
        log_event(EventKind.APPROVED, decision, optional=optional_share(offer, decision.granted_scope))
