"""Inserts rows of several tables at once, with the events that tell of them.

PostgreSQL takes all of them in one statement, and so in one round trip. SQLite, which is no trip away, takes
one for each table. What is None is left out, since psycopg parses a statement of more than 50 parameters or
4,096 characters anew each time.
"""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from sqlalchemy import Insert, Table, bindparam
from sqlalchemy.dialects import postgresql, sqlite

from app.stores.ledger.grants import append_events, appending, event_values, names_present
from app.stores.ledger.rows import EventRow
from app.stores.ledger.schema import agreements, screens
from app.stores.ledger.statements import DatabaseConnection

Rows = Mapping[Table, Mapping[str, Any]]

_KEPT_ONCE = (screens, agreements)
"""Their key is the hash of the rest: a row that is there already is the same."""


def insert_rows(connection: DatabaseConnection, rows: Rows, *happened: EventRow) -> None:
    """A row of each table, in an order in which each finds what it refers to, and one event or more.

    Raises UniqueViolation (of Database) where a key is on record.
    """
    present = {
        table: {name: value for name, value in row.items() if value is not None}
        for table, row in rows.items()
    }
    shape = tuple((table, tuple(row)) for table, row in present.items())
    values = [_values(table, row) for table, row in present.items()]
    if connection.kind == "postgresql":
        merged = {name: value for each in values for name, value in each.items()}
        statement = _together(shape, len(happened), names_present(happened))
        connection.change(statement, **merged, **event_values(happened))
        return
    for (table, names), given in zip(shape, values, strict=True):
        connection.change(_inserting("sqlite", table, names), **given)
    append_events(connection, *happened)


def _values(table: Table, row: Mapping[str, Any]) -> dict[str, Any]:
    """`row` by names that no other table has."""
    return {f"{table.name}_{name}": value for name, value in row.items()}


@cache
def _together(shape: Sequence[tuple[Table, tuple[str, ...]]], events: int, told: tuple[str, ...]) -> Insert:
    """Foreign keys are checked when the whole statement has run."""
    rows = (_inserting("postgresql", *each).cte(f"new_{each[0].name}") for each in shape)
    return appending(events, told).add_cte(*rows)


@cache
def _inserting(kind: str, table: Table, names: tuple[str, ...]) -> Insert:
    row = {name: bindparam(f"{table.name}_{name}", type_=table.c[name].type) for name in names}
    insert = postgresql.insert(table) if kind == "postgresql" else sqlite.insert(table)
    once = insert.on_conflict_do_nothing() if table in _KEPT_ONCE else insert
    statement: Insert = once.values(row).inline()
    return statement
