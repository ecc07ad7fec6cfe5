"""Notices on their way: which are due, who has claimed them, and what became of a try.

Any number of processes claim at the same time, and none gets what another has. A receiver that does not
answer is paused as a whole, however many notices wait for it.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import (
    ARRAY,
    BindParameter,
    Integer,
    String,
    bindparam,
    case,
    delete,
    exists,
    func,
    literal_column,
    or_,
    select,
    true,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite

from app.domain.notices import DeliveryMethod, Notice
from app.stores.ledger.database import Database
from app.stores.ledger.events import append_events
from app.stores.ledger.notice_rows import DEAD, DELIVERED, IS_UNSETTLED, IS_WAITING, notice_from
from app.stores.ledger.notifying import notified_rows
from app.stores.ledger.schema import UtcDateTime, notice_endpoints, notices
from app.stores.ledger.statements import DatabaseConnection

PAUSED_AFTER: Final = 10
"""Failures running after which a receiver is tried with one notice at a time: docs/notices.md says so."""
_MOST_GIVEN_UP: Final = 1000
"""Notices that one transaction gives up, so that it is over in a fraction of a second: a judgement."""

_AT = bindparam("at", type_=UtcDateTime)
_UNTIL = bindparam("until", type_=UtcDateTime)
_TO_RECEIVER: BindParameter[str] = bindparam("to_receiver")


@dataclass(frozen=True, slots=True)
class Lease:
    """A notice that is to be sent before `until`; nobody else has it. `attempts` include this one."""

    notice: Notice
    attempts: int
    until: datetime


@dataclass(frozen=True, slots=True)
class Delivered:
    """The receiver has taken it."""


@dataclass(frozen=True, slots=True)
class Refused:
    """The receiver has answered that it will never take it (RFC 8935 2.4), for this reason."""

    err: str


@dataclass(frozen=True, slots=True)
class TryAgain:
    """It waits until `at`. `outcome` is for operators, of 64 characters at the most."""

    outcome: str
    at: datetime


@dataclass(frozen=True, slots=True)
class GaveUp:
    """It is sent no more, but the receiver can still ask for it."""

    outcome: str


@dataclass(frozen=True, slots=True)
class Postponed:
    """It was not sent after all, and waits until `at`; the attempt does not count. `outcome` says why."""

    outcome: str
    at: datetime


Became = Delivered | Refused | TryAgain | GaveUp | Postponed


class DeliveryStore:
    """Claims and settles notices. Every method raises StoreUnavailable and is one transaction.

    After StoreUnavailable the same call may be made again.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def claim(
        self,
        capacity: Mapping[str, int],
        *,
        now: datetime,
        limit: int = 50,
        lease: timedelta = timedelta(seconds=60),
    ) -> list[Lease]:
        """Claims due notices until `now + lease`, at most `capacity[receiver]` for each and `limit` in all.

        Receivers are served in the order of `capacity`, and of each what has been due for longest. Nothing is
        claimed for one that is disabled, or paused; when the pause is over, one of all callers gets one
        notice, with which to find out whether it answers again.
        """
        until = now + lease
        with self._database.writing() as connection:
            wanted = self._allowed(connection, capacity, now, until)
            if not wanted:
                return []
            values = {"at": now, "until": until}
            if connection.kind == "postgresql":
                names, many = list(wanted), list(wanted.values())
                rows = connection.rows(_CLAIM, **values, receivers=names, many=many, most=limit)
            else:
                rows = []
                for receiver, most in wanted.items():
                    some = min(most, limit - len(rows))
                    if some > 0:
                        rows += connection.rows(_CLAIM_OF_ONE, **values, to_receiver=receiver, most=some)
        return [Lease(notice_from(row), row.attempts, until) for row in rows]

    def release(self, leases: Iterable[Lease]) -> None:
        """Gives back what was not tried after all: it is due at once, and the attempt does not count."""
        with self._database.writing() as connection:
            # In the order in which notices are locked.
            for lease in sorted(leases, key=lambda lease: lease.notice.notice_id):
                connection.change(_RELEASE, **_of(lease))

    def settle(self, lease: Lease, became: Became, *, now: datetime) -> bool:
        """Records what became of a try. Where it was delivered, that is an event of the consent, once, if it
        is evidence.

        False where it was settled or overtaken meanwhile, or somebody else has claimed it since: then nothing
        is recorded. A receiver that has answered is no longer counted as failing.
        """
        notice = lease.notice
        with self._database.writing() as connection:
            match became:
                case Delivered():
                    settled = connection.change(_SETTLE, **_of(lease), at=now, became=DELIVERED, said="2xx")
                    if settled and (told := notified_rows([notice], DeliveryMethod.PUSH, now)):
                        append_events(connection, *told)
                case Refused(err):
                    settled = connection.change(_SETTLE, **_of(lease), at=now, became=DEAD, said=err[:64])
                case TryAgain(outcome, at):
                    settled = connection.change(_TRY_AGAIN, **_of(lease), at=at, said=outcome[:64])
                case GaveUp(outcome):
                    settled = connection.change(_GIVE_UP, **_of(lease), said=outcome[:64])
                case Postponed(outcome, at):
                    settled = connection.change(_POSTPONE, **_of(lease), at=at, said=outcome[:64])
            if isinstance(became, Delivered | Refused):
                connection.change(_IS_WELL, to_receiver=notice.receiver, at=now, until=lease.until)
        return settled == 1

    def endpoint_failed(
        self, receiver: str, *, now: datetime, pause: timedelta, wait: timedelta | None = None
    ) -> int:
        """Counts a failure, and returns how many there were running; from PAUSED_AFTER on, it is paused.

        Where its server has asked for time (`wait`), it is paused for that long whatever the count.
        """
        values = {"at": now, "until": now + pause, "asked_for": None if wait is None else now + wait}
        with self._database.writing() as connection:
            row = connection.first(_FAILED[connection.kind], to_receiver=receiver, **values)
            return int(row.failures) if row is not None else 0

    def give_up_older(self, receiver: str, than: datetime, why: str, *, now: datetime) -> list[Notice]:
        """Gives up a portion of what waits for a receiver of what happened before `than`; returns these.

        It is for a receiver that is paused: its notices are tried one at a time, for all of them, and most
        have never been tried themselves. `why` is for operators.
        """
        with self._database.writing() as connection:
            values = {"to_receiver": receiver, "before": than, "at": now, "said": why[:64]}
            return [notice_from(row) for row in connection.rows(_GIVE_UP_OLDER, **values)]

    def disable_endpoint(self, receiver: str, why: str, *, now: datetime) -> None:
        """Sends nothing more to the receiver until it is enabled again; `why` is for operators."""
        with self._database.writing() as connection:
            connection.change(_DISABLE[connection.kind], to_receiver=receiver, at=now, why=why[:64])

    def _allowed(
        self, connection: DatabaseConnection, capacity: Mapping[str, int], now: datetime, until: datetime
    ) -> dict[str, int]:
        """How many of each receiver may be claimed, those that are paused or disabled considered."""
        allowed = {receiver: most for receiver, most in capacity.items() if most > 0}
        for row in connection.rows(_STOPPED):
            if row.client_id not in allowed:
                continue
            may_probe = row.disabled_at is None and row.paused_until <= now
            if may_probe and connection.change(_PROBE, to_receiver=row.client_id, at=now, until=until) == 1:
                allowed[row.client_id] = 1
            else:
                del allowed[row.client_id]
        return allowed


