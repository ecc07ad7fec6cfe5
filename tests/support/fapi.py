"""A recipient of FAPI 2.0 that signs by itself: assertions of who it is, and what it says in them."""

import json
import time
from base64 import urlsafe_b64encode
from datetime import datetime
from itertools import count
from typing import Any

from joserfc.jwk import ECKey, Key, OKPKey, RSAKey
from joserfc.jws import JWSRegistry

from app.domain.assertion import ASSERTION_TYPE
from tests.support.builders import NOON
from tests.support.repository import ROOT

ISSUER = "http://localhost:8000"
FAPI = "dc-fapi"
DEMO_KEY = json.loads((ROOT / "registry" / "demo_fapi_key.json").read_text(encoding="utf-8"))["keys"][0]

_REGISTRY = JWSRegistry(algorithms=["ES256", "PS256", "RS256", "HS256", "Ed25519"], strict_check_header=False)
_REGISTRY.max_header_length = 8192
_numbers = count(time.time_ns())


def fresh_jti() -> str:
    return f"jti-{next(_numbers)}"


def a_key(kind: str = "EC", **members: Any) -> Key:
    """A new private key, of the kinds EC, RSA and OKP."""
    parameters: Any = {"kid": "key-1", **members}
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
