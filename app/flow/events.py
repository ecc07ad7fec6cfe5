"""What the flow says in the log: what happened to which consent, and nothing of the customer."""

import structlog

from app.domain.consent import ConsentDecision, ConsentGrant
from app.domain.history import EventKind

_log = structlog.get_logger()


def log_event(kind: EventKind, of: ConsentDecision | ConsentGrant) -> None:
    """Says what happened to which consent; of the customer, nothing."""
    _log.info(
        kind.value,
        consent_id=of.consent_id,
        client_id=of.client_id,
        provider_id=of.provider_id,
        correlation_id=of.correlation_id,
    )
