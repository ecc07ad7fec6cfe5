"""gunicorn with our configuration in front of a small application, to see what gunicorn does by itself."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.ports import free_port
from tests.support.repository import ROOT

MARK = "marked-secret-value"

APPLICATION = """
def app(environ, start_response):
    if environ["PATH_INFO"] == "/fails":
        raise ValueError(environ["QUERY_STRING"])
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [" ".join([environ["wsgi.url_scheme"], environ["SCRIPT_NAME"], environ["PATH_INFO"]]).encode()]
"""


class Gunicorn:
    process: subprocess.Popen[bytes]

    def __init__(self, directory: Path, **variables: str) -> None:
        self.port = free_port()
        self.log = directory / "gunicorn.log"
        self.directory = directory
        self.env = {**os.environ, "HOME": str(directory), "ACCORD_WORKERS": "1", **variables}
        self.env |= {"ACCORD_BIND": f"127.0.0.1:{self.port}"}

    def start(self, application: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "gunicorn", "-c", str(ROOT / "gunicorn.conf.py"), application]
        with self.log.open("wb") as log:
            return subprocess.Popen(command, cwd=self.directory, env=self.env, stdout=log, stderr=log)

    def answers(self) -> bool:
        try:
            return " 200 " in self.ask("GET / HTTP/1.1")
        except ConnectionError:
            return False

    def ask(self, *lines: str) -> str:
        """Send a request as it is, and return the whole answer."""
        request = "\r\n".join([*lines, "Host: localhost", "Connection: close", "", ""])
        with socket.create_connection(("127.0.0.1", self.port), timeout=10) as connection:
            connection.sendall(request.encode())
            return b"".join(iter(lambda: connection.recv(65536), b"")).decode()


@contextmanager
def serving(directory: Path, **variables: str) -> Iterator[Gunicorn]:
    (directory / "hello.py").write_text(APPLICATION)
    gunicorn = Gunicorn(directory, **variables)
    gunicorn.process = process = gunicorn.start("hello:app")
    try:
        while not gunicorn.answers():
            assert process.poll() is None, gunicorn.log.read_text()
        yield gunicorn
    finally:
        process.terminate()
        process.wait(30)
