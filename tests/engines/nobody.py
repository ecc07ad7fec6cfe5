"""A proxy that leads nowhere: it keeps what was asked of it, and hangs up."""

import socketserver
from threading import Thread
from typing import Self


class Nobody:
    """As a context manager: listening on `port` of 127.0.0.1 inside the block."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])

    def __enter__(self) -> Self:
        asked = self.asked

        class Note(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                if line := self.rfile.readline().decode(errors="replace").strip():
                    asked.append(line)

        self._server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Note)
        self._server.daemon_threads = True
        self._thread = Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05})
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
