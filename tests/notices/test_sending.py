"""One notice on its way to a recipient, whose server, network and names may be anybody's."""

import socket
import ssl
from datetime import timedelta
from functools import partial
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest

from app.domain.networks import LOOPBACK, Network, may_be_reached
from app.notices.sending import PushAnswer, push
from app.outgoing import CallFailed
from app.outgoing.deadline import Deadline
from app.outgoing.http import tls
from tests.support.certificates import certify
from tests.support.ports import free_port
from tests.support.receiver import Receiver, ReceiverHandler, answer, drip, hang

TOKEN = "e30.e30.c2ln"


def sent_to(
    address: str, *, seconds: float = 5, opened: tuple[Network, ...] = LOOPBACK, token: str = TOKEN
) -> PushAnswer:
    deadline = Deadline.after(timedelta(seconds=seconds))
    return push(address, token, deadline=deadline, may_connect=partial(may_be_reached, opened=opened))


def failure_at(address: str, *, seconds: float = 5, opened: tuple[Network, ...] = LOOPBACK) -> str:
    with pytest.raises(CallFailed) as raised:
        sent_to(address, seconds=seconds, opened=opened)
    return raised.value.detail


def test_a_notice_is_posted_as_the_security_event_that_it_is() -> None:
    with Receiver() as recipient:
        assert sent_to(recipient.address) == PushAnswer(202)
        assert recipient.sent == [TOKEN]
        assert recipient.content_types == ["application/secevent+jwt"]


@pytest.mark.parametrize(
    ("body", "err"),
    [
        (b'{"err": "invalid_audience", "description": "not us"}', "invalid_audience"),
        (b'{"err": "jwtParse"}', "jwtParse"),
        (b'{"err": "our.own-code_1"}', "our.own-code_1"),
        (b'{"err": ""}', None),
        (b'{"err": "a word\\nwith more"}', None),
        (b'{"err": 5}', None),
        (b'["err"]', None),
        (b"<html>", None),
        (b"[" * 4000, None),
        (b'{"description": "' + b"a" * 5000 + b'", "err": "invalid_request"}', None),
        (b"", None),
    ],
)
def test_only_a_code_for_a_refusal_is_one(body: bytes, err: str | None) -> None:
    with Receiver(answer(400, body)) as recipient:
        assert sent_to(recipient.address) == PushAnswer(400, err)


def test_when_to_come_back_is_read() -> None:
    with Receiver(answer(429, Retry_After="120")) as recipient:
        assert sent_to(recipient.address) == PushAnswer(429, None, "120")


@pytest.mark.parametrize("where", ["http://169.254.169.254/latest/meta-data/", "http://localhost:{port}/"])
def test_a_redirect_is_an_answer_and_nothing_follows_it(where: str) -> None:
    with Receiver() as recipient:
        recipient.answers = answer(307, Location=where.format(port=recipient.port))
        assert sent_to(recipient.address).status == 307
        assert recipient.sent == [TOKEN]
        assert recipient.connections == 1


def test_no_proxy_of_the_environment_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://localhost:1")
    with Receiver() as recipient:
        assert sent_to(recipient.address).status == 202


# A server that takes its time, or gives too much


@pytest.mark.parametrize("trick", [hang, drip])
def test_whatever_the_server_does_it_is_over_in_time(trick: Any) -> None:
    with Receiver(trick) as recipient:
        assert failure_at(recipient.address, seconds=0.3) == "timeout"


def test_of_an_answer_that_never_ends_no_more_is_read_than_could_mean_something() -> None:
    def flood(handler: ReceiverHandler) -> None:
        handler.wfile.write(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 5000000000\r\n\r\n")
        while not handler.receiver.closing.is_set():
            handler.wfile.write(b" " * 65_536)

    with Receiver(flood) as recipient:
        assert sent_to(recipient.address) == PushAnswer(400)


def test_a_chunk_without_an_end_is_read_as_far_as_it_could_mean_something() -> None:
    def flood(handler: ReceiverHandler) -> None:
        handler.wfile.write(b"HTTP/1.1 400 Bad Request\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n")
        while not handler.receiver.closing.is_set():
            handler.wfile.write(b" " * 65_536)

    with Receiver(flood) as recipient:
        assert sent_to(recipient.address) == PushAnswer(400)


@pytest.mark.parametrize(
    ("beginning", "repeated"),
    [
        (b"HTTP/1.1 400 x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n", b"Trailer: a\r\n" * 1000),
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 1000),
        (b"", b"HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\n" * 1000),
        (b"HTTP/1.1 202 Accepted\r\n", b"X: " + b"a" * 60_000 + b"\r\n"),
    ],
    ids=["trailers", "100 Continue", "103 Early Hints", "headers"],
)
def test_whatever_never_ends_is_not_read_for_long(beginning: bytes, repeated: bytes) -> None:
    def flood(handler: ReceiverHandler) -> None:
        handler.wfile.write(beginning)
        while not handler.receiver.closing.is_set():
            handler.wfile.write(repeated)

    with Receiver(flood) as recipient:
        assert failure_at(recipient.address, seconds=20) == "too_large"


