"""`POST /api/v1/par`: who may push, what may be pushed, and that every refusal is JSON and redirects nowhere."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from werkzeug.test import TestResponse

from app.settings import Settings
from app.stores.redis import client as redis
from tests.support.applications import Clock, Logged, a_browser, make_app
from tests.support.builders import CALLBACK, CHALLENGE, NOON, a_query, query_params
from tests.support.customer import BUDGET, basic
from tests.support.expected_pages import check_error_page, check_json
from tests.support.fapi import ISSUER, PAR, FapiRecipient, a_key, second_recipient
from tests.support.page_contract import ContractClient

SECONDS = int(NOON.timestamp())


@pytest.fixture
def fapi(client: ContractClient, clock: Clock) -> FapiRecipient:
    return FapiRecipient(client, clock)


def refused(response: TestResponse, error: str = "invalid_request", status: int = 400) -> None:
    check_json(response, error, status=status)
    assert "Location" not in response.headers


def test_a_push_gives_an_address_that_nobody_can_guess(fapi: FapiRecipient) -> None:
    response = fapi.push()
    assert response.status_code == 201
    assert response.headers["Cache-Control"] == "no-store"
    assert response.get_json().keys() == {"request_uri", "expires_in"}
    assert response.get_json()["expires_in"] == 90
    uris = {fapi.push().get_json()["request_uri"] for _ in range(3)}
    assert len(uris) == 3
    prefix = "urn:ietf:params:oauth:request_uri:"
    assert all(uri.startswith(prefix) and len(uri) == len(prefix) + 43 for uri in uris)


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH"])
def test_only_post_is_answered(client: ContractClient, method: str) -> None:
    response = client.open(PAR, method=method)
    assert response.status_code == 405
    assert response.headers["Allow"] == "POST"
    assert response.mimetype == "application/json"


def test_the_body_is_a_form(fapi: FapiRecipient) -> None:
    refused(fapi.client.post(PAR, json={**query_params(), **fapi.authenticated()}))
    refused(fapi.client.post(PAR))
    long = fapi.client.post(PAR, data={"state": "s" * 70_000})
    assert long.status_code == 413


def test_nobody_pushes_without_authentication(fapi: FapiRecipient) -> None:
    """Security Profile 5.3.2.2-4."""
    nothing: Any = {"client_assertion": None, "client_assertion_type": None}
    check_json(fapi.push(**nothing, client_id="dc-fapi"), "invalid_client", status=400)
    check_json(fapi.push(**nothing), "invalid_client", status=400)


@pytest.mark.parametrize(
    "claims",
    [
        {"aud": [ISSUER]},
        {"aud": f"{ISSUER}/api/v1/par"},
        {"aud": f"{ISSUER}/api/v1/token"},
        {"iat": SECONDS + 62, "nbf": SECONDS + 62},
        {"exp": SECONDS - 300},
    ],
    ids=str,
)
def test_a_faulty_assertion_pushes_nothing(fapi: FapiRecipient, claims: dict[str, Any]) -> None:
    refused(fapi.push(**fapi.authenticated(**claims)), "invalid_client", 401)


def test_a_clock_that_is_ahead_by_eight_seconds_pushes(fapi: FapiRecipient) -> None:
    assert fapi.push(**fapi.authenticated(iat=SECONDS + 8, nbf=SECONDS + 8)).status_code == 201


def test_an_assertion_pushes_once(fapi: FapiRecipient) -> None:
    fields = fapi.authenticated()
    assert fapi.push(**fields).status_code == 201
    refused(fapi.push(**fields), "invalid_client", 401)


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"redirect_uri": None}, "invalid_request"),
        ({"redirect_uri": "https://evil.example/callback"}, "invalid_request"),
        ({"redirect_uri": f"{CALLBACK}/"}, "invalid_request"),
        ({"code_challenge": None, "code_challenge_method": None}, "invalid_request"),
        ({"code_challenge": None}, "invalid_request"),
        ({"code_challenge_method": "plain"}, "invalid_request"),
        ({"code_challenge_method": None}, "invalid_request"),
        ({"response_type": None}, "invalid_request"),
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"response_type": "code id_token"}, "unsupported_response_type"),
        ({"scope": None}, "invalid_scope"),
        ({"scope": "openid"}, "invalid_scope"),
        ({"scope": "ACCOUNT_BASIC INVESTMENTS"}, "invalid_scope"),
        ({"provider_id": "9000"}, "invalid_request"),
        ({"provider_id": "2000"}, "unauthorized_client"),
        ({"request_uri": "urn:ietf:params:oauth:request_uri:abc"}, "invalid_request"),
        ({"request": "e30.e30."}, "invalid_request"),
        ({"client_id": "dc-budget"}, "invalid_client"),
        ({"dpop_jkt": "short"}, "invalid_request"),
        ({"state": "s" * 2049}, "invalid_request"),
        ({"correlation_id": "a b"}, "invalid_request"),
    ],
    ids=str,
)
def test_what_must_not_be_asked_is_refused_before_a_browser_comes(
    fapi: FapiRecipient, changes: dict[str, Any], error: str
) -> None:
    refused(fapi.push(**changes), error, 401 if error == "invalid_client" else 400)


def test_a_refused_push_spends_no_assertion(fapi: FapiRecipient) -> None:
    fields = fapi.authenticated()
    refused(fapi.push(redirect_uri=None, **fields))
    assert fapi.push(**fields).status_code == 201


def test_a_parameter_that_is_repeated_is_refused(fapi: FapiRecipient) -> None:
    fields = {"redirect_uri": [CALLBACK, CALLBACK], "response_type": "code", **fapi.authenticated()}
    refused(fapi.client.post(PAR, data=fields))


def test_without_state_and_provider_is_fine_for_this_profile_alone(fapi: FapiRecipient) -> None:
    assert fapi.push(state=None, provider_id=None).status_code == 201
    assert fapi.push(state="s" * 1000).status_code == 201
    for name in ("state", "provider_id"):
        fields = query_params(**{name: None})
        refused(fapi.client.post(PAR, data=fields, headers=basic(*BUDGET)))


def test_an_ordinary_recipient_may_push_with_its_secret(fapi: FapiRecipient) -> None:
    plain = fapi.client.post(PAR, data=query_params(), headers=basic(*BUDGET))
    assert plain.status_code == 201
    address = f"/api/v1/authorize?{a_query(request_uri=plain.get_json()['request_uri'])}"
    assert fapi.client.get(address).location.startswith("/sign-in/")


def test_without_a_default_the_bank_must_be_named(
    register: Callable[..., ContractClient], clock: Clock
) -> None:
    fapi = FapiRecipient(register(('default_provider = "1000"\n', "")), clock)
    refused(fapi.push())
    assert fapi.push(provider_id="3000").status_code == 201


def test_nothing_in_redis_opens_a_request(fapi: FapiRecipient, redis_client: redis.Redis) -> None:
    reference = fapi.push().get_json()["request_uri"].rpartition(":")[2]
    (key,) = redis_client.scan_iter("pushed:*")
    assert reference not in key
    assert reference not in str(redis_client.get(key))
    assert 80_000 < int(redis_client.pttl(key)) <= 90_000


def test_a_push_is_a_line_of_the_log_with_its_parties_alone(fapi: FapiRecipient, logged: Logged) -> None:
    response = fapi.push(correlation_id="correlation-7")
    assert response.headers["ob-correlation-id"] == "correlation-7"
    entries = logged()
    (entry,) = [entry for entry in entries if entry["event"] == "pushed"]
    assert (entry["client_id"], entry["provider_id"], entry["correlation_id"]) == (
        "dc-fapi",
        "1000",
        "correlation-7",
    )
    for secret in (response.get_json()["request_uri"].rpartition(":")[2], CHALLENGE, "af0ifjsldkj"):
        assert secret not in json.dumps(entries)


def test_pushes_count_like_token_requests(settings: Settings, clock: Clock) -> None:
    limited = settings.model_copy(update={"token_rate": 2})
    fapi = FapiRecipient(a_browser(make_app(limited, clock)), clock)
    assert [fapi.push().status_code for _ in range(3)] == [201, 201, 429]
    assert int(fapi.push().headers["Retry-After"]) > 0


def test_somebody_elses_key_pushes_nothing_for_this_client(
    register: Callable[..., ContractClient], clock: Clock
) -> None:
    key = a_key()
    client = register(second_recipient(key))
    second = FapiRecipient(client, clock, client_id="dc-fapi-2", key=key)
    assert second.push().status_code == 201
    refused(FapiRecipient(client, clock, key=key).push(), "invalid_client", 401)


def test_the_time_to_arrive_is_short(fapi: FapiRecipient, redis_client: redis.Redis) -> None:
    address = fapi.pushed()
    (key,) = redis_client.scan_iter("pushed:*")
    redis_client.pexpireat(key, 1)  # the time to live is the one of test_nothing_in_redis_opens_a_request
    check_error_page(fapi.client.get(address), "request_lost", "en", status=400)
