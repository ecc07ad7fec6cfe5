"""Signing keys: a private JWK Set, for ES256 alone, in a file that only its owner can read.

The file lists the newest key first. The first key whose `signs_from` has passed signs. A new key is published
before it signs, so that resource servers that cache the set know it by then, and a retired one until its last
token is dead. Every worker notices a change of the file at the next use, without a restart.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import structlog
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, KeySet

ALGORITHM = "ES256"
TYPE = "at+jwt"
EVENT_TYPE = "secevent+jwt"
LONGEST_TOKEN_LIFE = timedelta(hours=1)  # the most that ACCORD_ACCESS_TOKEN_LIFETIME may be
CLOCKS_DIFFER = timedelta(seconds=30)  # the most that the clocks of two machines are taken to differ

CURVE = "P-256"
SIGNS_FROM = "signs_from"  # this member and the next are not of RFC 7517: ISO 8601 with a time zone
RETIRED_AT = "retired_at"
_NO_TIME = datetime.min.replace(tzinfo=UTC)

# What joserfc raises for input that is no token: it does not check the types of a header's members.
_NO_TOKEN = (JoseError, ValueError, TypeError, LookupError, AttributeError, RecursionError)

_log = structlog.get_logger()

Stamp = tuple[int, int, int]
"""The time of change, the inode and the size of a file, which differ after a change."""


@dataclass(frozen=True, slots=True)
class _TimedKey:
    """A key, and from when to when it signs; `retired_at` is None for a key that no other has followed."""

    key: ECKey
    signs_from: datetime
    retired_at: datetime | None

    def may_have_signed(self, claims: Mapping[str, Any]) -> bool:
        """Whether this key can have signed these claims: a retired key signs nothing later than its end."""
        if self.retired_at is None:
            return True
        issued_at, expires_at = claims.get("iat"), claims.get("exp")
        if not isinstance(issued_at, int) or not isinstance(expires_at, int):
            return False
        last = self.retired_at + CLOCKS_DIFFER
        return issued_at <= last.timestamp() and expires_at <= (last + LONGEST_TOKEN_LIFE).timestamp()

    def may_verify_at(self, now: datetime) -> bool:
        """Whether a token that this key has signed may still be alive."""
        return self.retired_at is None or now <= self.retired_at + CLOCKS_DIFFER + LONGEST_TOKEN_LIFE


@dataclass(frozen=True, slots=True)
class _Loaded:
    """The keys of the file as it was when `stamp` was taken."""

    stamp: Stamp
    keys: list[_TimedKey]
    key_set: KeySet
    public: dict[str, Any]

    def signing_at(self, moment: float) -> ECKey:
        """The first key that signs at `moment`, in seconds since 1970; the last key where none does yet."""
        begun = (timed.key for timed in self.keys if timed.signs_from.timestamp() <= moment)
        return next(begun, self.keys[-1].key)

    def may_have_signed(self, kid: object, claims: Mapping[str, Any]) -> bool:
        """Whether the key with this id can have signed these claims."""
        return any(timed.key.kid == kid and timed.may_have_signed(claims) for timed in self.keys)


class SigningKeys:
    """Signs access tokens and security events, and publishes the public halves of the keys.

    Raises ValueError for a file without keys.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._loaded = _load(path)
        self._refused: Stamp | OSError | None = None

    @property
    def public(self) -> dict[str, Any]:
        """The public halves of all keys of the file, as a JWK Set (RFC 7517 5)."""
        return self._current().public

    def published_at(self, now: datetime) -> dict[str, Any]:
        """The JWK Set to publish at `now`: without retired keys whose last token is dead (RFC 7517 5)."""
        loaded = self._current()
        living = {timed.key.kid for timed in loaded.keys if timed.may_verify_at(now)}
        return {"keys": [key for key in loaded.public["keys"] if key["kid"] in living]}

    def sign(self, claims: Mapping[str, Any]) -> str:
        """`claims` as a JWT access token (RFC 9068 2.1), signed by the key that signs at `iat`."""
        return self._signed(claims, TYPE)

    def sign_event(self, claims: Mapping[str, Any]) -> str:
        """`claims` as a Security Event Token (RFC 8417 2.3), signed by the key that signs at `iat`."""
        return self._signed(claims, EVENT_TYPE)

    def _signed(self, claims: Mapping[str, Any], typ: str) -> str:
        key = self._current().signing_at(claims["iat"])
        headers = {"alg": ALGORITHM, "typ": typ, "kid": key.kid}
        return jwt.encode(headers, dict(claims), key, algorithms=[ALGORITHM])

    def verify(self, token: str) -> dict[str, Any] | None:
        """The claims of an access token that was signed here; None for anything else (RFC 9068 4)."""
        loaded = self._current()
        try:
            decoded = jwt.decode(token, loaded.key_set, algorithms=[ALGORITHM])
        except _NO_TOKEN:
            return None
        header, claims = decoded.header, decoded.claims
        is_ours = header.get("typ") == TYPE and isinstance(claims.get("exp"), int)
        return dict(claims) if is_ours and loaded.may_have_signed(header.get("kid"), claims) else None

    def _current(self) -> _Loaded:
        """The keys as the file has them now; where it cannot be read, as they were when it could.

        A state of the file that cannot be read is logged once, and not read again.
        """
        stamp = self._stamp_of_file()
        if stamp == self._loaded.stamp:
            self._refused = None
        elif isinstance(stamp, OSError):
            if not isinstance(self._refused, OSError):
                self._refused = stamp
                _log.error("signing_keys_unreadable", exc_info=stamp)
        elif stamp != self._refused:
            try:
                self._loaded = _load(self._path)
            except ValueError as error:
                self._refused = stamp
                _log.error("signing_keys_unreadable", exc_info=error)
            else:
                _log.info("signing_keys_loaded", path=str(self._path), signing_keys=len(self._loaded.keys))
        return self._loaded

    def _stamp_of_file(self) -> Stamp | OSError:
        try:
            return _stamp(self._path)
        except OSError as error:
            return error


