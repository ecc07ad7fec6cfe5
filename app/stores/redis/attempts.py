"""Sign-in attempts and wrong client secrets, counted in Redis under `attempts:<what was tried, hashed>`.

A sign-in counts before the password is looked at, so that parallel guesses cannot slip past the count.
Of client secrets, which nobody guesses, only wrong ones count.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from app.stores.redis.client import Command, Redis, ask, key_for


@dataclass(frozen=True, slots=True)
class Allowance:
    """At most `most` attempts in one window, counted for `whom` (whatever identifies it)."""

    whom: tuple[str, ...]
    most: int


class AttemptStore:
    """Counts attempts in windows of fixed length. Every method raises StoreUnavailable."""

    def __init__(self, redis: Redis, *, window: timedelta) -> None:
        self._redis = redis
        self.window = window

    def count(self, allowances: Sequence[Allowance]) -> timedelta | None:
        """Counts one attempt against each allowance; how long to wait when one is used up, else None."""
        counted = zip(allowances, self._add(1, allowances), strict=True)
        waits = [seconds_left for allowance, (tried, seconds_left) in counted if tried > allowance.most]
        return timedelta(seconds=max(1, *waits)) if waits else None

    def take_back(self, allowances: Sequence[Allowance]) -> None:
        """Takes one attempt back: it was no failure, the customer signed in."""
        self._add(-1, allowances)

    def _add(self, number: int, allowances: Sequence[Allowance]) -> list[tuple[int, int]]:
        """How many attempts there are now in the window of each allowance, and the seconds left of it.

        A count that has no end, whyever, is given one.
        """
        seconds = int(self.window.total_seconds())
        commands: list[Command] = []
        for key in map(_key, allowances):
            commands += (("INCRBY", key, number), ("EXPIRE", key, seconds, "NX"), ("TTL", key))
        replies = ask(self._redis, *commands)
        return list(zip(replies[::3], replies[2::3], strict=True))


def _key(allowance: Allowance) -> str:
    return key_for("attempts", allowance.whom)
