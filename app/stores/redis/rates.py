"""Rate limits by the minute, counted in each process, added up in Redis: `rates:<whom, hashed>:<minute>`.

A process tells Redis of its requests when they make up a twentieth of the limit, so that most requests cost
no round trip. The limit over all processes is exact but for that twentieth of each. When Redis does not
answer, each process keeps to the limit by itself, and nobody is refused because of it.
"""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from threading import Lock
from typing import Final

from app.stores.redis.client import Redis, ask, key_for
from app.stores.unavailable import StoreUnavailable

_MINUTE: Final = 60
_PARTS: Final = 20  # 5 % of a limit: how far a process may be over it, for one round trip in so many requests
# Whoever has more addresses than this makes us forget the ones that were seen first, at worst a minute early.
_MOST_COUNTED: Final = 20_000

Whom = tuple[str, ...]


@dataclass(slots=True)
class _Count:
    """Requests of one minute: here and not told yet, here in all, and everywhere as Redis last said."""

    untold: int = 0
    here: int = 0
    everywhere: int = 0

    @property
    def known(self) -> int:
        return max(self.here, self.everywhere + self.untold)


class Rates:
    """Counts requests in minutes of the clock. Raises nothing."""

    def __init__(self, redis: Redis, *, clock: Callable[[], datetime]) -> None:
        self._redis = redis
        self._clock = clock
        self._lock = Lock()
        self._minute = 0
        self._counts: OrderedDict[Whom, _Count] = OrderedDict()

    def __len__(self) -> int:
        """Of how many this process remembers something."""
        return len(self._counts)

    def count(self, whom: Whom, *, most: int) -> timedelta | None:
        """Counts one request; how long to wait when there were more than `most` this minute, else None."""
        now = int(self._clock().timestamp())
        minute = now // _MINUTE
        with self._lock:
            count = self._count_of(whom, minute)
            is_over = count.known >= most  # and Redis need not hear of more
            count.here += 1
            count.untold += 1
            untold = count.untold if not is_over and count.untold * _PARTS >= most else 0
            number = count.known
            count.untold -= untold
        if untold:
            number = max(number, everywhere := self._add(whom, minute, untold))
            with self._lock:
                count.everywhere = max(count.everywhere, everywhere)
        return timedelta(seconds=_MINUTE - now % _MINUTE) if number > most else None

    def _count_of(self, whom: Whom, minute: int) -> _Count:
        if minute != self._minute:
            self._minute = minute
            self._counts.clear()
        count = self._counts.get(whom)
        if count is None:
            count = self._counts[whom] = _Count()
            if len(self._counts) > _MOST_COUNTED:
                self._counts.popitem(last=False)
        return count

    def _add(self, whom: Whom, minute: int, untold: int) -> int:
        """How many there were everywhere; 0 when Redis does not say."""
        key = f"{key_for('rates', whom)}:{minute}"
        try:
            number, _ = ask(self._redis, ("INCRBY", key, untold), ("EXPIRE", key, 2 * _MINUTE))
        except StoreUnavailable:
            return 0
        return int(number)
