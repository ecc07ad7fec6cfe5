"""Whether the stores can serve: found out once a second at most, however often it is asked."""

from collections.abc import Callable
from datetime import timedelta
from threading import Lock
from time import monotonic
from typing import Final

from app.stores.unavailable import StoreUnavailable

A_SECOND: Final = timedelta(seconds=1)
"""For how long an answer is good: probes come every few seconds, and a flood asks no store."""


class Readiness:
    """Remembers what `check`, which raises StoreUnavailable, found a moment ago."""

    def __init__(self, check: Callable[[], None], *, kept: timedelta = A_SECOND) -> None:
        self._check = check
        self._kept = kept.total_seconds()
        self._lock = Lock()
        self._found_at = -self._kept
        self._fault: str | None = None

    def require(self) -> None:
        """Raises StoreUnavailable unless the stores could serve within the last second.

        One caller at a time asks them; who comes meanwhile waits for what that one finds.
        """
        with self._lock:
            if monotonic() - self._found_at >= self._kept:
                self._fault = self._find_fault()
                self._found_at = monotonic()
            fault = self._fault
        if fault is not None:
            raise StoreUnavailable(fault)

    def _find_fault(self) -> str | None:
        try:
            self._check()
        except StoreUnavailable as error:
            return str(error)
        return None
