"""The public keys with which recipients sign who they are (RFC 7523), found by client and name."""

import hashlib
from base64 import urlsafe_b64encode
from collections.abc import Iterable
from typing import Any, Final

from joserfc.jwk import ECKey, OKPKey

from app.domain.jws import PublicKey
from app.domain.registry import Registry
from app.public_keys import PublicJwk, import_public_key


class RecipientKeys:
    """Finds a key for a signature that claims to be a recipient's."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry

    def find(self, client_id: str, kid: str | None, algorithm: str) -> PublicKey:
        """The client's key with this `kid`, or its only one for `algorithm` where the signature names none.

        Where there is none, the answer is a key that has never signed anything, so that the time tells nobody
        who is registered, and how.
        """
        client = self._registry.find_client(client_id)
        return (None if client is None else _among(client.keys, kid, algorithm)) or _nobodys(algorithm)


def _among(keys: Iterable[PublicKey], kid: str | None, algorithm: str) -> PublicKey | None:
    fitting = [key for key in keys if key.fits(algorithm)]
    if kid is None:
        return fitting[0] if len(fitting) == 1 else None
    return next((key for key in fitting if key.kid == kid), None)


def _nobodys(algorithm: str) -> PublicKey:
    return next(key for key in _NOBODYS if key.fits(algorithm))


def _keys_of_nobody() -> tuple[PublicJwk, ...]:
    """A key of each kind whose private half nobody has: two are thrown away here, and one never was."""
    odd = bytearray(hashlib.shake_256(b"nobody").digest(256))
    odd[0] |= 0x80
    odd[-1] |= 1
    modulus = urlsafe_b64encode(bytes(odd)).rstrip(b"=").decode("ascii")
    jwks: list[dict[str, Any]] = [
        dict(ECKey.generate_key("P-256").as_dict(private=False)),
        dict(OKPKey.generate_key("Ed25519").as_dict(private=False)),
        {"kty": "RSA", "n": modulus, "e": "AQAB"},
    ]
    return tuple(import_public_key(jwk) for jwk in jwks)


_NOBODYS: Final = _keys_of_nobody()
