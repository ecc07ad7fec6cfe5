"""What happens to a consent, for the record: events are appended, never changed, never deleted."""

from enum import StrEnum


class EventKind(StrEnum):
    """What can happen to a consent."""

    ASKED = "asked"
    APPROVED = "approved"
    DENIED = "denied"
    REDEEMED = "redeemed"
    REPLAYED = "replayed"
    REFRESHED = "refreshed"
    SUPERSEDED = "superseded"


class Actor(StrEnum):
    """Who made it happen."""

    CUSTOMER = "customer"
    CLIENT = "client"
    ACCORD = "accord"


class Reason(StrEnum):
    """FDX revocation reasons, used for every event."""

    USER_ACTION = "USER_ACTION"
    BUSINESS_RULE = "BUSINESS_RULE"
