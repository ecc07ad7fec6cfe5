"""The table `notices` of a recipient or a bank: where it is told of its consents, and of which events."""

from typing import Annotated

from pydantic import AfterValidator, BeforeValidator

from app.domain.notice_registration import ASKED_BY_DEFAULT, FOR_BANKS, NoticesRegistration, NoticeType
from app.registration.values import (
    Entry,
    NoticeAddress,
    refuse_events_of_banks,
    refuse_events_of_recipients,
    refuse_repetition,
    require_end_of_consent,
)


class NoticesEntry(Entry):
    """Where a recipient is told what becomes of its consents (None: it asks), and of which events."""

    address: NoticeAddress | None = None
    events: Annotated[
        frozenset[NoticeType],
        BeforeValidator(refuse_repetition),
        AfterValidator(require_end_of_consent),
        AfterValidator(refuse_events_of_banks),
    ] = ASKED_BY_DEFAULT

    def to_registration(self) -> NoticesRegistration:
        return NoticesRegistration(self.address, self.events)


class BankNoticesEntry(NoticesEntry):
    """The same for a bank and its customers' consents."""

    events: Annotated[
        frozenset[NoticeType],
        BeforeValidator(refuse_repetition),
        AfterValidator(require_end_of_consent),
        AfterValidator(refuse_events_of_recipients),
    ] = FOR_BANKS
