"""Signatures of codes, session cookies and form tokens, with the secret keys (HMAC-SHA-256)."""

import hmac
from collections.abc import Sequence
from typing import Final

from itsdangerous import Signer
from itsdangerous.signer import SigningAlgorithm

_SHA256: Final = "sha256"


class _HmacSha256(SigningAlgorithm):
    """The same as itsdangerous' HMACAlgorithm with SHA-256, by a faster function of the standard library."""

    def get_signature(self, key: bytes, value: bytes) -> bytes:
        return hmac.digest(key, value, _SHA256)


def make_signer(secret_keys: Sequence[str], purpose: str) -> Signer:
    """A signer for one purpose, such as `session`, whose signatures are not valid for any other.

    `secret_keys` are sorted from the oldest to the one that signs. The key for the purpose is derived here,
    once; itsdangerous would derive it for each signature.
    """
    salt = f"accord.{purpose}".encode()
    keys = [hmac.digest(key.encode(), salt, _SHA256) for key in secret_keys]
    return Signer(keys, key_derivation="none", algorithm=_HmacSha256())
