"""Tokens that are bound to a key (RFC 9449): where a proof is wanted, which one, and what it is worth."""

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from werkzeug.test import TestResponse

from app.domain.dpop import token_hash
from tests.support.applications import Clock, Logged
from tests.support.builders import CALLBACK, VERIFIER, query_params
from tests.support.customer import BUDGET, BrowserCustomer, basic
from tests.support.expected_pages import check_json
from tests.support.fapi import (
    CLIENT2,
    PAR,
    TOKEN,
    FapiRecipient,
    a_key,
    a_proof,
    proof_claims,
    public,
    second_recipient,
)
from tests.support.machine_requests import (
    CONSENTS,
    INTROSPECT,
    MAPLE_API,
    REVOKE,
    bearer,
    claims_of,
    introspect,
)
from tests.support.page_contract import ContractClient

Serve = Callable[..., ContractClient]


@pytest.fixture
def fapi(client: ContractClient, clock: Clock) -> FapiRecipient:
    return FapiRecipient(client, clock)


def refused(response: TestResponse, error: str) -> None:
    check_json(response, error, status=400)


def check_challenged(response: TestResponse, error: str) -> None:
    """RFC 9449 7.1."""
    check_json(response, error, status=401)
    challenge = response.headers["WWW-Authenticate"]
    assert challenge.startswith('DPoP algs="ES256 PS256 EdDSA Ed25519", ')
    assert f'error="{error}"' in challenge


# At the token endpoint


def test_every_token_of_the_profile_is_bound_to_the_key_that_was_shown(fapi: FapiRecipient) -> None:
    redeemed = fapi.redeem(fapi.code()).get_json()
    refreshed = fapi.refresh(redeemed["refresh_token"]).get_json()
    own = fapi.administer().get_json()
    for tokens in (redeemed, refreshed, own):
        assert tokens["token_type"] == "DPoP"
        assert claims_of(tokens["access_token"])["cnf"] == {"jkt": fapi.dpop_key.thumbprint()}
    assert refreshed["refresh_token"] == redeemed["refresh_token"], "it is not rotated"


def test_without_a_proof_this_profile_gets_no_token_and_loses_nothing(fapi: FapiRecipient) -> None:
    """Security Profile 5.3.2.1-4."""
    code = fapi.code()
    refused(fapi.redeem(code, headers={}), "invalid_request")
    tokens = fapi.redeem(code).get_json()
    refused(fapi.refresh(tokens["refresh_token"], headers={}), "invalid_request")
    assert fapi.refresh(tokens["refresh_token"]).status_code == 200
    refused(fapi.administer(headers={}), "invalid_request")


def faulty_proofs(fapi: FapiRecipient) -> dict[str, Any]:
    """By name: the header of a token request whose proof is no good."""
    key, now = fapi.dpop_key, fapi.clock.now
    good = proof_claims("POST", TOKEN, now=now)
    seconds = int(now.timestamp())
    claims: dict[str, Any] = {
        "htm PUT": {"htm": "PUT"},
        "another htu": {"htu": "https://evil.example/api/v1/token"},
        "old": {"iat": seconds - 3600},
        "of the future": {"iat": seconds + 3600},
        "without jti": {"jti": None},
        "without htm": {"htm": None},
        "without htu": {"htu": None},
        "without iat": {"iat": None},
    }
    proofs: dict[str, Any] = {
        name: a_proof(key, proof_claims("POST", TOKEN, now=now, **changes))
        for name, changes in claims.items()
    }
    proofs["not a JWT"] = "junk"
    proofs["empty"] = ""
    proofs["without typ"] = a_proof(key, good, typ=None)
    proofs["wrong typ"] = a_proof(key, good, typ="JWT")
    proofs["without jwk"] = a_proof(key, good, jwk=None)
    proofs["private jwk"] = a_proof(key, good, jwk=dict(key.as_dict(private=True)))
    proofs["another key's jwk"] = a_proof(key, good, jwk=public(a_key()))
    proofs["RS256"] = a_proof(a_key("RSA"), good, alg="RS256")
    proofs["none"] = a_proof(key, good, alg="none")
    headers: dict[str, Any] = {name: {"DPoP": proof} for name, proof in proofs.items()}
    headers["two headers"] = [
        ("DPoP", a_proof(key, good)),
        ("DPoP", a_proof(key, proof_claims("POST", TOKEN))),
    ]
    return headers


def test_a_bad_proof_costs_neither_the_code_nor_the_refresh_token(fapi: FapiRecipient) -> None:
    code = fapi.code()
    for name, headers in faulty_proofs(fapi).items():
        response = fapi.redeem(code, headers=headers)
        assert (response.status_code, response.get_json()["error"]) == (400, "invalid_dpop_proof"), name
    tokens = fapi.redeem(code).get_json()
    for headers in faulty_proofs(fapi).values():
        refused(fapi.refresh(tokens["refresh_token"], headers=headers), "invalid_dpop_proof")
    assert fapi.refresh(tokens["refresh_token"]).status_code == 200


