"""Inserts rows of several tables together, with the events that tell of them and what else they bring about.

PostgreSQL does all of it in one statement, and so in one round trip. SQLite, which is no trip away, does one
thing after the other. What is None is left out of a row.
"""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from sqlalchemy import Insert, Table, Update, bindparam
from sqlalchemy.dialects import postgresql, sqlite

from app.stores.ledger.events import append_events, appending, event_values, names_present
from app.stores.ledger.rows import EventRow
from app.stores.ledger.schema import agreements, screens
from app.stores.ledger.statements import Change, DatabaseConnection

Row = tuple[Table, Mapping[str, Any]]

_KEPT_ONCE = (screens, agreements)
"""Their key is the hash of the rest: a row that is there already is the same."""


def insert_rows(
    connection: DatabaseConnection, rows: Sequence[Row], *happened: EventRow, changes: Sequence[Change] = ()
) -> None:
    """`rows`, so that each finds what it refers to, one event or more, and `changes` of other rows.

    Raises UniqueViolation (of Database) where a key is on record.
    """
    present = [(table, _present(row)) for table, row in rows]
    shape = tuple((table, tuple(row)) for table, row in present)
    values = [_values(number, row) for number, (_, row) in enumerate(present)]
    if connection.kind == "postgresql":
        merged = {name: value for each in values for name, value in each.items()}
        for _, given in changes:
            merged.update(given)
        updates = tuple(statement for statement, _ in changes)
        statement = _together(shape, len(happened), names_present(happened), updates)
        connection.change(statement, **merged, **event_values(happened))
        return
    for number, (table, names) in enumerate(shape):
        connection.change(_inserting("sqlite", number, table, names), **values[number])
    append_events(connection, *happened)
    for update, given in changes:
        connection.change(update, **given)


def _present(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if value is not None}


def _values(number: int, row: Mapping[str, Any]) -> dict[str, Any]:
    """`row` by names that no other row has."""
    return {f"row_{number}_{name}": value for name, value in row.items()}


@cache
def _together(
    shape: Sequence[tuple[Table, tuple[str, ...]]],
    events: int,
    told: tuple[str, ...],
    updates: Sequence[Update],
) -> Insert:
    """Foreign keys are checked when the whole statement has run."""
    rows = (_inserting("postgresql", number, *each).cte(f"row_{number}") for number, each in enumerate(shape))
    changes = (update.cte(f"change_{number}") for number, update in enumerate(updates))
    return appending(events, told).add_cte(*rows, *changes)


@cache
def _inserting(kind: str, number: int, table: Table, names: tuple[str, ...]) -> Insert:
    row = {name: bindparam(f"row_{number}_{name}", type_=table.c[name].type) for name in names}
    insert = postgresql.insert(table) if kind == "postgresql" else sqlite.insert(table)
    once = insert.on_conflict_do_nothing() if table in _KEPT_ONCE else insert
    statement: Insert = once.values(row).inline()
    return statement
