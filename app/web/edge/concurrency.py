"""Limits the concurrency of a process: some requests run, some wait in a queue, the rest get 503 at once.

A process that takes in more than it can do answers nobody in time. What costs next to nothing does not queue,
so that a process is seen to live, and to be ready, however long its queue is: taken out of rotation for being
busy, it would leave its customers to others that are as busy.
"""

from collections.abc import Callable, Iterable
from threading import BoundedSemaphore
from typing import Final
from wsgiref.types import StartResponse, WSGIEnvironment

WSGIApp = Callable[[WSGIEnvironment, StartResponse], Iterable[bytes]]

TURNED_AWAY: Final = "accord.turned_away"
"""Set in the environment of a request that shall be told to come later."""

THREADS_PER_SLOT: Final = 16
"""How many threads gunicorn has for each request that works: the others hold those who wait."""

_QUEUE_TIMEOUT = 1.8  # a page, or what stands in its place, is there within two seconds
_WITHOUT_QUEUE = ("/healthz", "/readyz", "/static/", "/.well-known/", "/openapi.yaml")


def limit_concurrency(app: WSGIApp, *, slots: int) -> WSGIApp:
    """Serves `slots` requests at a time.

    Two threads stay free for who is turned away or need not wait: one of them may be finding out whether this
    process is ready, from a store that hangs.
    """
    working = BoundedSemaphore(slots)
    waiting = BoundedSemaphore(slots * (THREADS_PER_SLOT - 1) - 2)

    def has_slot() -> bool:
        if working.acquire(blocking=False):
            return True
        if not waiting.acquire(blocking=False):
            return False
        try:
            return working.acquire(timeout=_QUEUE_TIMEOUT)
        finally:
            waiting.release()

    def queued(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if environ.get("PATH_INFO", "").startswith(_WITHOUT_QUEUE):
            return app(environ, start_response)
        if not has_slot():
            return app({**environ, TURNED_AWAY: True}, start_response)
        try:
            return app(environ, start_response)
        finally:
            working.release()

    return queued
