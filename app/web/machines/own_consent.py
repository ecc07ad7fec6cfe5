"""Finds the consent that a machine's request is about, if the caller may read it."""

from werkzeug.exceptions import NotFound

from app.domain.agreement import effective_agreement
from app.domain.fdx import ConsentGrantRecord, consent_grant
from app.flow.live_tokens import LiveToken
from app.stores.ledger.connections import Connection
from app.web.current import services
from app.web.machines.access_token import invalid_token, presented_token
from app.web.machines.client_authentication import authenticated_bank, has_basic_credentials


def live_token() -> LiveToken:
    """The access token of the request, while it works. Raises OAuthError."""
    live = services().live_tokens.find_presented(presented_token())
    if live is None:
        raise invalid_token()
    return live


def find_own(live: LiveToken, consent_id: str) -> Connection:
    """The consent, if the token is for it or is the client's own. Raises NotFound otherwise."""
    connection = live.connection or services().connections.find_connection(consent_id)
    if connection is None or connection.grant.consent_id != consent_id:
        raise NotFound
    if connection.grant.client_id != live.client_id:
        raise NotFound
    return connection


def find_readable(consent_id: str) -> Connection:
    """The consent, for its recipient, or for its bank if that has registered notices.

    Raises NotFound for every other caller, and what `live_token` and `authenticated_bank` raise.
    """
    if not has_basic_credentials():
        return find_own(live_token(), consent_id)
    bank = authenticated_bank()
    connection = services().connections.find_connection(consent_id)
    if connection is None or connection.grant.provider_id != bank.provider_id:
        raise NotFound
    return connection


def record_of(connection: Connection) -> ConsentGrantRecord:
    """The record of a consent as it is now."""
    grant, registry = connection.grant, services().registry
    return consent_grant(
        grant,
        agreement=effective_agreement(
            connection.agreement,
            registry.clients.get(grant.client_id),
            registry.find_provider(grant.provider_id),
        ),
        narrowed_at=connection.narrowed_at,
        ending=connection.ending,
        now=services().clock(),
    )
