"""What reaches Flask, whatever a client or a proxy has sent (PEP 3333)."""

from io import BytesIO
from ipaddress import ip_network
from typing import Any
from wsgiref.types import WSGIEnvironment

import pytest

from app.web.edge.middleware import (
    PEER_IS_TRUSTED,
    WSGIApp,
    accept_any_host,
    limit_chunked_bodies,
    normalize,
    trust_proxies,
)

PROXIES = [ip_network("10.0.0.0/8")]


class Inside:
    """An application that keeps what it was given."""

    def __init__(self) -> None:
        self.environ: WSGIEnvironment = {}

    def __call__(self, environ: WSGIEnvironment, _: Any) -> list[bytes]:
        self.environ = environ
        return []


def seen_through(wrapped: WSGIApp, inside: Inside, **environ: Any) -> WSGIEnvironment:
    wrapped(environ, lambda *_: lambda _: None)
    return inside.environ


@pytest.fixture
def inside() -> Inside:
    return Inside()


@pytest.mark.parametrize(
    ("sent", "reached"),
    [
        ({"PATH_INFO": "//api///v1//authorize"}, {"PATH_INFO": "/api/v1/authorize"}),
        ({"PATH_INFO": "/consent/a"}, {"PATH_INFO": "/consent/a"}),
        ({}, {"PATH_INFO": ""}),
        ({"QUERY_STRING": "state=\xe9&x=%C3%A9"}, {"QUERY_STRING": "state=%E9&x=%C3%A9"}),
        ({"QUERY_STRING": "state=a%20b"}, {"QUERY_STRING": "state=a%20b"}),
        ({"HTTP_HOST": "Consent.Bank.Example:8443"}, {"HTTP_HOST": "consent.bank.example:8443"}),
    ],
)
def test_paths_queries_and_hosts_reach_flask_in_one_form(
    inside: Inside, sent: dict[str, str], reached: dict[str, str]
) -> None:
    environ = seen_through(normalize(inside), inside, **sent)
    assert reached.items() <= environ.items()
    assert ("HTTP_HOST" in environ) == ("HTTP_HOST" in sent)


@pytest.mark.parametrize(("body", "length"), [(b"", "0"), (b"abc", "3"), (b"abcdefgh", "5")])
def test_a_chunked_body_is_read_no_further_than_one_byte_too_many_and_has_its_length(
    inside: Inside, body: bytes, length: str
) -> None:
    environ = seen_through(
        limit_chunked_bodies(inside, most=4),
        inside,
        **{"HTTP_TRANSFER_ENCODING": "chunked", "wsgi.input": BytesIO(body)},
    )
    assert environ["CONTENT_LENGTH"] == length
    assert environ["wsgi.input"].read() == body[:5]
    assert "HTTP_TRANSFER_ENCODING" not in environ


def test_a_body_with_a_length_is_left_to_flask(inside: Inside) -> None:
    body = BytesIO(b"abcdefgh")
    sent = {"CONTENT_LENGTH": "8", "wsgi.input": body}
    assert seen_through(limit_chunked_bodies(inside, most=4), inside, **sent)["wsgi.input"] is body
    assert body.read() == b"abcdefgh"


@pytest.mark.parametrize(
    ("peer", "header", "address", "is_trusted"),
    [
        ("10.0.0.1", "203.0.113.7", "203.0.113.7", True),
        ("10.0.0.1", "198.51.100.1, 203.0.113.7, 10.0.0.2", "203.0.113.7", True),
        ("10.0.0.1", "", "10.0.0.1", True),
        ("203.0.113.9", "198.51.100.1", "203.0.113.9", False),
    ],
    ids=["behind a proxy", "behind two, after a forged one", "the proxy itself", "no proxy of ours"],
)
def test_an_address_is_believed_of_a_trusted_proxy_alone(
    inside: Inside, peer: str, header: str, address: str, is_trusted: bool
) -> None:
    sent = {"REMOTE_ADDR": peer, "HTTP_X_FORWARDED_FOR": header}
    environ = seen_through(trust_proxies(inside, PROXIES), inside, **sent)
    assert (environ["REMOTE_ADDR"], environ[PEER_IS_TRUSTED]) == (address, is_trusted)


def test_no_header_makes_a_peer_a_trusted_one(inside: Inside) -> None:
    sent = {"REMOTE_ADDR": "203.0.113.9", "HTTP_ACCORD_PEER_IS_TRUSTED": "1", PEER_IS_TRUSTED: True}
    assert seen_through(trust_proxies(inside, PROXIES), inside, **sent)[PEER_IS_TRUSTED] is False


def test_without_proxies_nothing_is_between(inside: Inside) -> None:
    assert trust_proxies(inside, []) is inside


@pytest.mark.parametrize(("path", "host"), [("/healthz", "consent.example"), ("/consent/a", "10.1.2.3")])
def test_a_health_check_may_come_under_any_host(inside: Inside, path: str, host: str) -> None:
    wrapped = accept_any_host(inside, ["/healthz", "/readyz"], "consent.example")
    assert seen_through(wrapped, inside, PATH_INFO=path, HTTP_HOST="10.1.2.3")["HTTP_HOST"] == host
