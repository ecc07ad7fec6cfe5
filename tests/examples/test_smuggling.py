"""The example bank as it is served, behind the real nginx and without it: no form of a request opens more."""

import os
import socket
import ssl
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.development.embedded import start_child, stop_child
from tests.examples.stand_in import StandIn, account_resource
from tests.support.nginx import Nginx
from tests.support.ports import free_port
from tests.support.repository import ROOT

OWN, FOREIGN = "acc-maple-0001-chequing", "acc-maple-0001-savings"
# What the consent opens is the one account's basic data, and the body of that answer is this long at most.
OF_OTHERS = (FOREIGN.encode(), b"Rainy day", b"transactionId", b"currentBalance", b"holders", b"%PDF")


class ServedBank:
    """gunicorn with the example's configuration, on a free port; nginx in front of it."""

    def __init__(self, accord: StandIn, folder: Path) -> None:
        self.token = accord.grant(account_resource(OWN, "ACCOUNT_BASIC"), token=accord.sign(exp=2**40))
        self.port = free_port()
        environment = os.environ | {"ACCORD_ISSUER": accord.issuer, "ACCORD_BANK_PORT": str(self.port)}
        configuration = str(ROOT / "examples" / "bank" / "gunicorn_conf.py")
        arguments = [sys.executable, "-m", "gunicorn", "-c", configuration, "examples.bank.app:create_app()"]
        self.process = start_child(arguments, log=folder / "bank.log", env=environment, cwd=ROOT)
        self.nginx = Nginx(self.port)

    def send(self, request: str, *, through_nginx: bool) -> bytes:
        """Sends the bytes as they are, and reads until the other side closes."""
        with socket.create_connection(
            ("127.0.0.1", self.nginx.port if through_nginx else self.port), 20
        ) as plain:
            if not through_nginx:
                return _converse(plain, request)
            context = ssl.create_default_context(cafile=str(self.nginx.certificates.authority))
            with context.wrap_socket(plain, server_hostname="localhost") as tls:
                return _converse(tls, request)


def _converse(connection: socket.socket, request: str) -> bytes:
    connection.sendall(request.encode("latin-1"))
    received = b""
    try:
        while part := connection.recv(65536):
            received += part
    except (ConnectionError, TimeoutError, ssl.SSLError):
        pass  # cut off: what came until then is what was said
    return received


@pytest.fixture(scope="module")
def bank(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedBank]:
    with StandIn() as accord:
        served = ServedBank(accord, tmp_path_factory.mktemp("bank"))
        try:
            with served.nginx:
                while True:
                    with socket.socket() as probe:
                        if probe.connect_ex(("127.0.0.1", served.port)) == 0:
                            break
                    assert served.process.poll() is None
                    time.sleep(0.05)
                yield served
        finally:
            stop_child(served.process, seconds=20)


def a_request(first_line: str, *headers: str, token: str | None, body: str = "") -> str:
    authorization = [] if token is None else [f"Authorization: Bearer {token}"]
    return "\r\n".join(
        [first_line, "Host: localhost", "Connection: close", *authorization, *headers, "", body]
    )


both_ways = pytest.mark.parametrize("through_nginx", [True, False], ids=["behind nginx", "alone"])


@both_ways
def test_an_ordinary_request_is_answered(bank: ServedBank, through_nginx: bool) -> None:
    answer = bank.send(
        a_request("GET /maple/accounts HTTP/1.1", token=bank.token), through_nginx=through_nginx
    )
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert OWN.encode() in answer
    assert not [name for name in OF_OTHERS if name in answer]


@both_ways
@pytest.mark.parametrize(
    "first_line",
    [
        f"GET /maple/accounts/{FOREIGN} HTTP/1.1",
        f"GET /maple/accounts/{OWN}/../{FOREIGN}/transactions HTTP/1.1",
        f"GET /maple/accounts/{OWN}/%2e%2e/{FOREIGN}/transactions HTTP/1.1",
        f"GET /maple/accounts/{OWN}%2f..%2f{FOREIGN}/transactions HTTP/1.1",
        f"GET /maple/accounts/{OWN}%252f..%252f{FOREIGN}/transactions HTTP/1.1",
        f"GET /maple/accounts/{OWN};/{FOREIGN}/transactions HTTP/1.1",
        f"GET /maple//accounts/{OWN}/transactions HTTP/1.1",
        f"GET //maple/accounts/{OWN}/transactions HTTP/1.1",
        f"GET /maple/./accounts/{OWN}/transactions HTTP/1.1",
        "GET /maple/../northern/accounts HTTP/1.1",
        "GET /northern/accounts HTTP/1.1",
        f"GET http://localhost/maple/accounts/{FOREIGN}/transactions HTTP/1.1",
        "GET /maple/accounts?resultType=lightweight&resultType=details HTTP/1.1",
        f"HEAD /maple/accounts/{OWN} HTTP/1.1",
        f"POST /maple/accounts/{OWN} HTTP/1.1",
        f"GET /maple/accounts/{OWN}\x00/transactions HTTP/1.1",
        f"GET /maple\\accounts\\{OWN} HTTP/1.1",
    ],
)
def test_no_form_of_an_address_opens_more(bank: ServedBank, through_nginx: bool, first_line: str) -> None:
    answer = bank.send(a_request(first_line, token=bank.token), through_nginx=through_nginx)
    assert not [name for name in OF_OTHERS if name in answer]
    assert not answer.startswith(b"HTTP/1.1 200 ")