@pytest.mark.parametrize(
    ("interim", "status"),
    [
        (b"HTTP/1.1 100 Continue\r\n\r\n", 202),
        (b"HTTP/1.1 103 Early Hints\r\nLink: </style.css>\r\n\r\n", 202),
        (b"HTTP/1.1 102 Processing\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n" * 3, 202),
        (b"HTTP/1.1 101 Switching Protocols\r\n\r\n", 101),
    ],
)
def test_what_only_announces_an_answer_is_none(interim: bytes, status: int) -> None:
    """Nobody has asked for another protocol, so that 101 is an answer, which takes nothing."""

    def announce(handler: ReceiverHandler) -> None:
        handler.wfile.write(interim + b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n")

    with Receiver(announce) as recipient:
        assert sent_to(recipient.address) == PushAnswer(status)


def test_a_body_that_means_nothing_is_not_waited_for() -> None:
    def accept(handler: ReceiverHandler) -> None:
        handler.wfile.write(b"HTTP/1.1 202 Accepted\r\nContent-Length: 5000000000\r\n\r\n")
        hang(handler)

    with Receiver(accept) as recipient:
        assert sent_to(recipient.address) == PushAnswer(202)


@pytest.mark.parametrize(
    "garbage", [b"\x16\x03\x01 no HTTP\r\n\r\n", b"", b"HTTP/1.1 202\r\n" + b"a" * 70_000]
)
def test_what_is_no_answer_is_a_connection_that_failed(garbage: bytes) -> None:
    def say(handler: ReceiverHandler) -> None:
        handler.wfile.write(garbage)

    with Receiver(say) as recipient:
        assert failure_at(recipient.address) == "connection"


def test_nobody_listens() -> None:
    assert failure_at(f"http://localhost:{free_port()}/notices") == "connection"


# Where it may go


@pytest.fixture
def resolver(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """What each look-up of a name finds, one after the other."""
    findings: list[list[str]] = []

    def find(_host: str, port: int, **_: Any) -> list[tuple[Any, ...]]:
        return [
            (socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", (address, port))
            for address in findings.pop(0)
        ]

    monkeypatch.setattr(socket, "getaddrinfo", find)
    return findings


def test_an_address_of_a_private_network_is_not_connected_to() -> None:
    with Receiver() as recipient:
        assert failure_at(recipient.address, opened=()) == "private_address"
        assert recipient.connections == 0


def test_every_address_of_a_name_must_be_public(resolver: list[list[str]]) -> None:
    open_ones = (ip_network("127.0.0.1/32"),)
    with Receiver() as recipient:
        resolver.append(["127.0.0.1", "10.0.0.1"])
        assert failure_at(recipient.address, opened=open_ones) == "private_address"
        assert recipient.connections == 0
        resolver.append(["127.0.0.1"])
        assert sent_to(recipient.address, opened=open_ones).status == 202


def test_a_name_that_changes_after_it_was_checked_leads_nowhere_else(resolver: list[list[str]]) -> None:
    """The name is looked up once, and that very address is connected to."""
    open_ones = (ip_network("127.0.0.1/32"),)
    with Receiver() as public, Receiver(host="127.0.0.2", port=public.port) as private:
        resolver += [["127.0.0.1"], ["127.0.0.2"]]
        assert sent_to(public.address, opened=open_ones).status == 202
        assert (len(public.sent), private.connections) == (1, 0)
        assert resolver == [["127.0.0.2"]], "it was looked up a second time"
        assert failure_at(public.address, opened=open_ones) == "private_address"
        assert private.connections == 0


@pytest.mark.parametrize("url", ["http://recipient.example/", "http://192.0.2.1/", "ftp://localhost/"])
def test_nothing_is_sent_where_others_could_read_it(url: str) -> None:
    assert failure_at(url) == "insecure_address"


@pytest.mark.parametrize(("name", "outcome"), [("localhost", 202), ("recipient.example", "tls")])
def test_a_server_must_prove_the_name_that_is_registered(
    name: str, outcome: int | str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = certify(tmp_path, name)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(made.server, made.key)
    monkeypatch.setenv("SSL_CERT_FILE", str(made.authority))
    tls.cache_clear()
    try:
        with Receiver(tls=context) as recipient:
            address = f"https://localhost:{recipient.port}/notices"
            found = sent_to(address).status if outcome == 202 else failure_at(address)
            assert found == outcome
            assert len(recipient.sent) == (1 if outcome == 202 else 0)
    finally:
        tls.cache_clear()
