"""The public keys with which recipients sign who they are (RFC 7523), found by client and name."""

import hashlib
from base64 import urlsafe_b64encode
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from functools import partial
from threading import Lock
from typing import Any, Final

import structlog
from joserfc.jwk import ECKey, OKPKey

from app.domain.jws import PublicKey
from app.domain.networks import Network, may_be_reached
from app.domain.registry import Registry
from app.outgoing import CallFailed
from app.outgoing.bulkhead import Bulkhead
from app.outgoing.deadline import Deadline
from app.outgoing.http import MayConnect, get_json
from app.public_keys import PublicJwk, import_public_key

OLDEST: Final = timedelta(minutes=10)
"""How long published keys are kept, and so how long a key that was withdrawn is still believed."""
LONGEST_BELIEVED: Final = timedelta(hours=24)
"""How long they are believed while they cannot be fetched anew. A judgement: a recipient whose server is away
for a night still gets data, and a stolen key is not good for ever because nobody can read that it was
withdrawn.
"""
SOONEST: Final = timedelta(seconds=60)
"""The least time between two fetches of one recipient's keys, whatever signatures name: somebody who makes up
names must not flood the recipient.
"""
TIMEOUT: Final = timedelta(seconds=2)
"""For one fetch, during which the recipient's request waits: a judgement."""
MOST_KEYS: Final = 20  # of one recipient: a judgement, since two are in use while one replaces the other

_log = structlog.get_logger()


class RecipientKeys:
    """Finds a key for a signature that claims to be a recipient's.

    At most `slots` threads wait for recipients that publish their keys, so that others are served meanwhile.
    Their servers are on the internet, or in the networks that are `opened`.
    """

    def __init__(
        self,
        registry: Registry,
        *,
        slots: int,
        clock: Callable[[], datetime],
        opened: tuple[Network, ...] = (),
    ) -> None:
        self._registry = registry
        may_connect = partial(may_be_reached, opened=opened)
        bulkhead = Bulkhead(slots=slots, timeout=TIMEOUT)
        self._published = {
            client.client_id: _PublishedKeys(client.client_id, client.jwks_uri, bulkhead, may_connect, clock)
            for client in registry.clients.values()
            if client.jwks_uri is not None
        }

    def find(self, client_id: str, kid: str | None, algorithm: str) -> PublicKey:
        """The client's key with this `kid`, or its only one for `algorithm` where the signature names none.

        Where there is none, it returns a dummy key: the time of the verification then tells nobody which
        clients are registered, and with which keys.
        """
        client = self._registry.find_client(client_id)
        if client is None:
            return _nobodys(algorithm)
        published = self._published.get(client_id)
        found = _among(client.keys, kid, algorithm) if published is None else published.find(kid, algorithm)
        return found or _nobodys(algorithm)


class _PublishedKeys:
    """The keys that one recipient publishes (`jwks_uri`). A fetch that fails takes none away, for a day.

    One thread at a time asks; the others wait for what it brings.
    """

    def __init__(
        self,
        client_id: str,
        address: str,
        bulkhead: Bulkhead,
        may_connect: MayConnect,
        clock: Callable[[], datetime],
    ) -> None:
        self._client_id = client_id
        self._address = address
        self._bulkhead = bulkhead
        self._may_connect = may_connect
        self._clock = clock
        self._asking = Lock()
        self._keys: tuple[PublicKey, ...] = ()
        self._fetched_at: datetime | None = None
        self._asked_at: datetime | None = None

    def find(self, kid: str | None, algorithm: str) -> PublicKey | None:
        """The key, if it is known; for an unknown name, and when they are old, keys are fetched anew."""
        now = self._clock()
        key = self._known(kid, algorithm, now, OLDEST)
        if key is not None:
            return key
        if self._asking.acquire(timeout=TIMEOUT.total_seconds()):
            try:
                if self._asked_at is None or now - self._asked_at >= SOONEST:
                    self._asked_at = now
                    self._fetch(now)
            finally:
                self._asking.release()
        return self._known(kid, algorithm, now, LONGEST_BELIEVED)

    def _known(self, kid: str | None, algorithm: str, now: datetime, oldest: timedelta) -> PublicKey | None:
        if self._fetched_at is None or now - self._fetched_at > oldest:
            return None
        return _among(self._keys, kid, algorithm)

    def _fetch(self, now: datetime) -> None:
        try:
            found = self._bulkhead.wait_for(self._ask)
        except CallFailed as failed:
            _log.warning("recipient_keys_unavailable", client_id=self._client_id, reason=failed.detail)
            return
        keys = tuple(_readable(found))
        if not keys:
            _log.warning("recipient_keys_unavailable", client_id=self._client_id, reason="no_keys")
            return
        self._keys, self._fetched_at = keys, now

    def _ask(self, deadline: Deadline) -> dict[str, Any]:
        return get_json(self._address, deadline=deadline, may_connect=self._may_connect)


def _readable(found: Mapping[str, Any]) -> Iterator[PublicKey]:
    """The keys of a JWK Set that are for signatures, and of a kind that is known (RFC 7517 5)."""
    published = found.get("keys")
    for jwk in published[:MOST_KEYS] if isinstance(published, list) else ():
        if isinstance(jwk, dict) and jwk.get("use", "sig") == "sig":
            with suppress(ValueError):
                yield import_public_key(jwk)


def _among(keys: Iterable[PublicKey], kid: str | None, algorithm: str) -> PublicKey | None:
    fitting = [key for key in keys if key.fits(algorithm)]
    if kid is None:
        return fitting[0] if len(fitting) == 1 else None
    return next((key for key in fitting if key.kid == kid), None)


def _nobodys(algorithm: str) -> PublicKey:
    return next(key for key in _NOBODYS if key.fits(algorithm))


def _keys_of_nobody() -> tuple[PublicJwk, ...]:
    """A key of each kind whose private half nobody has: two are discarded here, and one never existed."""
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
