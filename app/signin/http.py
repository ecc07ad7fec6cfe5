"""One HTTP exchange with a server that is not ours: it ends at its deadline and is read up to a size.

Whatever the server does (hangs, drips, cuts off, lies about lengths), there is an answer or SignInFailed.
Redirects are answers like any other: nothing follows them. No proxy and no netrc of the environment is asked.
"""

import errno
import functools
import http.client
import io
import json
import os
import selectors
import socket
import ssl
import time
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

from app.domain.registry import is_protected
from app.signin import Cause, SignInFailed

LARGEST_ANSWER = 256 * 1024  # bytes

_NEXT_ADDRESS_AFTER = 0.25  # seconds (RFC 8305 8)

Address = tuple[socket.AddressFamily, socket.SocketKind, int, str, Any]
"""One of those that `socket.getaddrinfo` finds."""


@dataclass(frozen=True, slots=True)
class Deadline:
    """A moment of the monotonic clock by which everything must be over."""

    moment: float

    @classmethod
    def after(cls, span: timedelta) -> "Deadline":
        return cls(time.monotonic() + span.total_seconds())

    def seconds_left(self) -> float:
        """More than nothing. Raises TimeoutError when the moment has come."""
        left = self.moment - time.monotonic()
        if left <= 0:
            raise TimeoutError
        return left


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    status_code: int
    body: bytes

    def raise_for_status(self) -> None:
        """Raises SignInFailed unless this is a success."""
        if not 200 <= self.status_code < 300:
            raise SignInFailed(Cause.UNAVAILABLE, f"status_{self.status_code}")

    def json(self) -> Any:
        """The JSON in the body. Raises ValueError when it is none."""
        try:
            return json.loads(self.body)
        except RecursionError as error:
            raise ValueError("nested too deeply") from error


def get_json(url: str, *, deadline: Deadline) -> dict[str, Any]:
    """The JSON object at `url`. Raises SignInFailed when there is none."""
    answer = exchange("GET", url, deadline=deadline, headers={"Accept": "application/json"})
    answer.raise_for_status()
    try:
        found = answer.json()
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise SignInFailed(Cause.UNAVAILABLE, "not_json")
    return found


def exchange(
    method: str, url: str, *, deadline: Deadline, headers: Mapping[str, str], body: bytes | None = None
) -> HttpAnswer:
    """Sends one request over a connection of its own. Raises SignInFailed."""
    if not is_protected(url):
        raise SignInFailed(Cause.UNAVAILABLE, "insecure_address")
    try:
        return _exchange(method, url, deadline, headers, body)
    except TimeoutError as error:
        raise SignInFailed(Cause.UNAVAILABLE, "timeout") from error
    except ssl.SSLError as error:
        raise SignInFailed(Cause.UNAVAILABLE, "tls") from error
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise SignInFailed(Cause.UNAVAILABLE, "connection") from error


def _exchange(
    method: str, url: str, deadline: Deadline, headers: Mapping[str, str], body: bytes | None
) -> HttpAnswer:
    parts = urlsplit(url)
    connection = http_connection(url)
    with ExitStack() as stack:
        addresses = socket.getaddrinfo(connection.host, connection.port, type=socket.SOCK_STREAM)
        plain = stack.enter_context(connect(addresses, deadline))
        if parts.scheme == "https":
            plain.settimeout(deadline.seconds_left())
            plain = stack.enter_context(tls().wrap_socket(plain, server_hostname=connection.host))
        connection.sock = _TimedSocket(plain, deadline)
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        connection.request(method, target, body, {"Connection": "close", **headers})
        response = stack.enter_context(connection.getresponse())
        read = response.read(LARGEST_ANSWER + 1)
        if len(read) > LARGEST_ANSWER:
            raise SignInFailed(Cause.UNAVAILABLE, "too_large")
        if response.length:  # of a body whose length was announced, this much has not come
            raise SignInFailed(Cause.UNAVAILABLE, "cut_off")
        return HttpAnswer(response.status, read)


def http_connection(url: str) -> http.client.HTTPConnection:
    """What writes requests to `url` and reads the answers, once it has a socket. It names no default port."""
    parts = urlsplit(url)
    if parts.scheme == "https":
        return http.client.HTTPSConnection(parts.hostname or "", parts.port or 443, context=tls())
    return http.client.HTTPConnection(parts.hostname or "", parts.port or 80)


def connect(addresses: Iterable[Address], deadline: Deadline) -> socket.socket:
    """A connection to the first of a host's addresses that takes one. Raises OSError when none does.

    An address that says nothing does not keep the next one waiting (RFC 8305 5): who answers first is it.
    """
    waiting, failure = list(addresses), OSError("no address")
    with selectors.DefaultSelector() as trying, ExitStack() as stack:
        while waiting or trying.get_map():
            if waiting:
                family, kind, protocol, _, address = waiting.pop(0)
                connection = stack.enter_context(socket.socket(family, kind, protocol))
                connection.setblocking(False)
                error = connection.connect_ex(address)
                if error not in (0, errno.EINPROGRESS):
                    failure = OSError(error, os.strerror(error))
                    continue
                trying.register(connection, selectors.EVENT_WRITE, connection)
            left = deadline.seconds_left()
            for key, _ in trying.select(min(left, _NEXT_ADDRESS_AFTER) if waiting else left):
                trying.unregister(key.fileobj)
                error = key.data.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
                if error == 0:
                    return _kept(key.data)
                failure = OSError(error, os.strerror(error))
    raise failure


def _kept(connection: socket.socket) -> socket.socket:
    """The same connection, which outlives the one that is closed with those that were slower."""
    kept = connection.dup()
    kept.setblocking(True)
    return kept


@functools.cache
def tls() -> ssl.SSLContext:
    """Certificates are checked against the system's authorities (or SSL_CERT_FILE's), names too."""
    return ssl.create_default_context()


class _TimedSocket:
    """As much of a socket as http.client uses. No call outlasts the deadline, however bytes trickle in."""

    def __init__(self, connection: socket.socket, deadline: Deadline) -> None:
        self._connection = connection
        self._deadline = deadline

    def sendall(self, data: bytes) -> None:
        self._connection.settimeout(self._deadline.seconds_left())
        self._connection.sendall(data)

    def makefile(self, _mode: str) -> io.BufferedReader:
        return io.BufferedReader(_TimedStream(self._connection, self._deadline))

    def close(self) -> None:
        """The connection is closed by whoever opened it."""


class _TimedStream(io.RawIOBase):
    def __init__(self, connection: socket.socket, deadline: Deadline) -> None:
        self._connection = connection
        self._deadline = deadline

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        self._connection.settimeout(self._deadline.seconds_left())
        return self._connection.recv_into(buffer)
