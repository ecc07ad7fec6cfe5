"""Signing keys: a private JWK Set in a file that only its owner can read. ES256, nothing else.

The first key signs; all of them are published, so that a rotated key stays until its tokens are dead. A
change of the file is noticed at the next use, by every worker, without a restart.
"""

import json
import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import structlog
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, KeySet

ALGORITHM = "ES256"
TYPE = "at+jwt"
LONGEST_TOKEN_LIFE = timedelta(hours=1)  # the most that ACCORD_ACCESS_TOKEN_LIFETIME may be

_CURVE = "P-256"
_RETIRED_AT = "retired_at"

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class _Loaded:
    """The keys of one state of the file."""

    stamp: tuple[int, int, int]
    signing: ECKey
    key_set: KeySet
    public: dict[str, Any]


class SigningKeys:
    """Signs access tokens and publishes the public halves. Raises ValueError for a file without keys."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._loaded = _load(path)

    @property
    def public(self) -> dict[str, Any]:
        """The JWK Set to publish (RFC 7517 5)."""
        return self._current().public

    def sign(self, claims: Mapping[str, Any]) -> str:
        """`claims` as a JWT access token (RFC 9068 2.1)."""
        key = self._current().signing
        headers = {"alg": ALGORITHM, "typ": TYPE, "kid": key.kid}
        return jwt.encode(headers, dict(claims), key, algorithms=[ALGORITHM])

    def verify(self, token: str) -> dict[str, Any] | None:
        """The claims of an access token that was signed here; None for anything else (RFC 9068 4)."""
        try:
            decoded = jwt.decode(token, self._current().key_set, algorithms=[ALGORITHM])
        except (JoseError, ValueError):
            return None
        is_ours = decoded.header.get("typ") == TYPE and isinstance(decoded.claims.get("exp"), int)
        return dict(decoded.claims) if is_ours else None

    def _current(self) -> _Loaded:
        """The keys as the file has them now; as it had them last, when it cannot be read."""
        try:
            if _stamp(self._path) != self._loaded.stamp:
                self._loaded = _load(self._path)
        except (OSError, ValueError) as error:
            _log.error("signing_keys_unreadable", exc_info=error)
        return self._loaded


def generate_signing_keys(path: Path) -> None:
    """Writes a new key to `path`, mode 600. Raises FileExistsError: a key is never overwritten."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump({"keys": [_new_key()]}, file, indent=2)


def rotate_signing_keys(path: Path, *, now: datetime) -> tuple[str, list[str]]:
    """Puts a new key first. Those before it stay published until every token they signed is dead.

    Returns the new key's id and the ids of keys that were dropped because their time had come. The file is
    replaced in one step, mode 600. Raises ValueError for a file without keys, and OSError.
    """
    keys = _read(path)
    for key in keys:
        key.setdefault(_RETIRED_AT, now.isoformat())
    is_alive = [now - datetime.fromisoformat(key[_RETIRED_AT]) < LONGEST_TOKEN_LIFE for key in keys]
    new = _new_key()
    kept = [new, *(key for key, alive in zip(keys, is_alive, strict=True) if alive)]
    with tempfile.NamedTemporaryFile("w", encoding="utf-8", dir=path.parent, delete=False) as file:
        json.dump({"keys": kept}, file, indent=2)
        file.flush()
        os.fsync(file.fileno())
    Path(file.name).replace(path)
    return str(new["kid"]), [str(key["kid"]) for key, alive in zip(keys, is_alive, strict=True) if not alive]


def _new_key() -> dict[str, Any]:
    key = ECKey.generate_key(_CURVE, parameters={"use": "sig", "alg": ALGORITHM}, auto_kid=True)
    return dict(key.as_dict(private=True))


def _load(path: Path) -> _Loaded:
    stamp = _stamp(path) if path.exists() else (0, 0, 0)
    keys = []
    for member in _read(path):
        key = ECKey.import_key({name: value for name, value in member.items() if name != _RETIRED_AT})
        if key.curve_name != _CURVE or not key.is_private or not key.kid:
            raise ValueError(f"{path} must hold private P-256 keys with a kid")
        keys.append(key)
    key_set = KeySet(list(keys))
    return _Loaded(stamp, keys[0], key_set, dict(key_set.as_dict(private=False)))


def _read(path: Path) -> list[dict[str, Any]]:
    """The members of the set, each of which is a key. Raises ValueError."""
    try:
        members = json.loads(path.read_text(encoding="utf-8"))["keys"]
        for member in members:
            ECKey.import_key({name: value for name, value in member.items() if name != _RETIRED_AT})
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError, JoseError) as error:
        raise ValueError(f"{path} is not a JWK Set: {type(error).__name__}") from error
    if not members:
        raise ValueError(f"{path} has no key")
    return list(members)


def _stamp(path: Path) -> tuple[int, int, int]:
    status = path.stat()
    return status.st_mtime_ns, status.st_ino, status.st_size
