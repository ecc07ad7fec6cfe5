"""Wrong client secrets, by the address that they come from: an address with too many of them has to wait.

Whoever authenticates at the first try costs no round trip: an address is asked about only for a while after
a failure that this process has seen. So of a guesser's attempts each process lets those through that came at
the same moment as the first; the others, right or wrong, are counted before anybody looks at the secret.
"""

from collections import OrderedDict
from collections.abc import Callable
from datetime import datetime, timedelta
from threading import Lock
from typing import Final

from app.stores.attempts import Allowance, AttemptStore

_MOST_REMEMBERED: Final = 20_000


class Guesses:
    """`count` and `take_back` may raise StoreUnavailable: where nothing can be counted, nobody may guess."""

    def __init__(self, attempts: AttemptStore, *, most: int, clock: Callable[[], datetime]) -> None:
        """`most`: wrong secrets of one address in one window of `attempts`."""
        self._attempts = attempts
        self._most = most
        self._clock = clock
        self._suspect_until: OrderedDict[str, datetime] = OrderedDict()
        self._lock = Lock()

    def is_suspect(self, address: str) -> bool:
        """Whether a secret from this address was wrong here less than a window ago."""
        until = self._suspect_until.get(address)
        return until is not None and self._clock() < until

    def suspect(self, address: str) -> None:
        """A secret from this address was wrong."""
        with self._lock:
            self._suspect_until[address] = self._clock() + self._attempts.window
            self._suspect_until.move_to_end(address)
            if len(self._suspect_until) > _MOST_REMEMBERED:
                self._suspect_until.popitem(last=False)

    def count(self, address: str) -> timedelta | None:
        """Counts one attempt; how long to wait when there were too many."""
        return self._attempts.count([self._allowance(address)])

    def take_back(self, address: str) -> None:
        """It was no guess: the secret was right."""
        self._attempts.take_back([self._allowance(address)])

    def _allowance(self, address: str) -> Allowance:
        return Allowance(("client authentication", address), self._most)