def _of(lease: Lease) -> dict[str, Any]:
    return {"of_notice": lease.notice.notice_id, "leased": lease.until}


_IS_OURS = (
    notices.c.notice_id == bindparam("of_notice"),
    IS_WAITING,
    notices.c.leased_until == bindparam("leased", type_=UtcDateTime),
)
_RELEASE = (
    update(notices)
    .where(*_IS_OURS)
    .values(attempts=notices.c.attempts - 1, next_try_at=notices.c.happened_at, leased_until=None)
)
_SETTLE = (
    update(notices)
    .where(*_IS_OURS)
    .values(state=bindparam("became"), settled_at=_AT, last_outcome=bindparam("said"), leased_until=None)
)
_TRY_AGAIN = (
    update(notices)
    .where(*_IS_OURS)
    .values(next_try_at=_AT, last_outcome=bindparam("said"), leased_until=None)
)
_POSTPONE = (
    update(notices)
    .where(*_IS_OURS)
    .values(
        attempts=notices.c.attempts - 1,
        next_try_at=_AT,
        last_outcome=bindparam("said"),
        leased_until=None,
    )
)
_GIVE_UP = (
    update(notices).where(*_IS_OURS).values(state=DEAD, last_outcome=bindparam("said"), leased_until=None)
)
_OLDER = (
    select(notices.c.notice_id)
    .where(
        notices.c.client_id == _TO_RECEIVER,
        IS_UNSETTLED,
        IS_WAITING,
        notices.c.happened_at < bindparam("before", type_=UtcDateTime),
        or_(notices.c.leased_until.is_(None), notices.c.leased_until <= _AT),
    )
    .order_by(notices.c.happened_at, notices.c.notice_id)  # as in the index of what is unsettled
    .limit(_MOST_GIVEN_UP)
    .with_for_update(skip_locked=True)
    .cte("older")  # it locks, so that PostgreSQL runs it once
)
_GIVE_UP_OLDER = (
    update(notices)
    .where(notices.c.notice_id.in_(select(_OLDER.c.notice_id)))
    .values(state=DEAD, last_outcome=bindparam("said"), leased_until=None)
    .returning(notices)
)
_IS_DUE = (IS_WAITING, notices.c.next_try_at <= _AT)
# A claimed notice is due again when its lease is over: so what is claimed does not stand in the way.
_CLAIMED = {"attempts": notices.c.attempts + 1, "next_try_at": _UNTIL, "leased_until": _UNTIL}
_DUE_OF_ONE = (
    select(notices.c.notice_id)
    .where(notices.c.client_id == _TO_RECEIVER, *_IS_DUE)
    .order_by(notices.c.next_try_at)
    .limit(bindparam("most", type_=Integer))
)
_CLAIM_OF_ONE = (
    update(notices).where(notices.c.notice_id.in_(_DUE_OF_ONE)).values(_CLAIMED).returning(notices)
)
_wanted = (
    func.unnest(bindparam("receivers", type_=ARRAY(String)), bindparam("many", type_=ARRAY(Integer)))
    .table_valued("receiver", "many", name="wanted")
    .render_derived()
)
_due_of_each = (
    select(notices.c.notice_id)
    .where(notices.c.client_id == _wanted.c.receiver, *_IS_DUE)
    .order_by(notices.c.next_try_at)
    .limit(_wanted.c.many)
    .with_for_update(skip_locked=True)
    .lateral("due")
)
_DUE = (
    select(_due_of_each.c.notice_id)
    .select_from(_wanted.join(_due_of_each, true()))
    .limit(bindparam("most", type_=Integer))
    .cte("due_now")  # it locks, so that PostgreSQL runs it once
)
_CLAIM = (
    update(notices)
    .where(notices.c.notice_id.in_(select(_DUE.c.notice_id)))
    .values(_CLAIMED)
    .returning(notices)
)