def _load(path: Path) -> _Loaded:
    try:
        stamp = _stamp(path)
    except OSError as error:
        raise ValueError(f"{path} cannot be read: {error.strerror}") from error
    keys = [
        _TimedKey(
            _key(member),
            moment_of(member, SIGNS_FROM),
            moment_of(member, RETIRED_AT) if RETIRED_AT in member else None,
        )
        for member in load_members(path)
    ]
    key_set = KeySet([timed.key for timed in keys])
    return _Loaded(stamp, keys, key_set, dict(key_set.as_dict(private=False)))


def load_members(path: Path) -> list[dict[str, Any]]:
    """The keys of the set as JSON; each can sign. Raises ValueError where one cannot, or there is none."""
    try:
        members = list(json.loads(path.read_text(encoding="utf-8"))["keys"])
        keys = [_key(member) for member in members]
        for member in members:
            _ = moment_of(member, SIGNS_FROM), moment_of(member, RETIRED_AT)
    except OSError as error:
        raise ValueError(f"{path} cannot be read: {error.strerror}") from error
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError, JoseError) as error:
        raise ValueError(f"{path} is not a JWK Set: {type(error).__name__}") from error
    if not members:
        raise ValueError(f"{path} has no key")
    if any(key.curve_name != CURVE or not key.is_private or not key.kid for key in keys):
        raise ValueError(f"{path} must hold private P-256 keys with a kid")
    return members


def _key(member: dict[str, Any]) -> ECKey:
    return ECKey.import_key(
        {name: value for name, value in member.items() if name not in (SIGNS_FROM, RETIRED_AT)}
    )


def moment_of(member: dict[str, Any], name: str) -> datetime:
    """The moment of `signs_from` or `retired_at`. Raises ValueError for one without a time zone."""
    if name not in member:
        return _NO_TIME
    moment = datetime.fromisoformat(member[name])
    if moment.tzinfo is None:
        raise ValueError(f"{name} has no time zone")
    return moment


def _stamp(path: Path) -> Stamp:
    status = path.stat()
    return status.st_mtime_ns, status.st_ino, status.st_size
