"""Which addresses may be asked for a recipient."""

from ipaddress import ip_network

import pytest

from app.domain.networks import LOOPBACK, may_be_reached


@pytest.mark.parametrize(
    "address", ["8.8.8.8", "1.1.1.1", "192.0.1.1", "2606:4700:4700::1111", "2a00:1450::8a", "::ffff:8.8.8.8"]
)
def test_a_public_address_may_be_reached(address: str) -> None:
    assert may_be_reached(address)


@pytest.mark.parametrize(
    "address",
    [
        # This machine, its networks, and the address at which clouds keep their machines' credentials.
        "127.0.0.1",
        "127.8.8.8",
        "::1",
        "0.0.0.0",  # noqa: S104  # nothing listens
        "::",
        "10.0.0.1",
        "172.16.0.1",
        "172.31.255.255",
        "192.168.1.1",
        "100.64.0.1",
        "169.254.169.254",
        "fe80::1",
        "fe80::1%eth0",
        "fc00::1",
        "fd00:ec2::254",
        "fec0::1",
        # Many machines, or none.
        "224.0.0.1",
        "239.255.255.250",
        "255.255.255.255",
        "240.0.0.1",
        "192.0.2.1",
        "198.18.0.1",
        "ff02::1",
        "ff0e::1",
        "2001:db8::1",
        # IPv4 addresses in another shape.
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.1",
        "::ffff:169.254.169.254",
        "::127.0.0.1",
        "64:ff9b::7f00:1",
        "64:ff9b::808:808",
        "64:ff9b:1::1",
        "2002:7f00:1::1",
        "2002:808:808::1",
        "2001::1",
        # None at all.
        "",
        "localhost",
        "127.1",
        "2130706433",
    ],
)
def test_no_other_address_may_be(address: str) -> None:
    assert not may_be_reached(address)


def test_a_network_that_is_opened_may_be_reached_and_no_other() -> None:
    opened = [ip_network("10.20.0.0/16"), ip_network("fd00:1::/32")]
    assert may_be_reached("10.20.3.4", opened)
    assert may_be_reached("::ffff:10.20.3.4", opened)
    assert may_be_reached("fd00:1::9", opened)
    assert not may_be_reached("10.21.3.4", opened)
    assert not may_be_reached("127.0.0.1", opened)
    assert may_be_reached("127.0.0.1", LOOPBACK)
    assert may_be_reached("::1", LOOPBACK)
