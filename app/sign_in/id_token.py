"""Validates the ID token, in which the bank says who signed in (OpenID Connect Core 1.0, 3.1.3.7)."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from authlib.oidc.core import CodeIDToken
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import Key
from joserfc.jws import JWSRegistry

from app.domain.display_text import printable_line
from app.sign_in import Cause, SignInFailed

# Signatures that only the bank can make: neither none nor HS…, whose key others have too (RFC 8725 3.1).
ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512")

CLOCK_DIFFERENCE = timedelta(seconds=60)  # by which the bank's clock may differ from this one
_ROUNDING = timedelta(seconds=2)  # two moments are rounded to whole seconds
LONGEST_SUBJECT = 255  # Core 1.0, 2
LONGEST_NAME = 256  # characters: longer than any name, and a page can show it

_REGISTRY = JWSRegistry(algorithms=list(ALGORITHMS), strict_check_header=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What a token must say to be the answer to one sign-in."""

    issuer: str
    client_id: str
    nonce: str
    begun_at: datetime
    must_ask_again: bool
    access_token: str | None = field(repr=False)


def verify(
    id_token: object, expected: Expected, *, find_key: Callable[[str | None, str], Key], now: datetime
) -> Mapping[str, Any]:
    """The token's claims. Raises SignInFailed unless every one of them is as expected."""
    if not isinstance(id_token, str):
        raise SignInFailed(Cause.UNPROVEN, "no_id_token")

    def key_of(token: Any) -> Key:
        header = token.headers()
        kid = header.get("kid")
        return find_key(kid if isinstance(kid, str) else None, header["alg"])

    try:
        token = jwt.decode(id_token, key_of, registry=_REGISTRY)
        claims = CodeIDToken(token.claims, token.header, _options(expected), _params(expected))
        claims.validate(now=int(now.timestamp()), leeway=int(CLOCK_DIFFERENCE.total_seconds()))
    except (
        JoseError,
        ValueError,
        TypeError,
        LookupError,
        AttributeError,
        RecursionError,
        ArithmeticError,
    ) as error:
        raise SignInFailed(Cause.UNPROVEN, _detail(error)) from error
    _check_age(token.claims, expected)
    if expected.must_ask_again:
        _check_authentication(token.claims, now - expected.begun_at)
    return token.claims


def subject_of(claims: Mapping[str, Any]) -> str:
    """The `sub`. Raises SignInFailed unless it is printable ASCII of 255 characters at most (Core 1.0, 2)."""
    subject = claims["sub"]
    if not (isinstance(subject, str) and 0 < len(subject) <= LONGEST_SUBJECT):
        raise SignInFailed(Cause.UNPROVEN, "sub")
    if not (subject.isascii() and subject.isprintable()):
        raise SignInFailed(Cause.UNPROVEN, "sub")
    return subject


def name_of(claims: Mapping[str, Any]) -> str:
    """The customer's name as the bank says it (Core 1.0, 5.1), for their eyes only; empty without one."""
    parts = (_text(claims, "given_name"), _text(claims, "family_name"))
    candidates = (_text(claims, "name"), " ".join(part for part in parts if part))
    found = next((name for name in candidates if name), _text(claims, "preferred_username"))
    return found[:LONGEST_NAME]


def _text(claims: Mapping[str, Any], name: str) -> str:
    value = claims.get(name)
    if not isinstance(value, str):
        return ""
    return printable_line(value.encode("utf-8", "ignore").decode("utf-8"))


def _options(expected: Expected) -> dict[str, Any]:
    return {
        "iss": {"essential": True, "value": expected.issuer},
        "aud": {"essential": True, "value": expected.client_id},
        "nonce": {"essential": True, "value": expected.nonce},
    }


def _params(expected: Expected) -> dict[str, Any]:
    return {
        "nonce": expected.nonce,
        "client_id": expected.client_id,  # checks azp
        "access_token": expected.access_token,  # checks at_hash
    }


def _check_age(claims: Mapping[str, Any], expected: Expected) -> None:
    """Refuses a token that is older than the sign-in: it cannot be its answer, even if it has not expired."""
    # Not `<`: NaN is neither less nor more.
    if not claims["iat"] >= (expected.begun_at - CLOCK_DIFFERENCE).timestamp():
        raise SignInFailed(Cause.UNPROVEN, "iat")


def _check_authentication(claims: Mapping[str, Any], taken: timedelta) -> None:
    """Whoever signed in did so within the time that this sign-in has `taken` (Core 1.0, 3.1.2.1, 3.1.3.7).

    Both moments are the bank's, so that it does not matter by how much its clock differs from ours.
    """
    auth_time = claims.get("auth_time")
    if not isinstance(auth_time, int | float) or isinstance(auth_time, bool):
        raise SignInFailed(Cause.NOT_ASKED, "no_auth_time")
    # It is compared, and not calculated with: a number of 400 digits fits no float. Nor is NaN ever more.
    if not auth_time >= claims["iat"] - (taken + _ROUNDING).total_seconds():
        raise SignInFailed(Cause.NOT_ASKED, "auth_time")


def _detail(error: Exception) -> str:
    """The claim at fault, or what kind of error it was: words of the library, none of the token's."""
    claim = getattr(error, "claim", None)
    return claim if isinstance(claim, str) else type(error).__name__
