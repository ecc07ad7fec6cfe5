"""The end of sharing, or of a part of it: on record first, then in the log."""

from datetime import datetime

from app.domain.clusters import Scope
from app.domain.consent import ConsentGrant, GrantStatus
from app.domain.history import Actor, EventKind
from app.flow.events import log_event
from app.stores.ledger.connections import ConnectionStore

_KINDS = {
    (GrantStatus.ACTIVE, Actor.CUSTOMER): EventKind.NARROWED,
    (GrantStatus.REVOKED, Actor.CUSTOMER): EventKind.WITHDRAWN,
    (GrantStatus.REVOKED, Actor.CLIENT): EventKind.REVOKED,
}


def withdraw(
    connections: ConnectionStore, consent_id: str, withdrawn: Scope | None, *, actor: Actor, now: datetime
) -> ConsentGrant | None:
    """Takes `withdrawn` out of a connection, or ends it (None: all of it), and says so in the log.

    Returns what stands afterwards; None where there is no such connection, or it had ended before. One that
    had run out is written down as that, which nobody withdrew. When this returns, no token of what was
    withdrawn is issued any more. Raises StoreUnavailable.
    """
    after = connections.withdraw(consent_id, withdrawn, actor=actor, now=now)
    kind = None if after is None else _KINDS.get((after.status_at(now), actor))
    if after is not None and kind is not None:
        log_event(kind, after)
    return after
