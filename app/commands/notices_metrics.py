"""The metrics of `flask notices deliver`, at an address of their own: nothing else is served there."""

from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import click
from prometheus_client import CONTENT_TYPE_LATEST

from app.metrics import Metrics


class Address(click.ParamType[tuple[str, int]]):
    """An address and a port, such as 127.0.0.1:9101."""

    name = "address"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, int]:
        host, _, port = str(value).rpartition(":")
        if not host or not port.isdecimal() or int(port) > 65535:
            self.fail("must be an address and a port, such as 127.0.0.1:9101", param, ctx)
        return host, int(port)


@contextmanager
def metrics_served(metrics: Metrics, address: tuple[str, int]) -> Iterator[None]:
    """Answers `GET /metrics` at `address` inside the block, from a thread. Raises OSError."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:  # http.server's name
            is_found = self.path == "/metrics"
            body = metrics.exposition() if is_found else b"Only GET /metrics is here.\n"
            self.send_response(200 if is_found else 404)
            self.send_header("Content-Type", CONTENT_TYPE_LATEST if is_found else "text/plain")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """The log is for what happens to notices."""

    with ThreadingHTTPServer(address, Handler) as server:
        server.daemon_threads = True
        Thread(target=server.serve_forever, name="metrics", daemon=True).start()
        try:
            yield
        finally:
            server.shutdown()
