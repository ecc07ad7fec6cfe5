"""Sign-in attempts, counted in Redis under `attempts:<what was tried, hashed>`.

An attempt counts before the password is looked at, so that parallel guesses cannot slip past the count.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta

from app.stores.redis import Redis, answering, key_for


@dataclass(frozen=True, slots=True)
class Allowance:
    """At most `most` attempts in one window, counted for `whom` (whatever identifies it)."""

    whom: tuple[str, ...]
    most: int


class AttemptStore:
    """Counts attempts in windows of fixed length. Every method raises StoreUnavailable."""

    def __init__(self, redis: Redis, *, window: timedelta) -> None:
        self._redis = redis
        self._window = int(window.total_seconds())

    def count(self, allowances: Iterable[Allowance]) -> timedelta | None:
        """Counts one attempt against each allowance; how long to wait when one is used up, else None."""
        waits = [wait for allowance in allowances if (wait := self._count(allowance)) is not None]
        return max(waits, default=None)

    def take_back(self, allowances: Iterable[Allowance]) -> None:
        """Takes one attempt back: it was no failure, the customer signed in."""
        with answering(self._redis), self._redis.pipeline(transaction=False) as pipeline:
            for allowance in allowances:
                pipeline.decr(_key(allowance))
                pipeline.expire(_key(allowance), self._window, nx=True)
            pipeline.execute()

    def _count(self, allowance: Allowance) -> timedelta | None:
        key = _key(allowance)
        with answering(self._redis), self._redis.pipeline(transaction=False) as pipeline:
            pipeline.set(key, 0, ex=self._window, nx=True)
            pipeline.incr(key)
            pipeline.ttl(key)
            _, tried, seconds_left = pipeline.execute()
        return timedelta(seconds=max(1, seconds_left)) if tried > allowance.most else None


def _key(allowance: Allowance) -> str:
    return key_for("attempts", allowance.whom)
