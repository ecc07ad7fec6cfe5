"""Whose address a request has, in every form in which proxies write it."""

from ipaddress import ip_address, ip_network

import pytest

from app.web.edge.addresses import forwarded_for, network_of, parse_address, peer_of

CUSTOMER = ip_address("203.0.113.70")
PEER = ip_address("127.0.0.1")
PROXIES = (ip_network("127.0.0.1"), ip_network("198.51.100.0/24"), ip_network("2001:db8:1::/48"))


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("203.0.113.70", "203.0.113.70"),
        (" 203.0.113.70 ", "203.0.113.70"),
        ("203.0.113.70:50001", "203.0.113.70"),
        ("2001:db8::7", "2001:db8::7"),
        ("[2001:db8::7]", "2001:db8::7"),
        ("[2001:db8::7]:50001", "2001:db8::7"),
        ('"[2001:db8::7]:50001"', "2001:db8::7"),
        ("fe80::1%eth0", "fe80::1"),
        ("::ffff:203.0.113.70", "203.0.113.70"),
        ("[::ffff:203.0.113.70]:443", "203.0.113.70"),
    ],
)
def test_an_address_is_read_in_every_form(text: str, address: str) -> None:
    assert parse_address(text) == ip_address(address)


@pytest.mark.parametrize(
    "text",
    ["", "unknown", "_hidden", "203.0.113", "203.0.113.70:", "[2001:db8::7", "::1::", "1.2.3.4.5", "é"],
)
def test_what_is_no_address_is_none(text: str) -> None:
    assert parse_address(text) is None


@pytest.mark.parametrize(
    ("header", "address", "is_readable"),
    [
        ("203.0.113.70", "203.0.113.70", True),
        ("203.0.113.70:50001", "203.0.113.70", True),
        ("203.0.113.70, 198.51.100.7", "203.0.113.70", True),
        ("203.0.113.70,198.51.100.7:443, 127.0.0.1", "203.0.113.70", True),
        ("203.0.113.70, [2001:db8:1::9]:443", "203.0.113.70", True),
        # What the customer claims is to the left of what a trusted proxy saw.
        ("10.0.0.1, 203.0.113.70, 198.51.100.7", "203.0.113.70", True),
        ("198.51.100.9, 203.0.113.70", "203.0.113.70", True),
        ("garbage, 203.0.113.70", "203.0.113.70", True),
        # What cannot be read is never nobody's.
        ("203.0.113.70, garbage", "127.0.0.1", False),
        ("garbage, 198.51.100.7", "198.51.100.7", False),
        ("203.0.113.70,", "127.0.0.1", False),
        ("", "127.0.0.1", True),
        ("198.51.100.7", "198.51.100.7", True),
    ],
)
def test_the_customer_is_the_first_from_the_right_who_is_no_proxy(
    header: str, address: str, is_readable: bool
) -> None:
    assert forwarded_for(PEER, header, PROXIES) == (ip_address(address), is_readable)


def test_of_ipv6_a_subscribers_network_is_counted_together() -> None:
    assert network_of(ip_address("2001:db8::7")) == network_of(ip_address("2001:db8::8")) == "2001:db8::/64"
    assert network_of(CUSTOMER) == "203.0.113.70"


def test_a_peer_at_a_socket_of_this_machine_is_loopback() -> None:
    assert peer_of("").is_loopback
    assert peer_of(None).is_loopback
