"""What the flow says in the log: what happened to which consent, and nothing of the customer."""

import structlog

from app.domain.clusters import format_scope
from app.domain.consent import ConsentDecision, ConsentGrant
from app.domain.history import EventKind
from app.domain.registry import Client

_log = structlog.get_logger()

# What came of it, for whoever reads the line alone.
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


def log_event(kind: EventKind, of: ConsentDecision | ConsentGrant) -> None:
    """Says what happened to which consent; of the customer, nothing but the language that they read."""
    answered = {"language": of.language.value} if isinstance(of, ConsentDecision) else {}
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
    """Says that a client was let in as itself."""
    _log.info("administered", client_id=client.client_id, outcome="tokens")
