"""Circuit breaker: keeps threads from waiting one after the other for a store that answers no more."""

import time
from datetime import timedelta
from threading import Lock
from types import TracebackType

from app.stores.unavailable import StoreUnavailable

# How long others wait for whoever finds out whether the store answers again.
PROBE_WAIT_SECONDS = 0.05


class Breaker:
    """Closed while the store answers: every call passes.

    It opens when a call has failed after half of the `timeout` or more. While it is open, one caller at a
    time tries the store, and the others get StoreUnavailable at once. The first answer closes it for all.
    """

    def __init__(self, store: str, *, timeout: timedelta) -> None:
        self._store = store
        self._in_vain = timeout.total_seconds() / 2
        self._is_open = False
        self._finding_out = Lock()

    @property
    def is_open(self) -> bool:
        """Whether the last use of the store ended without an answer."""
        return self._is_open

    def guard(self) -> "_Guard":
        """Around one use of the store. Raises StoreUnavailable at once while somebody is finding out."""
        return _Guard(self)

    def begin(self) -> bool:
        """Whether this use is the one that finds out."""
        if not self._is_open:
            return False
        if not self._finding_out.acquire(timeout=PROBE_WAIT_SECONDS):
            raise StoreUnavailable(f"{self._store}: it has stopped answering")
        return True

    def end(self, *, has_failed: bool, seconds: float, has_found_out: bool) -> None:
        """What fails at once is an answer too: nobody waits for it. So is what the store itself gave up."""
        self._is_open = has_failed and seconds >= self._in_vain
        if has_found_out:
            self._finding_out.release()


class _Guard:
    __slots__ = ("_began", "_breaker", "_finds_out")

    def __init__(self, breaker: Breaker) -> None:
        self._breaker = breaker

    def __enter__(self) -> None:
        self._finds_out = self._breaker.begin()
        self._began = time.monotonic()

    def __exit__(
        self, _: type[BaseException] | None, error: BaseException | None, __: TracebackType | None
    ) -> None:
        self._breaker.end(
            has_failed=isinstance(error, StoreUnavailable) and not error.has_answered,
            seconds=time.monotonic() - self._began,
            has_found_out=self._finds_out,
        )
