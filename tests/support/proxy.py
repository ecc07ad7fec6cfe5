"""A TCP proxy between Accord and a store, which delays, holds, forgets or counts what passes."""

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Self

Connect = Callable[[], socket.socket]
"""How the store behind the proxy is reached."""


def to_port(port: int) -> Connect:
    return lambda: socket.create_connection(("127.0.0.1", port))


def to_socket(path: str) -> Connect:
    def connect() -> socket.socket:
        connection = socket.socket(socket.AF_UNIX)
        connection.connect(path)
        return connection

    return connect


REDEEMED = b"\x00\x00\x00\x08redeemed"
"""What a redemption sends to PostgreSQL: a parameter, with its length before it."""


class Proxy:
    """As a context manager: it listens inside the block, on a port of its own.

    `delay` is added to each reply. The next request that contains `losing` reaches the store, and its reply
    reaches nobody. `on_request` and `on_reply` see what is about to pass, and the port of Accord's end.
    """

    def __init__(self, connect: Connect) -> None:
        self.connect = connect
        self.delay = 0.0
        self.losing: bytes | None = None
        self.lost = 0
        self.on_request: Callable[[bytes, int], None] | None = None
        self.on_reply: Callable[[bytes, int], None] | None = None
        self._is_cut = False
        self._flows = threading.Event()
        self._flows.set()
        self._open: set[socket.socket] = set()
        self._listening = socket.create_server(("127.0.0.1", 0), backlog=512)
        self.port: int = self._listening.getsockname()[1]

    def lose_the_next_commit(self, *, then_cut: bool = False) -> None:
        """Of a PostgreSQL: the next COMMIT is done, and nobody is told.

        With `then_cut`, nobody gets through any more either.
        """
        self._lose_the_next(b"COMMIT", then_cut=then_cut)

    def lose_the_next_redemption(self, *, then_cut: bool = False) -> None:
        """The same for a redemption, whose one statement is committed by itself."""
        self._lose_the_next(REDEEMED, then_cut=then_cut)

    def _lose_the_next(self, sign: bytes, *, then_cut: bool) -> None:
        told: set[int] = set()

        def on_request(data: bytes, port: int) -> None:
            if sign in data:
                told.add(port)

        def on_reply(_: bytes, port: int) -> None:
            if port in told:
                self.on_request = self.on_reply = None
                self.lost += 1
                if then_cut:
                    self.cut()
                raise ConnectionAbortedError

        self.on_request, self.on_reply = on_request, on_reply

    def freeze(self) -> None:
        """Whatever is asked stays without an answer, and nothing is closed."""
        self._flows.clear()

    def thaw(self) -> None:
        self._flows.set()

    def cut(self) -> None:
        """Everything is closed, and so is whatever comes."""
        self._is_cut = True
        for connection in list(self._open):
            _shut(connection)

    def mend(self) -> None:
        self._is_cut = False

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.thaw()
        _shut(self._listening)
        self.cut()
        self._thread.join()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listening.accept()
            except OSError:
                return
            if self._is_cut:
                client.close()
                continue
            try:
                store = self.connect()
            except OSError:
                client.close()
                continue
            for connection in (client, store):
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
                self._open.add(connection)
            if store.family == socket.AF_INET:
                store.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            is_lost = threading.Event()
            for way in (self._forward, self._bring_back):
                threading.Thread(target=way, args=(client, store, is_lost), daemon=True).start()

    def _forward(self, client: socket.socket, store: socket.socket, is_lost: threading.Event) -> None:
        port: int = client.getpeername()[1]
        with self._both(client, store):
            while data := client.recv(65536):
                if self.losing is not None and self.losing in data:
                    self.losing = None
                    self.lost += 1
                    is_lost.set()
                if self.on_request is not None:
                    self.on_request(data, port)
                store.sendall(data)

    def _bring_back(self, client: socket.socket, store: socket.socket, is_lost: threading.Event) -> None:
        port: int = client.getpeername()[1]
        with self._both(client, store):
            while data := store.recv(65536):
                self._flows.wait()
                if is_lost.is_set():
                    return
                if self.on_reply is not None:
                    self.on_reply(data, port)
                if self.delay:
                    time.sleep(self.delay)
                client.sendall(data)

    @contextlib.contextmanager
    def _both(self, *connections: socket.socket) -> Iterator[None]:
        """When one direction ends, so does the other."""
        try:
            with contextlib.suppress(OSError):
                yield
        finally:
            for connection in connections:
                self._open.discard(connection)
                _shut(connection)


def _shut(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
    connection.close()
