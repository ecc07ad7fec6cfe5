"""The proof that a call comes from the holder of the key that its token is bound to (DPoP, RFC 9449)."""

import hashlib
from base64 import urlsafe_b64encode
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from threading import Lock
from typing import Any

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import JWKRegistry
from joserfc.jws import JWSRegistry

OLDEST = timedelta(seconds=60)
AHEAD = timedelta(seconds=30)  # by which the sender's clock may be ahead of ours
_PUBLIC = ("kty", "crv", "x", "y", "n", "e")  # what makes a public key (RFC 7518 6, RFC 8037 2)
_NO_PROOF = (JoseError, ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError)

# RFC 8725 3.1: the algorithms are ours to fix. The header of a proof with an RSA key is longer than usual.
_REGISTRY = JWSRegistry(algorithms=["ES256", "PS256", "Ed25519"], strict_check_header=False)
_REGISTRY.max_header_length = 4096


class ProofRefused(Exception):
    """There is no proof, or it is not as it must be."""


@dataclass(frozen=True, slots=True)
class Proofs:
    """Checks proofs, and knows the used ones while they could be sent again.

    It knows them in this process; the servers of a real API keep them where all of them look.
    """

    _used: dict[tuple[str, str], datetime] = field(default_factory=dict)
    _lock: Lock = field(default_factory=Lock)

    def check(
        self,
        headers: Iterable[tuple[str, str]],
        *,
        method: str,
        url: str,
        token: str,
        jkt: str,
        now: datetime,
    ) -> None:
        """Raises ProofRefused unless there is one proof of the key `jkt`, for this call and this token."""
        sent = [value for name, value in headers if name.lower() == "dpop"]
        if len(sent) != 1:
            raise ProofRefused
        try:
            proof = jwt.decode(sent[0], _key_within, registry=_REGISTRY)
            claims, jwk = proof.claims, proof.header["jwk"]
            issued_at = datetime.fromtimestamp(claims["iat"], now.tzinfo)
            is_good = (
                proof.header["typ"] == "dpop+jwt"
                and _import(jwk).thumbprint() == jkt
                and claims["htm"] == method
                and claims["htu"].partition("#")[0].partition("?")[0] == url
                and now - OLDEST <= issued_at <= now + AHEAD
                and claims["ath"] == _hash(token)
                and isinstance(claims["jti"], str)
            )
        except _NO_PROOF as error:
            raise ProofRefused from error
        if not is_good or not self._is_first_use((jkt, claims["jti"]), issued_at + OLDEST, now):
            raise ProofRefused

    def _is_first_use(self, use: tuple[str, str], last: datetime, now: datetime) -> bool:
        with self._lock:
            for other in [other for other, until in self._used.items() if until < now]:
                del self._used[other]
            if use in self._used:
                return False
            self._used[use] = last
        return True


def _key_within(parsed: Any) -> Any:
    return _import(parsed.headers()["jwk"])


def _import(jwk: dict[str, Any]) -> Any:
    if "d" in jwk:
        raise ValueError("a private key belongs to its owner")
    return JWKRegistry.import_key({name: jwk[name] for name in _PUBLIC if name in jwk})


def _hash(token: str) -> str:
    return urlsafe_b64encode(hashlib.sha256(token.encode()).digest()).rstrip(b"=").decode()
