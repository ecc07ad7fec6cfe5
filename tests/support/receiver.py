"""A recipient's server on loopback, to which notices are sent; it answers as a test says."""

import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

from joserfc import jws

from tests.support.loopback_server import LoopbackServer, QuietHandler

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
class Receiver(LoopbackServer):
    """`answers` is asked at each notice, in its own thread.

    `sent` has the compact JWS of each notice that came, in order, whatever was answered.
    """

    answers: Answering = TAKE
    sent: list[str] = field(default_factory=list)
    content_types: list[str] = field(default_factory=list)

    def handler(self) -> type["ReceiverHandler"]:
        return type("Handler", (ReceiverHandler,), {"receiver": self})

    @property
    def address(self) -> str:
        return f"http://localhost:{self.port}/notices"

    def ids(self) -> list[str]:
        """The `jti` of each notice that came."""
        return [str(claims_of(token)["jti"]) for token in list(self.sent)]


def claims_of(token: str) -> dict[str, object]:
    """What a compact JWS says, unverified."""
    return dict(json.loads(jws.extract_compact(token.encode()).payload))


class ReceiverHandler(QuietHandler):
    receiver: Receiver

    def post(self, body: bytes) -> None:
        self.receiver.content_types.append(self.headers["Content-Type"])
        self.receiver.sent.append(body.decode())
        self.close_connection = True
        with suppress(OSError):
            self.receiver.answers(self)

    def get(self) -> None:
        """Nobody is to follow a redirect to here."""
        self.receiver.sent.append(f"GET {self.path}")
        TAKE(self)
