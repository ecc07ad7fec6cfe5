"""A recipient of FAPI 2.0 that signs by itself: assertions of who it is, and what it says in them."""

import json
import time
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from datetime import datetime
from itertools import count
from typing import Any
from urllib.parse import urlencode

from joserfc.jwk import ECKey, Key, OKPKey, RSAKey
from joserfc.jws import JWSRegistry
from werkzeug.test import TestResponse

from app.domain.assertion import ASSERTION_TYPE
from app.domain.dpop import token_hash
from tests.support.applications import Clock
from tests.support.builders import CALLBACK, CHALLENGE, NOON, VERIFIER
from tests.support.customer import BrowserCustomer, carried_params
from tests.support.page_contract import ContractClient
from tests.support.registrations import DEMO_REGISTRY
from tests.support.repository import ROOT

ISSUER = "http://localhost:8000"
FAPI = "dc-fapi"
PAR = "/api/v1/par"
TOKEN = "/api/v1/token"
DEMO_KEY = json.loads((ROOT / "registry" / "demo_fapi_key.json").read_text(encoding="utf-8"))["keys"][0]

_REGISTRY = JWSRegistry(algorithms=["ES256", "PS256", "RS256", "HS256", "Ed25519"], strict_check_header=False)
_REGISTRY.max_header_length = 8192
_numbers = count(time.time_ns())


def fresh_jti() -> str:
    return f"jti-{next(_numbers)}"


def a_key(kind: str = "EC", **members: Any) -> Key:
    """A new private key, of the kinds EC, RSA and OKP."""
    parameters: Any = {name: value for name, value in {"kid": "key-1", **members}.items() if value}
    if kind == "RSA":
        return RSAKey.generate_key(2048, parameters)
    if kind == "OKP":
        return OKPKey.generate_key("Ed25519", parameters)
    return ECKey.generate_key("P-256", parameters)


def demo_key() -> Key:
    return ECKey.import_key(DEMO_KEY)


def algorithm_of(key: Key) -> str:
    return {"EC": "ES256", "RSA": "PS256", "OKP": "Ed25519"}[str(key.key_type)]


def public(key: Key, **members: Any) -> dict[str, Any]:
    """The public half as a JWK."""
    return {**dict(key.as_dict(private=False)), **members}


