"""Measures the duration of each answer by its route, and serves `/metrics` at a port of its own.

The duration includes the time in the queue, since the customer waits for that, too.
"""

import secrets
from collections.abc import Iterable
from time import perf_counter
from typing import Final
from wsgiref.types import StartResponse, WSGIEnvironment

from flask import Flask, Response, request
from prometheus_client import CONTENT_TYPE_LATEST

from app.metrics import Metrics
from app.web.edge.middleware import WSGIApp

NO_ROUTE: Final = "none"
OTHER_METHOD: Final = "other"
_BEGUN_AT: Final = "accord.begun_at"
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


def init_app(app: Flask, metrics: Metrics) -> None:
    """Measures every answer of `app`, errors included. The time begins in `serve_metrics`."""

    @app.after_request
    def observe(response: Response) -> Response:
        now = perf_counter()
        rule = request.url_rule
        metrics.observe(
            NO_ROUTE if rule is None else rule.rule,
            request.method if request.method in _METHODS else OTHER_METHOD,
            response.status_code,
            now - request.environ.get(_BEGUN_AT, now),
        )
        return response


def serve_metrics(app: WSGIApp, metrics: Metrics, port: int) -> WSGIApp:
    """Serves the metrics, and nothing else, to requests at `port`; all other requests go to `app`.

    The kernel names the port of the socket: no header can make a request reach the metrics, and no page of a
    customer is served at their port.
    """

    def apart(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if _port_of(environ) != port:
            environ[_BEGUN_AT] = perf_counter()
            return app(environ, start_response)
        own = [("Cache-Control", "no-store"), ("ob-trace-id", secrets.token_hex(16))]
        if environ["PATH_INFO"] != "/metrics" or environ["REQUEST_METHOD"] != "GET":
            start_response("404 Not Found", [("Content-Type", "text/plain"), *own])
            return [b"Only GET /metrics is here.\n"]
        start_response("200 OK", [("Content-Type", CONTENT_TYPE_LATEST), *own])
        return [metrics.exposition()]

    return apart


def _port_of(environ: WSGIEnvironment) -> int | None:
    """The port at which the request arrived; None for a Unix socket, or for another server than gunicorn."""
    sock = environ.get("gunicorn.socket")
    address = None if sock is None else sock.getsockname()
    return address[1] if isinstance(address, tuple) else None
