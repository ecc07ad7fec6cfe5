"""A concurrency limit for each process: some requests run, some wait in a queue, the others get 503 at once.

Without a limit an overloaded process answers no request in time. Health checks and static files bypass the
queue: a load balancer must not take a process out of rotation because it is busy, since its customers would
only move to other processes that are as busy.
"""

from collections.abc import Iterable
from threading import BoundedSemaphore
from typing import Final
from wsgiref.types import StartResponse, WSGIEnvironment

from app.web.edge.middleware import WSGIApp

TURNED_AWAY: Final = "accord.turned_away"
"""The key in the WSGI environment of a request that is to be answered with 503, since the queue is full."""

THREADS_PER_SLOT: Final = 16
"""How many threads gunicorn has for each request that may run: a judgement. The others hold the queue."""

_QUEUE_TIMEOUT = 1.8  # seconds: so that every request, refused ones included, is answered within two seconds
_WITHOUT_QUEUE = ("/healthz", "/readyz", "/static/", "/.well-known/", "/openapi.yaml")


def limit_concurrency(app: WSGIApp, *, slots: int) -> WSGIApp:
    """Runs at most `slots` requests at the same time, and lets up to 15 * `slots` - 2 requests wait.

    Two threads stay free for 503 answers and for requests that bypass the queue: `/readyz` may occupy one of
    them while a store hangs.
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
