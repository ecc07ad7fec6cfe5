"""gunicorn's worker: it says nothing of a request that it refuses, and waits for no client.

It uses parts of gunicorn that are not documented, for which pyproject.toml bounds the version.
"""

import selectors
import socket
import time
import traceback
import uuid
from collections import deque
from functools import partial
from http import HTTPStatus
from typing import Any

from gunicorn.http.errors import (  # type: ignore[attr-defined]  # two are younger than the stubs
    ConfigurationProblem,
    ExpectationFailed,
    ForbiddenProxyRequest,
    InvalidResponseHeader,
    InvalidResponseHeaderName,
    LimitRequestHeaders,
    LimitRequestLine,
    ParseException,
    UnsupportedTransferCoding,
)
from gunicorn.util import write_nonblock
from gunicorn.workers.gthread import TConn, ThreadWorker

# As long as nginx gives a client for its headers. A proxy sends at once.
SECONDS_TO_FIRST_BYTE = 10
SECONDS_TO_LAST_BYTE = 2
LARGEST_READ = 64 * 1024

# What gunicorn answers for itself. Whatever else it cannot parse is 400.
_STATUS_OF: dict[type[BaseException], HTTPStatus] = {
    LimitRequestLine: HTTPStatus.REQUEST_URI_TOO_LONG,
    LimitRequestHeaders: HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
    ExpectationFailed: HTTPStatus.EXPECTATION_FAILED,
    UnsupportedTransferCoding: HTTPStatus.NOT_IMPLEMENTED,
    ForbiddenProxyRequest: HTTPStatus.FORBIDDEN,
    # These three are ours to answer for, not the sender's.
    ConfigurationProblem: HTTPStatus.INTERNAL_SERVER_ERROR,
    InvalidResponseHeader: HTTPStatus.INTERNAL_SERVER_ERROR,
    InvalidResponseHeaderName: HTTPStatus.INTERNAL_SERVER_ERROR,
}

_ANSWER = """\
HTTP/1.1 {status} {reason}\r
Content-Type: text/plain; charset=utf-8\r
Content-Length: {length}\r
Cache-Control: no-store\r
Content-Security-Policy: default-src 'none'; frame-ancestors 'none'\r
X-Content-Type-Options: nosniff\r
Referrer-Policy: same-origin\r
Cross-Origin-Resource-Policy: same-origin\r
ob-trace-id: {trace_id}\r
Connection: close\r
\r
{text}"""


class Connection(TConn):
    """A connection whose end nobody waits for, neither in a thread nor in the loop that serves all others."""

    def __init__(self, worker: "QuietWorker", client: socket.socket, address: Any, server: Any) -> None:
        super().__init__(worker.cfg, client, address, server)
        self._worker = worker
        self.leave_at = 0.0

    def close(self, graceful: bool = False) -> None:
        """`graceful`: not before the peer has read the answer and closes too (RFC 9112 9.6)."""
        if graceful:
            try:
                self.sock.shutdown(socket.SHUT_WR)
            except OSError:
                graceful = False  # the peer has gone
        if graceful:
            self._worker.linger(self)
        else:
            super().close()

    def has_ended(self) -> bool:
        """Reads what the peer still sends, to no end but its own."""
        try:
            return not self.sock.recv(LARGEST_READ)
        except BlockingIOError:
            return False
        except OSError:
            return True


class QuietWorker(ThreadWorker):
    """A gthread worker that repeats nothing of a request it refuses, and waits for no client.

    gthread has a thread wait for a client's first byte, for up to five seconds, and the loop that serves all
    the others for the end of a connection, for up to two.
    """

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._lingering: deque[Connection] = deque()

    def accept(self, listener: socket.socket) -> None:
        """Takes a connection in, and occupies a thread with it when there is something to read."""
        try:
            client, address = listener.accept()
        except (BlockingIOError, ConnectionAbortedError):
            return
        client.setblocking(False)
        connection = Connection(self, client, address, listener.getsockname())
        connection.timeout = time.monotonic() + SECONDS_TO_FIRST_BYTE
        self.nr_conns += 1
        self.pending_conns.append(connection)
        waiting = partial(self.on_pending_socket_readable, connection)
        self.poller.register(client, selectors.EVENT_READ, waiting)

    def linger(self, connection: Connection) -> None:
        """Keeps a connection that has had its answer, until the peer closes it or its time is over."""
        self.nr_conns += 1
        connection.sock.setblocking(False)
        connection.leave_at = time.monotonic() + SECONDS_TO_LAST_BYTE
        self._lingering.append(connection)
        self.poller.register(connection.sock, selectors.EVENT_READ, partial(self._leave_if_ended, connection))

    def murder_pending(self) -> None:
        """Ends what has waited for long enough; when the worker is to stop, that is not long."""
        now = time.monotonic()
        if not self.alive:
            soon = now + SECONDS_TO_LAST_BYTE
            for connection in self.pending_conns:
                connection.timeout = min(connection.timeout or soon, soon)
        super().murder_pending()
        while self._lingering and self._lingering[0].leave_at <= now:
            self._leave(self._lingering[0])

    def _leave_if_ended(self, connection: Connection, _: socket.socket) -> None:
        if connection.has_ended():
            self._leave(connection)

    def _leave(self, connection: Connection) -> None:
        self._lingering.remove(connection)
        self.poller.unregister(connection.sock)
        self.nr_conns -= 1
        connection.close()

    def handle_error(self, req: Any, client: socket.socket, addr: Any, exc: BaseException) -> None:
        """Answer what never reached the application, or came out of it broken."""
        otherwise = (
            HTTPStatus.BAD_REQUEST if isinstance(exc, ParseException) else HTTPStatus.INTERNAL_SERVER_ERROR
        )
        status = _STATUS_OF.get(type(exc), otherwise)
        trace_id = str(uuid.uuid4())
        # The places in the code are safe to log. The exception's text and the request's line are not.
        frames = traceback.extract_tb(exc.__traceback__) if status >= HTTPStatus.INTERNAL_SERVER_ERROR else []
        places = ", ".join(f"{frame.filename}:{frame.lineno}" for frame in frames)
        self.log.warning("answered %d: %s %s ob-trace-id=%s", status, type(exc).__name__, places, trace_id)
        text = f"{status} {status.phrase}\nReference / Référence : {trace_id}\n"
        answer = _ANSWER.format(
            status=status.value, reason=status.phrase, length=len(text.encode()), trace_id=trace_id, text=text
        )
        try:
            write_nonblock(client, answer.encode())
        except OSError:
            self.log.debug("the peer of an unreadable request has gone")