def base64url(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def signed(claims: Any, key: Key, **header: Any) -> str:
    """`claims` as a JWS: of the key's own algorithm, unless the header says otherwise; None leaves a member out.

    `EdDSA` is signed as Ed25519, which it is.
    """
    whole = {"alg": header.get("alg") or algorithm_of(key), **header}
    whole = {name: value for name, value in whole.items() if value is not None}
    text = claims if isinstance(claims, bytes) else json.dumps(claims).encode()
    signing = f"{base64url(json.dumps(whole).encode())}.{base64url(text)}"
    name = str(whole.get("alg"))
    if name == "none":
        return f"{signing}.{base64url(bytes(1))}"
    if name not in JWSRegistry.algorithms or name == "EdDSA":
        name = algorithm_of(key)
    return f"{signing}.{base64url(_REGISTRY.get_alg(name).sign(signing.encode(), key))}"


def assertion_claims(client_id: str = FAPI, *, now: datetime = NOON, **changes: Any) -> dict[str, Any]:
    """What the conformance suite puts into an assertion; None leaves a claim out."""
    seconds = int(now.timestamp())
    claims = {
        "iss": client_id,
        "sub": client_id,
        "aud": ISSUER,
        "jti": fresh_jti(),
        "iat": seconds,
        "nbf": seconds,
        "exp": seconds + 60,
        **changes,
    }
    return {name: value for name, value in claims.items() if value is not None}


def assertion_fields(assertion: str) -> dict[str, str]:
    """The form fields that carry an assertion."""
    return {"client_assertion_type": ASSERTION_TYPE, "client_assertion": assertion}


def authenticated(
    client_id: str = FAPI, key: Key | None = None, *, now: datetime = NOON, **changes: Any
) -> dict[str, str]:
    """The form fields with which a recipient says who it is."""
    key = key or demo_key()
    claims = assertion_claims(client_id, now=now, **changes)
    return assertion_fields(signed(claims, key, kid=key.kid))


CLIENT2 = "dc-fapi-2"


def proof_claims(
    method: str, path: str, *, now: datetime = NOON, access_token: str | None = None, **changes: Any
) -> dict[str, Any]:
    """What a proof says of a request; None leaves a claim out."""
    claims = {
        "jti": fresh_jti(),
        "htm": method,
        "htu": f"{ISSUER}{path}",
        "iat": int(now.timestamp()),
        "ath": None if access_token is None else token_hash(access_token),
        **changes,
    }
    return {name: value for name, value in claims.items() if value is not None}


def a_proof(key: Key, claims: dict[str, Any], **header: Any) -> str:
    """A DPoP proof with the members that the conformance suite sends; None leaves one out."""
    alg = header.get("alg") or algorithm_of(key)
    jwk = public(key, alg=alg, use="sig")
    return signed(claims, key, **{"typ": "dpop+jwt", "alg": alg, "jwk": jwk, **header})


class FapiRecipient:
    """A recipient of FAPI 2.0 that does everything by hand, and its customer's browser on the same `client`."""

    def __init__(
        self, client: ContractClient, clock: Clock, *, client_id: str = FAPI, key: Key | None = None
    ) -> None:
        self.client = client
        self.clock = clock
        self.client_id = client_id
        self.key = key or demo_key()
        self.dpop_key = a_key(kid=None)

    def authenticated(self, **claims: Any) -> dict[str, str]:
        """The form fields with which it says who it is."""
        return authenticated(self.client_id, self.key, now=self.clock.now, **claims)

    def proof(
        self,
        method: str,
        path: str,
        *,
        key: Key | None = None,
        access_token: str | None = None,
        **changes: Any,
    ) -> dict[str, str]:
        """The header that proves its key for one request."""
        claims = proof_claims(method, path, now=self.clock.now, access_token=access_token, **changes)
        return {"DPoP": a_proof(key or self.dpop_key, claims)}

    def push(self, *, headers: Any = None, **changes: str | None) -> TestResponse:
        """Pushes a good request, with `changes`; None leaves a parameter out."""
        fields = {
            "redirect_uri": CALLBACK,
            "response_type": "code",
            "scope": "ACCOUNT_BASIC TRANSACTIONS",
            "state": "af0ifjsldkj",
            "code_challenge": CHALLENGE,
            "code_challenge_method": "S256",
            **({} if "client_assertion" in changes else self.authenticated()),
            **changes,
        }
        sent = {name: value for name, value in fields.items() if value is not None}
        return self.client.post(PAR, data=sent, headers=headers)

    def pushed(self, **changes: Any) -> str:
        """The address that its browser opens, once the request is pushed."""
        response = self.push(**changes)
        assert response.status_code == 201, response.text
        return self.address_of(response.get_json()["request_uri"])

    def address_of(self, request_uri: str, **more: str) -> str:
        query = {"client_id": self.client_id, "request_uri": request_uri, **more}
        return f"/api/v1/authorize?{urlencode(query)}"

    def answer(self, decision: str, *boxes: str, address: str | None = None, **changes: Any) -> TestResponse:
        """What the browser is told after the whole way through the pages."""
        customer = BrowserCustomer(self.client)
        response = self.client.get(address or self.pushed(**changes))
        assert response.status_code == 302, response.text
        page, request_id = response.location.strip("/").split("/")
        if page == "sign-in":
            customer.sign_in(request_id)
        return customer.answer(request_id, decision, *boxes)

    def code(self, **changes: Any) -> str:
        """The code of an approval."""
        response = self.answer("approve", "TRANSACTIONS", **changes)
        assert response.status_code == 303, response.text
        return carried_params(response.location)["code"]

    def redeem(self, code: str, *, headers: Any = None, **changes: str | None) -> TestResponse:
        fields = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": CALLBACK,
            "code_verifier": VERIFIER,
            **({} if "client_assertion" in changes else self.authenticated()),
            **changes,
        }
        return self.ask_for_tokens(fields, headers)

    def refresh(self, refresh_token: str, *, headers: Any = None, **changes: str | None) -> TestResponse:
        fields = {
            "grant_type": "refresh_token",
            "refresh_token": refresh_token,
            **({} if "client_assertion" in changes else self.authenticated()),
            **changes,
        }
        return self.ask_for_tokens(fields, headers)

    def administer(self, *, headers: Any = None) -> TestResponse:
        fields = {"grant_type": "client_credentials", "scope": "client:admin", **self.authenticated()}
        return self.ask_for_tokens(fields, headers)

    def ask_for_tokens(self, fields: Mapping[str, str | None], headers: Any = None) -> TestResponse:
        """With a good proof, unless other `headers` are given; None among the fields leaves one out."""
        sent = {name: value for name, value in fields.items() if value is not None}
        headers = self.proof("POST", TOKEN) if headers is None else headers
        return self.client.post(TOKEN, data=sent, headers=headers)

    def tokens(self, **changes: Any) -> dict[str, Any]:
        """A whole consent, and what it gave."""
        response = self.redeem(self.code(**changes))
        assert response.status_code == 200, response.text
        return dict(response.get_json())

    def with_token(
        self, method: str, path: str, access_token: str, *, key: Key | None = None, **changes: Any
    ) -> TestResponse:
        """A request with a bound token and its proof."""
        headers = {
            "Authorization": f"DPoP {access_token}",
            **self.proof(method, path, key=key, access_token=access_token, **changes),
        }
        return self.client.open(path, method=method, headers=headers)


def second_recipient(key: Key) -> tuple[str, str]:
    """An edit of the demo's registration that adds a recipient with a `key` of its own."""
    text = DEMO_REGISTRY.read_text(encoding="utf-8")
    start = text.index('[[recipients]]\nclient_id = "dc-fapi"')
    entry = text[start : text.index("# The banks' own APIs")]
    members = ", ".join(f'{name} = "{value}"' for name, value in public(key).items())
    first = entry.partition("keys = [\n")[2].partition("]")[0]
    other = entry.replace('"dc-fapi"', f'"{CLIENT2}"').replace(first, f"    {{ {members} }},\n")
    return "# The banks' own APIs", f"{other}# The banks' own APIs"
