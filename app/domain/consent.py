"""What a customer is asked, what they decide, and what lasts of it."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from app.domain.agreement import Agreement
from app.domain.authorization import PendingRequest
from app.domain.clusters import DataCluster, Scope
from app.domain.evidence import Screen
from app.domain.language import Language
from app.domain.registry import LONGEST_CONSENT, Client, DataProvider


class Answer(StrEnum):
    """The machine value of the button that was pressed, never its label."""

    APPROVE = "approve"
    DENY = "deny"


_ANSWERS = {answer.value: answer for answer in Answer}


def find_answer(value: str | None) -> Answer | None:
    """The answer of exactly this machine value."""
    return _ANSWERS.get(value or "")


class GrantStatus(StrEnum):
    """FDX ConsentGrant status."""

    ACTIVE = "ACTIVE"
    EXPIRED = "EXPIRED"
    REVOKED = "REVOKED"


@dataclass(frozen=True, slots=True)
class ConsentOffer:
    """What the form shows: clusters that come with any approval, those with a box, those the bank lacks."""

    needed: Scope
    optional: Scope
    unavailable: Scope


@dataclass(frozen=True, slots=True)
class ScopeDifference:
    """What a repeat request would change."""

    new: Scope
    already_shared: Scope
    no_longer_asked: Scope


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsentDecision:
    """A customer's answer to one request. `granted_scope` is empty when the answer is deny, `screen_hash`
    is the SHA-256 of the text that was on the page, and `language` is the language of that text. `agreement`
    is what an approval agreed to; None for a denial, and for approvals from before it was recorded.

    Raises ValueError when more is granted than was requested: such a decision cannot exist.
    """

    request_id: str
    consent_id: str
    client_id: str
    provider_id: str
    subject: str
    answer: Answer
    requested_scope: Scope
    granted_scope: Scope
    language: Language
    screen_hash: str | None = None
    agreement: Agreement | None = None
    correlation_id: str
    asked_at: datetime
    decided_at: datetime

    def __post_init__(self) -> None:
        if not self.granted_scope <= self.requested_scope:
            raise ValueError("granted scope exceeds the requested scope")
        if (self.answer is Answer.APPROVE) != bool(self.granted_scope):
            raise ValueError("an approval grants something, and a denial nothing")

    def is_same_answer_as(self, other: "ConsentDecision") -> bool:
        """Whether `other` answers the same request in the same way, by the same customer."""
        return (self.request_id, self.subject, self.answer, self.granted_scope) == (
            other.request_id,
            other.subject,
            other.answer,
            other.granted_scope,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsentGrant:
    """The lasting record of an approval.

    `redeemed_at` is when its code was redeemed, `ended_at` when it was withdrawn, superseded or revoked,
    and `expires_at` once it has been seen to have run out. Narrowing takes from `granted_scope`.
    Raises ValueError when it would last longer than a year.
    """

    consent_id: str
    request_id: str
    client_id: str
    provider_id: str
    subject: str
    granted_scope: Scope
    correlation_id: str
    approved_at: datetime
    expires_at: datetime
    redeemed_at: datetime | None = None
    ended_at: datetime | None = None

    def __post_init__(self) -> None:
        if not timedelta(0) < self.expires_at - self.approved_at <= LONGEST_CONSENT:
            raise ValueError("a grant lasts at most 365 days")

    def status_at(self, now: datetime) -> GrantStatus:
        """The status at `now`; a grant is active until the very second at which it runs out.

        What was ended is over at once, whatever `now`: whoever ended it may have a clock that is ahead.
        """
        if self.ended_at is not None:
            return GrantStatus.REVOKED if self.ended_at < self.expires_at else GrantStatus.EXPIRED
        return GrantStatus.EXPIRED if now >= self.expires_at else GrantStatus.ACTIVE


@dataclass(frozen=True, slots=True)
class ShownConsent:
    """What a consent form says: its text, and the connection in force that an approval would replace."""

    screen: Screen
    standing: ConsentGrant | None


def make_offer(requested_scope: Scope, client: Client, provider: DataProvider) -> ConsentOffer:
    """What `client` asks of `provider`, sorted by what the customer can do about it."""
    served = requested_scope & provider.clusters
    needed = served & client.needed_clusters if client.allow_subset else served
    return ConsentOffer(needed=needed, optional=served - needed, unavailable=requested_scope - served)


def decide(
    pending: PendingRequest,
    offer: ConsentOffer,
    answer: Answer,
    *,
    checked: Scope,
    subject: str,
    consent_id: str,
    now: datetime,
    screen_hash: str | None = None,
    agreement: Agreement | None = None,
) -> ConsentDecision:
    """The decision that a click makes. Of `checked`, only what was offered with a box counts."""
    request = pending.request
    granted = offer.needed | (checked & offer.optional) if answer is Answer.APPROVE else frozenset()
    return ConsentDecision(
        request_id=pending.request_id,
        consent_id=consent_id,
        client_id=request.client_id,
        provider_id=request.provider_id,
        subject=subject,
        answer=answer,
        requested_scope=request.requested_scope,
        granted_scope=granted,
        language=pending.language,
        screen_hash=screen_hash,
        agreement=agreement if answer is Answer.APPROVE else None,
        correlation_id=request.correlation_id,
        asked_at=pending.begun_at,
        decided_at=now,
    )


def narrowed_by(granted_scope: Scope, withdrawn: Scope) -> Scope:
    """What is left of `granted_scope`: nothing at all once ACCOUNT_BASIC is withdrawn."""
    left = granted_scope - withdrawn
    return left if DataCluster.ACCOUNT_BASIC in left else frozenset()


def compare(offer: ConsentOffer, standing: Scope) -> ScopeDifference:
    """How a repeat request differs from what the customer already shares with the same recipient."""
    asked = offer.needed | offer.optional
    return ScopeDifference(
        new=asked - standing, already_shared=asked & standing, no_longer_asked=standing - asked
    )


def grant_of(decision: ConsentDecision, *, ends_at: datetime) -> ConsentGrant:
    """The grant that an approval creates. It ends when the page said that it would."""
    return ConsentGrant(
        consent_id=decision.consent_id,
        request_id=decision.request_id,
        client_id=decision.client_id,
        provider_id=decision.provider_id,
        subject=decision.subject,
        granted_scope=decision.granted_scope,
        correlation_id=decision.correlation_id,
        approved_at=decision.decided_at,
        expires_at=ends_at,
    )
