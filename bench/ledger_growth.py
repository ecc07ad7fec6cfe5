"""Fills a ledger on PostgreSQL with grants like one that Accord has recorded itself."""

from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    Engine,
    FromClause,
    Integer,
    Select,
    Table,
    case,
    cast,
    column,
    func,
    insert,
    literal,
    null,
    select,
    text,
    true,
)
from sqlalchemy.dialects.postgresql import UUID
from sqlalchemy.types import String

from app.domain.history import EventKind
from app.stores.ledger.schema import decisions, events, grants, refresh_tokens

CONNECTIONS: Final = 5
"""Grants of each customer. The newest is in force; it has replaced the others, one after the other."""

_SUBJECT: Final = "seeded-"
_KEYS: Final = text(
    "SELECT conrelid::regclass::text, quote_ident(conname), pg_get_constraintdef(oid) FROM pg_constraint"
    " WHERE connamespace = 'public'::regnamespace AND contype IN ('p', 'u', 'f') ORDER BY contype = 'f'"
)
_INDEXES: Final = text("SELECT quote_ident(indexname), indexdef FROM pg_indexes WHERE schemaname = 'public'")


def subject_of(number: int) -> str:
    """The subject of the customer with this number, the first of which is 0."""
    return f"{_SUBJECT}{number}"


def fill(engine: Engine, template: str, numbers: range) -> None:
    """Adds a grant for each of `numbers`, which begin and end with multiples of CONNECTIONS.

    Each is a copy of everything on record about the consent_id `template`, which was approved and redeemed, under
    random keys of its own. The customers are `subject_of` the numbers divided by CONNECTIONS; the grants of one lie as
    far apart in the tables as they can. Keys and indexes are built anew, and the planner's statistics with them.
    """
    with engine.begin() as connection:
        connection.execute(text("SET LOCAL maintenance_work_mem = '1GB'"))
        connection.execute(text("SET LOCAL max_parallel_maintenance_workers = 0"))
        restore = _strip(connection)
        for table in (decisions, grants, refresh_tokens, events):
            _copy(connection, table, template, numbers)
        _supersede(connection, template, numbers)
        for statement in restore:
            connection.execute(text(statement))
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("VACUUM (ANALYZE)"))
        connection.execute(text("CHECKPOINT"))


def _strip(connection: Connection) -> list[str]:
    """Takes every key and index away; returns what brings them back, in order."""
    restore: list[str] = []
    keys = connection.execute(_KEYS).all()
    for table, name, definition in reversed(keys):
        connection.execute(text(f"ALTER TABLE {table} DROP CONSTRAINT {name}"))
        restore.insert(0, f"ALTER TABLE {table} ADD CONSTRAINT {name} {definition}")
    for name, definition in connection.execute(_INDEXES).all():
        connection.execute(text(f"DROP INDEX {name}"))
        restore.append(definition)
    return restore


def _copy(connection: Connection, table: Table, template: str, numbers: range) -> None:
    columns = [one for one in table.columns if one is not events.c.event_id]  # which numbers itself
    series, number = _numbered(numbers)
    standing = number >= _first_standing(numbers)
    instead = {
        **_own_values(number, numbers),
        "ended_at": case((standing, null()), else_=grants.c.redeemed_at),
        "revoked_at": case((standing, null()), else_=refresh_tokens.c.last_used_at),
    }
    rows = (
        _values(columns, instead)
        .select_from(table.join(series, true()))
        .where(table.c.consent_id == template)
    )
    connection.execute(insert(table).from_select(columns, rows))


def _supersede(connection: Connection, template: str, numbers: range) -> None:
    """Writes down how each grant that is not the newest of its customer ended."""
    columns = [one for one in events.columns if one is not events.c.event_id]
    series, number = _numbered(range(numbers.start, _first_standing(numbers)))
    instead = {**_own_values(number, numbers), "kind": literal(EventKind.SUPERSEDED.value)}
    approved = (events.c.consent_id == template, events.c.kind == EventKind.APPROVED)
    rows = _values(columns, instead).select_from(events.join(series, true())).where(*approved)
    connection.execute(insert(events).from_select(columns, rows))


def _numbered(numbers: range) -> tuple[FromClause, ColumnElement[int]]:
    """A row for each of `numbers`, and the column that has it."""
    series = func.generate_series(numbers.start, numbers.stop - 1)
    derived = series.table_valued(column("number", Integer)).render_derived()
    return derived, derived.c.number


def _first_standing(numbers: range) -> int:
    return numbers.stop - len(numbers) // CONNECTIONS


def _values(columns: Sequence[Column[Any]], instead: dict[str, Any]) -> Select[Any]:
    return select(*(instead.get(one.name, one) for one in columns))


def _own_values(number: ColumnElement[int], numbers: range) -> dict[str, Any]:
    """What the grant of each number has for itself, by the names of the columns."""
    customers = len(numbers) // CONNECTIONS
    customer = numbers.start // CONNECTIONS + (number - numbers.start) % customers
    return {
        "request_id": func.md5(func.concat("request", number)),
        "consent_id": cast(cast(func.md5(func.concat("consent", number)), UUID), String),
        "token_hash": func.concat(
            func.md5(func.concat("token", number)), func.md5(func.concat("hash", number))
        ),
        "subject": func.concat(_SUBJECT, customer),
    }
