"""The flow's lines in the log: what happened to which consent, and nothing that identifies a customer."""

import structlog

from app.domain.clusters import format_scope
from app.domain.consent import ConsentDecision, ConsentGrant, OptionalShare
from app.domain.history import EventKind
from app.domain.registry import Client

_log = structlog.get_logger()

# The outcome of each event, so that its line can be read without the others.
_OUTCOMES = {
    EventKind.APPROVED: "code",
    EventKind.DENIED: "access_denied",
    EventKind.REDEEMED: "tokens",
    EventKind.REFRESHED: "tokens",
    EventKind.REPLAYED: "ended",
    EventKind.NARROWED: "narrowed",
    EventKind.WITHDRAWN: "ended",
    EventKind.REVOKED: "ended",
    EventKind.SUPERSEDED: "ended",
}


def log_event(
    kind: EventKind, of: ConsentDecision | ConsentGrant, *, optional: OptionalShare | None = None
) -> None:
    """Logs what happened to which consent. Of the customer the line has the language of the page, no more.

    `optional` is how much of what could be left out an approval shares.
    """
    answered = {"language": of.language.value} if isinstance(of, ConsentDecision) else {}
    if optional is not None:
        answered["optional"] = optional.value
    _log.info(
        kind.value,
        consent_id=of.consent_id,
        client_id=of.client_id,
        provider_id=of.provider_id,
        correlation_id=of.correlation_id,
        granted_scope=format_scope(of.granted_scope),
        outcome=_OUTCOMES[kind],
        **answered,
    )


def log_administered(client: Client) -> None:
    """Logs that a client got an access token for itself."""
    _log.info("administered", client_id=client.client_id, outcome="tokens")
