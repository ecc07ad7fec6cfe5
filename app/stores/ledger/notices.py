"""The notices of each receiver: those that it asks for, those that it has taken, and those that are old."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from itertools import groupby
from typing import Any, Final, TypeVar

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Integer,
    and_,
    bindparam,
    delete,
    exists,
    func,
    literal_column,
    not_,
    or_,
    select,
    update,
)
from sqlalchemy.sql.dml import ReturningUpdate

from app.domain.notices import DeliveryMethod, Notice
from app.stores.ledger.database import Database
from app.stores.ledger.events import append_events
from app.stores.ledger.notice_rows import (
    ACKNOWLEDGED,
    DEAD,
    IS_OVERTAKEN_BY_AN_END,
    IS_UNSETTLED,
    IS_WAITING,
    WAITING,
    is_one_of_locked,
    notice_from,
)
from app.stores.ledger.notifying import notified_rows
from app.stores.ledger.schema import UtcDateTime, grants, notice_endpoints, notices

_AT_ONCE: Final = 50
"""Rows that one statement settles: it is compiled for each number of rows, and these are few. A judgement."""
MOST_AT_ONCE: Final = 1000
"""Rows that one transaction deletes or makes due, to be over in a fraction of a second: a judgement."""
MOST_COUNTED: Final = 100_000
"""How far waiting notices are counted: beyond it the number no longer matters. docs/operating.md says so."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Waiting:
    """How many notices wait for receivers to which they are sent, and since when the oldest one does."""

    count: int
    oldest_at: datetime | None


@dataclass(frozen=True, slots=True)
class Endpoint:
    """What is known of a receiver to which something could not be sent."""

    failures: int
    paused_until: datetime | None
    disabled_at: datetime | None
    disabled_why: str | None

    def is_stopped_at(self, now: datetime) -> bool:
        """Whether nothing is sent there. After a pause it is tried; `paused_until` stays until it answers."""
        is_paused = self.paused_until is not None and self.paused_until > now
        return is_paused or self.disabled_at is not None


@dataclass(frozen=True, slots=True)
class NoticeCounts:
    """How many notices a receiver has, by their state, and how old the oldest unsettled one is."""

    by_state: Mapping[str, int]
    oldest_unsettled_at: datetime | None
    endpoint: Endpoint | None


