"""What recipients and banks are told of, and the token in which they are told."""

import pytest

from app.domain.consent import GrantStatus
from app.domain.history import Actor, Event, EventKind, Reason
from app.domain.notice_registration import NoticeType
from app.domain.notices import (
    DeliveryMethod,
    News,
    Notice,
    arrival_detail,
    news_for_bank,
    news_of,
    notice_claims,
    proves_that_end_was_told,
)
from tests.support.builders import NOON

ISSUER = "https://consent.bank.example"
TOLD = {
    (EventKind.WITHDRAWN, Actor.CUSTOMER): ("CONSENT_REVOKED", "REVOKED", "USER_ACTION", "INDIVIDUAL"),
    (EventKind.NARROWED, Actor.CUSTOMER): ("CONSENT_UPDATED", "ACTIVE", "USER_ACTION", "INDIVIDUAL"),
    (EventKind.WITHDRAWN, Actor.OPERATOR): ("CONSENT_REVOKED", "REVOKED", "BUSINESS_RULE", "DATA_PROVIDER"),
    (EventKind.NARROWED, Actor.OPERATOR): ("CONSENT_UPDATED", "ACTIVE", "BUSINESS_RULE", "DATA_PROVIDER"),
    (EventKind.REPLAYED, Actor.CLIENT): ("CONSENT_REVOKED", "REVOKED", "SECURITY_EVENT", "DATA_PROVIDER"),
    (EventKind.SUPERSEDED, Actor.CUSTOMER): ("CONSENT_REVOKED", "REVOKED", "OTHER", "INDIVIDUAL"),
    (EventKind.EXPIRED, Actor.ACCORD): ("CONSENT_EXPIRED", "EXPIRED", "BUSINESS_RULE", "DATA_PROVIDER"),
    (EventKind.RENEWAL_DUE, Actor.ACCORD): ("RENEWAL_DUE", "ACTIVE", "BUSINESS_RULE", "DATA_PROVIDER"),
}


TOLD_TO_BANKS = {
    **{event: news for event, news in TOLD.items() if event[0] is not EventKind.RENEWAL_DUE},
    (EventKind.APPROVED, Actor.CUSTOMER): ("CONSENT_GRANTED", "ACTIVE", "USER_ACTION", "INDIVIDUAL"),
    (EventKind.REVOKED, Actor.CLIENT): ("CONSENT_REVOKED", "REVOKED", "BUSINESS_RULE", "DATA_RECIPIENT"),
}


def a_notice(**changes: object) -> Notice:
    news = News(NoticeType.CONSENT_REVOKED, GrantStatus.REVOKED, "USER_ACTION", "INDIVIDUAL")
    values = {
        "notice_id": "notice-1",
        "receiver": "dc-budget",
        "provider_id": "1000",
        "consent_id": "consent-1",
        "news": news,
        "correlation_id": "correlation-1",
        "happened_at": NOON,
    }
    return Notice(**{**values, **changes})  # type: ignore[arg-type]


@pytest.mark.parametrize("actor", Actor)
@pytest.mark.parametrize("kind", EventKind)
def test_of_each_event_is_told_what_belongs_to_it_and_of_all_others_nothing(
    kind: EventKind, actor: Actor
) -> None:
    news = news_of(kind, actor)
    assert (news and (news.type, news.status, news.reason, news.initiator)) == TOLD.get((kind, actor))


@pytest.mark.parametrize("actor", Actor)
@pytest.mark.parametrize("kind", EventKind)
def test_a_bank_is_told_the_same_and_of_approvals_and_of_what_the_recipient_ended(
    kind: EventKind, actor: Actor
) -> None:
    news = news_for_bank(kind, actor, Reason.BUSINESS_RULE)
    told = news and (news.type, news.status, news.reason, news.initiator)
    assert told == TOLD_TO_BANKS.get((kind, actor))


@pytest.mark.parametrize("reason", Reason)
def test_the_reason_of_a_recipient_is_that_of_the_record_and_is_no_successors(reason: Reason) -> None:
    news = news_for_bank(EventKind.REVOKED, Actor.CLIENT, reason)
    assert news is not None
    claims = notice_claims(a_notice(receiver="provider:1000", news=news), issuer=ISSUER, now=NOON)
    (notification,) = claims["events"].values()
    assert notification["notificationPayload"]["event"] == {
        "status": "REVOKED",
        "reason": reason,
        "initiator": "DATA_RECIPIENT",
        "updatedTime": "2026-11-24T12:00:00.000Z",
    }


