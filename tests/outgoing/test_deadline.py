"""Which of a host's addresses is connected to, and that it is over in time."""

import socket
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import timedelta
from urllib.parse import urlsplit

import pytest

from app.outgoing.deadline import Address, Deadline, connect
from tests.support.oidc_server import OidcServer
from tests.support.ports import free_port


def soon() -> Deadline:
    return Deadline.after(timedelta(seconds=5))


@pytest.fixture
def black_hole() -> Iterator[Address]:
    """An address that neither takes a connection nor refuses one: as many wait there as may."""
    with socket.socket() as listening, ExitStack() as stack:
        listening.bind(("127.0.0.1", 0))
        listening.listen(0)
        for _ in range(4):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(listening.getsockname())
        yield (socket.AF_INET, socket.SOCK_STREAM, 0, "", listening.getsockname())


def address_of(bank: OidcServer) -> Address:
    return (socket.AF_INET, socket.SOCK_STREAM, 0, "", ("127.0.0.1", urlsplit(bank.issuer).port))


def refusing() -> Address:
    return (socket.AF_INET, socket.SOCK_STREAM, 0, "", ("127.0.0.1", free_port()))


def test_an_address_that_says_nothing_does_not_keep_the_others_waiting(
    bank: OidcServer, black_hole: Address
) -> None:
    for addresses in (
        [black_hole, address_of(bank)],
        [black_hole, black_hole, refusing(), address_of(bank), black_hole],
        [refusing(), black_hole, address_of(bank)],
    ):
        with connect(addresses, soon()) as connection:
            assert connection.getpeername() == address_of(bank)[4]
            connection.sendall(b"GET /keys HTTP/1.1\r\n\r\n")
            assert connection.recv(12) == b"HTTP/1.1 200"


def test_where_no_address_says_anything_it_is_over_in_time(black_hole: Address) -> None:
    with pytest.raises(TimeoutError):
        connect([black_hole, black_hole], Deadline.after(timedelta(milliseconds=400)))


def test_where_every_address_refuses_it_is_over_at_once() -> None:
    nowhere = (socket.AF_INET, socket.SOCK_STREAM, 0, "", ("255.255.255.255", 1))
    with pytest.raises(ConnectionRefusedError):
        connect([nowhere, refusing(), refusing()], soon())
    with pytest.raises(OSError, match="unreachable"):
        connect([refusing(), nowhere], soon())
    with pytest.raises(OSError, match="no address"):
        connect([], soon())
