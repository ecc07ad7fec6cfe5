"""Copies a ledger into another database, whole or not at all: from SQLite to PostgreSQL, or back."""

from collections.abc import Iterator
from typing import Any, Final

from sqlalchemy import ColumnElement, Select, Table, column, func, insert, or_, select, table

from app.domain.evidence import hash_text
from app.stores.ledger.database import Database, UniqueViolation
from app.stores.ledger.schema import agreements, events, metadata, screens
from app.stores.ledger.statements import DatabaseConnection
from app.stores.unavailable import StoreUnavailable

AT_ONCE: Final = 500  # rows of one INSERT, each with a text of some kB: a few MB of memory

_REVISION: Final[Select[Any]] = select(column("version_num")).select_from(table("alembic_version"))
_NEXT_EVENT: Final = select(
    func.setval(func.pg_get_serial_sequence("events", "event_id"), func.max(events.c.event_id))
)
_HASHED: Final = (
    (screens, screens.c.screen_hash, screens.c.text),
    (agreements, agreements.c.agreement_hash, agreements.c.document),
)
_INSERTS: Final = {name: insert(one) for name, one in metadata.tables.items()}


class NotCopied(Exception):
    """Nothing was copied. The text says why, in a sentence."""


def copy_ledger(source: Database, target: Database) -> dict[str, int]:
    """Copies every row of `source` into `target`; returns the number of rows by table.

    `target` must have the same schema and no rows. `source` is read as it is at one moment. At the end the
    rows of both are counted, and each screen and agreement in `target` is checked against its hash. Raises
    NotCopied, after which `target` is as it was.
    """
    copying = "the ledger"
    try:
        with source.writing() as old, target.writing() as new:
            if old.kind == "postgresql":
                old.run("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            _check_schemas(old, new)
            for one in metadata.sorted_tables:
                copying = one.name
                for rows in _portions(old, one):
                    for row in rows:
                        new.change(_INSERTS[one.name], **dict(zip(one.columns.keys(), row, strict=True)))
            counts = _check_counts(old, new)
            _check_hashes(new)
            if new.kind == "postgresql" and counts[events.name]:
                new.first(_NEXT_EVENT)
            return counts
    except UniqueViolation as error:
        raise NotCopied(f"a row of {copying} contradicts another") from error
    except StoreUnavailable as error:
        raise NotCopied(f"{copying} could not be copied: {error}") from error


def _check_schemas(old: DatabaseConnection, new: DatabaseConnection) -> None:
    revisions = [[row.version_num for row in connection.rows(_REVISION)] for connection in (old, new)]
    if revisions[0] != revisions[1]:
        raise NotCopied("the two ledgers have different schemas: run `flask ledger upgrade` on both")
    for one in metadata.sorted_tables:
        if _count(new, one):
            raise NotCopied(f"the ledger to copy into is not empty: it has rows in {one.name}")


def _portions(connection: DatabaseConnection, one: Table) -> Iterator[list[Any]]:
    """The rows in the order of their key, AT_ONCE at a time."""
    keys = list(one.primary_key.columns)
    query: Select[Any] = select(one).order_by(*keys).limit(AT_ONCE)
    rows = connection.rows(query)
    while rows:
        yield rows
        last = [getattr(rows[-1], key.name) for key in keys]
        rows = connection.rows(query.where(_after(keys, last)))


def _after(keys: list[Any], last: list[Any]) -> ColumnElement[bool]:
    """Whether a row comes after the one whose key is `last`."""
    alternatives = []
    for place, key in enumerate(keys):
        same = [before == value for before, value in zip(keys[:place], last[:place], strict=True)]
        condition = key > last[place]
        for one in same:
            condition = condition & one
        alternatives.append(condition)
    return or_(*alternatives)


def _check_counts(old: DatabaseConnection, new: DatabaseConnection) -> dict[str, int]:
    counts = {}
    for one in metadata.sorted_tables:
        counts[one.name] = _count(new, one)
        if counts[one.name] != _count(old, one):
            raise NotCopied(f"there are more rows of {one.name} on one side than on the other")
    return counts


def _check_hashes(new: DatabaseConnection) -> None:
    for one, key, kept in _HASHED:
        for rows in _portions(new, one):
            for row in rows:
                if hash_text(getattr(row, kept.name)) != getattr(row, key.name):
                    raise NotCopied(f"a text in {one.name} is not the one that was hashed")


def _count(connection: DatabaseConnection, one: Table) -> int:
    counted = connection.first(select(func.count().label("many")).select_from(one))
    return 0 if counted is None else int(counted.many)
