"""The metrics of `flask notices deliver`, at an address of their own: nothing else is served there."""

import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any, Final

import click
from prometheus_client import CONTENT_TYPE_LATEST

from app.metrics import Metrics

_ADDRESS: Final = re.compile(r"(?:\[([0-9a-fA-F:.]+)\]|([^:\[\]]+)):([0-9]{1,5})", re.ASCII)
_LARGEST_PORT: Final = 65_535


class Address(click.ParamType[tuple[str, int]]):
    """An address and a port, such as 127.0.0.1:9101 or [::1]:9101; the brackets are taken away."""

    name = "address"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, int]:
        match = _ADDRESS.fullmatch(str(value))
        if match is None or int(match[3]) > _LARGEST_PORT:
            self.fail("must be an address and a port, such as 127.0.0.1:9101", param, ctx)
        return match[1] or match[2], int(match[3])


class MetricsServer(ThreadingHTTPServer):
    """Listens at `address`, and answers inside `metrics_served`. Raises OSError where it cannot listen."""

    daemon_threads = True
    metrics: Metrics

    def __init__(self, address: tuple[str, int]) -> None:
        self.address_family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        super().__init__(address, _Handler)


class _Handler(BaseHTTPRequestHandler):
    server: MetricsServer

    def do_GET(self) -> None:  # http.server's name
        is_found = self.path == "/metrics"
        body = self.server.metrics.exposition() if is_found else b"Only GET /metrics is here.\n"
        self.send_response(200 if is_found else 404)
        self.send_header("Content-Type", CONTENT_TYPE_LATEST if is_found else "text/plain")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """The log is for what happens to notices."""


@contextmanager
def metrics_served(metrics: Metrics, server: MetricsServer) -> Iterator[None]:
    """Answers `GET /metrics` inside the block, from a thread."""
    server.metrics = metrics
    with server:
        Thread(target=server.serve_forever, name="metrics", daemon=True).start()
        try:
            yield
        finally:
            server.shutdown()
