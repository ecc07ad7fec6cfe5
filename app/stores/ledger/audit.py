"""Reads the whole ledger: for auditors, and for approvals whose code nobody has redeemed.

Rows are read in the order in which they were made, in portions. So memory and transactions stay small however
large the ledger is, rows older than asked for are not read, and two readings have the same order.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import takewhile
from typing import Any, Final

from sqlalchemy import Column, Select, and_, bindparam, or_, select

from app.domain.consent import ConsentGrant
from app.stores.ledger.database import Database
from app.stores.ledger.rows import grant_from
from app.stores.ledger.schema import UtcDateTime, agreements, decisions, events, grants, screens

AT_ONCE: Final = 500  # rows of one query, each with a text of some kB: a few MB of memory

_BEFORE_ALL: Final = datetime.min.replace(tzinfo=UTC)


class _Portions:
    """Two queries for the rows of `query`, AT_ONCE at a time, ordered by `made_at` and a unique key.

    `first` is for those made at `since` or later, `next` for those after the last row of the portion before.
    """

    def __init__(self, query: Select[Any], made_at: Column[datetime], key: Column[Any]) -> None:
        ordered = query.add_columns(made_at.label("read_at"), key.label("read_key"))
        ordered = ordered.order_by(made_at, key).limit(AT_ONCE)
        since = bindparam("since", type_=UtcDateTime)
        later = or_(made_at > since, key > bindparam("after", type_=key.type))
        self.first = ordered.where(made_at >= since)
        self.next = ordered.where(and_(made_at >= since, later))


# What an auditor gets, in this order. Hashes of tokens are left out, as they record nothing that happened. A
# grant is made with its decision, whose time has an index.
_GRANTS: Final = _Portions(select(grants).join(decisions), decisions.c.decided_at, decisions.c.request_id)
_RECORDS: Final[tuple[tuple[str, _Portions], ...]] = (
    ("screen", _Portions(select(screens), screens.c.first_shown_at, screens.c.screen_hash)),
    ("agreement", _Portions(select(agreements), agreements.c.first_agreed_at, agreements.c.agreement_hash)),
    ("decision", _Portions(select(decisions), decisions.c.decided_at, decisions.c.request_id)),
    ("grant", _GRANTS),
    ("event", _Portions(select(events), events.c.happened_at, events.c.event_id)),
)


@dataclass(frozen=True, slots=True)
class Record:
    """One row of the ledger: its kind, such as "grant", and its values by the names of their columns."""

    kind: str
    values: dict[str, Any]


class Audit:
    """Reads the ledger, or what was made in it at `since` or later. Every method raises StoreUnavailable."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def records(self, *, since: datetime | None = None) -> Iterator[Record]:
        """All screens, then all agreements, decisions, grants and events, of each kind the oldest first."""
        for kind, portions in _RECORDS:
            for row in self._rows(portions, since):
                yield Record(kind, dict(zip(row._fields[:-2], row[:-2], strict=True)))

    def unredeemed(
        self, *, approved_before: datetime, since: datetime | None = None
    ) -> Iterator[ConsentGrant]:
        """Grants that were approved before that moment and whose code nobody has redeemed."""
        made = (grant_from(row) for row in self._rows(_GRANTS, since))
        for grant in takewhile(lambda grant: grant.approved_at < approved_before, made):
            if grant.redeemed_at is None:
                yield grant

    def _rows(self, portions: _Portions, since: datetime | None) -> Iterator[Any]:
        rows = self._portion(portions.first, since=since or _BEFORE_ALL)
        yield from rows
        while len(rows) == AT_ONCE:
            rows = self._portion(portions.next, since=rows[-1].read_at, after=rows[-1].read_key)
            yield from rows

    def _portion(self, query: Select[Any], **values: Any) -> list[Any]:
        with self._database.reading() as connection:
            return connection.rows(query, **values)
