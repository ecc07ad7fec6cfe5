"""Parses the IP address from which a request comes, in every notation that proxies use.

These are the notations of RFC 7239 6 and of X-Forwarded-For: with a port, in brackets, with a zone, and IPv4
addresses within IPv6.
"""

import re
from collections.abc import Collection
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

IPAddress = IPv4Address | IPv6Address
IPNetwork = IPv4Network | IPv6Network

# A provider of internet access gives each subscriber a network of at least this size (RFC 6177).
_IPV6_PREFIX = 64

_BRACKETED = re.compile(r"\[(?P<address>[^\]]+)\](:[0-9]{1,5})?", re.ASCII)
_WITH_PORT = re.compile(r"(?P<address>[0-9.]+):[0-9]{1,5}", re.ASCII)


def parse_address(text: str) -> IPAddress | None:
    """The IP address in `text`, without port, brackets, quotes and zone; None where there is none."""
    text = text.strip().strip('"')
    found = _BRACKETED.fullmatch(text) or _WITH_PORT.fullmatch(text)
    text = (found["address"] if found else text).partition("%")[0]
    try:
        address = ip_address(text)
    except ValueError:
        return None
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address


def peer_of(remote_addr: str | None) -> IPAddress:
    """The peer's address. For a peer at a Unix socket, which has none, it is that of loopback."""
    return parse_address(remote_addr or "") or IPv4Address("127.0.0.1")


def is_within(address: IPAddress, networks: Collection[IPNetwork]) -> bool:
    """Whether `address` is in one of `networks`."""
    return any(address in network for network in networks)


def forwarded_for(peer: IPAddress, header: str, proxies: Collection[IPNetwork]) -> tuple[IPAddress, bool]:
    """The client's address by the X-Forwarded-For of `peer`, a trusted proxy; and whether it was readable.

    It is the first address from the right that is no trusted proxy's. When an address cannot be read, the
    result is the last one that could: no trusted proxy vouches for what stands to the left of it.
    """
    nearest = peer
    for part in reversed(header.split(",")) if header.strip() else ():
        address = parse_address(part)
        if address is None:
            return nearest, False
        nearest = address
        if not is_within(address, proxies):
            break
    return nearest, True


def network_of(address: IPAddress) -> str:
    """The key under which rate limits count `address`: IPv4 as it is, IPv6 by its /64 network."""
    if isinstance(address, IPv6Address):
        return str(ip_network((address, _IPV6_PREFIX), strict=False))
    return str(address)
