"""An app of one's own, on a port of one's own: the browser reaches it with either answer (RFC 8252 7.3)."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from tests.browser.visit import Visit
from tests.browser.watch import query_of


class App(BaseHTTPRequestHandler):
    """Says that it was reached, wherever."""

    def do_GET(self) -> None:
        body = b"<!doctype html><title>App</title><h1>Reached</h1>"
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """It says nothing."""


class IPv6Server(ThreadingHTTPServer):
    address_family = socket.AF_INET6


@contextmanager
def listening(server: type[ThreadingHTTPServer], host: str) -> Iterator[int]:
    with server((host, 0), App) as app:
        thread = threading.Thread(target=app.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield app.server_port
        finally:
            app.shutdown()
            thread.join()


APPS = {"127.0.0.1": (ThreadingHTTPServer, "127.0.0.1"), "[::1]": (IPv6Server, "::1")}


@pytest.mark.parametrize("host", APPS)
def test_both_answers_reach_an_app_on_any_port(visit: Visit, host: str) -> None:
    server, address = APPS[host]
    with listening(server, address) as port:
        visit.watch.excuse(f"http://{host}:{port}/")  # nobody that the demo knows
        callback = f"http://{host}:{port}/callback"
        for answer, name in ((visit.approve, "code"), (visit.deny, "error")):
            visit.ask(client_id="dc-own-app", redirect_uri=callback)
            visit.sign_in()
            answer()
            assert visit.page.url.startswith(f"{callback}?")
            assert visit.heading == "Reached"
            assert query_of(visit.page.url)[name]
