"""The ledger read from one end to the other: for auditors, and for codes that never reached anyone.

Rows are read in the order of their keys, a few hundred at a time, so that neither memory nor a long
transaction grows with the ledger, and two readings say the same in the same order.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Column, Table, select

from app.domain.consent import ConsentGrant
from app.stores.database import Database
from app.stores.rows import grant_from
from app.stores.schema import decisions, events, grants, screens

AT_ONCE: Final = 500

# What an auditor may see, in this order, by the moment that `since` means. Hashes of tokens are no record.
_TABLES: Final[tuple[tuple[str, Table, Column[Any]], ...]] = (
    ("screen", screens, screens.c.first_shown_at),
    ("decision", decisions, decisions.c.decided_at),
    ("grant", grants, grants.c.approved_at),
    ("event", events, events.c.happened_at),
)


@dataclass(frozen=True, slots=True)
class Record:
    """One row of the ledger: its kind, and its values by their names."""

    kind: str
    values: dict[str, Any]


class Audit:
    """Reads the whole ledger. Every method raises StoreUnavailable."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def records(self, *, since: datetime | None = None) -> Iterator[Record]:
        """Every record that was made at `since` or later: screens, decisions, grants, events."""
        for kind, table, made_at in _TABLES:
            for row in self._rows(table, *([] if since is None else [made_at >= since])):
                yield Record(kind, row._asdict())

    def unredeemed(
        self, *, approved_before: datetime, since: datetime | None = None
    ) -> Iterator[ConsentGrant]:
        """Grants whose code nobody redeemed, although it was minted, if at all, before that moment."""
        conditions = [grants.c.redeemed_at.is_(None), grants.c.approved_at < approved_before]
        if since is not None:
            conditions.append(grants.c.approved_at >= since)
        for row in self._rows(grants, *conditions):
            yield grant_from(row)

    def _rows(self, table: Table, *conditions: Any) -> Iterator[Any]:
        (key,) = table.primary_key.columns
        query = select(table).where(*conditions).order_by(key).limit(AT_ONCE)
        last: Any = None
        while True:
            portion = query if last is None else query.where(key > last)
            with self._database.reading() as connection:
                rows = connection.rows(portion)
            yield from rows
            if len(rows) < AT_ONCE:
                return
            last = getattr(rows[-1], key.name)
