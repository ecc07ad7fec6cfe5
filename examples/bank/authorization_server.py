"""What a bank's API asks of Accord: its public keys (RFC 7517), and whether a token works now (RFC 7662).

Both answers are kept for a while. Whatever else happens raises Unavailable: without Accord nothing is open.
"""

import json
import time
from collections import OrderedDict
from collections.abc import Mapping
from datetime import datetime, timedelta
from hashlib import sha256
from threading import Lock
from typing import Any
from urllib.parse import quote_plus

import urllib3
from joserfc.errors import JoseError
from joserfc.jwk import KeySet
from urllib3.util import Timeout, make_headers

PATIENCE = 1.0  # seconds that an answer may take: a customer's app waits meanwhile
LONGEST_ANSWER = 1 << 20  # bytes, several times what a consent for 200 accounts takes
KEYS_LIFETIME = timedelta(minutes=10)
FAILURE_PAUSE = timedelta(seconds=1)  # whoever has waited for a try that failed does not begin another
UNKNOWN_KEY_PAUSE = timedelta(seconds=10)  # an invented `kid` must not make a call each time
LONGEST_WITHDRAWAL_DELAY = timedelta(seconds=30)
MOST_KEPT = 10_000  # answers about tokens


class Unavailable(Exception):
    """Accord does not answer in time, or not with what the protocol says."""


class AuthorizationServer:
    """Accord at `issuer`, and the credentials of this API there, which registers as a resource server.

    With a `withdrawal_delay` a positive answer about a token is used again for so long: that saves a call,
    and for so long data flows on after a customer has stopped sharing.
    """

    def __init__(
        self, issuer: str, server_id: str, secret: str, *, withdrawal_delay: timedelta = timedelta(0)
    ) -> None:
        if not timedelta(0) <= withdrawal_delay <= LONGEST_WITHDRAWAL_DELAY:
            raise ValueError(
                f"withdrawal_delay is more than {LONGEST_WITHDRAWAL_DELAY.seconds} seconds, or negative"
            )
        self.issuer = issuer
        self.withdrawal_delay = withdrawal_delay
        # RFC 6749 2.3.1: both are form-encoded before Base64.
        self._credentials = make_headers(basic_auth=f"{quote_plus(server_id)}:{quote_plus(secret)}")
        self._http = urllib3.PoolManager(maxsize=16, timeout=Timeout(total=PATIENCE), retries=False)
        self._keys: Mapping[str, Any] = {}
        self._keys_until: datetime | None = None
        self._keys_pause_until: datetime | None = None
        self._keys_failed_until: datetime | None = None
        self._keys_lock = Lock()
        self._answers: OrderedDict[bytes, tuple[datetime, Mapping[str, Any]]] = OrderedDict()
        self._answers_lock = Lock()

    def find_key(self, kid: object, now: datetime) -> Any:
        """The public key with this `kid`; None where Accord has none. Raises Unavailable."""
        with self._keys_lock:  # the others wait for the one that fetches
            if self._keys_until is None or now >= self._keys_until:
                self._fetch_keys(now)
            if kid not in self._keys and (self._keys_pause_until is None or now >= self._keys_pause_until):
                self._fetch_keys(now)  # the keys may have been rotated
            return self._keys.get(str(kid))

    def introspect(self, token: str, now: datetime) -> Mapping[str, Any]:
        """What Accord says of the token, which it may not know. Raises Unavailable."""
        if not self.withdrawal_delay:
            return self._introspect(token)
        name = sha256(token.encode()).digest()  # a copy of this memory is no copy of the tokens
        with self._answers_lock:
            until, answer = self._answers.get(name, (now, {}))
        if now < until:
            return answer
        answer = self._introspect(token)
        if answer["active"]:
            with self._answers_lock:
                self._answers[name] = (now + self.withdrawal_delay, answer)
                if len(self._answers) > MOST_KEPT:
                    self._answers.popitem(last=False)
        return answer

    def _introspect(self, token: str) -> Mapping[str, Any]:
        answer = self._ask(
            "POST",
            "/api/v1/introspect",
            fields={"token": token},
            encode_multipart=False,
            headers=self._credentials,
        )
        if not isinstance(answer.get("active"), bool):
            raise Unavailable("the introspection says nothing")
        return answer

    def _fetch_keys(self, now: datetime) -> None:
        if self._keys_failed_until is not None and now < self._keys_failed_until:
            raise Unavailable("the keys could not be fetched just now")
        self._keys_failed_until = now + FAILURE_PAUSE  # until it has succeeded
        try:
            keys = KeySet.import_key_set(self._ask("GET", "/.well-known/jwks.json"))  # type: ignore[arg-type]
        except (JoseError, KeyError, TypeError, ValueError) as error:
            raise Unavailable("these are no keys") from error
        self._keys_failed_until = None
        self._keys = {key.kid: key for key in keys.keys if key.kid}
        self._keys_until, self._keys_pause_until = now + KEYS_LIFETIME, now + UNKNOWN_KEY_PAUSE

    def _ask(self, method: str, path: str, **request: Any) -> Mapping[str, Any]:
        deadline = time.monotonic() + PATIENCE
        body = bytearray()
        try:
            url = self.issuer.rstrip("/") + path
            with self._http.request(
                method, url, preload_content=False, redirect=False, **request
            ) as response:
                for part in response.stream(1 << 16):
                    body += part
                    if len(body) > LONGEST_ANSWER or time.monotonic() > deadline:
                        raise Unavailable("the answer is too long, or takes too long")
            answer = json.loads(body)
        except (urllib3.exceptions.HTTPError, OSError, ValueError) as error:
            raise Unavailable(type(error).__name__) from error
        if response.status != 200 or not isinstance(answer, dict):
            raise Unavailable(f"the status is {response.status}")
        return answer
