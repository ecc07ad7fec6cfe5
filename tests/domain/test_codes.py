"""What a code is bound to (RFC 6749 4.1.3, RFC 7636 4.6), and how long it lives."""

from datetime import timedelta
from typing import Any

import pytest

from app.domain.codes import TIME_TO_RETRY, mint
from tests.support.builders import CALLBACK, CHALLENGE, NOON, VERIFIER, a_client, a_grant

MINUTE = timedelta(seconds=60)


def minted(**changes: Any) -> Any:
    values: dict[str, Any] = {
        "redirect_uri": CALLBACK,
        "code_challenge": None,
        "now": NOON,
        "lifetime": MINUTE,
    }
    return mint(a_grant(), **{**values, **changes})


def test_a_code_stands_for_one_grant_and_one_request() -> None:
    code, grant = minted(code_challenge=CHALLENGE), a_grant()
    assert code.request_id == grant.request_id
    assert code.consent_id == grant.consent_id
    assert code.client_id == grant.client_id
    assert code.subject == grant.subject
    assert code.provider_id == grant.provider_id
    assert code.granted_scope == grant.granted_scope
    assert code.redirect_uri == CALLBACK
    assert code.code_challenge == CHALLENGE


@pytest.mark.parametrize(
    ("lifetime", "lives"),
    [
        (MINUTE, MINUTE),
        (timedelta(seconds=600), timedelta(seconds=600)),
        (timedelta(days=1), timedelta(seconds=600)),
    ],
)
def test_a_code_never_lives_longer_than_ten_minutes(lifetime: timedelta, lives: timedelta) -> None:
    assert minted(lifetime=lifetime).expires_at == NOON + lives


def test_a_code_is_dead_at_the_very_instant_of_its_expiry() -> None:
    code = minted()
    assert code.is_alive_at(NOON)
    assert code.is_alive_at(NOON + MINUTE - timedelta.resolution)
    assert not code.is_alive_at(NOON + MINUTE)


@pytest.mark.parametrize(
    ("challenge", "changes", "is_bound"),
    [
        (None, {}, True),
        (CHALLENGE, {"code_verifier": VERIFIER}, True),
        (None, {"client_id": "dc-loans"}, False),
        (None, {"client_id": "DC-BUDGET"}, False),
        (None, {"redirect_uri": CALLBACK + "/"}, False),
        (None, {"redirect_uri": "http://localhost:8002/callback"}, False),
        (None, {"redirect_uri": ""}, False),
        (None, {"redirect_uri": "http://lоcalhost:8001/callback"}, False),
        # The verifier is unexpected, missing or wrong.
        (None, {"code_verifier": VERIFIER}, False),
        (CHALLENGE, {}, False),
        (CHALLENGE, {"code_verifier": VERIFIER[:-1] + "l"}, False),
        (CHALLENGE, {"code_verifier": CHALLENGE}, False),
    ],
)
def test_only_whoever_began_the_request_can_present_its_code(
    challenge: str | None, changes: dict[str, str], is_bound: bool
) -> None:
    client = a_client(client_id=changes.get("client_id", "dc-budget"))
    presented = {
        "redirect_uri": changes.get("redirect_uri", CALLBACK),
        "code_verifier": changes.get("code_verifier"),
    }
    assert minted(code_challenge=challenge).is_bound_to(client, **presented) is is_bound


@pytest.mark.parametrize(("challenge", "verifier"), [(CHALLENGE, VERIFIER), (None, None)])
def test_a_client_that_must_use_pkce_redeems_no_code_without_a_challenge(
    challenge: str | None, verifier: str | None
) -> None:
    client = a_client(pkce_required=True)
    code = minted(code_challenge=challenge)
    is_bound = code.is_bound_to(client, redirect_uri=CALLBACK, code_verifier=verifier)
    assert is_bound is (challenge is not None)


def test_a_loopback_code_is_bound_to_the_port_that_was_used() -> None:
    code = minted(redirect_uri="http://127.0.0.1:49152/callback")
    client = a_client()
    assert code.is_bound_to(client, redirect_uri="http://127.0.0.1:49152/callback", code_verifier=None)
    assert not code.is_bound_to(client, redirect_uri="http://127.0.0.1:8001/callback", code_verifier=None)


def test_a_redemption_that_could_not_be_answered_is_remembered_and_may_be_asked_for_again() -> None:
    after = minted().with_unanswered("hash-1", NOON + MINUTE / 2)
    assert after.unanswered == {"hash-1"}
    assert after.expires_at == NOON + MINUTE / 2 + TIME_TO_RETRY
    again = after.with_unanswered("hash-2", NOON + MINUTE)
    assert again.unanswered == {"hash-1", "hash-2"}
    assert again.is_bound_to(a_client(), redirect_uri=CALLBACK, code_verifier=None)


def test_a_code_lives_no_longer_than_ten_minutes_however_often_it_could_not_be_answered() -> None:
    late = NOON + timedelta(seconds=590)
    assert minted().with_unanswered("hash", late).expires_at == NOON + timedelta(seconds=600)
    assert minted(lifetime=timedelta(seconds=600)).with_unanswered(
        "hash", NOON
    ).expires_at == NOON + timedelta(seconds=600)
