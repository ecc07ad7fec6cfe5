"""HTTP servers on loopback, in the test's own process. They stand for other people's; the test says what they answer."""

import socket
import ssl
import sys
import threading
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self


class QuietHandler(BaseHTTPRequestHandler):
    """Subclasses answer in `get` and `post`, or in the one of the two that they are asked for."""

    protocol_version = "HTTP/1.1"

    def get(self) -> None:
        raise NotImplementedError

    def post(self, body: bytes) -> None:
        raise NotImplementedError

    def do_GET(self) -> None:
        self.get()

    def do_POST(self) -> None:
        self.post(self.rfile.read(int(self.headers["Content-Length"])))

    def log_message(self, *_: object) -> None:
        """It says nothing."""


@dataclass(kw_only=True, eq=False)
class LoopbackServer:
    """As a context manager it listens inside the block, at `port`, or at a free one.

    `connections` counts those that came. Who waits for `closing` waits no longer than the block.
    """

    host: str = "127.0.0.1"
    port: int = 0
    tls: ssl.SSLContext | None = None
    connections: int = 0
    closing: threading.Event = field(default_factory=threading.Event)

    def handler(self) -> type[BaseHTTPRequestHandler]:
        """The class whose instances answer."""
        raise NotImplementedError

    def __enter__(self) -> Self:
        self._http = _Listening((self.host, self.port), self.handler())
        self._http.owner = self
        self.port = self._http.server_port
        self._thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.02})
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.closing.set()
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()


class _Listening(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128
    owner: LoopbackServer

    def get_request(self) -> tuple[socket.socket, object]:
        connection, address = super().get_request()
        self.owner.connections += 1
        return connection, address

    def finish_request(self, request: Any, client_address: Any) -> None:
        if self.owner.tls is None:
            super().finish_request(request, client_address)
            return
        with suppress(OSError), self.owner.tls.wrap_socket(request, server_side=True) as secured:
            super().finish_request(secured, client_address)

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exception(), OSError):  # the other side may hang up at any time
            super().handle_error(request, client_address)
