"""Remembers in Redis what was used, under `once:<what, hashed>`, for as long as it could be used again.

Redis decides which use is the first (docs/adr/0034): SET with NX is one step, so that of parallel uses
exactly one is.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from app.domain.single_use import SingleUse, require_first_use
from app.stores.redis.client import Lookup, Redis, key_for, look_up
from app.stores.redis.redis_py import Command


class OnceStore:
    """Notes uses. `spend` raises StoreUnavailable, after which the uses may have been noted."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    def spend(self, uses: Sequence[SingleUse], *, now: datetime) -> None:
        """Notes all `uses`. Raises OAuthError where one of them is not the first. None costs nothing."""
        if uses:
            look_up(self._redis, self.spending(uses, now=now))

    def spending(self, uses: Sequence[SingleUse], *, now: datetime) -> Lookup[None]:
        """The lookup behind `spend`, for a store that combines it with its own in one round trip."""

        def understand(replies: list[Any]) -> None:
            require_first_use(zip(uses, map(bool, replies), strict=True))

        return Lookup(tuple(_noting(use, now) for use in uses), understand)


def _noting(use: SingleUse, now: datetime) -> Command:
    milliseconds = max(1, int((use.forget_at - now).total_seconds() * 1000))
    return ("SET", key_for("once", (use.kind, *use.names)), 1, "PX", milliseconds, "NX")
