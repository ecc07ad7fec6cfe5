"""Checks whether the stores can serve, once a second at most."""

from collections.abc import Callable
from datetime import timedelta
from threading import Lock
from time import monotonic
from typing import Final

from app.stores.unavailable import StoreUnavailable

A_SECOND: Final = timedelta(seconds=1)
"""How long an answer is kept. Probes come every few seconds; a flood of them must not reach the stores."""


class Readiness:
    """Caches, for the time `kept`, whether `check` returned or raised StoreUnavailable."""

    def __init__(self, check: Callable[[], None], *, kept: timedelta = A_SECOND) -> None:
        self._check = check
        self._kept = kept.total_seconds()
        self._lock = Lock()
        self._found_at = -self._kept
        self._fault: str | None = None

    def require(self) -> None:
        """Raises StoreUnavailable unless the stores could serve when they were last asked.

        One caller at a time asks them; those who come meanwhile wait for its answer.
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
