"""Sign-in attempts, counted in Redis under `attempts:<what was tried, hashed>`.

An attempt counts before the password is looked at, so that parallel guesses cannot slip past the count.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta

from app.stores.redis import Command, Redis, ask, key_for


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
        commands: list[Command] = []
        for key in map(_key, allowances):
            commands += (("DECRBY", key, 1), ("EXPIRE", key, self._window, "NX"))
        ask(self._redis, *commands)

    def _count(self, allowance: Allowance) -> timedelta | None:
        key = _key(allowance)
        _, tried, seconds_left = ask(
            self._redis, ("SET", key, 0, "EX", self._window, "NX"), ("INCRBY", key, 1), ("TTL", key)
        )
        return timedelta(seconds=max(1, seconds_left)) if tried > allowance.most else None


def _key(allowance: Allowance) -> str:
    return key_for("attempts", allowance.whom)
