"""Sign-ins under way at a bank, in Redis under `sign_ins:<state>`.

`sign_ins:<state>:used` says that the browser has come back. The record stays until it would have expired, so
that an answer which comes twice still finds its request.
"""

from datetime import datetime, timedelta
from functools import partial
from typing import TypedDict

from app.domain.sign_in import LONGEST_SIGN_IN, PendingSignIn
from app.stores.redis.client import Redis, ask, look_up
from app.stores.redis.sealed import SealedRecords


class _Record(TypedDict):
    """A sign-in as JSON; `begun` in ISO 8601."""

    browser: str
    provider: str
    issuer: str
    request: str | None
    nonce: str
    verifier: str
    again: bool
    begun: str


class SignInStore:
    """Keeps pending sign-ins, each of which is used once. Every method raises StoreUnavailable."""

    def __init__(
        self, redis: Redis, records: SealedRecords, *, lifetime: timedelta = LONGEST_SIGN_IN
    ) -> None:
        self._redis = redis
        self._records = records
        self._lifetime = lifetime

    def save(self, pending: PendingSignIn) -> None:
        ask(self._redis, self._records.put(_key(pending.state), _record(pending), self._lifetime))

    def find_sign_in(self, state: str) -> PendingSignIn | None:
        return look_up(self._redis, self._records.under(_key(state), partial(_pending, state)))

    def use(self, state: str) -> bool:
        """Whether this call is the first use of `state`; of parallel calls exactly one is."""
        milliseconds = int(self._lifetime.total_seconds() * 1000)
        (reply,) = ask(self._redis, ("SET", f"{_key(state)}:used", 1, "PX", milliseconds, "NX"))
        return bool(reply)


def _key(state: str) -> str:
    return f"sign_ins:{state}"


def _record(pending: PendingSignIn) -> _Record:
    return {
        "browser": pending.browser_id,
        "provider": pending.provider_id,
        "issuer": pending.issuer,
        "request": pending.request_id,
        "nonce": pending.nonce,
        "verifier": pending.code_verifier,
        "again": pending.must_ask_again,
        "begun": pending.begun_at.isoformat(),
    }


def _pending(state: str, record: _Record) -> PendingSignIn:
    return PendingSignIn(
        state=state,
        browser_id=record["browser"],
        provider_id=record["provider"],
        issuer=record["issuer"],
        request_id=record["request"],
        nonce=record["nonce"],
        code_verifier=record["verifier"],
        must_ask_again=record["again"],
        begun_at=datetime.fromisoformat(record["begun"]),
    )
