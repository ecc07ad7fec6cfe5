"""What a bank's OpenID Connect server publishes of itself: its metadata and its keys (Discovery 1.0)."""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import structlog
from joserfc.errors import InvalidKeyIdError, JoseError
from joserfc.jwk import JWKRegistry, Key, KeySet

from app.domain.addresses import fault_in_bank_address
from app.outgoing.deadline import Deadline
from app.outgoing.http import get_json
from app.sign_in import Cause, SignInFailed

_log = structlog.get_logger()

# How long metadata and keys are kept, and so how long a key that the bank has withdrawn is still believed. A
# new key is found at once, since tokens name it.
OLDEST = timedelta(minutes=10)

# The least time between two fetches of keys, whatever tokens name: a customer waits for a new key meanwhile.
# It is shorter than for recipients (app/recipient_keys.py), whose keys anybody can name: a bank sends these
# tokens itself.
SOONEST = timedelta(seconds=10)

# What a public key is made of (RFC 7517 4, RFC 7518 6, RFC 8037 2).
_KEY_MEMBERS = ("kty", "kid", "use", "alg", "key_ops", "crv", "x", "y", "n", "e")


@dataclass(frozen=True, slots=True)
class ServerMetadata:
    """What a client needs of RFC 8414 2. `names_itself`: every answer carries `iss` (RFC 9207)."""

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    takes_basic: bool
    names_itself: bool
    userinfo_endpoint: str | None = None


class OidcServer:
    """One issuer. What it publishes is fetched when it is needed and kept for ten minutes.

    One thread at a time asks; the others wait for what it brings, each until its own deadline. Every method
    raises SignInFailed, and CallFailed where the server could not be asked.
    """

    def __init__(self, issuer: str, *, clock: Callable[[], datetime]) -> None:
        self._issuer = issuer
        self._clock = clock
        self._asking = threading.Lock()
        self._metadata: tuple[datetime, ServerMetadata] | None = None
        self._keys: tuple[datetime, KeySet] | None = None
        self._keys_asked_at: datetime | None = None
        self._was_warned_of = False

    def known_metadata(self) -> ServerMetadata | None:
        """The metadata, if they are known and not too old. Never waits."""
        known = self._metadata
        return None if known is None or self._clock() - known[0] > OLDEST else known[1]

    def metadata(self, deadline: Deadline) -> ServerMetadata:
        known = self.known_metadata()
        if known is not None:
            return known
        with self._asking:
            known = self.known_metadata()  # somebody else may have asked in the meantime
            if known is None:
                address = self._issuer.rstrip("/") + "/.well-known/openid-configuration"
                known = parse_metadata(get_json(address, deadline=deadline), self._issuer)
                self._metadata = self._clock(), known
                self._warn_of(known)
            return known

    def _warn_of(self, metadata: ServerMetadata) -> None:
        """Warns once of a bank that does not say in its answers whose they are (`iss`, RFC 9207)."""
        if not metadata.names_itself and not self._was_warned_of:
            self._was_warned_of = True
            _log.warning("bank_without_iss", issuer=metadata.issuer)

    def find_key(self, kid: str | None, algorithm: str, deadline: Deadline) -> Key:
        """The key that a token names. For an unknown name keys are fetched anew, at most every SOONEST."""
        address = self.metadata(deadline).jwks_uri
        with self._asking:
            now = self._clock()
            if self._keys is None or now - self._keys[0] > OLDEST:
                self._fetch_keys(address, now, deadline)
            key = self._known_key(kid, algorithm)
            if key is None and self._may_ask_again(now):
                self._fetch_keys(address, now, deadline)
                key = self._known_key(kid, algorithm)
        if key is None:
            raise SignInFailed(Cause.UNPROVEN, "unknown_key")
        return key

    def _may_ask_again(self, now: datetime) -> bool:
        return self._keys_asked_at is None or now - self._keys_asked_at >= SOONEST

    def _fetch_keys(self, address: str, now: datetime, deadline: Deadline) -> None:
        self._keys_asked_at = now
        self._keys = now, parse_keys(get_json(address, deadline=deadline))

    def _known_key(self, kid: str | None, algorithm: str) -> Key | None:
        if self._keys is None:
            return None
        try:
            return self._keys[1].get_by_kid(kid, {"alg": algorithm, "use": "sig"})
        except InvalidKeyIdError:
            return None


def parse_metadata(found: Mapping[str, Any], issuer: str) -> ServerMetadata:
    """Raises SignInFailed unless they are the issuer's own (Discovery 1.0, 4.3) and have safe addresses."""
    if found.get("issuer") != issuer:
        raise SignInFailed(Cause.UNAVAILABLE, "metadata_of_another")
    methods = found.get("token_endpoint_auth_methods_supported")
    return ServerMetadata(
        issuer=issuer,
        authorization_endpoint=_address(found, "authorization_endpoint", issuer),
        token_endpoint=_address(found, "token_endpoint", issuer),
        jwks_uri=_address(found, "jwks_uri", issuer),
        takes_basic=not isinstance(methods, list) or "client_secret_basic" in methods,
        names_itself=found.get("authorization_response_iss_parameter_supported") is True,
        userinfo_endpoint=_optional_address(found, "userinfo_endpoint", issuer),
    )


def _address(found: Mapping[str, Any], name: str, issuer: str) -> str:
    """An address as safe as the issuer's own: only a server on loopback may send us to loopback."""
    address = _optional_address(found, name, issuer)
    if address is None:
        raise SignInFailed(Cause.UNAVAILABLE, "metadata_without_address")
    return address


def _optional_address(found: Mapping[str, Any], name: str, issuer: str) -> str | None:
    address = found.get(name)
    if not isinstance(address, str) or fault_in_bank_address(address) is not None:
        return None
    return None if issuer.startswith("https:") and not address.startswith("https:") else address


def parse_keys(found: Mapping[str, Any]) -> KeySet:
    """The keys that can be read. Others in the set, and other members, are ignored (RFC 7517 4, 5)."""
    published = found.get("keys")
    keys = [_parse_key(each) for each in published] if isinstance(published, list) else []
    readable = [key for key in keys if key is not None]
    if not readable:
        raise SignInFailed(Cause.UNAVAILABLE, "no_keys")
    return KeySet(readable)


def _parse_key(found: object) -> Key | None:
    if not isinstance(found, dict):
        return None
    try:
        return JWKRegistry.import_key({name: found[name] for name in _KEY_MEMBERS if name in found})
    except (JoseError, ValueError, KeyError, TypeError, AttributeError):
        return None
