"""The proof that a request comes from the holder of a key (DPoP, RFC 9449), and what it must say."""

import hashlib
import re
from base64 import urlsafe_b64encode
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from urllib.parse import urlsplit

from app.domain.jws import (
    EARLIEST_CLOCK,
    LONGEST_JWT,
    Jwt,
    JwtRefused,
    PublicKey,
    check_not_early,
    jti_of,
    parse_jwt,
    seconds_in,
)
from app.domain.single_use import SingleUse, UsedUp, forget_at

OLDEST_PROOF: Final = 60
"""Seconds: a judgement, since a proof is made for one request and sent at once."""

_TYPE: Final = "dpop+jwt"
_PERCENT: Final = re.compile(r"%([0-9A-Fa-f]{2})", re.ASCII)
_UNRESERVED: Final = re.compile(r"[A-Za-z0-9._~-]", re.ASCII)  # RFC 3986 2.3
_DEFAULT_PORTS: Final = {"https": 443, "http": 80}

ImportKey = Callable[[Mapping[str, Any]], PublicKey]
"""Reads a public key. Raises ValueError for a private one, and for one of another kind."""


@dataclass(frozen=True, slots=True)
class Proof:
    """A good proof: the thumbprint of its key (RFC 7638), and its use, which must be the first one."""

    jkt: str
    use: SingleUse


def check_proof(
    values: Sequence[str],
    *,
    method: str,
    target: str,
    now: datetime,
    import_key: ImportKey,
    access_token: str | None = None,
) -> Proof:
    """The proof in the `values` of the DPoP headers of one request (RFC 9449 4.3). Raises JwtRefused.

    `target` is the address of the endpoint as recipients know it. With an `access_token` the proof must be
    for that token. The caller must still check that this is the first use.
    """
    # Servers write several headers of one name as one value, with commas, of which a JWT has none.
    if len(values) != 1 or "," in values[0] or len(values[0]) > LONGEST_JWT:
        raise JwtRefused("not_one_header")
    jwt = parse_jwt(values[0].strip(" "))
    if jwt.header.get("typ") != _TYPE:
        raise JwtRefused("typ")
    key = _key_in(jwt, import_key)
    if not key.verifies(jwt):
        raise JwtRefused("signature")
    if jwt.claims.get("htm") != method:
        raise JwtRefused("htm")
    normal_target = normalized(target)
    htu = jwt.claims.get("htu")
    if not isinstance(htu, str) or normalized(htu) != normal_target or normal_target is None:
        raise JwtRefused("htu")
    issued_at = _check_time(jwt, now)
    jti = jti_of(jwt)
    if access_token is not None and jwt.claims.get("ath") != token_hash(access_token):
        raise JwtRefused("ath")
    names = (key.thumbprint, method, normal_target, jti)
    return Proof(key.thumbprint, SingleUse(UsedUp.PROOF, names, forget_at(issued_at + OLDEST_PROOF)))


def token_hash(access_token: str) -> str:
    """The `ath` of a token (RFC 9449 4.2): its SHA-256 in base64url."""
    digest = hashlib.sha256(access_token.encode("utf-8", "surrogateescape")).digest()
    return urlsafe_b64encode(digest).rstrip(b"=").decode("ascii")


def bound_to(jkt: str | None, claims: Mapping[str, Any]) -> dict[str, Any]:
    """`claims` of a token that is bound to the key `jkt` (RFC 9449 6.1); unchanged where that is None."""
    return dict(claims) if jkt is None else {**claims, "cnf": {"jkt": jkt}}


def key_of(claims: Mapping[str, Any]) -> str | None:
    """The thumbprint of the key that a token is bound to; None for a bearer token."""
    confirmation = claims.get("cnf")
    return confirmation["jkt"] if isinstance(confirmation, dict) else None


def normalized(uri: str) -> str | None:
    """`uri` without query and fragment, in its normal form (RFC 9449 4.3, RFC 3986 6.2); None for no URI.

    Scheme and host are in lower case, a default port is left out, and of percent-encoded characters only
    those that need it stay so, in upper case.
    """
    try:
        parts = urlsplit(uri)
        port = parts.port
    except ValueError:
        return None
    if parts.scheme not in _DEFAULT_PORTS or not parts.hostname or "@" in parts.netloc:
        return None
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    place = host if port in (None, _DEFAULT_PORTS[parts.scheme]) else f"{host}:{port}"
    return f"{parts.scheme}://{place}{_PERCENT.sub(_decoded, parts.path) or '/'}"


def _decoded(match: re.Match[str]) -> str:
    character = chr(int(match[1], 16))
    return character if _UNRESERVED.fullmatch(character) else match[0].upper()


def _key_in(jwt: Jwt, import_key: ImportKey) -> PublicKey:
    jwk = jwt.header.get("jwk")
    if not isinstance(jwk, dict):
        raise JwtRefused("jwk")
    try:
        return import_key(jwk)
    except ValueError:
        raise JwtRefused("jwk") from None


def _check_time(jwt: Jwt, now: datetime) -> float:
    """Returns the `iat` of a recent proof. `nbf` and `exp` are optional, and checked where present."""
    issued_at, expires_at = seconds_in(jwt, "iat"), seconds_in(jwt, "exp")
    seconds = now.timestamp()
    if issued_at is None or not seconds - OLDEST_PROOF <= issued_at <= seconds + EARLIEST_CLOCK:
        raise JwtRefused("iat")
    if expires_at is not None and expires_at <= seconds - OLDEST_PROOF:
        raise JwtRefused("exp")
    check_not_early(jwt, "nbf", now)
    return issued_at
