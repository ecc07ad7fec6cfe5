"""Repeats a ledger call until the ledger answers.

It logs one line when an outage begins and one when it ends.
"""

import time
from collections.abc import Callable
from datetime import datetime
from typing import Final, TypeVar

import structlog

from app.stores.unavailable import StoreUnavailable

IDLE: Final = 1.0
"""Seconds until the ledger is asked again when nothing is due, or when it did not answer: a judgement."""

Found = TypeVar("Found")

_log = structlog.get_logger()


class LedgerRetry:
    """Calls of the ledger by all threads of a deliverer, which share what they know of an outage.

    Once it `is_over`, since the process is to end, no call is repeated.
    """

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self.is_over = False
        self._clock = clock
        self._has_answered = True

    def once(self, call: Callable[[], Found]) -> Found | None:
        """What `call` returns; None where the ledger does not answer."""
        try:
            found = call()
        except StoreUnavailable as error:
            if self._has_answered:
                self._has_answered = False
                _log.error("store_unavailable", store=str(error), outcome="waiting")
            return None
        if not self._has_answered:
            self._has_answered = True
            _log.info("store_available_again", store="ledger")
        return found

    def until(self, moment: datetime, call: Callable[[], Found]) -> Found | None:
        """The same, repeated until `moment`; None where the ledger has not answered by then."""
        while (found := self.once(call)) is None and not self.is_over and self._clock() < moment:
            time.sleep(IDLE)
        return found
