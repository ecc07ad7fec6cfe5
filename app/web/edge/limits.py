"""The rate limits (429): by address, by address and recipient, by recipient, and for wrong client secrets.

They apply to loopback only where the setting of the limit is given: behind a proxy on the same machine that
is not in ACCORD_TRUSTED_PROXIES, all customers have that address.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from flask import request

from app.domain.errors import ErrorCode, OAuthError
from app.stores.redis.attempts import Allowance
from app.web.current import services
from app.web.edge import problems
from app.web.edge.addresses import network_of, peer_of


def limit_address() -> None:
    """Raises Problem (429) when one address exceeds its budget (docs/adr/0016).

    A view calls it before it stores anything for an unknown caller, sends a request to a bank, or logs an
    event that every caller can cause. All of these count towards the same budget.
    """
    most, address = services().settings.address_rate_in_force, _address_for("address_rate")
    if most and address is not None:
        _limit("address", (address,), most)


def limit_requests_for(client_id: str) -> None:
    """Raises Problem (429) when one address begins too many requests for one recipient.

    It counts by address, so that an attacker does not lock out all customers of a recipient, and by
    recipient, so that a mistake of one recipient does not affect another.
    """
    most, address = services().settings.authorize_rate_in_force, _address_for("authorize_rate")
    if most and address is not None:
        _limit("authorize", (client_id, address), most)


def limit_tokens_of(client_id: str) -> None:
    """Raises Problem (429) when an authenticated recipient sends too many token requests."""
    most = services().settings.token_rate_in_force
    if most:
        _limit("token", (client_id,), most)


def limit_polls_of(receiver: str) -> None:
    """Raises Problem (429) when a recipient or a bank asks for notices more often than one may for tokens."""
    most = services().settings.token_rate_in_force
    if most:
        _limit("notices", (receiver,), most)


@contextmanager
def wrong_secrets_counted() -> Iterator[None]:
    """Counts wrong credentials of a client by their address: `invalid_client` within the block.

    A correct secret is never refused, even where another client behind the same address sends wrong ones:
    nobody can guess a secret of 256 random bits. Raises Problem (429) for a wrong secret when its address has
    sent too many of them, and StoreUnavailable when it cannot be counted.
    """
    try:
        yield
    except OAuthError as error:
        if error.error is not ErrorCode.INVALID_CLIENT:
            raise
        most, address = services().settings.wrong_secrets_in_force, _address_for("wrong_secrets")
        if most and address is not None:
            wait = services().attempts.count([Allowance(("client authentication", address), most)])
            if wait is not None:
                raise problems.rate_limited("client_authentication", wait) from None
        raise


def _limit(limit: str, whom: tuple[str, ...], most: int) -> None:
    wait = services().rates.count((limit, *whom), most=most)
    if wait is not None:
        raise problems.rate_limited(limit, wait)


def _address_for(setting: str) -> str | None:
    """The key for the peer's address; None for loopback, unless the setting of the limit was given."""
    address = peer_of(request.remote_addr)
    if address.is_loopback and not services().settings.was_set(setting):
        return None
    return network_of(address)
