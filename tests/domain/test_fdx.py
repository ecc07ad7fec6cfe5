"""A consent in FDX's words, member by member."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from app.domain.agreement import Agreement, make_agreement
from app.domain.clusters import DataCluster
from app.domain.consent import ConsentGrant
from app.domain.fdx import ConsentGrantRecord, consent_grant, days_of_history, timestamp
from app.domain.history import Actor, Event, EventKind, Reason
from tests.support.builders import NOON, a_client, a_grant, a_provider, both

AGREEMENT = make_agreement(a_client(history_months=24), a_provider())
LATER = NOON + timedelta(days=2)


def an_ending(**changes: Any) -> Event:
    values: dict[str, Any] = {
        "consent_id": "consent-1",
        "kind": EventKind.WITHDRAWN,
        "actor": Actor.CUSTOMER,
        "reason": Reason.USER_ACTION,
        "correlation_id": "correlation-1",
        "happened_at": LATER,
    }
    return Event(**{**values, **changes})


def in_words(
    grant: ConsentGrant, *, agreement: Agreement | None = AGREEMENT, ending: Event | None = None
) -> ConsentGrantRecord:
    return consent_grant(grant, agreement=agreement, narrowed_at=None, ending=ending, now=LATER)


def test_a_consent_in_force() -> None:
    scope = frozenset({DataCluster.TRANSACTIONS, DataCluster.ACCOUNT_BASIC})
    assert in_words(a_grant(granted_scope=scope)) == {
        "id": "consent-1",
        "status": "ACTIVE",
        "createdTime": "2026-11-24T12:00:00.000Z",
        "expirationTime": "2027-11-24T12:00:00.000Z",
        "durationType": "TIME_BOUND",
        "durationPeriod": 365,
        "lookbackPeriod": 730,
        "parties": [
            {
                "name": "Budget Compass",
                "type": "DATA_RECIPIENT",
                "registry": "PRIVATE",
                "registeredEntityId": "dc-budget",
                "registeredEntityName": "Budget Compass Inc.",
                "homeUri": "https://budget.example",
            },
            {
                "name": "Maple Credit Union",
                "type": "DATA_PROVIDER",
                "registry": "PRIVATE",
                "registeredEntityId": "1000",
                "registeredEntityName": "Maple Credit Union",
            },
        ],
        "resources": [
            {
                "resourceType": "CUSTOMER",
                "resourceId": "maple-0001",
                "dataClusters": ["ACCOUNT_BASIC", "TRANSACTIONS"],
            }
        ],
    }


def test_parties_of_whom_nothing_is_on_record_are_named_by_their_identifiers() -> None:
    record = in_words(a_grant(), agreement=None)
    assert [party["name"] for party in record["parties"]] == ["dc-budget", "1000"]
    assert all("registeredEntityName" not in party for party in record["parties"])
    assert "lookbackPeriod" not in record


def test_a_bank_with_a_legal_name_is_an_entity_of_that_name() -> None:
    agreement = make_agreement(a_client(), a_provider(legal_name=both("Maple Credit Union Ltd.")))
    assert in_words(a_grant(), agreement=agreement)["parties"][1]["registeredEntityName"] == (
        "Maple Credit Union Ltd."
    )


def test_how_far_back_is_left_out_where_nothing_with_a_past_is_shared() -> None:
    assert "lookbackPeriod" not in in_words(a_grant())


@pytest.mark.parametrize(
    ("ending", "revocation"),
    [
        ({}, {"reason": "USER_ACTION", "initiator": "INDIVIDUAL"}),
        (
            {"kind": EventKind.REVOKED, "actor": Actor.CLIENT, "reason": Reason.BUSINESS_RULE},
            {"reason": "BUSINESS_RULE", "initiator": "DATA_RECIPIENT"},
        ),
        (
            {"actor": Actor.OPERATOR, "reason": Reason.BUSINESS_RULE},
            {"reason": "BUSINESS_RULE", "initiator": "DATA_PROVIDER"},
        ),
        (
            {"kind": EventKind.REPLAYED, "actor": Actor.ACCORD, "reason": Reason.BUSINESS_RULE},
            {"reason": "BUSINESS_RULE", "initiator": "DATA_PROVIDER"},
        ),
        (
            {"kind": EventKind.SUPERSEDED, "detail": "consent-2"},
            {
                "reason": "OTHER",
                "otherReason": "SUPERSEDED",
                "supersededBy": "consent-2",
                "initiator": "INDIVIDUAL",
            },
        ),
        (
            {"kind": EventKind.SUPERSEDED},
            {"reason": "OTHER", "otherReason": "SUPERSEDED", "initiator": "INDIVIDUAL"},
        ),
    ],
    ids=[
        "the customer",
        "the recipient",
        "the bank",
        "Accord",
        "a newer one",
        "a newer one, not known which",
    ],
)
def test_a_consent_that_was_ended_says_by_whom_and_why(
    ending: dict[str, Any], revocation: dict[str, str]
) -> None:
    record = in_words(a_grant(ended_at=LATER), ending=an_ending(**ending))
    assert record["status"] == "REVOKED"
    assert record["revocation"] == {**revocation, "updatedTime": "2026-11-26T12:00:00.000Z"}


def test_a_consent_that_ran_out_was_revoked_by_nobody() -> None:
    record = in_words(a_grant(expires_at=LATER), ending=an_ending(kind=EventKind.EXPIRED))
    assert record["status"] == "EXPIRED"
    assert record["durationPeriod"] == 2
    assert "revocation" not in record


def test_a_part_of_a_day_is_a_day_of_duration() -> None:
    assert in_words(a_grant(expires_at=LATER + timedelta(seconds=1)))["durationPeriod"] == 3


@pytest.mark.parametrize(("months", "days"), [(1, 30), (12, 365), (18, 547), (24, 730)])
def test_days_of_history_are_never_more_than_the_months_that_the_form_promised(
    months: int, days: int
) -> None:
    assert days_of_history(months) == days


def test_a_timestamp_is_in_utc_to_the_millisecond() -> None:
    moment = datetime(2026, 11, 24, 7, 0, 0, 987_654, tzinfo=timezone(timedelta(hours=-5)))
    assert timestamp(moment) == "2026-11-24T12:00:00.987Z"
    assert timestamp(datetime(2026, 1, 1, tzinfo=UTC)) == "2026-01-01T00:00:00.000Z"
