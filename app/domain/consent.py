"""A consent: the offer that a customer sees, the decision that they make, and the grant that lasts."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from app.domain.accounts import ChosenAccounts
from app.domain.agreement import Agreement
from app.domain.clusters import Scope
from app.domain.evidence import Screen
from app.domain.language import Language
from app.domain.pending_request import PendingRequest
from app.domain.registry import LONGEST_CONSENT, Client, DataProvider
from app.domain.resources import (
    Resources,
    applicable_scope,
    check_resources,
    clusters_by_account,
    granted_resources,
)


class Answer(StrEnum):
    """The customer's answer, by the machine value of the button and not by its translated label."""

    APPROVE = "approve"
    DENY = "deny"


_ANSWERS = {answer.value: answer for answer in Answer}


def answer_by_value(value: str | None) -> Answer | None:
    """The answer with exactly this machine value; None for any other value."""
    return _ANSWERS.get(value or "")


class GrantStatus(StrEnum):
    """FDX ConsentGrant status."""

    ACTIVE = "ACTIVE"
    EXPIRED = "EXPIRED"
    REVOKED = "REVOKED"


@dataclass(frozen=True, slots=True)
class ConsentOffer:
    """The requested clusters, by what the customer can do about each of them.

    Every approval shares the `needed` ones. Each of the `optional` ones has a box to check. The bank does not
    serve the `unavailable` ones.
    """

    needed: Scope
    optional: Scope
    unavailable: Scope