@both_ways
@pytest.mark.parametrize(
    "header",
    [
        f"X-Original-URL: /maple/accounts/{FOREIGN}",
        f"X-Rewrite-URL: /maple/accounts/{FOREIGN}",
        f"X-Forwarded-Uri: /maple/accounts/{FOREIGN}/transactions",
        "X-Forwarded-Prefix: /northern",
        "X-HTTP-Method-Override: POST",
        "X-Forwarded-Host: evil.example",
        "SCRIPT_NAME: /maple",
        "SCRIPT-NAME: /maple",
        f"PATH_INFO: /accounts/{FOREIGN}",
        f"Raw-Uri: /maple/accounts/{FOREIGN}",
        "Query-String: resultType=details",
        "Bank.Decision: None",
        "bank_decision: None",
        "X-Subject: maple-0002",
        "Range: bytes=0-0",
        "If-None-Match: *",
        "Accept-Encoding: gzip",
        "Accept: text/html",
    ],
)
def test_no_header_opens_more(bank: ServedBank, through_nginx: bool, header: str) -> None:
    plain = bank.send(
        a_request("GET /maple/accounts HTTP/1.1", token=bank.token), through_nginx=through_nginx
    )
    answer = bank.send(
        a_request("GET /maple/accounts HTTP/1.1", header, token=bank.token), through_nginx=through_nginx
    )
    assert not [name for name in OF_OTHERS if name in answer]
    if answer.startswith(b"HTTP/1.1 200 "):
        assert answer.partition(b"\r\n\r\n")[2] == plain.partition(b"\r\n\r\n")[2]


@both_ways
@pytest.mark.parametrize(
    "headers",
    [
        [],
        ["Authorization: Bearer {token}", "Authorization: Bearer {token}"],
        ["Authorization: Bearer x", "Authorization: Bearer {token}"],
        ["Authorization: Basic eDp5", "Authorization: Bearer {token}"],
        ["Authorization_: Bearer {token}"],
        ["X-Authorization: Bearer {token}"],
        ["Proxy-Authorization: Bearer {token}"],
        ["Cookie: access_token={token}"],
        ["Authorization : Bearer {token}"],
        ["Authorization: Bearer {token}, Bearer {token}"],
        ["X: y\n Authorization: Bearer {token}"],
    ],
)
def test_a_token_stands_in_one_header_and_nowhere_else(
    bank: ServedBank, through_nginx: bool, headers: list[str]
) -> None:
    sent = [header.format(token=bank.token) for header in headers]
    answer = bank.send(
        a_request("GET /maple/accounts HTTP/1.1", *sent, token=None), through_nginx=through_nginx
    )
    assert OWN.encode() not in answer
    assert not answer.startswith(b"HTTP/1.1 200 ")


@both_ways
@pytest.mark.parametrize(
    "lengths",
    [
        ["Content-Length: {length}", "Transfer-Encoding: chunked"],
        ["Transfer-Encoding: chunked", "Content-Length: {length}"],
        ["Content-Length: {length}", "Transfer-Encoding: xchunked"],
        ["Content-Length: {length}", "Transfer-Encoding : chunked"],
        ["Content-Length: 0", "Content-Length: {length}"],
        ["Content-Length: {length}", "Content-Length: 0"],
        ["Content-Length: +0"],
        ["Transfer-Encoding: chunked, identity"],
    ],
)
def test_a_request_within_a_request_is_not_answered_with_somebodys_data(
    bank: ServedBank, through_nginx: bool, lengths: list[str]
) -> None:
    """Whoever comes next on the same connection must not be given what an earlier sender has hidden in a body."""
    inner = a_request("GET /maple/accounts HTTP/1.1", token=bank.token)
    body = f"0\r\n\r\n{inner}"
    headers = [header.format(length=len(body)) for header in lengths]
    outer = a_request("GET /nowhere HTTP/1.1", *headers, token=None, body=body)
    answer = bank.send(
        outer.replace("Connection: close", "Connection: keep-alive", 1), through_nginx=through_nginx
    )
    assert OWN.encode() not in answer
    assert b"HTTP/1.1 200 " not in answer
