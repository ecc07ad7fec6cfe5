"""Parses a signed JWT of another party (RFC 7515, RFC 7519), whose signature is still to be verified.

The modules `assertion` and `dpop` check its claims; app/public_keys.py makes the keys.
"""

import json
import math
import re
from base64 import urlsafe_b64decode
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Protocol

ALGORITHMS: Final = ("ES256", "PS256", "EdDSA", "Ed25519")
"""What FAPI 2.0 Security Profile 5.4.1 allows. `Ed25519` is the name of RFC 9864 for what was `EdDSA`."""
LONGEST_JWT: Final = 4096  # characters: a judgement, over three times a proof with an RSA key
LONGEST_JTI: Final = 128  # characters: a judgement, since identifiers have some twenty
EARLIEST_CLOCK: Final = 30
"""Seconds by which the clock of a sender may be ahead: 10 must pass, 60 must not (Security Profile
5.3.2.1-13)."""

_PART: Final = re.compile(r"[A-Za-z0-9_-]+", re.ASCII)


class JwtRefused(Exception):
    """A JWT is not what it must be. `reason` is a word for the log, never taken from what was received."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Jwt:
    """A JWT whose signature nobody has checked. `signed` are the bytes that `signature` is for."""

    header: Mapping[str, Any]
    claims: Mapping[str, Any]
    signed: bytes
    signature: bytes

    @property
    def algorithm(self) -> str:
        return str(self.header["alg"])


class PublicKey(Protocol):
    """A key of somebody else that verifies signatures.

    `thumbprint` is RFC 7638's, with SHA-256.
    """

    @property
    def kid(self) -> str | None: ...

    @property
    def thumbprint(self) -> str: ...

    def fits(self, algorithm: str) -> bool:
        """Whether the key is one for `algorithm`."""

    def verifies(self, jwt: Jwt) -> bool:
        """Whether this key made the signature, with the algorithm that the JWT names."""


def parse_jwt(text: str) -> Jwt:
    """The parts of `text`. Raises JwtRefused unless it is a compact JWS with an allowed algorithm.

    `crit` is refused, since nothing is understood that it could name (RFC 7515 4.1.11).
    """
    if len(text) > LONGEST_JWT:
        raise JwtRefused("too_long")
    parts = text.split(".")
    if len(parts) != 3 or not all(_PART.fullmatch(part) for part in parts):
        raise JwtRefused("malformed")
    header, claims = _object(parts[0]), _object(parts[1])
    if header.get("alg") not in ALGORITHMS:
        raise JwtRefused("alg")
    if "crit" in header:
        raise JwtRefused("crit")
    return Jwt(header, claims, f"{parts[0]}.{parts[1]}".encode("ascii"), _decoded(parts[2]))


def seconds_in(jwt: Jwt, claim: str) -> float | None:
    """The moment in `claim`, in seconds since 1970 (RFC 7519 2); None where there is none.

    Raises JwtRefused for what is no finite number.
    """
    if claim not in jwt.claims:
        return None
    value = jwt.claims[claim]
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise JwtRefused(claim)
    try:
        seconds = float(value)
    except OverflowError:
        raise JwtRefused(claim) from None
    if not math.isfinite(seconds):
        raise JwtRefused(claim)
    return seconds


def check_not_early(jwt: Jwt, claim: str, now: datetime) -> None:
    """Raises JwtRefused where the moment in `claim` is later than a clock may be ahead."""
    seconds = seconds_in(jwt, claim)
    if seconds is not None and seconds > now.timestamp() + EARLIEST_CLOCK:
        raise JwtRefused(claim)


def jti_of(jwt: Jwt) -> str:
    """The identifier that makes the JWT usable once (RFC 7519 4.1.7). Raises JwtRefused."""
    jti = jwt.claims.get("jti")
    if not isinstance(jti, str) or not 0 < len(jti) <= LONGEST_JTI:
        raise JwtRefused("jti")
    return jti


def _decoded(part: str) -> bytes:
    try:
        return urlsafe_b64decode(part + "=" * (-len(part) % 4))
    except ValueError:
        raise JwtRefused("malformed") from None


def _object(part: str) -> dict[str, Any]:
    try:
        found = json.loads(
            _decoded(part).decode("utf-8"), object_pairs_hook=_unique, parse_constant=_refuse_constant
        )
    except (ValueError, RecursionError):
        raise JwtRefused("malformed") from None
    if not isinstance(found, dict):
        raise JwtRefused("malformed")
    return found


def _unique(members: list[tuple[str, Any]]) -> dict[str, Any]:
    """RFC 7515 4: names in a header are unique. Two readers could take different ones of the same name."""
    found = dict(members)
    if len(found) != len(members):
        raise ValueError("a name is repeated")
    return found


def _refuse_constant(_: str) -> None:
    """NaN and Infinity are no JSON (RFC 8259 6)."""
    raise ValueError("no JSON number")
