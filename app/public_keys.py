"""Public keys of others as JWKs (RFC 7517), of the kinds that FAPI 2.0 Security Profile 5.4 allows."""

import re
from base64 import urlsafe_b64decode
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from joserfc.errors import JoseError
from joserfc.jwk import ECKey, Key, OKPKey, RSAKey
from joserfc.jws import JWSRegistry

from app.domain.jws import Jwt

SHORTEST_RSA: Final = 2048  # bits (Security Profile 5.4.1)
LONGEST_RSA: Final = 4096  # bits: a judgement, since each signature costs us time

_PRIVATE: Final = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})  # RFC 7518 6
_MEMBERS: Final[dict[str, tuple[type[Key], tuple[str, ...]]]] = {
    "EC": (ECKey, ("crv", "x", "y")),
    "RSA": (RSAKey, ("n", "e")),
    "OKP": (OKPKey, ("crv", "x")),
}
_ALGORITHMS: Final = {"EC": ("ES256",), "RSA": ("PS256",), "OKP": ("Ed25519", "EdDSA")}
_BASE64URL: Final = re.compile(r"[A-Za-z0-9_-]+", re.ASCII)
_USUAL_EXPONENT: Final = "AQAB"  # 65537
# Not EdDSA: RFC 9864 gives that algorithm the name of its curve, and the library warns of the old one.
_VERIFIERS: Final = JWSRegistry(algorithms=["ES256", "PS256", "Ed25519"])
_NO_KEY: Final = (JoseError, ValueError, TypeError, KeyError, AttributeError)


@dataclass(frozen=True, slots=True)
class PublicJwk:
    """A public key that was checked when it was read. It says its name and the start of its thumbprint."""

    kid: str | None
    kind: str
    thumbprint: str
    _key: Key = field(repr=False, compare=False)

    def __str__(self) -> str:
        return f"{self.kid or 'without kid'} ({self.thumbprint[:8]})"

    def fits(self, algorithm: str) -> bool:
        """Whether the key is one for `algorithm`: a key type has one here (RFC 8725 3.1)."""
        return algorithm in _ALGORITHMS[self.kind]

    def verifies(self, jwt: Jwt) -> bool:
        """Whether this key made the signature, with the algorithm that the JWT names."""
        if not self.fits(jwt.algorithm):
            return False
        verifier = _VERIFIERS.get_alg(_ALGORITHMS[self.kind][0])
        try:
            return bool(verifier.verify(jwt.signed, jwt.signature, self._key))
        except _NO_KEY:
            return False


def import_public_key(jwk: Mapping[str, Any]) -> PublicJwk:
    """The key in `jwk`. Members that do not make the key are ignored. Raises ValueError with the reason."""
    if _PRIVATE & jwk.keys():
        raise ValueError("is a private key, which nobody but its owner may have")
    kind = jwk.get("kty")
    if not isinstance(kind, str) or kind not in _MEMBERS:
        raise ValueError("has a kty other than EC, RSA and OKP")
    key_class, names = _MEMBERS[kind]
    members: dict[str, Any] = {name: jwk.get(name) for name in names}
    if not all(isinstance(value, str) and _BASE64URL.fullmatch(value) for value in members.values()):
        raise ValueError(f"lacks one of {', '.join(names)}, or has one that is not base64url")
    _check_kind(kind, members)
    try:
        key: Any = key_class.import_key({"kty": kind, **members})
        thumbprint = str(key.thumbprint())
    except _NO_KEY as error:
        raise ValueError("is no key") from error
    kid = jwk.get("kid")
    return PublicJwk(kid if isinstance(kid, str) else None, kind, thumbprint, key)


def _check_kind(kind: str, members: Mapping[str, Any]) -> None:
    if kind == "EC" and (members["crv"] != "P-256" or len(members["x"]) != 43 or len(members["y"]) != 43):
        raise ValueError("is an EC key of another curve than P-256")
    if kind == "OKP" and (members["crv"] != "Ed25519" or len(members["x"]) != 43):
        raise ValueError("is an OKP key of another curve than Ed25519")
    if kind == "RSA" and members["e"] != _USUAL_EXPONENT:
        raise ValueError("is an RSA key with another exponent than 65537")
    if kind == "RSA" and not SHORTEST_RSA <= _bits(members["n"]) <= LONGEST_RSA:
        raise ValueError(f"is an RSA key of fewer than {SHORTEST_RSA} or more than {LONGEST_RSA} bits")


def _bits(number: str) -> int:
    try:
        return int.from_bytes(urlsafe_b64decode(number + "=" * (-len(number) % 4))).bit_length()
    except ValueError:
        return 0
