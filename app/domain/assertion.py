"""Client authentication with a signed JWT (`private_key_jwt`): RFC 7521 4.2, RFC 7523 2.2 and 3, and FAPI 2.0
Security Profile 5.3.2.1.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from app.domain.jws import Jwt, JwtRefused, PublicKey, check_not_early, jti_of, parse_jwt, seconds_in
from app.domain.single_use import SingleUse, UsedUp, forget_at

ASSERTION_TYPE: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
LONGEST_LIFE: Final = 300
"""Seconds between now and `exp`: a judgement. It bounds how long a used `jti` has to be remembered."""
_LATE_CLOCK: Final = 10  # seconds by which our own clock may be ahead when an assertion ends


@dataclass(frozen=True, slots=True)
class ClientAssertion:
    """What a client sends instead of a secret (RFC 7521 4.2). `client_id` is optional."""

    client_id: str | None
    assertion: str


FindKey = Callable[[str, str | None, str], PublicKey]
"""Finds the key of a client (its client_id) with this `kid` for this algorithm.

Where the client or the key is unknown it returns a dummy key, whose private half does not exist, so that the
verification takes equal time.
"""


def check_assertion(sent: ClientAssertion, *, issuer: str, find_key: FindKey, now: datetime) -> SingleUse:
    """The use of a good assertion, whose `names` are the client_id and the `jti`. Raises JwtRefused.

    The caller must still check that this is the first use. `jku`, `jwk` and `x5u` are ignored: only
    registered keys count.
    """
    jwt = parse_jwt(sent.assertion)
    client_id = _client_of(jwt, sent.client_id)
    kid = jwt.header.get("kid")
    if kid is not None and not isinstance(kid, str):
        raise JwtRefused("kid")
    if not find_key(client_id, kid, jwt.algorithm).verifies(jwt):
        raise JwtRefused("signature")
    if jwt.claims.get("aud") != issuer:  # a text, and no list of them (Security Profile 5.3.2.1-8)
        raise JwtRefused("aud")
    expires_at = seconds_in(jwt, "exp")
    seconds = now.timestamp()
    if expires_at is None or not seconds - _LATE_CLOCK < expires_at <= seconds + LONGEST_LIFE:
        raise JwtRefused("exp")
    check_not_early(jwt, "nbf", now)
    check_not_early(jwt, "iat", now)
    return SingleUse(UsedUp.ASSERTION, (client_id, jti_of(jwt)), forget_at(expires_at + _LATE_CLOCK))


def find_asserted_client(assertion: str) -> str | None:
    """The client that an assertion names, without verification: for the log, if that client is registered."""
    try:
        return _client_of(parse_jwt(assertion), None)
    except JwtRefused:
        return None


def _client_of(jwt: Jwt, client_id: str | None) -> str:
    """RFC 7523 3: `iss` and `sub` are the client, and so is the parameter client_id where there is one."""
    named = jwt.claims.get("iss")
    if not isinstance(named, str) or not named or jwt.claims.get("sub") != named:
        raise JwtRefused("sub")
    if client_id not in (None, named):
        raise JwtRefused("client_id")
    return named
