"""What an operator reads before a new registration is served: each change, and no secret."""

from datetime import timedelta
from typing import Any

import pytest

from app.domain.clusters import DataCluster
from app.domain.notice_registration import FOR_BANKS, FOR_RECIPIENTS, NoticesRegistration
from app.domain.registry import Client, DataProvider, PreviousSecret, Registry, Status
from app.domain.registry_changes import changes_between
from tests.support.builders import EVERYTHING, NOON, a_client, a_provider, a_registry, both


def changes(old: Client | DataProvider, new: Client | DataProvider) -> list[str]:
    return changes_between(a_registry(old), a_registry(new))


def test_the_same_registration_changes_nothing() -> None:
    assert changes(a_client(), a_client()) == []


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (
            {"name": both("Pilot")},
            'name "Budget Compass" / "Budget Compass (fr)" becomes "Pilot" / "Pilot (fr)"',
        ),
        ({"purpose": both("Why")}, 'purpose nothing becomes "Why" / "Why (fr)"'),
        ({"consent_duration": timedelta(days=90)}, "consent_duration 365 days becomes 90 days"),
        ({"history_months": 24}, "history_months nothing becomes 24"),
        (
            {"clusters": EVERYTHING - {DataCluster.TRANSACTIONS, DataCluster.STATEMENTS}},
            "clusters loses STATEMENTS, TRANSACTIONS",
        ),
        (
            {"needed_clusters": frozenset({DataCluster.TRANSACTIONS})},
            "needed_clusters gains TRANSACTIONS; loses ACCOUNT_BASIC",
        ),
        (
            {"redirect_uris": frozenset({"https://budget.example/back"})},
            "redirect_uris gains https://budget.example/back; loses http://localhost:8001/callback",
        ),
        (
            {"statuses": {"1000": Status.ACTIVE, "2000": Status.SUSPENDED}},
            "statuses 2000: nothing becomes SUSPENDED",
        ),
        (
            {"cluster_purposes": {"STATEMENTS": both("Why")}},
            'cluster_purposes STATEMENTS: nothing becomes "Why" / "Why (fr)"',
        ),
        (
            {"notices": NoticesRegistration("https://budget.example/notices")},
            "notices.address nothing becomes https://budget.example/notices",
        ),
        (
            {"notices": NoticesRegistration(events=FOR_RECIPIENTS)},
            "notices.events gains CONSENT_EXPIRED, RENEWAL_DUE",
        ),
        ({"is_suspended": True}, "is suspended: nobody can consent, and its tokens fail"),
        ({"pkce_required": True}, "must use PKCE: requests without it are refused"),
        ({"allow_subset": False}, "takes all of its data or nothing"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_each_field_of_a_recipient_says_what_it_was_and_what_it_becomes(
    change: dict[str, Any], line: str
) -> None:
    assert changes(a_client(), a_client(**change)) == [f"recipient dc-budget: {line}"]


@pytest.mark.parametrize(
    ("change", "line"),
    [
        ({"is_suspended": False}, "is not suspended any more"),
        ({"pkce_required": False}, "need not use PKCE any more"),
        ({"allow_subset": True}, "takes a part of its data, too"),
    ],
    ids=["is_suspended", "pkce_required", "allow_subset"],
)
def test_the_way_back_is_said_too(change: dict[str, Any], line: str) -> None:
    strict = a_client(is_suspended=True, pkce_required=True, allow_subset=False)
    (field,) = change
    back = a_client(**{"is_suspended": True, "pkce_required": True, "allow_subset": False, **change})
    assert getattr(strict, field) != getattr(back, field)
    assert changes(strict, back) == [f"recipient dc-budget: {line}"]


def test_that_a_bank_is_told_of_its_consents_is_said_and_that_it_is_no_more() -> None:
    told = a_provider(notices=NoticesRegistration("https://bank.example/notices", FOR_BANKS))
    asks = a_provider(notices=NoticesRegistration(events=FOR_BANKS))
    assert changes(a_provider(), told) == [
        "provider 1000: is told now what becomes of its customers' consents",
        "provider 1000: notices.address nothing becomes https://bank.example/notices",
        "provider 1000: notices.events gains CONSENT_EXPIRED, CONSENT_GRANTED, CONSENT_REVOKED, CONSENT_UPDATED",
    ]
    assert changes(told, asks) == [
        "provider 1000: notices.address https://bank.example/notices becomes nothing"
    ]
    assert changes(told, a_provider()) == [
        "provider 1000: is not told any more what becomes of its customers' consents"
    ]


def test_a_secret_is_never_printed() -> None:
    old = a_client(secret_hash="a" * 64)
    new = a_client(secret_hash="b" * 64, previous_secret=PreviousSecret("a" * 64, NOON))
    lines = changes(old, new)
    assert [line.partition(":")[2].split(" changes")[0].strip() for line in lines] == [
        "secret",
        "previous secret",
    ]
    assert "aaaa" not in str(lines)
    assert "bbbb" not in str(lines)


def test_who_comes_and_who_goes_is_said_with_what_it_means() -> None:
    old = a_registry(a_client(client_id="dc-old"), a_provider(provider_id="1000"))
    new = a_registry(a_client(client_id="dc-new"), a_provider(provider_id="2000"))
    assert changes_between(old, new) == [
        "provider 1000: is gone: its customers can neither consent nor see what they share",
        "provider 2000: is new",
        "recipient dc-new: is new",
        "recipient dc-old: is gone: its requests are refused and its tokens fail",
    ]
    assert changes_between(Registry({}, {}), Registry({}, {})) == []
