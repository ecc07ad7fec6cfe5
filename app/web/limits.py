"""Who has to wait: an address that begins too many requests, a recipient that asks for too many tokens, and
an address that brings too many wrong client secrets.

Loopback counts as an address only for a limit that somebody has set: behind a proxy on this machine that is
not in ACCORD_TRUSTED_PROXIES, it is every customer's.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import IPv6Address, ip_address, ip_network

from flask import request

from app.domain.errors import OAuthError
from app.web import errors
from app.web.current import services

# What one customer of a provider of internet access has to themselves.
_IPV6_NETWORK = 64


def limit_requests_for(client_id: str) -> None:
    """Raises Problem (429) when one address begins too many requests for one recipient.

    From one address, so that nobody who floods a recipient keeps its customers out; for one recipient, so
    that its fault is not another's.
    """
    most, address = services().settings.authorize_rate_in_force, _address_for("authorize_rate")
    if most and address is not None:
        _limit("authorize", (client_id, address), most)


def limit_tokens_of(client_id: str) -> None:
    """Raises Problem (429) when a recipient, which has authenticated, asks for too many tokens."""
    most = services().settings.token_rate_in_force
    if most:
        _limit("token", (client_id,), most)


@contextmanager
def guesses_counted() -> Iterator[None]:
    """Around an authentication, whose OAuthError is a wrong secret.

    Raises Problem (429) after too many of one address, and StoreUnavailable.
    """
    address = _address_for("wrong_secrets")
    if not services().settings.wrong_secrets_in_force or address is None:
        yield
        return
    guesses = services().guesses
    was_suspect = guesses.is_suspect(address)
    if was_suspect:
        _count_guess(address)
    try:
        yield
    except OAuthError:
        guesses.suspect(address)
        if not was_suspect:
            _count_guess(address)
        raise
    if was_suspect:
        guesses.take_back(address)


def _limit(limit: str, whom: tuple[str, ...], most: int) -> None:
    wait = services().rates.count((limit, *whom), most=most)
    if wait is not None:
        raise errors.too_many(limit, wait)


def _count_guess(address: str) -> None:
    wait = services().guesses.count(address)
    if wait is not None:
        raise errors.too_many("client_authentication", wait)


def _address_for(setting: str) -> str | None:
    """Whom the peer's address stands for under this limit; None where that is nobody in particular."""
    try:
        address = ip_address(request.remote_addr or "")
    except ValueError:
        return None
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    if address.is_loopback and not services().settings.was_set(setting):
        return None
    if isinstance(address, IPv6Address):
        return str(ip_network((address, _IPV6_NETWORK), strict=False))
    return str(address)
