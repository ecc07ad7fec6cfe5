"""Signing keys: a private JWK Set in a file that only its owner can read. ES256, nothing else.

The first key signs; all of them are published, so that a retired key stays until its tokens are dead.
"""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, KeySet

ALGORITHM = "ES256"
TYPE = "at+jwt"

_CURVE = "P-256"


class SigningKeys:
    """Signs access tokens and publishes the public halves. Raises ValueError for a file without keys."""

    def __init__(self, path: Path) -> None:
        self._keys = _read(path)
        self._headers = {"alg": ALGORITHM, "typ": TYPE, "kid": self._keys[0].kid}
        self._key_set = KeySet(list(self._keys))
        self.public = self._key_set.as_dict(private=False)

    def sign(self, claims: Mapping[str, Any]) -> str:
        """`claims` as a JWT access token (RFC 9068 2.1)."""
        return jwt.encode(self._headers, dict(claims), self._keys[0], algorithms=[ALGORITHM])

    def verify(self, token: str) -> dict[str, Any] | None:
        """The claims of an access token that was signed here; None for anything else (RFC 9068 4)."""
        try:
            decoded = jwt.decode(token, self._key_set, algorithms=[ALGORITHM])
        except (JoseError, ValueError):
            return None
        is_ours = decoded.header.get("typ") == TYPE and isinstance(decoded.claims.get("exp"), int)
        return dict(decoded.claims) if is_ours else None


def generate_signing_keys(path: Path) -> None:
    """Writes a new key to `path`, mode 600. Raises FileExistsError: a key is never overwritten."""
    key = ECKey.generate_key(_CURVE, parameters={"use": "sig", "alg": ALGORITHM}, auto_kid=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump({"keys": [key.as_dict(private=True)]}, file, indent=2)


def _read(path: Path) -> list[ECKey]:
    try:
        keys = [ECKey.import_key(key) for key in json.loads(path.read_text(encoding="utf-8"))["keys"]]
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError, JoseError) as error:
        raise ValueError(f"{path} is not a JWK Set: {type(error).__name__}") from error
    if not keys:
        raise ValueError(f"{path} has no key")
    for key in keys:
        if key.curve_name != _CURVE or not key.is_private or not key.kid:
            raise ValueError(f"{path} must hold private P-256 keys with a kid")
    return keys