def test_a_proof_is_used_once_whatever_endpoint_it_was_for(fapi: FapiRecipient) -> None:
    used = fapi.proof("POST", TOKEN)
    assert fapi.administer(headers=used).status_code == 200
    refused(fapi.administer(headers=used), "invalid_dpop_proof")
    code = fapi.code()
    refused(fapi.redeem(code, headers=used), "invalid_dpop_proof")
    assert fapi.redeem(code).status_code == 200
    same = fapi.proof("POST", TOKEN, jti="jti-of-both")
    raw = fapi.proof("POST", TOKEN, jti="jti-of-both", htu=f"HTTP://LOCALHOST:8000{TOKEN}?x=1")
    assert fapi.administer(headers=same).status_code == 200
    refused(fapi.administer(headers=raw), "invalid_dpop_proof")
    assert (
        fapi.administer(headers=fapi.proof("POST", TOKEN, jti="jti-of-both", key=a_key())).status_code == 200
    )


def test_a_used_proof_is_known_for_longer_than_it_is_accepted(fapi: FapiRecipient) -> None:
    ahead = int(fapi.clock.now.timestamp()) + 30
    used = fapi.proof("POST", TOKEN, iat=ahead)
    assert fapi.administer(headers=used).status_code == 200
    fapi.clock.advance(timedelta(seconds=90))
    refused(fapi.administer(headers=used), "invalid_dpop_proof")


def test_an_ordinary_recipient_may_bind_its_tokens_and_need_not(client: ContractClient, clock: Clock) -> None:
    key = a_key()
    customer = BrowserCustomer(client)
    fields = {"grant_type": "authorization_code", "code": customer.approve(), "redirect_uri": CALLBACK}
    proof = {"DPoP": a_proof(key, proof_claims("POST", TOKEN))}
    bound = client.post(TOKEN, data=fields, headers={**basic(*BUDGET), **proof}).get_json()
    assert bound["token_type"] == "DPoP"
    assert claims_of(bound["access_token"])["cnf"] == {"jkt": key.thumbprint()}
    plain = customer.refresh(bound["refresh_token"]).get_json()
    assert plain["token_type"] == "Bearer"
    assert "cnf" not in claims_of(plain["access_token"])


# A code that is bound to a key


@pytest.mark.parametrize("by", ["proof", "dpop_jkt", "both"])
def test_a_code_is_bound_to_the_key_of_the_push(fapi: FapiRecipient, by: str) -> None:
    changes: dict[str, Any] = {}
    if by != "dpop_jkt":
        changes["headers"] = fapi.proof("POST", PAR)
    if by != "proof":
        changes["dpop_jkt"] = fapi.dpop_key.thumbprint()
    code = fapi.code(**changes)
    refused(fapi.redeem(code, headers=fapi.proof("POST", TOKEN, key=a_key())), "invalid_grant")
    assert fapi.redeem(code).status_code == 200, "the other key has not used it up"


def test_a_bound_code_of_an_ordinary_recipient_needs_the_proof(client: ContractClient) -> None:
    key, customer = a_key(), BrowserCustomer(client)
    code = customer.approve(dpop_jkt=key.thumbprint())
    assert customer.redeem(code).get_json()["error"] == "invalid_grant"
    proof = {"DPoP": a_proof(key, proof_claims("POST", TOKEN))}
    fields = {"grant_type": "authorization_code", "code": code, "redirect_uri": CALLBACK}
    assert client.post(TOKEN, data=fields, headers={**basic(*BUDGET), **proof}).status_code == 200


def test_a_push_whose_proof_is_of_another_key_is_refused(fapi: FapiRecipient) -> None:
    """RFC 9449 10.1."""
    headers = fapi.proof("POST", PAR)
    refused(fapi.push(headers=headers, dpop_jkt=a_key().thumbprint()), "invalid_dpop_proof")


def test_the_proof_of_a_push_is_for_that_endpoint_and_used_once(fapi: FapiRecipient) -> None:
    refused(fapi.push(headers=fapi.proof("POST", TOKEN)), "invalid_dpop_proof")
    used = fapi.proof("POST", PAR)
    assert fapi.push(headers=used).status_code == 201
    refused(fapi.push(headers=used), "invalid_dpop_proof")
    for seconds in (-10, 8):
        iat = int(fapi.clock.now.timestamp()) + seconds
        assert fapi.push(headers=fapi.proof("POST", PAR, iat=iat)).status_code == 201


# Refreshing


