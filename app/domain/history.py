"""What happens to a consent, for the record: events are appended and never changed. They are deleted
with everything else about the consent, years after its end (app/stores/ledger/retention.py).
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class EventKind(StrEnum):
    """What can happen to a consent. A customer withdraws, a client revokes."""

    ASKED = "asked"
    APPROVED = "approved"
    DENIED = "denied"
    REDEEMED = "redeemed"
    REPLAYED = "replayed"
    REFRESHED = "refreshed"
    NARROWED = "narrowed"
    WITHDRAWN = "withdrawn"
    REVOKED = "revoked"
    SUPERSEDED = "superseded"
    EXPIRED = "expired"


class Actor(StrEnum):
    """Who made it happen."""

    CUSTOMER = "customer"
    CLIENT = "client"
    OPERATOR = "operator"
    ACCORD = "accord"


class Reason(StrEnum):
    """FDX revocation reasons, used for every event."""

    USER_ACTION = "USER_ACTION"
    BUSINESS_RULE = "BUSINESS_RULE"
    OTHER = "OTHER"


ENDINGS = frozenset(
    {EventKind.REPLAYED, EventKind.WITHDRAWN, EventKind.REVOKED, EventKind.SUPERSEDED, EventKind.EXPIRED}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One thing that happened to a consent.

    `detail` is the scope string that a narrowing took away, or the id of the consent that superseded it. Of
    what an operator did, `operator` is the name they gave, and `note` why, in their words.
    """

    consent_id: str
    kind: EventKind
    actor: Actor
    reason: Reason
    correlation_id: str
    happened_at: datetime
    detail: str | None = None
    operator: str | None = None
    note: str | None = None
