"""The ledger's database: its connections, the time that it may take, and the names of its failures."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from threading import Lock
from time import monotonic
from typing import Any, Final

from sqlalchemy import URL, Engine, QueuePool, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from app.stores.breaker import PROBE_WAIT_SECONDS, Breaker
from app.stores.instrumentation import store_span
from app.stores.ledger import postgresql
from app.stores.ledger.statements import CompiledStatements, DatabaseConnection
from app.stores.unavailable import StoreUnavailable, UnsuitableStore, cause

MOST_CONNECTIONS = 10  # of a process: one for each of the 8 threads of ACCORD_THREADS' default, and two

_LATELY: Final = 0.1
"""Seconds for which an answer counts as a sign of life: much less than a customer needs to read a form."""
_GAVE_UP: Final = "57014"  # query_canceled: PostgreSQL ended a statement after its `statement_timeout`


class UniqueViolation(Exception):
    """A row with the same key is on record. Nothing was written."""


class Database:
    """One database, with at most so many `connections` of a process. Its errors are StoreUnavailable.

    A call that finds all of them in use waits for one as long as for an answer, which is `timeout`. (For
    SQLite, which has no server to be spared, SQLAlchemy's own limit holds.) Raises ValueError for an unusable
    address.
    """

    def __init__(self, url: str, *, timeout: timedelta, connections: int = MOST_CONNECTIONS) -> None:
        try:
            self._engine = _make_engine(url, timeout, connections)
        except ArgumentError as error:
            raise ValueError("ACCORD_LEDGER_URL is no address of a database that is known here") from error
        except ImportError as error:
            raise ValueError(f"ACCORD_LEDGER_URL needs {error.name}, which is not installed") from error
        except ValueError as error:
            raise ValueError(f"ACCORD_LEDGER_URL {error}") from error
        self._driver = self._engine.dialect.loaded_dbapi
        self.kind = self._engine.dialect.name
        self._open_cursor = postgresql.open_cursor if self.kind == "postgresql" else _open_cursor
        self._compiled = CompiledStatements(self._engine.dialect)
        self._begin = "BEGIN"
        self._timeout = timeout.total_seconds()
        # One for readers and one for writers, since a lock can stop writers and let readers pass.
        self._readers, self._writers = Breaker("ledger", timeout=timeout), Breaker("ledger", timeout=timeout)
        self._turns = None
        if self.kind == "sqlite":
            # SQLite's lock is taken when a transaction begins, so that none fails half way for want of it.
            self._begin, self._turns = "BEGIN IMMEDIATE", Lock()
        self._answered_at = -_LATELY

    def has_answered_lately(self) -> bool:
        """Whether a call succeeded within the last _LATELY seconds."""
        return monotonic() - self._answered_at < _LATELY

    @contextmanager
    def writing(self, *, after: str | None = None) -> Iterator[DatabaseConnection]:
        """One transaction, which happens whole or not at all. Raises StoreUnavailable and UniqueViolation.

        It begins when no other transaction `after` the same name is under way, and sees what they have done.
        The wait for other writers of this process comes before the circuit breaker, since it says nothing
        about the database.
        """
        with (
            store_span("ledger write"),
            self._turn(),
            self._writers.guard(),
            self._connected() as connection,
        ):
            connection.begin(after)
            yield connection
            connection.commit()
        self._answered_at = monotonic()

    @contextmanager
    def writing_at_once(self) -> Iterator[DatabaseConnection]:
        """A connection for one statement, which is a transaction of its own. Raises as `writing` does.

        Whatever goes wrong, the statement may have been committed. It is for PostgreSQL: writers of SQLite
        take turns in `writing`.
        """
        with store_span("ledger write"), self._writers.guard(), self._connected() as connection:
            connection.was_told_to_commit = True
            yield connection
        self._answered_at = monotonic()

    @contextmanager
    def reading(self) -> Iterator[DatabaseConnection]:
        """A connection on which each statement is a transaction of its own. Raises StoreUnavailable."""
        with store_span("ledger read"), self._readers.guard(), self._connected() as connection:
            yield connection
        self._answered_at = monotonic()

    def require_suitable(self) -> None:
        """Opens a connection. Raises UnsuitableStore for an unsupported database, or StoreUnavailable."""
        with self._connected():
            return

    @contextmanager
    def _turn(self) -> Iterator[None]:
        """The turn of one writer, as SQLite has one at a time.

        Threads queue here rather than at SQLite's lock, where they would sleep and try again. While the
        circuit breaker is open, one of them probes, and the others wait for it no longer than a probe's time.
        """
        if self._turns is None:
            yield
            return
        patience = PROBE_WAIT_SECONDS if self._writers.is_open else self._timeout
        if not self._turns.acquire(timeout=patience):
            raise StoreUnavailable("ledger: too many writers")
        try:
            yield
        finally:
            self._turns.release()

    @contextmanager
    def _connected(self) -> Iterator[DatabaseConnection]:
        """A connection of the pool, which goes back without an open transaction."""
        pooled: Any = None
        connection: DatabaseConnection | None = None
        try:
            pooled = self._engine.raw_connection()
            begin = pooled.info.get(postgresql.BEGIN, self._begin)
            driver = pooled.driver_connection
            connection = DatabaseConnection(driver, self._open_cursor(driver), self._compiled, begin)
            yield connection
        except BaseException as error:
            if pooled is not None and not self._has_rolled_back(pooled):
                pooled.invalidate()
            if isinstance(error, self._driver.IntegrityError):
                raise UniqueViolation from error
            if isinstance(error, (self._driver.Error, SQLAlchemyError, OSError)):
                gave_up = getattr(error, "sqlstate", None) == _GAVE_UP
                raise StoreUnavailable(
                    f"ledger: {cause(error)}",
                    has_answered=gave_up,
                    is_committed_perhaps=connection is not None and connection.was_told_to_commit,
                ) from error
            raise
        finally:
            if pooled is not None:
                pooled.close()

    def _has_rolled_back(self, pooled: Any) -> bool:
        try:
            pooled.rollback()
        except (self._driver.Error, OSError):
            return False
        return True

    def connections_in_use(self) -> int:
        """How many connections of this process are in use now."""
        pool = self._engine.pool
        return pool.checkedout() if isinstance(pool, QueuePool) else 0

    def close(self) -> None:
        """Closes the connections that are not in use. A later call opens new ones."""
        self._engine.dispose()


def _open_cursor(connection: Any) -> Any:
    return connection.cursor()


def _make_engine(url: str, timeout: timedelta, connections: int) -> Engine:
    """SQLAlchemy's engine. Raises ValueError for a database or an option that is not supported."""
    address, seconds = make_url(url), timeout.total_seconds()
    driver = (address.get_backend_name(), address.get_dialect().driver)
    if driver == ("sqlite", "pysqlite"):
        _refuse_sqlite_options(address)
        engine = create_engine(url, pool_reset_on_return=None, connect_args={"timeout": seconds})
        event.listen(engine, "connect", _set_up_sqlite)
        return engine
    if driver != ("postgresql", "psycopg"):
        raise ValueError("must begin with postgresql+psycopg:// or sqlite:///")
    engine = create_engine(
        url,
        paramstyle="numeric_dollar",  # $1, as PostgreSQL has it: `postgresql.open_cursor`
        pool_reset_on_return=None,  # each goes back without a transaction
        isolation_level="AUTOCOMMIT",  # transactions begin where `writing` says
        pool_size=connections,
        max_overflow=0,
        pool_timeout=seconds,
        connect_args=postgresql.arguments(seconds),
    )
    postgresql.refuse_options(address)  # psycopg is known to be there by now
    postgresql.connect_impatiently(engine, seconds)
    return engine


def _refuse_sqlite_options(address: URL) -> None:
    """Raises ValueError for an address without a file, and for options. SQLite checks those of `file:`."""
    if not address.database or address.database == ":memory:":
        raise ValueError("must name SQLite's file: sqlite:////path")
    if "uri" not in address.query and address.query:
        raise ValueError("has an option that is not known")
    own = {"timeout", "isolation_level", "check_same_thread"} & address.query.keys()
    if own:
        raise ValueError(f"must not have the option {min(own)}, which Accord sets itself")


def _set_up_sqlite(connection: Any, record: Any) -> None:
    connection.isolation_level = None  # transactions begin where `writing` says
    cursor = connection.cursor()
    (mode,) = cursor.execute("PRAGMA journal_mode = WAL").fetchone()
    if mode != "wal":
        raise UnsuitableStore("ledger: SQLite cannot keep a write-ahead log there")
    cursor.execute("PRAGMA synchronous = FULL")  # a commit that was answered survives a power cut
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.close()
