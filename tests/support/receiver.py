"""A recipient's server on loopback, to which notices are sent; it answers as a test says."""

import json
import socket
import ssl
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

from joserfc import jws

Answering = Callable[["ReceiverHandler"], None]


def answer(status: int, body: bytes = b"", **headers: str) -> Answering:
    """Answers with `status`; an underscore in the name of a header is written as a hyphen."""

    def answering(handler: "ReceiverHandler") -> None:
        handler.send_response(status)
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    return answering


TAKE = answer(202)


def hang(handler: "ReceiverHandler") -> None:
    """Says nothing while the server runs."""
    handler.receiver.closing.wait(60)


def drip(handler: "ReceiverHandler") -> None:
    """A byte now and then, so that no single wait is long, and never the last one."""
    for byte in b"HTTP/1.1 202 Accepted\r\n" + b"X-Pad: a\r\n" * 10_000:
        handler.wfile.write(bytes([byte]))
        if handler.receiver.closing.wait(0.02):
            return


@dataclass
class Receiver:
    """As a context manager it listens inside the block. `answers` is asked at each notice, in its own thread.

    `sent` has the compact JWS of each notice that came, in order, whatever was answered.
    """

    answers: Answering = TAKE
    host: str = "127.0.0.1"
    port: int = 0
    tls: ssl.SSLContext | None = None
    sent: list[str] = field(default_factory=list)
    content_types: list[str] = field(default_factory=list)
    connections: int = 0
    closing: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> Self:
        handler = type("Handler", (ReceiverHandler,), {"receiver": self})
        self._http = _Server((self.host, self.port), handler)
        self._http.receiver = self
        self.port = self._http.server_address[1]
        self._thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.02})
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.closing.set()
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()

    @property
    def address(self) -> str:
        return f"http://localhost:{self.port}/notices"

    def ids(self) -> list[str]:
        """The `jti` of each notice that came."""
        return [str(claims_of(token)["jti"]) for token in list(self.sent)]


def claims_of(token: str) -> dict[str, object]:
    """What a compact JWS says, unverified."""
    return dict(json.loads(jws.extract_compact(token.encode()).payload))


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128
    receiver: Receiver

    def get_request(self) -> tuple[socket.socket, object]:
        connection, address = super().get_request()
        self.receiver.connections += 1
        return connection, address

    def finish_request(self, request: Any, client_address: Any) -> None:
        context = self.receiver.tls
        if context is None:
            super().finish_request(request, client_address)
            return
        with suppress(OSError), context.wrap_socket(request, server_side=True) as secured:
            super().finish_request(secured, client_address)

    def handle_error(self, *_: object) -> None:
        """The other side may hang up at any time."""


class ReceiverHandler(BaseHTTPRequestHandler):
    receiver: Receiver
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        self.receiver.content_types.append(self.headers["Content-Type"])
        self.receiver.sent.append(body)
        self.close_connection = True
        with suppress(OSError):
            self.receiver.answers(self)

    def do_GET(self) -> None:
        """Nobody is to follow a redirect to here."""
        self.receiver.sent.append(f"GET {self.path}")
        TAKE(self)

    def log_message(self, *_: object) -> None:
        """It says nothing."""
