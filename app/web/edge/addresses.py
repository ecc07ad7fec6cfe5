"""The address that a request comes from: read in every form that a proxy writes, in one place.

RFC 7239 6 and the usual X-Forwarded-For: with a port, in brackets, with a zone, IPv4 within IPv6.
"""

import re
from collections.abc import Collection
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

IPAddress = IPv4Address | IPv6Address
IPNetwork = IPv4Network | IPv6Network

# What one customer of a provider of internet access has to themselves.
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
    """The peer's address. A peer at a Unix socket has none: it is on this machine."""
    return parse_address(remote_addr or "") or IPv4Address("127.0.0.1")


def is_within(address: IPAddress, networks: Collection[IPNetwork]) -> bool:
    """Whether `address` is in one of `networks`."""
    return any(address in network for network in networks)


def forwarded_for(peer: IPAddress, header: str, proxies: Collection[IPNetwork]) -> tuple[IPAddress, bool]:
    """Who sent a request to `peer`, a trusted proxy, by its X-Forwarded-For; and whether that was readable.

    From the right, the first address that is not a trusted proxy's. Where one cannot be read, the last hop
    that was: what is claimed beyond it is nobody's word.
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
    """What is counted together: an IPv4 address alone, of IPv6 the network of one subscriber (/64)."""
    if isinstance(address, IPv6Address):
        return str(ip_network((address, _IPV6_PREFIX), strict=False))
    return str(address)
