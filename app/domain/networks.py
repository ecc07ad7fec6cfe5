"""Decides to which IP addresses a recipient's host name may resolve: public ones, and those opened here.

A recipient registers a host name, and its own DNS resolves it. Without this rule a name that resolves to a
machine in the bank's network would make Accord send requests to that machine (OWASP: server-side request
forgery).
"""

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final

Network = IPv4Network | IPv6Network

LOOPBACK: Final[tuple[Network, ...]] = (ip_network("127.0.0.0/8"), ip_network("::1/128"))

_GLOBAL_UNICAST: Final = ip_network("2000::/3")  # IANA gives IPv6 addresses from nothing else
# Each has an IPv4 address within, which a router on the way takes out: NAT64 (RFC 6052) and 6to4 (RFC 3056).
_TRANSLATED: Final = (ip_network("64:ff9b::/96"), ip_network("2002::/16"))


def may_be_reached(address: str, opened: Iterable[Network] = ()) -> bool:
    """Whether `address`, as a resolver writes it, is public, or in one of the networks that are `opened`."""
    try:
        found = _unmapped(ip_address(address))
    except ValueError:
        return False
    return is_public(found) or any(found in network for network in opened)


def is_public(address: IPv4Address | IPv6Address) -> bool:
    """Whether `address` is one machine that the whole internet can reach, by IANA's registries."""
    address = _unmapped(address)
    if isinstance(address, IPv6Address) and address not in _GLOBAL_UNICAST:
        return False
    is_translated = any(address in network for network in _TRANSLATED)
    return address.is_global and not address.is_multicast and not is_translated


def _unmapped(address: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    """The IPv4 address in an IPv4-mapped IPv6 address, ::ffff:0:0/96 (RFC 4291 2.5.5.2); else `address`."""
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address
