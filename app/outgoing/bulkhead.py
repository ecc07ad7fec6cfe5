"""A bulkhead lets a few calls to one server through at a time, each of which is answered within its timeout.

A server that hangs would otherwise hold every thread of this one, and with them everybody who asks others.
"""

import contextvars
import threading
from collections.abc import Callable
from concurrent.futures import Future
from datetime import timedelta
from typing import TypeVar

from app.outgoing import CallFailed
from app.outgoing.deadline import Deadline

Found = TypeVar("Found")


class Bulkhead:
    """For one server: at most `slots` calls at a time, each of which gets `patience` to answer.

    Each call runs in a thread of its own, so that its caller goes on in time even when the call
    cannot be interrupted, as the lookup of a host name cannot. Its slot is free when that thread has ended.
    """

    def __init__(self, *, slots: int, patience: timedelta) -> None:
        self._slots = threading.BoundedSemaphore(slots)
        self._patience = patience

    def wait_for(self, ask: Callable[[Deadline], Found]) -> Found:
        """What `ask` returns or raises. Raises CallFailed: at once without a free slot, else in time."""
        if not self._slots.acquire(blocking=False):
            raise CallFailed("no_slot", is_busy=True)
        deadline = Deadline.after(self._patience)
        outcome: Future[Found] = Future()
        # With its context, so that what the call logs has the ids of the request.
        run, context = (self._run, ask, deadline, outcome), contextvars.copy_context()
        thread = threading.Thread(target=context.run, args=run, name="bank", daemon=True)
        try:
            thread.start()
        except RuntimeError as error:  # the machine has no thread to give
            self._slots.release()
            raise CallFailed("no_thread", is_busy=True) from error
        try:
            return outcome.result(self._patience.total_seconds())
        except TimeoutError as error:
            raise CallFailed("timeout") from error

    def _run(self, ask: Callable[[Deadline], Found], deadline: Deadline, outcome: "Future[Found]") -> None:
        try:
            found = ask(deadline)
        except Exception as error:  # noqa: BLE001  # raised again where it was asked for
            self._slots.release()
            outcome.set_exception(error)
        else:
            self._slots.release()
            outcome.set_result(found)
