"""A recipient that signs who it is, at every endpoint that asks; mistakes get one answer, and cost nothing."""

import json
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from joserfc.jwk import OctKey
from werkzeug.test import TestResponse

from tests.support.applications import Clock, Logged
from tests.support.builders import NOON
from tests.support.customer import BUDGET, BrowserCustomer, basic
from tests.support.expected_pages import check_json
from tests.support.fapi import (
    FAPI,
    ISSUER,
    a_key,
    a_proof,
    assertion_claims,
    assertion_fields,
    authenticated,
    demo_key,
    proof_claims,
    public,
    signed,
)
from tests.support.machine_requests import INTROSPECT, REVOKE, TOKEN
from tests.support.page_contract import ContractClient

ADMIN = {"grant_type": "client_credentials", "scope": "client:admin"}
SECONDS = int(NOON.timestamp())
KEY = a_key()
# At each endpoint: the fields beside the credentials. An unknown token is a good question for two of them.
ENDPOINTS = {TOKEN: ADMIN, REVOKE: {"token": "unknown"}, INTROSPECT: {"token": "unknown"}}
every_endpoint = pytest.mark.parametrize("endpoint", ENDPOINTS)


def ask(client: ContractClient, fields: dict[str, str], endpoint: str = TOKEN, **how: Any) -> TestResponse:
    """With the proof of a key, which the token endpoint wants of this recipient."""
    headers = {**a_proof_for(endpoint), **how.pop("headers", {})}
    return client.post(endpoint, data={**ENDPOINTS[endpoint], **fields}, headers=headers, **how)


def a_proof_for(endpoint: str, now: datetime = NOON) -> dict[str, str]:
    return {"DPoP": a_proof(KEY, proof_claims("POST", endpoint, now=now))}


def check_turned_away(response: TestResponse) -> None:
    """RFC 6749 5.2: every fault has this one answer."""
    check_json(response, "invalid_client", status=401)
    assert response.get_json()["error_description"] == "Client authentication failed"
    assert response.headers["WWW-Authenticate"].startswith("Basic ")


@every_endpoint
def test_an_assertion_says_who_calls(client: ContractClient, endpoint: str) -> None:
    assert ask(client, authenticated(), endpoint).status_code == 200
    assert ask(client, {**authenticated(), "client_id": FAPI}, endpoint).status_code == 200
    assert (
        client.post(
            endpoint, json={**ENDPOINTS[endpoint], **authenticated()}, headers=a_proof_for(endpoint)
        ).status_code
        == 200
    )


@every_endpoint
def test_an_assertion_is_used_once(client: ContractClient, endpoint: str) -> None:
    fields = authenticated()
    assert ask(client, fields, endpoint).status_code == 200
    for again in ENDPOINTS:
        check_turned_away(ask(client, fields, again))


@every_endpoint
@pytest.mark.parametrize(
    "claims",
    [
        {"aud": [ISSUER]},
        {"aud": f"{ISSUER}/api/v1/token"},
        {"aud": "https://other.example"},
        {"sub": None},
        {"exp": SECONDS - 300},
        {"exp": SECONDS + 3600},
        {"iat": SECONDS + 62, "nbf": SECONDS + 62},
        {"jti": None},
        {"jti": 7},
        {"iss": "dc-budget", "sub": "dc-budget"},
        {"iss": "dc-nobody", "sub": "dc-nobody"},
    ],
    ids=str,
)
def test_every_faulty_claim_has_one_answer(
    client: ContractClient, endpoint: str, claims: dict[str, Any]
) -> None:
    check_turned_away(ask(client, authenticated(**claims), endpoint))


@every_endpoint
def test_a_clock_that_is_eight_seconds_ahead_is_good(client: ContractClient, endpoint: str) -> None:
    ahead: Any = {"iat": SECONDS + 8, "nbf": SECONDS + 8, "exp": SECONDS + 68}
    assert ask(client, authenticated(**ahead), endpoint).status_code == 200


def test_a_forged_assertion_spends_no_identifier_of_the_recipients(client: ContractClient) -> None:
    """Only a good signature makes a `jti` used: else whoever sees one could use it up."""
    forged = authenticated(key=a_key(kid="demo-1"), jti="jti-of-both")
    check_turned_away(ask(client, forged))
    assert ask(client, authenticated(jti="jti-of-both")).status_code == 200


