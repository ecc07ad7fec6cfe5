"""What keeps threads from waiting, one after the other, for a store that has stopped answering."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from threading import Lock

from app.stores.unavailable import StoreUnavailable

# How long others wait for whoever finds out whether the store answers again.
_MOMENT = 0.05


class Breaker:
    """Lets everybody through while the store answers.

    Once it has let somebody wait in vain, one caller at a time finds out whether it answers again, and the
    others are told at once that it does not. The first answer opens the way for all.
    """

    def __init__(self, store: str, *, timeout: timedelta) -> None:
        self._store = store
        self._in_vain = timeout.total_seconds() / 2
        self._is_silent = False
        self._finding_out = Lock()

    @contextmanager
    def passing(self) -> Iterator[None]:
        """Raises StoreUnavailable without a try while somebody else is finding out."""
        if not self._is_silent:
            with self._watching():
                yield
            return
        if not self._finding_out.acquire(timeout=_MOMENT):
            raise StoreUnavailable(f"{self._store}: it has stopped answering")
        try:
            with self._watching():
                yield
        finally:
            self._finding_out.release()

    @contextmanager
    def _watching(self) -> Iterator[None]:
        """Whatever fails at once is an answer too: nobody waits for it."""
        began = time.monotonic()
        is_silent = False
        try:
            yield
        except StoreUnavailable:
            is_silent = time.monotonic() - began >= self._in_vain
            raise
        finally:
            self._is_silent = is_silent
