"""Signatures with the secret keys of the settings: of codes, of the session's cookie, of forms."""

import hmac
from collections.abc import Sequence
from typing import Final

from itsdangerous import Signer
from itsdangerous.signer import SigningAlgorithm

_SHA256: Final = "sha256"


class _HmacSha256(SigningAlgorithm):
    """What itsdangerous does by default with SHA-256, in one call."""

    def get_signature(self, key: bytes, value: bytes) -> bytes:
        return hmac.digest(key, value, _SHA256)


def make_signer(secret_keys: Sequence[str], purpose: str) -> Signer:
    """Signs for one purpose, and no other. `secret_keys`: from the oldest to the one that signs.

    A key of its own is derived for the purpose here, where itsdangerous would do so for each signature.
    """
    salt = f"accord.{purpose}".encode()
    keys = [hmac.digest(key.encode(), salt, _SHA256) for key in secret_keys]
    return Signer(keys, key_derivation="none", algorithm=_HmacSha256())
