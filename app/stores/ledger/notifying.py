"""Writes an event of a consent together with its notices, and the event that a notice has arrived.

So there is no notice without its event, and no event without its notice.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import bindparam, update

from app.domain.consent import ConsentGrant
from app.domain.history import ENDINGS, Actor, EventKind, Reason
from app.domain.notice_registration import EventsAsked, receiver_of_bank
from app.domain.notices import DeliveryMethod, News, Notice, arrival_detail, news_for_bank, news_of
from app.stores.ledger.inserting import insert_rows
from app.stores.ledger.notice_rows import (
    IS_OVERTAKEN_BY_AN_END,
    IS_UNSETTLED,
    OVERTAKEN,
    is_one_of_locked,
    notice_row,
)
from app.stores.ledger.rows import EventRow, event_row
from app.stores.ledger.schema import UtcDateTime, notices
from app.stores.ledger.statements import Change, DatabaseConnection

_OVERTAKE: Final = (
    update(notices)
    .where(
        is_one_of_locked(
            notices.c.consent_id == bindparam("of_consent"), IS_UNSETTLED, IS_OVERTAKEN_BY_AN_END
        )
    )
    .values(state=OVERTAKEN, settled_at=bindparam("at", type_=UtcDateTime))
)


@dataclass(frozen=True, slots=True)
class Happened:
    """An event of a grant that the recipient or the bank may have to be told of."""

    grant: ConsentGrant
    event: EventRow


def record_happened(
    connection: DatabaseConnection, one: Happened, asked: EventsAsked, changes: Sequence[Change] = ()
) -> None:
    """Appends the event, with the notices of it as far as they were `asked` for, and makes `changes`.

    The end of a consent overtakes what was still to be said of it.
    """
    rows = [(notices, row) for row in notices_of([one], asked)]
    ended = [overtaking(one)] if one.event["kind"] in ENDINGS else []
    insert_rows(connection, rows, one.event, changes=[*changes, *ended])


def notices_of(happened: Sequence[Happened], asked: EventsAsked) -> list[dict[str, Any]]:
    """The rows of the notices of these events, as far as recipients and banks have `asked` for them."""
    return [
        notice_row(one.grant, receiver, news, one.event["happened_at"])
        for one in happened
        for receiver, news in _told(one)
        if news is not None and news.type in asked(receiver)
    ]


def _told(one: Happened) -> tuple[tuple[str, News | None], ...]:
    kind, actor, reason = one.event["kind"], one.event["actor"], one.event["reason"]
    return (
        (one.grant.client_id, news_of(kind, actor)),
        (receiver_of_bank(one.grant.provider_id), news_for_bank(kind, actor, reason)),
    )


def overtaking(ended: Happened) -> Change:
    """The update that marks the unsettled notices of an ended consent as overtaken.

    It marks also those that only polling could still fetch: a receiver that took one later would be recorded
    as informed of the end. The notice of the approval is kept.
    """
    return _OVERTAKE, {"of_consent": ended.grant.consent_id, "at": ended.event["happened_at"]}


def notified_rows(taken: Sequence[Notice], method: DeliveryMethod, now: datetime) -> list[EventRow]:
    """The events that the recipient has got these notices, of those of which that is evidence."""
    why = (EventKind.NOTIFIED, Actor.ACCORD, Reason.BUSINESS_RULE)
    return [
        event_row(notice, *why, now, arrival_detail(notice, method)) for notice in taken if notice.is_evidence
    ]
