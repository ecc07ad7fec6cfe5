"""Limits of an exchange with somebody else's server: when it is over, and how much is read.

urllib3 and requests bound each read, not the whole. With a total of one second urllib3 2.8 waited 19.5 s for
a server that sent its headers a byte each half second, and 1.9 s for one that fell silent after 0.9 s. It
spent the whole second on the first address of a host, which said nothing, where the next would have answered.
"""

import errno
import io
import os
import selectors
import socket
import time
from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

# In seconds: the delay that RFC 8305 8 recommends before the next address is tried as well.
_NEXT_ADDRESS_AFTER = 0.25

Address = tuple[socket.AddressFamily, socket.SocketKind, int, str, Any]
"""One of those that `socket.getaddrinfo` finds."""


@dataclass(frozen=True, slots=True)
class Deadline:
    """A moment of the monotonic clock by which everything must be over."""

    moment: float

    @classmethod
    def after(cls, span: timedelta) -> "Deadline":
        return cls(time.monotonic() + span.total_seconds())

    def earlier_by(self, span: timedelta) -> "Deadline":
        return Deadline(self.moment - span.total_seconds())

    def seconds_left(self) -> float:
        """More than 0. Raises TimeoutError when the moment has come."""
        left = self.moment - time.monotonic()
        if left <= 0:
            raise TimeoutError
        return left


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
    """A second descriptor of the same connection: the first is closed with those of the slower addresses."""
    kept = connection.dup()
    kept.setblocking(True)
    return kept


class TooMuchReceived(OSError):
    """The other side has sent more bytes than may be read."""


class LimitedSocket:
    """As much of a socket as http.client uses. No call outlasts the deadline, however bytes trickle in.

    No more than `most` bytes are read, whatever they are: http.client reads trailers and interim answers for
    as long as they come, and a chunk of the size -1 up to the end.
    """

    def __init__(self, connection: socket.socket, deadline: Deadline, *, most: int) -> None:
        self._connection = connection
        self._deadline = deadline
        self._most = most

    def sendall(self, data: bytes) -> None:
        self._connection.settimeout(self._deadline.seconds_left())
        self._connection.sendall(data)

    def makefile(self, _mode: str) -> io.BufferedReader:
        return io.BufferedReader(_LimitedStream(self._connection, self._deadline, self._most))

    def close(self) -> None:
        """The connection is closed by whoever opened it."""


class _LimitedStream(io.RawIOBase):
    def __init__(self, connection: socket.socket, deadline: Deadline, most: int) -> None:
        self._connection = connection
        self._deadline = deadline
        self._left = most

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        self._connection.settimeout(self._deadline.seconds_left())
        received = self._connection.recv_into(buffer)
        self._left -= received
        if self._left < 0:
            raise TooMuchReceived
        return received
