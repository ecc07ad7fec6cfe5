"""One HTTP exchange with a server that is not ours: it ends at its deadline and is read up to a size.

Whatever the server does (hangs, drips, cuts off, lies about lengths), there is an answer or SignInFailed.
Redirects are answers like any other: nothing follows them. No proxy and no netrc of the environment is asked.
"""

import functools
import http.client
import io
import json
import socket
import ssl
import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

from app.domain.registry import is_protected
from app.signin import Cause, SignInFailed

LARGEST_ANSWER = 256 * 1024  # bytes

_PORTS = {"http": 80, "https": 443}


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
    host, port = parts.hostname or "", parts.port or _PORTS[parts.scheme]
    with ExitStack() as stack:
        plain = stack.enter_context(_connect(host, port, deadline))
        if parts.scheme == "https":
            plain.settimeout(deadline.seconds_left())
            plain = stack.enter_context(_tls().wrap_socket(plain, server_hostname=host))
        connection = http.client.HTTPConnection(host, port)
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


def _connect(host: str, port: int, deadline: Deadline) -> socket.socket:
    """A connection to the first of the host's addresses that takes one."""
    refused: OSError = OSError("no address")
    for family, kind, protocol, _, address in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM):
        connection = socket.socket(family, kind, protocol)
        try:
            connection.settimeout(deadline.seconds_left())
            connection.connect(address)
        except OSError as error:
            connection.close()
            refused = error
        else:
            return connection
    raise refused


@functools.cache
def _tls() -> ssl.SSLContext:
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
