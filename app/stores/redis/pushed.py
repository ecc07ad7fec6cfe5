"""Pushed requests in Redis, under `pushed:<pushed_id>`, which is a hash: a dump of Redis opens no request."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import partial

from app.domain.pushed import PushedRequest
from app.domain.single_use import SingleUse
from app.stores.redis.authorization_record import (
    AuthorizationRecord,
    authorization_from,
    authorization_record,
)
from app.stores.redis.client import Redis, ask, look_up
from app.stores.redis.once import OnceStore
from app.stores.redis.redis_py import Command
from app.stores.redis.sealed import SealedRecords


class PushedStore:
    """Keeps what was pushed until its browser comes. Methods but `forgetting` raise StoreUnavailable."""

    def __init__(self, redis: Redis, records: SealedRecords, once: OnceStore) -> None:
        self._redis = redis
        self._records = records
        self._once = once

    def save(
        self, pushed: PushedRequest, lifetime: timedelta, *, uses: Sequence[SingleUse], now: datetime
    ) -> None:
        """Keeps `pushed` for `lifetime`, and spends `uses` in the same round trip.

        Raises OAuthError where one of the uses is not the first: then nobody learns what was kept.
        """
        spending = self._once.spending(uses, now=now)
        record = authorization_record(pushed.request)
        *noted, _ = ask(
            self._redis, *spending.commands, self._records.put(_key(pushed.pushed_id), record, lifetime)
        )
        spending.understand(noted)

    def find_pushed(self, pushed_id: str) -> PushedRequest | None:
        return look_up(self._redis, self._records.under(_key(pushed_id), partial(_pushed, pushed_id)))

    def forget(self, pushed_id: str) -> None:
        """Forgets what was answered."""
        ask(self._redis, *self.forgetting(pushed_id))

    def forgetting(self, pushed_id: str | None) -> list[Command]:
        """The commands of `forget`, for a store that sends others in the same round trip; none for None."""
        return [] if pushed_id is None else [("DEL", _key(pushed_id))]


def _key(pushed_id: str) -> str:
    return f"pushed:{pushed_id}"


def _pushed(pushed_id: str, record: AuthorizationRecord) -> PushedRequest:
    return PushedRequest(pushed_id, authorization_from(record))