@dataclass(frozen=True, slots=True)
class ScopeDifference:
    """How the scope of a repeat request differs from the scope of the connection in force."""

    new: Scope
    already_shared: Scope
    no_longer_asked: Scope


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsentDecision:
    """A customer's answer to one request.

    `granted_scope` is empty for a denial. `screen_hash` is the hex SHA-256 of the text on the page,
    `language` the language of that text. `agreement` and `accounts` (those that were chosen, as they were
    shown) are None for a denial, and for approvals from before they were recorded; `accounts` also where the
    bank lists none. Raises ValueError when more is granted than was requested: such a decision cannot exist.
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
    accounts: ChosenAccounts | None = None
    correlation_id: str
    asked_at: datetime
    decided_at: datetime
    pushed_id: str | None = None

    def __post_init__(self) -> None:
        if not self.granted_scope <= self.requested_scope:
            raise ValueError("granted scope exceeds the requested scope")
        if (self.answer is Answer.APPROVE) != bool(self.granted_scope):
            raise ValueError("an approval grants something, and a denial nothing")
        if self.accounts is not None and self.answer is not Answer.APPROVE:
            raise ValueError("an approval alone is for accounts")

    def is_same_answer_as(self, other: "ConsentDecision") -> bool:
        """Whether `other` answers the same request in the same way, by the same customer."""
        return _choice(self) == _choice(other)


def _choice(decision: ConsentDecision) -> object:
    account_ids = None if decision.accounts is None else decision.accounts.account_ids
    return decision.request_id, decision.subject, decision.answer, decision.granted_scope, account_ids


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsentGrant:
    """The lasting record of an approval (FDX ConsentGrant).

    `redeemed_at` is when its code was redeemed. `ended_at` is when the grant was withdrawn, superseded or
    revoked; for a grant that ran out, it equals `expires_at` once that is on record. `resources` say what is
    shared of which account; None for every account, those included that are opened later. A narrowing removes
    clusters from `granted_scope`, and accounts. Raises ValueError for a grant that would last longer than 365
    days, and where `granted_scope` is not what `resources` and the clusters about the customer make together.
    """

    consent_id: str
    request_id: str
    client_id: str
    provider_id: str
    subject: str
    granted_scope: Scope
    resources: Resources | None = None
    correlation_id: str
    approved_at: datetime
    expires_at: datetime
    redeemed_at: datetime | None = None
    ended_at: datetime | None = None

    def __post_init__(self) -> None:
        if not timedelta(0) < self.expires_at - self.approved_at <= LONGEST_CONSENT:
            raise ValueError("a grant lasts at most 365 days")
        if self.resources is not None:
            check_resources(self.resources, self.granted_scope)

    @property
    def account_ids(self) -> frozenset[str]:
        """The accounts that `resources` name; none where the grant is for every account."""
        return frozenset(clusters_by_account(self.resources or ()))

    def status_at(self, now: datetime) -> GrantStatus:
        """The status at `now`. A grant is active before `expires_at`, and expired from that moment on.

        A grant with `ended_at` is over, even where `now` is earlier: the machine that ended it may have a
        clock that is ahead of this one's.
        """
        if self.ended_at is not None:
            return GrantStatus.REVOKED if self.ended_at < self.expires_at else GrantStatus.EXPIRED
        return GrantStatus.EXPIRED if now >= self.expires_at else GrantStatus.ACTIVE


@dataclass(frozen=True, slots=True, kw_only=True)
class StandingConsent:
    """The connection in force that an approval would replace, and the request that led to it.

    `agreement_hash` is None for a connection that was approved before agreements were recorded.
    """

    grant: ConsentGrant
    requested_scope: Scope
    asked_at: datetime
    agreement_hash: str | None


@dataclass(frozen=True, slots=True)
class ShownConsent:
    """A consent form as it was shown: its text, and the grant in force that an approval would replace.

    `keeps` is the scope of an approval on a page without boxes, which only renews; None for a page that has
    boxes.
    """

    screen: Screen
    standing: ConsentGrant | None
    keeps: Scope | None = None


def make_offer(requested_scope: Scope, client: Client, provider: DataProvider) -> ConsentOffer:
    """Sorts `requested_scope` into needed, optional and unavailable clusters.

    Where the registration of `client` allows no subset, every cluster that `provider` serves is needed.
    """
    served = requested_scope & provider.clusters
    needed = served & client.needed_clusters if client.allow_subset else served
    return ConsentOffer(needed=needed, optional=served - needed, unavailable=requested_scope - served)


def make_decision(
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
    accounts: ChosenAccounts | None = None,
) -> ConsentDecision:
    """The decision for the customer's `answer`. Of the `checked` clusters only the optional ones count.

    A cluster for which none of the chosen `accounts` has data is not granted. Without `accounts` the consent
    is for all accounts.
    """
    request = pending.request
    if answer is Answer.DENY:
        granted: Scope = frozenset()
        accounts = agreement = None
    else:
        granted = offer.needed | (checked & offer.optional)
        granted = granted if accounts is None else applicable_scope(granted, accounts.chosen)
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
        agreement=agreement,
        accounts=accounts,
        correlation_id=request.correlation_id,
        asked_at=pending.begun_at,
        decided_at=now,
        pushed_id=pending.pushed_id,
    )


class OptionalShare(StrEnum):
    """How much of what could be left out an approval shares."""

    NONE = "none"
    SOME = "some"
    ALL = "all"


def optional_share(offer: ConsentOffer, granted_scope: Scope) -> OptionalShare | None:
    """How much of the optional clusters is granted; None where none was offered."""
    if not offer.optional:
        return None
    left_out = offer.optional - granted_scope
    if left_out == offer.optional:
        return OptionalShare.NONE
    return OptionalShare.SOME if left_out else OptionalShare.ALL


def compare_scopes(offer: ConsentOffer, standing: Scope) -> ScopeDifference:
    """How `offer` differs from the `standing` scope, which the customer shares with the recipient already."""
    asked = offer.needed | offer.optional
    return ScopeDifference(
        new=asked - standing, already_shared=asked & standing, no_longer_asked=standing - asked
    )


def is_renewal(
    offer: ConsentOffer, standing: StandingConsent, *, agreement: Agreement, lasts: timedelta
) -> bool:
    """Whether a repeat request asks for nothing but what the customer answered before, for no longer.

    Then the customer may keep what is shared now with one press. Anything new (a type of data, a purpose, a
    longer time), and anything that could not go on as it is, is asked for with boxes.
    """
    asked, shared = offer.needed | offer.optional, standing.grant.granted_scope
    return (
        offer.needed <= shared <= asked <= standing.requested_scope
        and agreement.agreement_hash == standing.agreement_hash
        and lasts <= standing.grant.expires_at - standing.asked_at
    )


def make_grant(decision: ConsentDecision, *, ends_at: datetime) -> ConsentGrant:
    """The grant that an approval creates. `ends_at` is the end that the consent form named."""
    return ConsentGrant(
        consent_id=decision.consent_id,
        request_id=decision.request_id,
        client_id=decision.client_id,
        provider_id=decision.provider_id,
        subject=decision.subject,
        granted_scope=decision.granted_scope,
        resources=None
        if decision.accounts is None
        else granted_resources(decision.granted_scope, decision.accounts),
        correlation_id=decision.correlation_id,
        approved_at=decision.decided_at,
        expires_at=ends_at,
    )
