"""Notices to recipients and banks: what each event of a consent is in a notice, and the claims of its
Security Event Token (SET, RFC 8417).

A notice is thin: it names a consent, and no customer, no account and no person. What is shared now says the
record of the consent.
"""

import re
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final, NotRequired, TypedDict, TypeGuard

from app.domain.consent import GrantStatus
from app.domain.fdx import Party, provider_party, recipient_party, timestamp
from app.domain.history import Actor, Event, EventKind, Reason
from app.domain.notice_registration import NoticeType, bank_of, log_fields

EVENT_PATH: Final = "/events/consent"
"""The path under the issuer of the URI of our events (RFC 8417 2.2), until a standard names one."""


@dataclass(frozen=True, slots=True)
class News:
    """What a notice says of an event, in the words of FDX.

    The `reason` OTHER means that a newer consent has replaced this one, or, where the recipient ended it,
    that the recipient gave no other reason.
    """

    type: NoticeType
    status: GrantStatus
    reason: str
    initiator: str


_REVOKED, _UPDATED = NoticeType.CONSENT_REVOKED, NoticeType.CONSENT_UPDATED
_NEWS: Final = {
    (EventKind.WITHDRAWN, Actor.CUSTOMER): News(_REVOKED, GrantStatus.REVOKED, "USER_ACTION", "INDIVIDUAL"),
    (EventKind.NARROWED, Actor.CUSTOMER): News(_UPDATED, GrantStatus.ACTIVE, "USER_ACTION", "INDIVIDUAL"),
    (EventKind.WITHDRAWN, Actor.OPERATOR): News(
        _REVOKED, GrantStatus.REVOKED, "BUSINESS_RULE", "DATA_PROVIDER"
    ),
    (EventKind.NARROWED, Actor.OPERATOR): News(
        _UPDATED, GrantStatus.ACTIVE, "BUSINESS_RULE", "DATA_PROVIDER"
    ),
    # In the record of the consent the reason is BUSINESS_RULE: FDX has no other there.
    (EventKind.REPLAYED, Actor.CLIENT): News(
        _REVOKED, GrantStatus.REVOKED, "SECURITY_EVENT", "DATA_PROVIDER"
    ),
    (EventKind.SUPERSEDED, Actor.CUSTOMER): News(_REVOKED, GrantStatus.REVOKED, "OTHER", "INDIVIDUAL"),
    (EventKind.EXPIRED, Actor.ACCORD): News(
        NoticeType.CONSENT_EXPIRED, GrantStatus.EXPIRED, "BUSINESS_RULE", "DATA_PROVIDER"
    ),
    (EventKind.RENEWAL_DUE, Actor.ACCORD): News(
        NoticeType.RENEWAL_DUE, GrantStatus.ACTIVE, "BUSINESS_RULE", "DATA_PROVIDER"
    ),
}


_GRANTED: Final = News(NoticeType.CONSENT_GRANTED, GrantStatus.ACTIVE, "USER_ACTION", "INDIVIDUAL")


def news_of(kind: EventKind, actor: Actor) -> News | None:
    """What the recipient is told of an event; None of what it did itself, or is told in another way."""
    return _NEWS.get((kind, actor))


def news_for_bank(kind: EventKind, actor: Actor, reason: Reason) -> News | None:
    """What the bank is told of an event: what the recipient is, but for reminders, and what it knows already.

    Those are an approval, and the end of a consent by the recipient, which has the `reason` of its record.
    """
    if (kind, actor) == (EventKind.APPROVED, Actor.CUSTOMER):
        return _GRANTED
    if (kind, actor) == (EventKind.REVOKED, Actor.CLIENT):
        return News(_REVOKED, GrantStatus.REVOKED, reason.value, "DATA_RECIPIENT")
    return None if kind is EventKind.RENEWAL_DUE else news_of(kind, actor)


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """One notice to one receiver. `notice_id` identifies it at every try, and however it is taken.

    `provider_id` is the bank of the consent, to whichever of the two it is told.
    """

    notice_id: str
    receiver: str
    provider_id: str
    consent_id: str
    news: News
    correlation_id: str
    happened_at: datetime

    @property
    def type(self) -> NoticeType:
        return self.news.type

    @property
    def is_to_bank(self) -> bool:
        return bank_of(self.receiver) is not None

    @property
    def audience(self) -> str:
        """Whom the token is for: the client_id, or a bank's provider_id."""
        return bank_of(self.receiver) or self.receiver

    @property
    def is_evidence(self) -> bool:
        """Whether an event of the consent is to say that it was taken.

        Reminders and notices to banks are not evidence: only the recipient's notice proves that it was told
        (CBDA 91(2)(c)).
        """
        return not self.is_to_bank and self.type is not NoticeType.RENEWAL_DUE

    @property
    def facts(self) -> dict[str, str]:
        """What each line of the log has of a notice: of which consent it is, and nothing of its customer.

        That of a notice to a bank has no `client_id`.
        """
        return {
            "type": self.type.value,
            "provider_id": self.provider_id,
            **log_fields(self.receiver),
            "consent_id": self.consent_id,
            "correlation_id": self.correlation_id,
            "notice_id": self.notice_id,
        }