class NoticeStore:
    """Every method raises StoreUnavailable. Those that write may be called again after that."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def unsettled_of(self, receiver: str, *, most: int) -> list[Notice]:
        """What the receiver has neither taken nor refused, the oldest first."""
        with self._database.reading() as connection:
            rows = connection.rows(_UNSETTLED_OF, to_receiver=receiver, most=most)
            return [notice_from(row) for row in rows]

    def settle(
        self, receiver: str, *, taken: Collection[str], refused: Mapping[str, str], now: datetime
    ) -> tuple[list[Notice], list[Notice]]:
        """Settles what the receiver says that it has `taken`, or `refused` with an error.

        An event of the consent says that a notice was taken, where that is evidence. Notices that are
        unknown, another's or settled are ignored (RFC 8936 2.2). Returns those that were settled now: the
        taken ones, and the refused ones.
        """
        acknowledged: list[Notice] = []
        rejected: list[Notice] = []
        said: dict[str, str | None] = {**refused, **dict.fromkeys(taken)}
        if not said:
            return acknowledged, rejected
        with self._database.writing() as connection:
            # In the order in which notices are locked, also where some are taken and others refused.
            for err, of_it in groupby(sorted(filter(_is_id, said)), key=said.__getitem__):
                became, outcome = (ACKNOWLEDGED, "ack") if err is None else (DEAD, err[:64])
                values = {"to_receiver": receiver, "at": now, "became": became, "said": outcome}
                settled = acknowledged if err is None else rejected
                for ids in _portions(list(of_it)):
                    rows = connection.rows(_settled(len(ids)), **values, **_numbered(ids))
                    settled += [notice_from(row) for row in rows]
            for some in _portions(notified_rows(acknowledged, DeliveryMethod.POLL, now)):
                append_events(connection, *some)
        return acknowledged, rejected

    def waiting(self, receivers: Collection[str]) -> Waiting:
        """What waits to be sent to these receivers; no more than MOST_COUNTED are counted of each."""
        count, oldest = 0, []
        with self._database.reading() as connection:
            for receiver in receivers:
                row = connection.first(_WAITING_OF, to_receiver=receiver)
                if row is not None and row.many:
                    count += row.many
                    oldest.append(row.oldest_at)
        return Waiting(count, min(oldest, default=None))

    def counts_of(self, receiver: str) -> NoticeCounts:
        """What there is of one receiver, for operators."""
        with self._database.reading() as connection:
            by_state = {row.state: row.many for row in connection.rows(_COUNTS_OF, to_receiver=receiver)}
            oldest = connection.rows(_UNSETTLED_OF, to_receiver=receiver, most=1)
            endpoint = connection.first(_ENDPOINT_OF, to_receiver=receiver)
        return NoticeCounts(
            by_state,
            oldest[0].happened_at if oldest else None,
            None
            if endpoint is None
            else Endpoint(
                endpoint.failures, endpoint.paused_until, endpoint.disabled_at, endpoint.disabled_why
            ),
        )

    def receivers(self) -> list[str]:
        """The recipients and banks that have notices, or an endpoint that has failed."""
        with self._database.reading() as connection:
            found = {row.client_id for row in connection.rows(_WITH_NOTICES)}
            found |= {row.client_id for row in connection.rows(_WITH_ENDPOINT)}
        return sorted(found)

    def retry(self, receiver: str, *, now: datetime) -> int:
        """Makes due what the receiver has not taken, what it refused included; returns how many.

        What the end of its consent has overtaken is no news any more. It is done in portions, each in a
        transaction of its own.
        """
        return self._in_portions(_RETRY, receiver, now)

    def enable(self, receiver: str, *, now: datetime) -> bool:
        """Forgets the failures of a receiver, and makes due what waits for it; False where there were none.

        It would otherwise wait as long as the failures have put it off, for a day after 410.
        """
        with self._database.reading() as connection:
            if connection.first(_ENDPOINT_OF, to_receiver=receiver) is None:
                return False
        self._in_portions(_MAKE_DUE, receiver, now)
        with self._database.writing() as connection:
            return connection.change(_ENABLE, to_receiver=receiver) == 1

    def _in_portions(self, statement: ReturningUpdate[Any], receiver: str, now: datetime) -> int:
        count, portion = 0, None
        while portion != 0:
            with self._database.writing() as connection:
                portion = len(connection.rows(statement, to_receiver=receiver, at=now))
            count += portion
        return count

    def count_older(self, than: datetime) -> int:
        """How many notices `forget_older` would delete."""
        with self._database.reading() as connection:
            row = connection.first(_COUNT_OLDER, before=than)
            return 0 if row is None else int(row.many)

    def forget_older(self, than: datetime) -> int:
        """Deletes a portion of the notices of what happened before `than`; returns how many.

        The event that a notice was taken stays.
        """
        with self._database.writing() as connection:
            return len(connection.rows(_FORGET, before=than))


def _is_id(text: str) -> bool:
    """Whether a notice could have this id. PostgreSQL could not even look for some of the others."""
    return text.isascii() and text.isprintable()


def _numbered(notice_ids: Sequence[str]) -> dict[str, Any]:
    return {f"notice_{number}": notice_id for number, notice_id in enumerate(notice_ids)}


_OF_RECEIVER = notices.c.client_id == bindparam("to_receiver")
_AT = bindparam("at", type_=UtcDateTime)
_UNSETTLED_OF = (
    select(notices)
    .where(_OF_RECEIVER, IS_UNSETTLED)
    .order_by(notices.c.happened_at, notices.c.notice_id)
    .limit(bindparam("most", type_=Integer))
)
_waiting = select(notices.c.happened_at).where(_OF_RECEIVER, IS_WAITING).limit(MOST_COUNTED).subquery()
_WAITING_OF = select(
    func.count().label("many"), func.min(_waiting.c.happened_at).label("oldest_at")
).select_from(_waiting)
_COUNTS_OF = select(notices.c.state, func.count().label("many")).where(_OF_RECEIVER).group_by(notices.c.state)
_WITH_NOTICES = select(notices.c.client_id).distinct()
_WITH_ENDPOINT = select(notice_endpoints.c.client_id)
_ENDPOINT_OF = select(notice_endpoints).where(notice_endpoints.c.client_id == bindparam("to_receiver"))
_ENABLE = delete(notice_endpoints).where(notice_endpoints.c.client_id == bindparam("to_receiver"))
_has_ended = exists().where(grants.c.consent_id == notices.c.consent_id, grants.c.ended_at.is_not(None))
_IS_NOT_LEASED = or_(notices.c.leased_until.is_(None), notices.c.leased_until <= _AT)
_IS_LATER = and_(IS_WAITING, notices.c.next_try_at > _AT)


def _some_of(*wanted: ColumnElement[bool]) -> ColumnElement[bool]:
    """Whether a notice is one of a portion of those that are `wanted` and that nobody is working on.

    Rows that are changed have to be returned: of a statement that begins with WITH, the driver of SQLite does
    not count them.
    """
    some = (
        select(notices.c.notice_id)
        .where(*wanted)
        .limit(MOST_AT_ONCE)
        .with_for_update(skip_locked=True)  # what somebody else has locked is being settled or overtaken
        .cte("some")  # it locks, so that PostgreSQL runs it once
    )
    return notices.c.notice_id.in_(select(some.c.notice_id))


_MAKE_DUE = (
    update(notices)
    .where(_some_of(_OF_RECEIVER, _IS_LATER, _IS_NOT_LEASED))
    .values(next_try_at=_AT, leased_until=None)
    .returning(notices.c.notice_id)
)
_IS_REFUSED_OR_GIVEN_UP = notices.c.state == literal_column(f"'{DEAD}'")
# An end overtakes what is unsettled. What was refused before it is overtaken as well.
_IS_NEWS = not_(and_(IS_OVERTAKEN_BY_AN_END, _has_ended))
_RETRY = (
    update(notices)
    .where(_some_of(_OF_RECEIVER, or_(_IS_LATER, _IS_REFUSED_OR_GIVEN_UP), _IS_NOT_LEASED, _IS_NEWS))
    .values(state=WAITING, attempts=0, next_try_at=_AT, leased_until=None, settled_at=None)
    .returning(notices.c.notice_id)
)
_IS_OLDER = notices.c.happened_at < bindparam("before", type_=UtcDateTime)
_COUNT_OLDER = select(func.count().label("many")).select_from(notices).where(_IS_OLDER)
_FORGET = delete(notices).where(_some_of(_IS_OLDER)).returning(notices.c.notice_id)


def _portions(of: Sequence[T]) -> Iterator[Sequence[T]]:
    """`of` in its order, _AT_ONCE at a time."""
    return (of[begin : begin + _AT_ONCE] for begin in range(0, len(of), _AT_ONCE))


@cache
def _settled(count: int) -> ReturningUpdate[Any]:
    """The statement that settles `count` notices of one receiver, as far as they are unsettled."""
    ids: list[BindParameter[str]] = [bindparam(f"notice_{number}") for number in range(count)]
    return (
        update(notices)
        .where(is_one_of_locked(_OF_RECEIVER, notices.c.notice_id.in_(ids), IS_UNSETTLED))
        .values(state=bindparam("became"), last_outcome=bindparam("said"), settled_at=_AT, leased_until=None)
        .returning(notices)
    )
