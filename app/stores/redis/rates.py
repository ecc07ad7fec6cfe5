"""Rate limits by the minute, counted in each process, added up in Redis: `rates:<whom, hashed>:<minute>`.

A process adds its requests to the count in Redis when they make up a twentieth of the limit, so that most
requests cost no round trip; each process may exceed the limit by that twentieth. While Redis does not answer,
each process applies the limit to its own requests.
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
_PARTS: Final = 20
"""Into how many parts a limit is divided: a process may be 5 % over it, for one round trip a part."""
_MOST_COUNTED: Final = 20_000
"""How many counts a process keeps, some 5 MB. Of more, the oldest are dropped, at worst a minute early."""

Whom = tuple[str, ...]


@dataclass(slots=True)
class _Count:
    """Requests of one minute: those of this process that Redis does not count yet, all of this process, and
    the count of all processes that Redis gave last.
    """

    unsent: int = 0
    here: int = 0
    everywhere: int = 0

    @property
    def known(self) -> int:
        return max(self.here, self.everywhere + self.unsent)


class Rates:
    """Counts requests by minutes of the clock. No method raises StoreUnavailable."""

    def __init__(self, redis: Redis, *, clock: Callable[[], datetime]) -> None:
        self._redis = redis
        self._clock = clock
        self._lock = Lock()
        self._minute = 0
        self._counts: OrderedDict[Whom, _Count] = OrderedDict()

    def __len__(self) -> int:
        """How many counts this process keeps."""
        return len(self._counts)

    def count(self, whom: Whom, *, most: int) -> timedelta | None:
        """Counts one request of `whom`.

        Returns how long to wait where there were more than `most` in this minute; None where there were not.
        """
        now = int(self._clock().timestamp())
        minute = now // _MINUTE
        with self._lock:
            count = self._count_of(whom, minute)
            is_over = count.known >= most  # Redis need not count what is refused
            count.here += 1
            count.unsent += 1
            unsent = count.unsent if not is_over and count.unsent * _PARTS >= most else 0
            number = count.known
            count.unsent -= unsent
        if unsent:
            number = max(number, everywhere := self._add(whom, minute, unsent))
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

    def _add(self, whom: Whom, minute: int, unsent: int) -> int:
        """The count of all processes, `unsent` of this one added; 0 while Redis does not answer."""
        key = f"{key_for('rates', whom)}:{minute}"
        try:
            number, _ = ask(self._redis, ("INCRBY", key, unsent), ("EXPIRE", key, 2 * _MINUTE))
        except StoreUnavailable:
            return 0
        return int(number)