_ERROR_CODE: Final = re.compile(r"[A-Za-z0-9_.-]{1,64}", re.ASCII)


def is_error_code(err: object) -> TypeGuard[str]:
    """Whether a receiver can refuse a notice with `err`, such as those that IANA registers (RFC 8935 2.4)."""
    return isinstance(err, str) and _ERROR_CODE.fullmatch(err) is not None


class DeliveryMethod(StrEnum):
    """How a notice was taken."""

    PUSH = "push"
    POLL = "poll"


def arrival_detail(notice: Notice, method: DeliveryMethod) -> str:
    """The `detail` of the event that a notice has arrived: how it did, and its type."""
    return f"{method} {notice.type}"


def proves_that_end_was_told(event: Event) -> bool:
    """Whether the recipient has got the notice of the end itself, for which no other notice stands.

    An update that it takes after the end says nothing of the end.
    """
    is_of_end = (event.detail or "").endswith(f" {NoticeType.CONSENT_REVOKED}")
    return event.kind is EventKind.NOTIFIED and is_of_end


class ConsentEvent(TypedDict):
    """What became of a consent (FDX). The time is RFC 3339."""

    status: GrantStatus
    reason: str
    initiator: str
    updatedTime: str
    otherReason: NotRequired[str]


class NotificationPayload(TypedDict):
    """The consent that a notification is about (FDX)."""

    id: str
    idType: str
    event: ConsentEvent


class Link(TypedDict):
    """Where the record of the consent is read (FDX HATEOAS link)."""

    href: str
    action: str
    rel: str


class _Kind(TypedDict):
    type: str
    subtype: NotRequired[str]


class Notification(_Kind):
    """An FDX notification. Times are RFC 3339."""

    notificationId: str
    sentOn: str
    category: str
    severity: str
    priority: str
    publisher: Party
    subscriber: Party
    notificationPayload: NotificationPayload
    url: Link


def notice_claims(notice: Notice, *, issuer: str, now: datetime) -> dict[str, Any]:
    """The claims of the SET of a notice that is signed at `now` (RFC 8417 2.2); times are seconds since 1970.

    It has no `sub`, `exp` or `client_id`, so that nobody can take it for an access token (RFC 8417 4.5).
    """
    return {
        "iss": issuer,
        "aud": notice.audience,
        "jti": notice.notice_id,
        "iat": int(now.timestamp()),
        "toe": int(notice.happened_at.timestamp()),
        "txn": notice.correlation_id,
        "sub_id": {"format": "opaque", "id": notice.consent_id},  # RFC 9493 3.2.7
        "events": {f"{issuer}{EVENT_PATH}": _notification(notice, issuer, now)},
    }


def _notification(notice: Notice, issuer: str, now: datetime) -> Notification:
    news = notice.news
    event: ConsentEvent = {
        "status": news.status,
        "reason": news.reason,
        "initiator": news.initiator,
        "updatedTime": timestamp(notice.happened_at),
    }
    if news.reason == "OTHER" and news.initiator == "INDIVIDUAL":
        event["otherReason"] = "SUPERSEDED"
    kind: _Kind = {"type": news.type}
    if news.type is NoticeType.RENEWAL_DUE:  # FDX has no type of its own for it
        kind = {"type": "CUSTOM", "subtype": news.type}
    party = provider_party if notice.is_to_bank else recipient_party
    return {
        "notificationId": notice.notice_id,
        **kind,
        "sentOn": timestamp(now),
        "category": "CONSENT",
        "severity": "INFO",
        "priority": "HIGH",
        "publisher": provider_party(notice.provider_id, None),
        "subscriber": party(notice.audience, None),
        "notificationPayload": {"id": notice.consent_id, "idType": "CONSENT", "event": event},
        "url": {"href": f"{issuer}/api/v1/consents/{notice.consent_id}", "action": "GET", "rel": "consent"},
    }
