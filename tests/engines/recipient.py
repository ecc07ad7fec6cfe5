"""A data recipient's callbacks, as browsers meet them: over TLS, over http, and one that redirects onward."""

import ssl
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import IPv4Address
from pathlib import Path
from threading import Thread
from typing import NamedTuple, Self
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

_PAGE = b"""<!doctype html>
<html lang=en>
<title>Recipient</title>
<h1>At the recipient</h1>
<p id=script>No script has run</p>
<script>document.getElementById("script").textContent = "A script has run"</script>
"""


class Callback(NamedTuple):
    """A registered redirect_uri, and the address at which the browser comes to rest."""

    redirect_uri: str
    landing: str


class Recipient:
    """As a context manager: listening inside the block. `received` has each address that was called back."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.received: list[str] = []
        self.callbacks: dict[str, Callback] = {}

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            tls = _self_signed(self._folder)
            secure = _listen(stack, self, "localhost", tls)
            # Another site, not just another port, so that nothing about it can be taken for the same.
            elsewhere = _listen(stack, self, "127.0.0.1", tls)
            plain = _listen(stack, self, "localhost")
            self.onward = f"{elsewhere}/landed"
            self.callbacks = {
                "https": Callback(f"{secure}/callback", f"{secure}/callback"),
                "https and onward": Callback(f"{secure}/onward", self.onward),
                "http on loopback": Callback(f"{plain}/callback", f"{plain}/callback"),
            }
            self._until_exit = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._until_exit.close()


def _listen(stack: ExitStack, recipient: Recipient, host: str, tls: ssl.SSLContext | None = None) -> str:
    """Starts a server; returns its origin."""

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = urlsplit(self.path).path
            if path in ("/callback", "/onward"):
                recipient.received.append(origin + self.path)
            if path == "/onward":
                self.send_response(302)
                self.send_header("Location", recipient.onward)
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            known = path in ("/callback", "/landed")
            self.send_response(200 if known else 404)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.end_headers()
            self.wfile.write(_PAGE if known else b"")

        def log_message(self, *_: object) -> None:
            """Says nothing."""

    server = _Server(("127.0.0.1", 0), Answer)
    if tls:
        server.socket = tls.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    origin = f"{'https' if tls else 'http'}://{host}:{server.server_port}"
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    stack.callback(server.server_close)
    stack.callback(thread.join)
    stack.callback(server.shutdown)
    return origin


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        """Browsers try a connection, meet the certificate that nobody signed, and come again."""


def _self_signed(folder: Path) -> ssl.SSLContext:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    names = [x509.DNSName("localhost"), x509.IPAddress(IPv4Address("127.0.0.1"))]
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=7))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .sign(key, hashes.SHA256())
    )
    path = folder / "recipient.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(private + certificate.public_bytes(serialization.Encoding.PEM))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    return context
