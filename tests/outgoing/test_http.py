"""One exchange with somebody else's server. What goes wrong on the way is in tests/web/test_oidc_sign_in.py."""

import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from app.outgoing import CallFailed
from app.outgoing.deadline import Deadline
from app.outgoing.http import LARGEST_ANSWER, exchange, get_json, http_connection, tls
from tests.support.oidc_server import METADATA, OidcServer, flood_in_chunks, say, say_as_it_is


def soon() -> Deadline:
    return Deadline.after(timedelta(seconds=5))


def detail_of(url: str) -> str:
    with pytest.raises(CallFailed) as raised:
        get_json(url, deadline=soon())
    assert not raised.value.is_busy
    return raised.value.detail


def test_json_is_read(bank: OidcServer) -> None:
    assert get_json(bank.issuer + METADATA, deadline=soon())["issuer"] == bank.issuer


def test_a_redirect_is_an_answer_and_nothing_follows_it(bank: OidcServer) -> None:
    bank.tricks["/here"] = say("302 Found", b"", f"Location: {bank.issuer}/there")
    answer = exchange("GET", f"{bank.issuer}/here", deadline=soon(), headers={})
    assert answer.status_code == 302
    assert bank.asked == ["/here"]


@pytest.mark.parametrize("size", [b"-1", b"-5", b"7fffffffffffffff", b"f" * 400])
def test_however_large_a_chunk_says_it_is_no_more_is_read_than_an_answer_may_have(
    bank: OidcServer, size: bytes
) -> None:
    bank.tricks["/here"] = flood_in_chunks(size)
    assert detail_of(f"{bank.issuer}/here") == "too_large"


def test_an_answer_in_chunks_is_read(bank: OidcServer) -> None:
    body = b"2\r\n{}\r\n0\r\n\r\n"
    bank.tricks["/here"] = say_as_it_is(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + body)
    assert get_json(f"{bank.issuer}/here", deadline=soon()) == {}


def test_the_largest_answer_is_read_also_in_small_chunks(bank: OidcServer) -> None:
    body = b'{"a": "' + b"a" * (LARGEST_ANSWER - 9) + b'"}'
    chunks = (body[begin : begin + 512] for begin in range(0, len(body), 512))
    said = b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks) + b"0\r\n\r\n"
    bank.tricks["/here"] = say_as_it_is(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + said)
    assert len(get_json(f"{bank.issuer}/here", deadline=soon())["a"]) == LARGEST_ANSWER - 9


def test_trailers_that_never_end_are_not_read_for_long(bank: OidcServer) -> None:
    def flood(handler: Any, _answer: bytes) -> None:
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n")
        while not handler.bank.closing.is_set():
            handler.wfile.write(b"Trailer: a\r\n" * 5000)

    bank.tricks["/here"] = flood
    assert detail_of(f"{bank.issuer}/here") == "too_large"


def test_an_answer_that_was_announced_is_read(bank: OidcServer) -> None:
    def announce(handler: Any, answer: bytes) -> None:
        handler.wfile.write(b"HTTP/1.1 103 Early Hints\r\n\r\n" + answer)

    bank.tricks[METADATA] = announce
    assert get_json(bank.issuer + METADATA, deadline=soon())["issuer"] == bank.issuer


def test_no_proxy_of_the_environment_is_asked(bank: OidcServer, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://localhost:1")
    assert get_json(bank.issuer + METADATA, deadline=soon())


@pytest.mark.parametrize(
    "url",
    [
        "http://bank.example/",
        "http://192.0.2.1/",
        "ftp://localhost/",
        "file:///etc/passwd",
        "localhost",
        "https://",
        "http://[/",
        "",
    ],
)
def test_nothing_is_sent_where_others_could_read_it(url: str) -> None:
    assert detail_of(url) == "insecure_address"


@pytest.mark.parametrize("path", ["/a b", "/\r\nHost: evil.example", "/é"])
def test_an_address_that_is_none_is_not_asked_for(bank: OidcServer, path: str) -> None:
    assert detail_of(bank.issuer + path) == "connection"
    assert bank.asked == []


def test_a_port_that_is_none_is_no_crash() -> None:
    assert detail_of("https://localhost:99999/") == "connection"


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of localhost, signed by nobody."""
    path = tmp_path_factory.mktemp("tls") / "localhost.pem"
    make = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 1 -subj /CN=localhost"
    names = ["-addext", "subjectAltName=DNS:localhost", "-keyout", str(path), "-out", str(path) + ".crt"]
    subprocess.run([*make.split(), *names], check=True, capture_output=True)
    path.write_text(path.read_text() + Path(f"{path}.crt").read_text())
    return path


@pytest.fixture
def https_hosts() -> list[str]:
    """The Host of each request at the https port."""
    return []


@pytest.fixture
def https_port(certificate: Path, https_hosts: list[str]) -> Iterator[int]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            https_hosts.append(self.headers["Host"])
            self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")

        def log_message(self, *_: object) -> None:
            """It says nothing."""

    class QuietServer(HTTPServer):
        def handle_error(self, *_: object) -> None:
            """A handshake that the other side breaks off."""

    server = QuietServer(("127.0.0.1", 0), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield server.server_port
    server.shutdown()
    server.server_close()
    thread.join()


def test_a_certificate_that_nobody_vouches_for_is_refused(https_port: int) -> None:
    assert detail_of(f"https://localhost:{https_port}/") == "tls"


# What is sent


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("https://bank.example/token", "bank.example"),
        ("https://bank.example:443/token", "bank.example"),
        ("https://bank.example:8443/token", "bank.example:8443"),
        ("https://bank.example:80/token", "bank.example:80"),
        ("http://localhost/token", "localhost"),
        ("http://localhost:443/token", "localhost:443"),
        ("https://[::1]/token", "[::1]"),
        ("https://[::1]:8443/token", "[::1]:8443"),
    ],
)
def test_the_host_is_named_without_the_port_that_goes_without_saying(url: str, host: str) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        connection = http_connection(url)
        connection.sock = ours
        connection.request("GET", "/token")
        sent = theirs.recv(4096).decode().split("\r\n")
    assert [line for line in sent if line.startswith("Host:")] == [f"Host: {host}"]


def test_a_bank_over_tls_is_asked_by_its_name(
    https_port: int, https_hosts: list[str], certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", f"{certificate}.crt")
    tls.cache_clear()
    try:
        assert get_json(f"https://localhost:{https_port}/", deadline=soon()) == {}
    finally:
        tls.cache_clear()
    assert https_hosts == [f"localhost:{https_port}"]
