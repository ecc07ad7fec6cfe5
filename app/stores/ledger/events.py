"""Appends events to the ledger. No event is ever changed."""

from collections.abc import Sequence
from functools import cache
from typing import Any

from sqlalchemy import Insert, bindparam, insert

from app.stores.ledger.rows import EventRow
from app.stores.ledger.schema import events
from app.stores.ledger.statements import DatabaseConnection


def append_events(connection: DatabaseConnection, *rows: EventRow) -> None:
    """Appends events, in this order, in one statement."""
    connection.change(appending(len(rows), names_present(rows)), **event_values(rows))


def event_values(rows: Sequence[EventRow]) -> dict[str, Any]:
    """The values of events for the statement that appends them."""
    names = names_present(rows)
    return {f"{name}_{number}": dict(row)[name] for number, row in enumerate(rows) for name in names}


def names_present(rows: Sequence[EventRow]) -> tuple[str, ...]:
    """The columns in which one of the rows has a value."""
    return tuple(name for name in rows[0] if any(dict(row)[name] is not None for row in rows))


@cache
def appending(count: int, names: tuple[str, ...]) -> Insert:
    """The statement that appends `count` events, with a value for each of these columns."""
    rows = [
        {name: bindparam(f"{name}_{number}", type_=events.c[name].type) for name in names}
        for number in range(count)
    ]
    return insert(events).values(rows).inline()
