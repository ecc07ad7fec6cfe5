"""A bulkhead limits how many calls to one server are under way, and how long each of them may take.

Without it, one server that hangs could hold every thread of this process.
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
    """Runs at most `slots` calls to one server at a time, and waits for each no longer than `timeout`.

    Each call runs in a thread of its own, so that its caller goes on in time even when the call
    cannot be interrupted, as the lookup of a host name cannot. Its slot is free when that thread has ended.
    """

    def __init__(self, *, slots: int, timeout: timedelta) -> None:
        self._slots = threading.BoundedSemaphore(slots)
        self._timeout = timeout

    def wait_for(self, ask: Callable[[Deadline], Found]) -> Found:
        """What `ask` returns or raises. Raises CallFailed: at once without a free slot, else in time."""
        if not self._slots.acquire(blocking=False):
            raise CallFailed("no_slot", is_busy=True)
        deadline = Deadline.after(self._timeout)
        outcome: Future[Found] = Future()
        # With its context, so that what the call logs has the ids of the request.
        run, context = (self._run, ask, deadline, outcome), contextvars.copy_context()
        thread = threading.Thread(target=context.run, args=run, name="bulkhead", daemon=True)
        try:
            thread.start()
        except RuntimeError as error:  # the machine has no thread to give
            self._slots.release()
            raise CallFailed("no_thread", is_busy=True) from error
        try:
            return outcome.result(self._timeout.total_seconds())
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
