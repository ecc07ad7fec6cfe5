"""Withdrawing a consent, or a part of it: it is recorded in the ledger first, then logged."""

from datetime import datetime

from app.domain.consent import ConsentGrant, GrantStatus
from app.domain.history import Actor, EventKind, Reason
from app.domain.narrowing import Withdrawn
from app.flow.events import log_event
from app.stores.ledger.connections import ConnectionStore

# What has happened, by the status that the grant has afterwards and who did it.
_KINDS = {
    (GrantStatus.ACTIVE, Actor.CUSTOMER): EventKind.NARROWED,
    (GrantStatus.REVOKED, Actor.CUSTOMER): EventKind.WITHDRAWN,
    (GrantStatus.REVOKED, Actor.CLIENT): EventKind.REVOKED,
}


def withdraw(
    connections: ConnectionStore,
    consent_id: str,
    withdrawn: Withdrawn | None,
    *,
    actor: Actor,
    now: datetime,
    reason: Reason | None = None,
) -> ConsentGrant | None:
    """Takes what is `withdrawn` out of a connection, or ends it (None: all of it), and logs that.

    `reason` is for who says one; else it is that of the `actor`.

    Returns the grant as it is afterwards; None where there is no such connection, or it had ended before. A
    connection that had run out is recorded as expired, and not logged, since nobody withdrew it. When this
    returns, no token for what was withdrawn is issued any more. Raises StoreUnavailable.
    """
    after = connections.withdraw(consent_id, withdrawn, actor=actor, now=now, reason=reason)
    kind = None if after is None else _KINDS.get((after.status_at(now), actor))
    if after is not None and kind is not None:
        log_event(kind, after)
    return after
