"""What a recipient is told of, and where: the `notices` of its registration."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class NoticeType(StrEnum):
    """What a notice says of a consent (FDX notification types; RENEWAL_DUE is a subtype of its CUSTOM)."""

    CONSENT_REVOKED = "CONSENT_REVOKED"
    CONSENT_UPDATED = "CONSENT_UPDATED"
    CONSENT_EXPIRED = "CONSENT_EXPIRED"
    RENEWAL_DUE = "RENEWAL_DUE"


ASKED_BY_DEFAULT: Final = frozenset({NoticeType.CONSENT_REVOKED, NoticeType.CONSENT_UPDATED})
"""What a recipient is told of that has not said otherwise. It can know by itself when a consent runs out."""


@dataclass(frozen=True, slots=True)
class NoticesRegistration:
    """Where a recipient is sent notices (`address`; None: it asks for them), and of which events."""

    address: str | None = None
    events: frozenset[NoticeType] = ASKED_BY_DEFAULT


EventsAsked = Callable[[str], frozenset[NoticeType]]
"""What the recipient with this client_id is told of."""


def asked_by_default(_client_id: str) -> frozenset[NoticeType]:
    """What is asked for where no registration is at hand."""
    return ASKED_BY_DEFAULT
