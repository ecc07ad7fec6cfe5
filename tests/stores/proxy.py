"""A TCP proxy on loopback that can lose a reply: the server did what was asked, and nobody hears of it."""

import contextlib
import socket
import threading
from typing import Self

from tests.support.ports import free_port


class LosingProxy:
    """As a context manager: passes everything on to a server on loopback, inside the block."""

    def __init__(self, server_port: int) -> None:
        self.port = free_port()
        self._server_port = server_port
        self._lose_next = threading.Event()
        self._open: list[socket.socket] = []

    def lose_the_next_reply(self) -> None:
        """The next reply is swallowed, and the connection that it was for is closed."""
        self._lose_next.set()

    def __enter__(self) -> Self:
        self._listener = socket.create_server(("127.0.0.1", self.port))
        self._accepting = threading.Thread(target=self._accept, daemon=True)
        self._accepting.start()
        return self

    def __exit__(self, *_: object) -> None:
        # Closing does not wake a thread that waits in accept; shutting down does.
        for opened in (self._listener, *self._open):
            with contextlib.suppress(OSError):
                opened.shutdown(socket.SHUT_RDWR)
            opened.close()
        self._accepting.join(5)

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.create_connection(("127.0.0.1", self._server_port))
                self._open += [client, server]
                for source, target, is_reply in ((client, server, False), (server, client, True)):
                    threading.Thread(
                        target=self._pass_on, args=(source, target, is_reply), daemon=True
                    ).start()

    def _pass_on(self, source: socket.socket, target: socket.socket, is_reply: bool) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                if is_reply and self._lose_next.is_set():
                    self._lose_next.clear()
                    break
                target.sendall(data)
        with contextlib.suppress(OSError):
            target.shutdown(socket.SHUT_RDWR)