def test_a_refresh_takes_any_key_and_binds_the_new_token_to_it(fapi: FapiRecipient) -> None:
    """RFC 9449 5: the refresh token of a client that authenticates is not bound to a key."""
    tokens = fapi.tokens()
    other = a_key()
    refreshed = fapi.refresh(tokens["refresh_token"], headers=fapi.proof("POST", TOKEN, key=other)).get_json()
    assert claims_of(refreshed["access_token"])["cnf"] == {"jkt": other.thumbprint()}


# Codes and clients


def test_everything_that_a_thief_lacks_is_needed_to_redeem(register: Serve, clock: Clock) -> None:
    key = a_key()
    client = register(second_recipient(key))
    fapi, other = FapiRecipient(client, clock), FapiRecipient(client, clock, client_id=CLIENT2, key=key)
    code = fapi.code()
    refused(other.redeem(code), "invalid_grant")
    refused(fapi.redeem(code, code_verifier=None), "invalid_grant")
    refused(fapi.redeem(code, code_verifier=VERIFIER[::-1]), "invalid_grant")
    refused(
        fapi.redeem(code, client_assertion=None, client_assertion_type=None, client_id="dc-fapi"),
        "invalid_client",
    )
    mixed = FapiRecipient(client, clock, client_id=CLIENT2)  # its id, and the first one's key
    check_json(mixed.redeem(code), "invalid_client", status=401)
    tokens = fapi.redeem(code).get_json()
    refused(other.refresh(tokens["refresh_token"]), "invalid_grant")
    clock.advance(timedelta(seconds=1))
    refused(fapi.redeem(code), "invalid_grant")
    check_challenged(
        fapi.with_token("GET", f"{CONSENTS}/{tokens['consent_id']}", tokens["access_token"]), "invalid_token"
    )


def test_a_refresh_without_authentication_or_beyond_what_is_granted_is_refused(fapi: FapiRecipient) -> None:
    token = fapi.tokens()["refresh_token"]
    response = fapi.refresh(token, client_assertion=None, client_assertion_type=None, client_id="dc-fapi")
    refused(response, "invalid_client")
    assert fapi.refresh(token, scope="ACCOUNT_BASIC TRANSACTIONS").status_code == 200


# With an access token


@pytest.fixture
def held(fapi: FapiRecipient) -> dict[str, Any]:
    tokens = fapi.tokens()
    return {**tokens, "path": f"{CONSENTS}/{tokens['consent_id']}"}


@pytest.mark.parametrize("scheme", ["DPoP", "dpop", "dpOp"])
def test_a_bound_token_opens_its_consent_with_a_proof(
    fapi: FapiRecipient, held: dict[str, Any], scheme: str
) -> None:
    proof = fapi.proof("GET", held["path"], access_token=held["access_token"])
    headers = {"Authorization": f"{scheme} {held['access_token']}", **proof}
    response = fapi.client.get(held["path"], headers=headers)
    assert response.status_code == 200
    assert response.get_json()["id"] == held["consent_id"]


@pytest.mark.parametrize(
    "changes",
    [
        {"htu": "?a=b#c"},
        {"iat": -10},
        {"iat": 8},
        {"nbf": 0, "exp": 60},
        {"nonce": "unknown claims do not matter"},
    ],
    ids=str,
)
def test_what_the_suite_takes_for_good_is(
    fapi: FapiRecipient, held: dict[str, Any], changes: dict[str, Any]
) -> None:
    seconds = int(fapi.clock.now.timestamp())
    moved: Any = {
        name: value + seconds if isinstance(value, int) else value for name, value in changes.items()
    }
    if "htu" in moved:
        moved["htu"] = f"http://LOCALHOST:8000{held['path']}{changes['htu']}"
    assert fapi.with_token("GET", held["path"], held["access_token"], **moved).status_code == 200


@pytest.mark.parametrize(
    "changes",
    [
        {"htm": "PUT"},
        {"htu": "http://localhost:8000/api/v1/consents"},
        {"ath": None},
        {"ath": token_hash("another")},
        {"jti": None},
        {"iat": 0},
        {"iat": 9_999_999_999},
    ],
    ids=str,
)
def test_a_proof_for_something_else_opens_nothing(
    fapi: FapiRecipient, held: dict[str, Any], changes: dict[str, Any]
) -> None:
    check_challenged(
        fapi.with_token("GET", held["path"], held["access_token"], **changes), "invalid_dpop_proof"
    )


