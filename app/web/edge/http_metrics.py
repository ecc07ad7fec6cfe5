"""How long each answer takes, by route; and `/metrics`, which is at a port of its own and nowhere else.

What is measured is what the customer waits for: a request's turn, too.
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
    """Measures every answer of `app`, its errors included, from when `serve_metrics` has seen the request."""

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
    """`app`, but for what comes in at `port`: that gets the metrics and nothing else.

    The port is that of the socket, as the kernel tells it: no header of any request reaches the metrics, and
    no page of a customer is served where they are.
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
    """Where the request came in; None for a Unix socket, or under a server that does not tell."""
    sock = environ.get("gunicorn.socket")
    address = None if sock is None else sock.getsockname()
    return address[1] if isinstance(address, tuple) else None
