"""The events in the life of a consent, as the ledger keeps them.

Events are appended and never changed. `flask ledger prune` deletes them, years after the end of the consent.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class EventKind(StrEnum):
    """What can happen to a consent. A customer or an operator withdraws it, a recipient revokes it.

    NOTIFIED is evidence: the recipient has the notice of an event that ended or narrowed its consent.
    """

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
    NOTIFIED = "notified"
    RENEWAL_DUE = "renewal_due"


class Actor(StrEnum):
    """Who caused an event."""

    CUSTOMER = "customer"
    CLIENT = "client"
    OPERATOR = "operator"
    ACCORD = "accord"


class Reason(StrEnum):
    """The reason of an event, by the values of FDX's revocation reasons."""

    USER_ACTION = "USER_ACTION"
    BUSINESS_RULE = "BUSINESS_RULE"
    OTHER = "OTHER"


ENDINGS = frozenset(
    {EventKind.REPLAYED, EventKind.WITHDRAWN, EventKind.REVOKED, EventKind.SUPERSEDED, EventKind.EXPIRED}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One event in the life of a consent.

    `detail` of a narrowing is the scope string that was removed (None where none was), and `accounts` are the
    ids of the accounts that were. `detail` of a superseded consent is the id of the newer one, and of a
    notice that has arrived how it did and its type, such as `push CONSENT_REVOKED`. Where an operator acted,
    `operator` is their name and `note` their reason, as they gave them.
    """

    consent_id: str
    kind: EventKind
    actor: Actor
    reason: Reason
    correlation_id: str
    happened_at: datetime
    detail: str | None = None
    accounts: frozenset[str] = frozenset()
    operator: str | None = None
    note: str | None = None
