"""Rate limits (429): what an address may cost, how many requests it may begin for one recipient, how many
tokens a recipient may ask for, and how many wrong client secrets an address may bring.

Loopback counts as an address only for a limit that somebody has set: behind a proxy on this machine that is
not in ACCORD_TRUSTED_PROXIES, it is every customer's.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from flask import request

from app.domain.errors import OAuthError
from app.stores.redis.attempts import Allowance
from app.web.current import services
from app.web.edge import errors
from app.web.edge.addresses import network_of, peer_of


def limit_address() -> None:
    """Raises Problem (429) when one address costs too much, whatever it asks for.

    To be called before anything is stored for somebody unknown, asked of a bank, or written into the log
    because of a request that anybody could make: one budget for all of it.
    """
    most, address = services().settings.address_rate_in_force, _address_for("address_rate")
    if most and address is not None:
        _limit("address", (address,), most)


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
def wrong_secrets_counted() -> Iterator[None]:
    """Around an authentication, whose OAuthError is a wrong secret.

    The secret is looked at first: the right one never waits for somebody else behind the same address, and
    with 256 random bits nobody guesses one. Raises Problem (429) for a wrong one after too many of one
    address, and StoreUnavailable where it cannot be counted.
    """
    try:
        yield
    except OAuthError:
        most, address = services().settings.wrong_secrets_in_force, _address_for("wrong_secrets")
        if most and address is not None:
            wait = services().attempts.count([Allowance(("client authentication", address), most)])
            if wait is not None:
                raise errors.too_many("client_authentication", wait) from None
        raise


def _limit(limit: str, whom: tuple[str, ...], most: int) -> None:
    wait = services().rates.count((limit, *whom), most=most)
    if wait is not None:
        raise errors.too_many(limit, wait)


def _address_for(setting: str) -> str | None:
    """Whom the peer's address stands for under this limit; None for loopback, unless the limit was set."""
    address = peer_of(request.remote_addr)
    if address.is_loopback and not services().settings.was_set(setting):
        return None
    return network_of(address)
