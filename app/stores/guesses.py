"""Wrong client secrets, by the address that they come from: an address with too many of them has to wait.

Whoever authenticates at the first try costs no round trip: an address is asked about only after a failure
that this process has seen. So of a guesser's attempts each process lets those through that came at the same
moment as the first; the others, right or wrong, are counted before anybody looks at the secret.
"""

from collections import OrderedDict
from datetime import timedelta
from threading import Lock
from typing import Final

from app.stores.attempts import Allowance, AttemptStore

_MOST_REMEMBERED: Final = 20_000


class Guesses:
    """Every method may raise StoreUnavailable: where nothing can be counted, nobody may guess."""

    def __init__(self, attempts: AttemptStore, *, most: int) -> None:
        """`most`: wrong secrets of one address in one window of `attempts`."""
        self._attempts = attempts
        self._most = most
        self._suspects: OrderedDict[str, None] = OrderedDict()
        self._lock = Lock()

    def is_suspect(self, address: str) -> bool:
        """Whether a secret from this address was wrong here before."""
        return address in self._suspects

    def count(self, address: str) -> timedelta | None:
        """Counts one attempt and remembers the address; how long to wait when there were too many."""
        with self._lock:
            self._suspects[address] = None
            if len(self._suspects) > _MOST_REMEMBERED:
                self._suspects.popitem(last=False)
        return self._attempts.count([self._allowance(address)])

    def take_back(self, address: str) -> None:
        """It was no guess: the secret was right."""
        self._attempts.take_back([self._allowance(address)])

    def _allowance(self, address: str) -> Allowance:
        return Allowance(("client authentication", address), self._most)
