"""A ledger that does not answer is waited for: what a deliverer does meanwhile, and what it says of it."""

import time
from collections.abc import Callable
from datetime import datetime
from typing import Final, TypeVar

import structlog

from app.stores.unavailable import StoreUnavailable

IDLE: Final = 1.0
"""Seconds until the ledger is asked again when nothing is due, or when it did not answer."""

Found = TypeVar("Found")

_log = structlog.get_logger()


class Patience:
    """Asks the ledger on behalf of all threads. An outage is one line in the log, and its end another.

    Once it `is_over`, since the process is to end, nothing is asked a second time.
    """

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self.is_over = False
        self._clock = clock
        self._has_answered = True

    def ask(self, question: Callable[[], Found]) -> Found | None:
        """What the ledger answers; None where it does not."""
        try:
            found = question()
        except StoreUnavailable as error:
            if self._has_answered:
                self._has_answered = False
                _log.error("store_unavailable", store=str(error), outcome="waiting")
            return None
        if not self._has_answered:
            self._has_answered = True
            _log.info("store_available_again", store="ledger")
        return found

    def ask_until(self, until: datetime, question: Callable[[], Found]) -> Found | None:
        """The same, again and again until a moment; None where it has not answered by then."""
        while (found := self.ask(question)) is None and not self.is_over and self._clock() < until:
            time.sleep(IDLE)
        return found