def test_a_public_key_is_no_shared_secret(client: ContractClient) -> None:
    """RFC 8725 2.1: HS256 with the public key as its secret; and no signature at all."""
    claims = assertion_claims()
    secret = OctKey.import_key(json.dumps(public(demo_key())))
    for forged in (
        signed(claims, secret, alg="HS256", kid="demo-1"),
        signed(claims, secret, alg="none", kid="demo-1"),
        signed(claims, a_key("RSA"), alg="RS256", kid="demo-1"),
    ):
        check_turned_away(ask(client, assertion_fields(forged)))


def test_one_method_of_authentication(client: ContractClient) -> None:
    check_json(ask(client, authenticated(), headers=basic(*BUDGET)), "invalid_request", status=400)
    both = {**authenticated(), "client_id": BUDGET[0], "client_secret": BUDGET[1]}
    check_json(ask(client, both), "invalid_request", status=400)
    check_turned_away(ask(client, {**authenticated(), "client_id": BUDGET[0]}))
    assert ask(client, {}, headers=basic(*BUDGET)).status_code == 200


@pytest.mark.parametrize("kind", ["", "urn:ietf:params:oauth:client-assertion-type:saml2-bearer"])
def test_an_assertion_of_another_type_is_malformed(client: ContractClient, kind: str) -> None:
    check_json(ask(client, {**authenticated(), "client_assertion_type": kind}), "invalid_request", status=400)


def test_a_recipient_with_keys_has_no_secret_and_the_other_way_round(client: ContractClient) -> None:
    for secret in ("", "nobody", "None", "fapi-demo-secret"):
        check_json(ask(client, {}, headers=basic(FAPI, secret)), "invalid_client", status=401)
    check_json(ask(client, {"client_id": FAPI}), "invalid_client", status=400)
    check_turned_away(ask(client, authenticated(BUDGET[0])))


def test_no_assertion_in_the_query(client: ContractClient) -> None:
    for name in ("client_assertion", "client_assertion_type"):
        response = client.post(f"{TOKEN}?{name}=x", data={**ADMIN, **authenticated()})
        check_json(response, "invalid_request", status=400)


def test_a_key_that_was_taken_out_of_the_registration_is_nobodys(
    register: Callable[..., ContractClient],
) -> None:
    new = public(a_key())
    server = register((public(demo_key())["x"], new["x"]), (public(demo_key())["y"], new["y"]))
    check_turned_away(ask(server, authenticated()))
    suspended = register(('default_provider = "1000"\n', 'default_provider = "1000"\nsuspended = true\n'))
    check_turned_away(ask(suspended, authenticated()))


def test_an_ordinary_recipient_may_sign_too(register: Callable[..., ContractClient]) -> None:
    server = register(('profile = "fapi2"\ndefault_provider = "1000"\n', ""))
    assert ask(server, authenticated()).status_code == 200


def test_the_log_has_the_reason_and_nothing_that_was_sent(client: ContractClient, logged: Logged) -> None:
    fields = authenticated(aud="https://other.example", jti="jti-that-nobody-logs")
    ask(client, fields)
    good = authenticated()
    ask(client, good)
    entries = logged()
    assert [entry["reason"] for entry in entries if entry["event"] == "assertion_refused"] == ["aud"]
    assert {entry["client_id"] for entry in entries} == {FAPI}
    for sent in (fields, good):
        for part in sent["client_assertion"].split("."):
            assert part not in json.dumps(entries)
    assert "jti-that-nobody-logs" not in json.dumps(entries)


def test_a_used_assertion_is_known_until_it_has_ended(client: ContractClient, clock: Clock) -> None:
    fields = authenticated(exp=SECONDS + 300)
    assert ask(client, fields).status_code == 200
    clock.advance(timedelta(seconds=309))
    check_turned_away(ask(client, fields, headers=a_proof_for(TOKEN, clock.now)))
    late = a_proof_for(TOKEN, clock.now)
    assert ask(client, authenticated(now=clock.now), headers=late).status_code == 200


def test_a_replayed_assertion_costs_no_code(customer: BrowserCustomer) -> None:
    """The code of somebody whose assertion is sent a second time still works afterwards."""
    used = authenticated()
    assert ask(customer.client, used).status_code == 200
    code = customer.approve()
    fields = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": "http://localhost:8001/callback",
    }
    sent = {**fields, **used}
    check_turned_away(customer.client.post(TOKEN, data=sent, headers=a_proof_for(TOKEN)))
    assert customer.redeem(code).status_code == 200
