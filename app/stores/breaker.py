"""Circuit breaker: while a store does not answer, calls fail at once instead of holding a thread each."""

import time
from datetime import timedelta
from threading import Lock
from types import TracebackType

from app.stores.unavailable import StoreUnavailable

PROBE_WAIT_SECONDS = 0.05
"""How long a call waits, while the breaker is open, for the one that probes the store.

A store that is back answers within a few milliseconds, so that the waiting calls succeed. Where it is not
back, they fail this much later, which nobody notices.
"""


class Breaker:
    """Closed while the store answers: every call passes.

    It opens when a call fails after half of the `timeout` or more. While it is open, one call at a time
    probes the store, and the others get StoreUnavailable. The first answer closes it for all.
    """

    def __init__(self, store: str, *, timeout: timedelta) -> None:
        self._store = store
        self._slow = timeout.total_seconds() / 2
        self._is_open = False
        self._probing = Lock()

    @property
    def is_open(self) -> bool:
        """Whether the store has stopped answering, so that the next call is a probe."""
        return self._is_open

    def guard(self) -> "_Guard":
        """Guards one call of the store, as a context manager; `begin` says what it raises."""
        return _Guard(self)

    def begin(self) -> bool:
        """Whether this call is the probe. Raises StoreUnavailable while another call is."""
        if not self._is_open:
            return False
        if not self._probing.acquire(timeout=PROBE_WAIT_SECONDS):
            raise StoreUnavailable(f"{self._store}: it has stopped answering")
        return True

    def end(self, *, has_failed: bool, seconds: float, was_probe: bool) -> None:
        """Opens or closes the breaker after a call; a probe lets the next one probe.

        A call that fails fast leaves the breaker closed: no thread was held. So does an error with which the
        store itself ended a slow statement, for which `has_failed` is False.
        """
        self._is_open = has_failed and seconds >= self._slow
        if was_probe:
            self._probing.release()


class _Guard:
    __slots__ = ("_began", "_breaker", "_is_probe")

    def __init__(self, breaker: Breaker) -> None:
        self._breaker = breaker

    def __enter__(self) -> None:
        self._is_probe = self._breaker.begin()
        self._began = time.monotonic()

    def __exit__(
        self, _: type[BaseException] | None, error: BaseException | None, __: TracebackType | None
    ) -> None:
        self._breaker.end(
            has_failed=isinstance(error, StoreUnavailable) and not error.has_answered,
            seconds=time.monotonic() - self._began,
            was_probe=self._is_probe,
        )
