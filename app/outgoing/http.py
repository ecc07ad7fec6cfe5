"""One HTTP exchange with a server that is not ours: it ends at its deadline and is read up to a size.

Whatever the server does (hangs, drips, cuts off, lies about lengths), there is an answer or CallFailed.
Redirects are answers like any other: nothing follows them. No proxy and no netrc of the environment is asked.

It is http.client of the standard library over a socket with limits (app/outgoing/deadline.py), by three
names that its documentation does not list: `HTTPConnection.sock`, `HTTPResponse.length` and its `begin`.
"""

import functools
import http.client
import json
import socket
import ssl
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from types import MappingProxyType
from typing import Any, Final
from urllib.parse import urlsplit

from app.domain.addresses import is_protected
from app.outgoing import CallFailed
from app.outgoing.deadline import Deadline, LimitedSocket, TooMuchReceived, connect

MayConnect = Callable[[str], bool]
"""Whether a connection may go to this IP address, which a host's name stands for."""

# In bytes. Metadata, keys and tokens have a few thousand; a set of a hundred keys has 60,000.
LARGEST_ANSWER: Final = 256 * 1024
_AROUND_THE_BODY: Final = 64 * 1024
"""Bytes of status lines, headers, sizes of chunks and trailers. Servers send a few thousand: a judgement."""


def anywhere(_address: str) -> bool:
    """For servers that the bank has named itself: they may be on its own network."""
    return True


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """The whole of an answer, whatever its status."""

    status_code: int
    body: bytes

    def raise_for_status(self) -> None:
        """Raises CallFailed unless this is a success."""
        if not 200 <= self.status_code < 300:
            raise CallFailed(f"status_{self.status_code}")

    def json(self) -> Any:
        """The JSON in the body. Raises ValueError when it is none."""
        try:
            return json.loads(self.body)
        except RecursionError as error:
            raise ValueError("nested too deeply") from error


def get_json(
    url: str,
    *,
    deadline: Deadline,
    headers: Mapping[str, str] = MappingProxyType({}),
    may_connect: MayConnect = anywhere,
) -> dict[str, Any]:
    """The JSON object at `url`. Raises CallFailed when there is none."""
    headers = {"Accept": "application/json", **headers}
    answer = exchange("GET", url, deadline=deadline, headers=headers, may_connect=may_connect)
    answer.raise_for_status()
    try:
        found = answer.json()
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise CallFailed("not_json")
    return found


def exchange(
    method: str,
    url: str,
    *,
    deadline: Deadline,
    headers: Mapping[str, str],
    body: bytes | None = None,
    may_connect: MayConnect = anywhere,
) -> HttpAnswer:
    """Sends one request over a connection of its own, and reads the whole of the answer.

    Raises CallFailed as `answering` does, and with the details `too_large` and `cut_off`.
    """
    with answering(
        method, url, deadline=deadline, headers=headers, body=body, may_connect=may_connect
    ) as response:
        read = read_at_most(LARGEST_ANSWER + 1, response)
        if len(read) > LARGEST_ANSWER:
            raise CallFailed("too_large")
        if response.length:  # of a body whose length was announced, this much has not come
            raise CallFailed("cut_off")
        return HttpAnswer(response.status, read)


@contextmanager
def answering(
    method: str,
    url: str,
    *,
    deadline: Deadline,
    headers: Mapping[str, str],
    body: bytes | None = None,
    may_connect: MayConnect = anywhere,
) -> Iterator[http.client.HTTPResponse]:
    """Sends one request over a connection of its own; the answer, whose body has not been read.

    The name is looked up once, and the connection goes to one of the addresses that were found: none of them
    may be one to which nothing `may_connect`.

    Raises CallFailed, also while the body is read, whose detail is
    `insecure_address` (neither https nor loopback), `private_address`, `timeout`, `tls`, `connection`, or
    `too_large` where everything that was received is more than any answer may have.
    """
    if not is_protected(url):
        raise CallFailed("insecure_address")
    try:
        with ExitStack() as stack:
            yield _open(method, url, deadline, headers, body, may_connect, stack)
    except TimeoutError as error:
        raise CallFailed("timeout") from error
    except ssl.SSLError as error:
        raise CallFailed("tls") from error
    except TooMuchReceived as error:
        raise CallFailed("too_large") from error
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise CallFailed("connection") from error


def read_at_most(size: int, response: http.client.HTTPResponse) -> bytes:
    """The first `size` bytes of the body, or all of it.

    They are taken as they come: `HTTPResponse.read` reads without end where a chunk says that its size is -1.
    """
    read = bytearray()
    while len(read) < size and (part := response.read1(size - len(read))):
        read += part
    return bytes(read[:size])


def _open(
    method: str,
    url: str,
    deadline: Deadline,
    headers: Mapping[str, str],
    body: bytes | None,
    may_connect: MayConnect,
    stack: ExitStack,
) -> http.client.HTTPResponse:
    parts = urlsplit(url)
    connection = http_connection(url)
    addresses = socket.getaddrinfo(connection.host, connection.port, type=socket.SOCK_STREAM)
    if not all(may_connect(str(address[0])) for *_, address in addresses):
        raise CallFailed("private_address")
    plain = stack.enter_context(connect(addresses, deadline))
    if parts.scheme == "https":
        plain.settimeout(deadline.seconds_left())
        plain = stack.enter_context(tls().wrap_socket(plain, server_hostname=connection.host))
    connection.sock = LimitedSocket(plain, deadline, most=LARGEST_ANSWER + _AROUND_THE_BODY)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    connection.request(method, target, body, {"Connection": "close", **headers})
    response = stack.enter_context(connection.getresponse())
    _skip_interim_answers(response)
    return response


def _skip_interim_answers(response: http.client.HTTPResponse) -> None:
    """Reads on after answers that only announce another one (RFC 9110 15.2): http.client skips 100 alone."""
    while 100 <= response.status < 200 and response.status != HTTPStatus.SWITCHING_PROTOCOLS:
        response.headers = None  # type: ignore[assignment]  # by which it knows that it has not begun
        response.begin()


def http_connection(url: str) -> http.client.HTTPConnection:
    """Writes requests to `url` and reads answers, once it has a `sock`. Its Host names no default port."""
    parts = urlsplit(url)
    if parts.scheme == "https":
        return http.client.HTTPSConnection(parts.hostname or "", parts.port or 443, context=tls())
    return http.client.HTTPConnection(parts.hostname or "", parts.port or 80)


@functools.cache
def tls() -> ssl.SSLContext:
    """Checks certificates against the system's authorities (or SSL_CERT_FILE's), and the name in them."""
    return ssl.create_default_context()
