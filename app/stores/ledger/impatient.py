"""Connections of psycopg that give up by themselves: psycopg waits without end for a server that is frozen.

It overrides `Connection._connect_gen` and `Connection.wait`, which psycopg does not document. pyproject.toml
bounds the version of psycopg for them, and tests/test_private_names.py names them.
"""

from collections.abc import Callable
from time import monotonic
from typing import Any

import psycopg


def impatient(seconds: float) -> Callable[..., Any]:
    """A function that connects as `psycopg.connect` does; no wait takes over `seconds`, then or later."""

    class ImpatientConnection(psycopg.Connection[Any]):
        @classmethod
        def _connect_gen(cls, conninfo: str = "") -> Any:
            """psycopg's steps of connecting, each of which yields what it waits for, with our deadline."""
            deadline = monotonic() + seconds
            steps = super()._connect_gen(conninfo)
            try:
                awaited = next(steps)
                while (came := (yield awaited)) or monotonic() < deadline:
                    awaited = steps.send(came)
            except StopIteration as connected:
                return connected.value
            raise psycopg.errors.ConnectionTimeout("nothing came")

        def wait(self, gen: Any, interval: float = 0.1, timeout: float | None = None) -> Any:
            try:
                return super().wait(gen, interval, min(timeout or seconds, seconds))
            except psycopg.OperationalError as error:
                if self.info.transaction_status is not psycopg.pq.TransactionStatus.ACTIVE:
                    raise
                self.close()  # a late reply could be taken for that to the next statement
                # TimeoutError, since after an error of psycopg's own another connection would be tried.
                raise TimeoutError("nothing came") from error

    return ImpatientConnection.connect
