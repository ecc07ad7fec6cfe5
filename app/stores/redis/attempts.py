"""Sign-in attempts and wrong client secrets, counted in Redis under `attempts:<what was tried, hashed>`.

A sign-in counts before its password is checked, so that parallel guesses cannot pass the limit; it is taken
back when it succeeds. Of client secrets only wrong ones count.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from app.stores.redis.client import Redis, ask, key_for


@dataclass(frozen=True, slots=True)
class Allowance:
    """At most `most` attempts in one window by `whom`, which may be any words that identify somebody."""

    whom: tuple[str, ...]
    most: int


class AttemptStore:
    """Counts attempts in windows of fixed length. Every method raises StoreUnavailable."""

    def __init__(self, redis: Redis, *, window: timedelta) -> None:
        self._redis = redis
        self.window = window

    def count(self, allowances: Sequence[Allowance]) -> timedelta | None:
        """Counts one attempt against each allowance.

        Returns how long to wait where one of them is used up, a second at least; None where none is.
        """
        counted = zip(allowances, self._add(1, allowances), strict=True)
        waits = [seconds_left for allowance, (tried, seconds_left) in counted if tried > allowance.most]
        return timedelta(seconds=max(1, *waits)) if waits else None

    def take_back(self, allowances: Sequence[Allowance]) -> None:
        """Takes back one attempt that was no failure."""
        self._add(-1, allowances)

    def _add(self, number: int, allowances: Sequence[Allowance]) -> list[tuple[int, int]]:
        """Adds to each allowance's count; returns the count and the seconds that are left of its window.

        EXPIRE with NX gives an end to a count that has none, be it new or half written.
        """
        seconds = int(self.window.total_seconds())
        commands: list[Sequence[str | int]] = []
        for key in map(_key, allowances):
            commands += (("INCRBY", key, number), ("EXPIRE", key, seconds, "NX"), ("TTL", key))
        replies = ask(self._redis, *commands)
        return list(zip(replies[::3], replies[2::3], strict=True))


def _key(allowance: Allowance) -> str:
    return key_for("attempts", allowance.whom)
