"""Who is told what becomes of consents, of which events, and where: the `notices` of a registration.

A receiver of notices is a recipient or a bank. It is named by one string, under which its notices are kept: a
recipient by its client_id, a bank by `provider:` and its provider_id, which no client_id can be.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class NoticeType(StrEnum):
    """What a notice says of a consent (FDX notification types; RENEWAL_DUE is a subtype of its CUSTOM)."""

    CONSENT_REVOKED = "CONSENT_REVOKED"
    CONSENT_UPDATED = "CONSENT_UPDATED"
    CONSENT_EXPIRED = "CONSENT_EXPIRED"
    CONSENT_GRANTED = "CONSENT_GRANTED"
    RENEWAL_DUE = "RENEWAL_DUE"


ASKED_BY_DEFAULT: Final = frozenset({NoticeType.CONSENT_REVOKED, NoticeType.CONSENT_UPDATED})
"""What a recipient is told of that has not said otherwise. It can know by itself when a consent runs out."""
FOR_RECIPIENTS: Final = ASKED_BY_DEFAULT | {NoticeType.CONSENT_EXPIRED, NoticeType.RENEWAL_DUE}
"""What a recipient can ask for. Of an approval it learns at its callback."""
FOR_BANKS: Final = ASKED_BY_DEFAULT | {NoticeType.CONSENT_EXPIRED, NoticeType.CONSENT_GRANTED}
"""What a bank can ask for, and is told of where it registers notices and does not say of which events."""

_BANK: Final = "provider:"


@dataclass(frozen=True, slots=True)
class NoticesRegistration:
    """Where a receiver is sent notices (`address`; None: it asks for them), and of which events."""

    address: str | None = None
    events: frozenset[NoticeType] = ASKED_BY_DEFAULT


EventsAsked = Callable[[str], frozenset[NoticeType]]
"""What this receiver is told of; nothing, for a bank that has registered no notices."""


def receiver_of_bank(provider_id: str) -> str:
    """The receiver that the bank is."""
    return f"{_BANK}{provider_id}"


def bank_of(receiver: str) -> str | None:
    """The provider_id of the bank that the receiver is; None for a recipient."""
    return receiver.removeprefix(_BANK) if receiver.startswith(_BANK) else None


def log_fields(receiver: str) -> dict[str, str]:
    """The receiver by the name that the log has for it: its `client_id`, or a bank's `provider_id`."""
    provider_id = bank_of(receiver)
    return {"client_id": receiver} if provider_id is None else {"provider_id": provider_id}


def asked_by_default(receiver: str) -> frozenset[NoticeType]:
    """What is asked for where no registration is at hand."""
    return ASKED_BY_DEFAULT if bank_of(receiver) is None else frozenset()
