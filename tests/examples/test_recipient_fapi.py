"""The example recipient as FAPI 2.0 has it: what it refuses, and what it proves. Its way through a whole consent is
in the browser tests, against the real Accord."""

import json
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import pytest
import requests
from joserfc import jwt
from joserfc.jwk import ECKey, KeySet

from examples.recipient.fapi import DEMO_KEYS, PUSH, Bound, FapiAccord, fapi_accord, read_proof
from examples.recipient.oauth import Flow, FlowError
from tests.support.builders import CHALLENGE, VERIFIER
from tests.test_recipient import GOOD, HOME, METADATA, a_server, metadata

FLOW = Flow("the-state", "the-verifier", "1000", "ACCOUNT_BASIC", "the-correlation-id", "the-request-uri")
REGISTERED = KeySet.import_key_set(json.loads(DEMO_KEYS.read_text(encoding="utf-8")))


def accord_at(issuer: str) -> FapiAccord:
    return fapi_accord(issuer, "dc-fapi", DEMO_KEYS, f"{HOME}/callback")


def begin(push: tuple[int, bytes], **changes: object) -> tuple[str, Flow]:
    """Begins a flow at a server that answers a push so."""
    answers: dict[str, tuple[int, bytes]] = {"/par": push}
    with a_server(answers) as issuer:
        answers[METADATA] = (200, metadata(issuer, **{PUSH: f"{issuer}/par", **changes}))
        return accord_at(issuer).begin(provider_id="1000", scope="ACCOUNT_BASIC", lang="fr")


def a_call(
    method: str = "GET", url: str = "https://bank.example/accounts?limit=5"
) -> requests.PreparedRequest:
    return requests.Request(method, url).prepare()


def test_the_browser_carries_a_reference_and_nothing_else_of_the_request() -> None:
    url, flow = begin((201, b'{"request_uri": "urn:x", "expires_in": 90}'))
    sent = {"client_id": "dc-fapi", "request_uri": "urn:x", "lang": "fr"}
    assert dict(parse_qsl(urlsplit(url).query)) == sent
    assert flow.request_uri == "urn:x"
    assert flow.state not in url


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (400, b'{"error": "invalid_scope", "error_description": "Not yours"}', "invalid_scope"),
        (401, b'{"error": "invalid_client"}', "invalid_client"),
        (503, b'{"error": "temporarily_unavailable"}', "temporarily_unavailable"),
        (200, b'{"error": "a 200 is no answer to a push"}', "a 200 is no answer to a push"),
        (500, b"<html>", "bad_answer"),
        (302, b"{}", "bad_answer"),
        (201, b"{}", "bad_answer"),
        (201, b"[]", "bad_answer"),
    ],
)
def test_a_push_that_does_not_work_is_a_failure(status: int, body: bytes, expected: str) -> None:
    with pytest.raises(FlowError) as raised:
        begin((status, body))
    assert raised.value.code == expected


@pytest.mark.parametrize("address", [None, "http://bank.example/par"])
def test_nothing_is_pushed_to_an_address_that_cannot_be_trusted(address: str | None) -> None:
    with pytest.raises(FlowError, match="bad_answer"):
        begin((201, b'{"request_uri": "urn:x"}'), **{PUSH: address})


def test_a_token_that_is_bound_to_nothing_is_not_taken() -> None:
    answers: dict[str, tuple[int, bytes]] = {}
    with a_server(answers) as issuer:
        answers[METADATA] = (200, metadata(issuer, **{PUSH: f"{issuer}/par"}))
        answers["/token"] = (200, json.dumps(GOOD).encode())
        with pytest.raises(FlowError, match="bad_answer"):
            accord_at(issuer).redeem("the-code", FLOW)
        answers["/token"] = (200, json.dumps({**GOOD, "token_type": "DPoP"}).encode())
        assert accord_at(issuer).redeem("the-code", FLOW).access_token == "a"


def test_a_call_to_accord_says_for_the_issuer_alone_who_is_calling_and_proves_the_key() -> None:
    accord = accord_at("https://accord.example")
    url = "https://accord.example/api/v1/token"
    call = requests.Request("POST", url, data={"code": "c"}, auth=accord.credentials).prepare()
    sent = dict(parse_qsl(str(call.body)))
    claims = jwt.decode(sent["client_assertion"], REGISTERED, algorithms=["ES256"]).claims
    assert claims["aud"] == "https://accord.example"
    assert claims["iss"] == claims["sub"] == "dc-fapi"
    assert sent["code"] == "c"
    assert "client_secret" not in sent
    assert "Authorization" not in call.headers
    header, proven = read_proof(call.headers["DPoP"])
    assert (proven["htm"], proven["htu"]) == ("POST", url)
    assert header["jwk"]["x"] == accord.key.public_jwk["x"]


def test_each_call_to_a_bank_has_a_proof_of_its_own_which_verifies() -> None:
    shown = accord_at("https://accord.example").present(VERIFIER)
    assert isinstance(shown, Bound)
    proofs = []
    for _ in range(2):
        call = shown(a_call())
        assert call.headers["Authorization"] == f"DPoP {VERIFIER}"
        assert call.headers["DPoP"] == shown.proof
        header, claims = read_proof(shown.proof)
        jwt.decode(shown.proof, ECKey.import_key(header["jwk"]), algorithms=["ES256"])
        assert header["typ"] == "dpop+jwt"
        assert "d" not in header["jwk"]
        assert claims["htu"] == "https://bank.example/accounts"
        assert claims["ath"] == CHALLENGE
        proofs.append(claims["jti"])
    assert len(set(proofs)) == 2


def test_no_key_is_in_what_is_logged_of_it() -> None:
    accord = accord_at("https://accord.example")
    for thing in (accord, accord.present("the-token")):
        assert str(accord.key.private_key["d"]) not in repr(thing)
        assert "the-token" not in repr(thing)


def test_without_the_file_of_its_keys_it_does_not_start(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        fapi_accord("https://accord.example", "dc-fapi", tmp_path / "none.json", f"{HOME}/callback")