_STOPPED = (
    select(notice_endpoints)
    .where(or_(notice_endpoints.c.disabled_at.is_not(None), notice_endpoints.c.paused_until.is_not(None)))
    .order_by(notice_endpoints.c.client_id)  # whoever locks several does it in this order
)
_IS_RECEIVER = notice_endpoints.c.client_id == _TO_RECEIVER
_PROBE = (
    update(notice_endpoints)
    .where(
        _IS_RECEIVER,
        notice_endpoints.c.disabled_at.is_(None),
        notice_endpoints.c.paused_until <= _AT,
        # Without a notice to probe with, the pause would begin again, and the next one would wait for it.
        exists().where(notices.c.client_id == _TO_RECEIVER, *_IS_DUE),
    )
    .values(paused_until=_UNTIL)
)
# A pause that another notice has met meanwhile stands; that of a probe lasts as its lease does, and is over.
_IS_WELL = delete(notice_endpoints).where(
    _IS_RECEIVER,
    notice_endpoints.c.disabled_at.is_(None),
    or_(
        notice_endpoints.c.paused_until.is_(None),
        notice_endpoints.c.paused_until <= _AT,
        notice_endpoints.c.paused_until == _UNTIL,
    ),
)
_ONE_MORE = notice_endpoints.c.failures + 1
_ASKED_FOR = bindparam("asked_for", type_=UtcDateTime)
_FAILURE = {"client_id": _TO_RECEIVER, "failures": literal_column("1"), "paused_until": _ASKED_FOR}
_PAUSE = case((literal_column(str(PAUSED_AFTER)) <= _ONE_MORE, _UNTIL), else_=_ASKED_FOR)
_COUNTED = {
    "failures": _ONE_MORE,
    # Of two answers at the same time, the one that asks for more holds.
    "paused_until": case(
        (notice_endpoints.c.paused_until > func.coalesce(_PAUSE, _AT), notice_endpoints.c.paused_until),
        else_=_PAUSE,
    ),
}
_FAILED = {
    name: make(notice_endpoints)
    .values(_FAILURE)
    .on_conflict_do_update(index_elements=["client_id"], set_=_COUNTED)
    .returning(notice_endpoints.c.failures)
    for name, make in (("sqlite", sqlite.insert), ("postgresql", postgresql.insert))
}
_DISABLED = {"disabled_at": _AT, "disabled_why": bindparam("why")}
_DISABLE = {
    name: make(notice_endpoints)
    .values({"client_id": _TO_RECEIVER, "failures": literal_column("0"), **_DISABLED})
    .on_conflict_do_update(index_elements=["client_id"], set_=_DISABLED)
    for name, make in (("sqlite", sqlite.insert), ("postgresql", postgresql.insert))
}
