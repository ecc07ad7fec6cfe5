"""How much work a database does for what it is asked, whatever time that takes."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest
from sqlalchemy import Engine, NullPool, create_engine, event, text

from app.stores.ledger.ledger import Ledger
from tests.support.waiting import wait_until

Ask = Callable[[Ledger], object]

_EVERY = 100


def rows_read(url: str) -> int:
    """How many rows of all tables of PostgreSQL's were read so far, by going through a table or by a key.

    Waits until everybody else has left: what a connection has read is counted when it ends.
    """
    others = text(
        "SELECT count(*) FROM pg_stat_activity"
        " WHERE datname = current_database() AND backend_type = 'client backend' AND pid <> pg_backend_pid()"
    )
    counted = text("SELECT sum(seq_tup_read + coalesce(idx_tup_fetch, 0)) FROM pg_stat_user_tables")
    engine = create_engine(url, poolclass=NullPool, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        wait_until(lambda: connection.execute(others).scalar_one() == 0)
        return int(connection.execute(counted).scalar_one())


def statements_sent(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Has the first word of each statement that a ledger sends to PostgreSQL from now on, but for COMMIT."""
    sent: list[str] = []
    execute = psycopg.Cursor.execute

    def note(cursor: Any, statement: Any, values: Any = None) -> Any:
        if isinstance(cursor, psycopg.RawCursor):  # and not a connection that is being made
            sent.append(statement.split()[0].rstrip(";"))
        return execute(cursor, statement, values)

    monkeypatch.setattr(psycopg.Cursor, "execute", note)
    return sent


@contextmanager
def counting_steps() -> Iterator[list[int]]:
    """Counts the steps of SQLite's machine in connections that are opened inside; some for each row."""
    counted = [0]

    def count() -> None:
        counted[0] += _EVERY

    def watch(connection: Any, _: object) -> None:
        if isinstance(connection, sqlite3.Connection):
            connection.set_progress_handler(count, _EVERY)

    event.listen(Engine, "connect", watch)
    try:
        yield counted
    finally:
        event.remove(Engine, "connect", watch)