def test_a_banks_token_is_for_the_bank_and_says_neither_who_the_customer_nor_who_the_recipient_is() -> None:
    to_recipient = notice_claims(a_notice(), issuer=ISSUER, now=NOON)
    to_bank = notice_claims(a_notice(receiver="provider:1000"), issuer=ISSUER, now=NOON)
    assert to_bank.pop("aud") == "1000"
    del to_recipient["aud"]
    (told,), (notification,) = to_bank["events"].values(), to_recipient["events"].values()
    assert told["subscriber"] == notification["subscriber"] | {
        "name": "1000",
        "registeredEntityId": "1000",
        "type": "DATA_PROVIDER",
    }
    del told["subscriber"], notification["subscriber"]
    assert to_bank == to_recipient


def test_a_token_says_what_happened_to_which_consent_and_nothing_else() -> None:
    claims = notice_claims(a_notice(), issuer=ISSUER, now=NOON.replace(minute=1))
    assert claims == {
        "iss": ISSUER,
        "aud": "dc-budget",
        "jti": "notice-1",
        "iat": int(NOON.timestamp()) + 60,
        "toe": int(NOON.timestamp()),
        "txn": "correlation-1",
        "sub_id": {"format": "opaque", "id": "consent-1"},
        "events": {
            f"{ISSUER}/events/consent": {
                "notificationId": "notice-1",
                "type": "CONSENT_REVOKED",
                "sentOn": "2026-11-24T12:01:00.000Z",
                "category": "CONSENT",
                "severity": "INFO",
                "priority": "HIGH",
                "publisher": {
                    "name": "1000",
                    "type": "DATA_PROVIDER",
                    "registry": "PRIVATE",
                    "registeredEntityId": "1000",
                },
                "subscriber": {
                    "name": "dc-budget",
                    "type": "DATA_RECIPIENT",
                    "registry": "PRIVATE",
                    "registeredEntityId": "dc-budget",
                },
                "notificationPayload": {
                    "id": "consent-1",
                    "idType": "CONSENT",
                    "event": {
                        "status": "REVOKED",
                        "reason": "USER_ACTION",
                        "initiator": "INDIVIDUAL",
                        "updatedTime": "2026-11-24T12:00:00.000Z",
                    },
                },
                "url": {
                    "href": f"{ISSUER}/api/v1/consents/consent-1",
                    "action": "GET",
                    "rel": "consent",
                },
            }
        },
    }


def test_that_another_consent_took_the_place_is_the_other_reason() -> None:
    superseded = news_of(EventKind.SUPERSEDED, Actor.CUSTOMER)
    assert superseded is not None
    claims = notice_claims(a_notice(news=superseded), issuer=ISSUER, now=NOON)
    (event,) = claims["events"].values()
    assert event["notificationPayload"]["event"]["otherReason"] == "SUPERSEDED"


def test_a_reminder_is_a_subtype_of_fdxs_own_events() -> None:
    due = news_of(EventKind.RENEWAL_DUE, Actor.ACCORD)
    assert due is not None
    claims = notice_claims(a_notice(news=due), issuer=ISSUER, now=NOON)
    (event,) = claims["events"].values()
    assert (event["type"], event["subtype"]) == ("CUSTOM", "RENEWAL_DUE")
    assert event["notificationPayload"]["event"]["status"] == "ACTIVE"


def test_a_reminder_alone_is_no_evidence_that_a_recipient_knows_what_has_changed() -> None:
    told = [news for kind in EventKind for actor in Actor if (news := news_of(kind, actor)) is not None]
    no_evidence = {news.type for news in told if not a_notice(news=news).is_evidence}
    assert no_evidence == {NoticeType.RENEWAL_DUE}


@pytest.mark.parametrize("method", DeliveryMethod)
@pytest.mark.parametrize("said", NoticeType)
def test_only_the_notice_of_the_end_proves_that_the_recipient_knows_of_it(
    said: NoticeType, method: DeliveryMethod
) -> None:
    notice = a_notice(news=News(said, GrantStatus.ACTIVE, "USER_ACTION", "INDIVIDUAL"))

    def proves(kind: EventKind, detail: str | None) -> bool:
        return proves_that_end_was_told(
            Event(
                consent_id="consent-1",
                kind=kind,
                actor=Actor.ACCORD,
                reason=Reason.BUSINESS_RULE,
                correlation_id="correlation-1",
                happened_at=NOON,
                detail=detail,
            )
        )

    detail = arrival_detail(notice, method)
    assert detail == f"{method.value} {said.value}"
    assert proves(EventKind.NOTIFIED, detail) is (said is NoticeType.CONSENT_REVOKED)
    assert not proves(EventKind.WITHDRAWN, detail)
    assert not proves(EventKind.NOTIFIED, None)