@pytest.mark.parametrize("path", [CONSENTS, "record", REVOKE])
def test_at_every_endpoint_a_bound_token_needs_its_own_key(
    fapi: FapiRecipient, held: dict[str, Any], path: str
) -> None:
    """One function reads it everywhere: no endpoint forgets the proof, the hash or the key."""
    path = held["path"] if path == "record" else path
    method, token = "DELETE" if path == REVOKE else "GET", held["access_token"]
    without = fapi.client.open(path, method=method, headers={"Authorization": f"DPoP {token}"})
    check_challenged(without, "invalid_dpop_proof")
    check_json(fapi.client.open(path, method=method, headers=bearer(token)), "invalid_token", status=401)
    check_challenged(fapi.with_token(method, path, token, key=a_key()), "invalid_token")
    check_challenged(fapi.with_token(method, path, token, ath=None), "invalid_dpop_proof")
    for address in (f"{path}?access_token={token}",):
        response = fapi.client.open(address, method=method)
        assert response.status_code == 400
    used = {
        "Authorization": f"DPoP {token}",
        **fapi.proof(method, path, access_token=token),
    }
    assert fapi.client.open(path, method=method, headers=used).status_code in (200, 204)
    check_challenged(fapi.client.open(path, method=method, headers=used), "invalid_dpop_proof")


def test_a_bearer_token_is_none_that_is_bound(client: ContractClient, clock: Clock) -> None:
    """RFC 9449 7.1: with a proof of any key it works under neither name."""
    tokens = BrowserCustomer(client).redeem(BrowserCustomer(client).approve()).get_json()
    path = f"{CONSENTS}/{tokens['consent_id']}"
    check_challenged(
        FapiRecipient(client, clock).with_token("GET", path, tokens["access_token"]), "invalid_token"
    )
    assert client.get(path, headers=bearer(tokens["access_token"])).status_code == 200


def test_two_proofs_are_none(fapi: FapiRecipient, held: dict[str, Any]) -> None:
    token = held["access_token"]
    proofs = [fapi.proof("GET", held["path"], access_token=token)["DPoP"] for _ in range(2)]
    headers = [("Authorization", f"DPoP {token}"), ("DPoP", proofs[0]), ("DPoP", proofs[1])]
    check_challenged(fapi.client.get(held["path"], headers=headers), "invalid_dpop_proof")


def test_somebody_elses_key_with_this_token_is_refused(register: Serve, clock: Clock) -> None:
    key = a_key()
    client = register(second_recipient(key))
    fapi, other = FapiRecipient(client, clock), FapiRecipient(client, clock, client_id=CLIENT2, key=key)
    tokens = fapi.tokens()
    path = f"{CONSENTS}/{tokens['consent_id']}"
    check_challenged(other.with_token("GET", path, tokens["access_token"]), "invalid_token")


# What a bank is told


def test_introspection_says_which_key_the_bank_has_to_ask_for(
    fapi: FapiRecipient, held: dict[str, Any]
) -> None:
    """RFC 9449 6.2."""
    found = introspect(fapi.client, held["access_token"], MAPLE_API)
    assert (found["active"], found["token_type"]) == (True, "DPoP")
    assert found["cnf"] == {"jkt": fapi.dpop_key.thumbprint()}
    fields = {"token": held["access_token"], **fapi.authenticated()}
    assert fapi.client.post(INTROSPECT, data=fields).get_json()["cnf"] == found["cnf"]


def test_revocation_by_authentication_needs_no_proof(fapi: FapiRecipient, held: dict[str, Any]) -> None:
    fields = {"token": held["refresh_token"], **fapi.authenticated()}
    assert fapi.client.post(REVOKE, data=fields).status_code == 200
    assert introspect(fapi.client, held["access_token"], MAPLE_API) == {"active": False}


# Behind a proxy, and in the log


def test_the_target_is_the_issuers_address_whoever_is_in_front(fapi: FapiRecipient) -> None:
    headers = {**fapi.proof("POST", TOKEN), "X-Forwarded-Host": "evil.example", "X-Forwarded-Proto": "https"}
    assert fapi.administer(headers=headers).status_code == 200
    internal = fapi.proof("POST", TOKEN, htu=f"http://127.0.0.1:8000{TOKEN}")
    refused(fapi.administer(headers=internal), "invalid_dpop_proof")


def test_no_proof_is_in_the_log_and_its_fault_is(fapi: FapiRecipient, logged: Logged) -> None:
    good, bad = fapi.proof("POST", TOKEN), fapi.proof("POST", TOKEN, htm="PUT")
    fapi.administer(headers=good)
    fapi.administer(headers=bad)
    entries = logged()
    assert [entry["reason"] for entry in entries if entry["event"] == "proof_refused"] == ["htm"]
    for sent in (good, bad):
        for part in sent["DPoP"].split("."):
            assert part not in json.dumps(entries)


def test_a_proof_that_comes_with_a_plain_push_binds_its_code(client: ContractClient) -> None:
    key = a_key()
    proof = {"DPoP": a_proof(key, proof_claims("POST", PAR))}
    response = client.post(PAR, data=query_params(), headers={**basic(*BUDGET), **proof})
    assert response.status_code == 201
