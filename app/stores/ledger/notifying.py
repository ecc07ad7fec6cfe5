"""Writes notices inside the transaction that ends or narrows a consent, and the event that one has arrived.

So there is no notice without its event, and no event without its notice. Statements are built here once,
since building one costs more than the database takes to run it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import cache
from typing import Any, Final, TypeVar

from sqlalchemy import BindParameter, Insert, Update, bindparam, insert, update

from app.domain.consent import ConsentGrant
from app.domain.history import ENDINGS, Actor, EventKind, Reason
from app.domain.notice_registration import EventsAsked, receiver_of_bank
from app.domain.notices import News, Notice, news_for_bank, news_of
from app.stores.ledger.notice_rows import IS_OVERTAKEN_BY_AN_END, IS_UNSETTLED, OVERTAKEN, notice_row
from app.stores.ledger.rows import EventRow, event_row
from app.stores.ledger.schema import UtcDateTime, notices
from app.stores.ledger.statements import Change, DatabaseConnection

AT_ONCE: Final = 50
"""Rows that one statement writes: it is compiled for each number of rows, and these are few."""

_WRITTEN: Final = frozenset(notices.columns.keys()) - {"leased_until", "last_outcome", "settled_at"}

T = TypeVar("T")


class Way(StrEnum):
    """How a notice was taken."""

    PUSH = "push"
    POLL = "poll"


@dataclass(frozen=True, slots=True)
class Happened:
    """An event of a grant that the recipient or the bank may have to be told of."""

    grant: ConsentGrant
    event: EventRow


def write_notices(connection: DatabaseConnection, happened: Sequence[Happened], asked: EventsAsked) -> None:
    """Writes the notices of these events, as far as they were `asked` for.

    What was still to be said of a consent is overtaken by its end, also what is not sent any more and could
    be asked for: whoever took it afterwards would seem to know of the end. That it was granted stays news.
    """
    ended = [one for one in happened if one.event["kind"] in ENDINGS]
    rows = notices_of(happened, asked)
    if connection.kind == "postgresql" and len(ended) == len(happened) == 1 and rows:
        # This is what a stop has: one round trip is less than two.
        connection.change(_overtake_and_write(len(rows)), **_overtaking(ended), **_writing(rows))
        return
    for some in portions(ended, AT_ONCE):
        connection.change(_overtaken(len(some)), **_overtaking(some))
    for part in portions(rows, AT_ONCE):
        connection.change(_write(len(part)), **_writing(part))


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
    """What marks as overtaken all that was still to be said of a consent that has ended."""
    return _overtaken(1), _overtaking([ended])


def notified_rows(taken: Sequence[Notice], way: Way, now: datetime) -> list[EventRow]:
    """The events that the recipient has got these notices, of those of which that is evidence."""
    why = (EventKind.NOTIFIED, Actor.ACCORD, Reason.BUSINESS_RULE)
    return [event_row(notice, *why, now, way) for notice in taken if notice.is_evidence]


def portions(of: Sequence[T], most: int) -> Iterator[Sequence[T]]:
    """`of` in its order, `most` at a time."""
    return (of[begin : begin + most] for begin in range(0, len(of), most))


def _overtaking(ended: Sequence[Happened]) -> dict[str, Any]:
    """The values for `_overtaken`."""
    consents = {f"consent_{number}": one.grant.consent_id for number, one in enumerate(ended)}
    return {**consents, "at": max(one.event["happened_at"] for one in ended)}


def _writing(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The values for `_write`."""
    return {f"{name}_{number}": value for number, row in enumerate(rows) for name, value in row.items()}


@cache
def _write(count: int) -> Insert:
    """The statement that writes `count` notices."""
    written = [column for column in notices.columns if column.name in _WRITTEN]
    rows = [
        {column.name: bindparam(f"{column.name}_{number}", type_=column.type) for column in written}
        for number in range(count)
    ]
    return insert(notices).values(rows).inline()


@cache
def _overtaken(count: int) -> Update:
    """The statement by which the ends of `count` consents overtake what was still to be said of them."""
    consents: list[BindParameter[str]] = [bindparam(f"consent_{number}") for number in range(count)]
    return (
        update(notices)
        .where(notices.c.consent_id.in_(consents), IS_UNSETTLED, IS_OVERTAKEN_BY_AN_END)
        .values(state=OVERTAKEN, settled_at=bindparam("at", type_=UtcDateTime))
    )


@cache
def _overtake_and_write(count: int) -> Insert:
    """The statement for the end of one consent, of which one or both of its parties are told."""
    return _write(count).add_cte(_overtaken(1).cte("overtaken"))
