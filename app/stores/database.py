"""The ledger's database: how it is reached, how long it may take, and what its failures are called."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from threading import Lock
from typing import Any

from sqlalchemy import Connection, Engine, QueuePool, create_engine, event
from sqlalchemy.exc import ArgumentError, IntegrityError, SQLAlchemyError

from app.stores.breaker import Breaker
from app.stores.unavailable import StoreUnavailable
from app.stores.watching import watched

MOST_CONNECTIONS = 10


class Database:
    """At most so many `connections` to one database. Whatever goes wrong there is StoreUnavailable.

    Who finds all of them in use waits for one as long as for an answer. (SQLite has no server to be spared.)
    Raises ValueError for an address that cannot be used at all.
    """

    def __init__(self, url: str, *, timeout: timedelta, connections: int = MOST_CONNECTIONS) -> None:
        try:
            self._engine = _make_engine(url, timeout, connections)
        except ArgumentError as error:
            raise ValueError("ACCORD_LEDGER_URL is no address of a database that is known here") from error
        except ImportError as error:
            raise ValueError(f"ACCORD_LEDGER_URL needs {error.name}, which is not installed") from error
        self._reading = self._engine.execution_options(**_reading_options(self._engine))
        self._timeout = timeout.total_seconds()
        # Two, since a lock can stop writers and let readers pass.
        self._readers, self._writers = Breaker("ledger", timeout=timeout), Breaker("ledger", timeout=timeout)
        self._turns = Lock() if self._engine.dialect.name == "sqlite" else None

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """One transaction, which happens whole or not at all."""
        with (
            watched("ledger write"),
            self._writers.passing(),
            self._turn(),
            _answering(),
            self._engine.begin() as connection,
        ):
            yield connection

    @contextmanager
    def _turn(self) -> Iterator[None]:
        """SQLite has one writer: threads queue here, where at its lock they would sleep and try again."""
        if self._turns is None:
            yield
            return
        if not self._turns.acquire(timeout=self._timeout):
            raise StoreUnavailable("ledger: too many writers")
        try:
            yield
        finally:
            self._turns.release()

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """For single queries."""
        with (
            watched("ledger read"),
            self._readers.passing(),
            _answering(),
            self._reading.connect() as connection,
        ):
            yield connection

    def connections_in_use(self) -> int:
        """How many of this process's connections are in use right now."""
        pool = self._engine.pool
        return pool.checkedout() if isinstance(pool, QueuePool) else 0

    def close(self) -> None:
        """Gives up the connections that nobody is using; another call opens new ones."""
        self._engine.dispose()


@contextmanager
def _answering() -> Iterator[None]:
    """Turns whatever goes wrong between here and the database into `StoreUnavailable`.

    A broken constraint is an answer, not a fault: IntegrityError passes.
    """
    try:
        yield
    except IntegrityError:
        raise
    except (SQLAlchemyError, OSError) as error:
        raise StoreUnavailable(f"ledger: {type(error).__name__}") from error


def _make_engine(url: str, timeout: timedelta, connections: int) -> Engine:
    seconds = timeout.total_seconds()
    if url.startswith("sqlite"):
        engine = create_engine(url, hide_parameters=True, connect_args={"timeout": seconds})
        event.listen(engine, "connect", _set_up_sqlite)
        event.listen(engine, "begin", _begin_immediately)
        return engine
    milliseconds = int(seconds * 1000)
    engine = create_engine(
        url,
        hide_parameters=True,
        pool_pre_ping=True,  # what a restart or a failover has closed is replaced, without a failed request
        pool_size=connections,
        max_overflow=0,
        pool_timeout=seconds,
        connect_args={
            "connect_timeout": max(2, int(seconds)),
            # A machine that is gone says nothing: what it does not confirm by then is taken for lost.
            "tcp_user_timeout": milliseconds,
            "options": f"-c statement_timeout={milliseconds} -c lock_timeout={milliseconds}",
        },
    )
    if engine.dialect.driver == "psycopg":
        event.listen(engine, "do_connect", _connect_impatiently(seconds * 1.2))
    return engine


def _connect_impatiently(seconds: float) -> Callable[..., Any]:
    """How to connect so that no wait is longer than `seconds`: a server's own limits say nothing once it is
    frozen or cut off, and a connection to it would be waited at for ever.
    """
    import psycopg  # an extra, which SQLite does without

    class ImpatientConnection(psycopg.Connection[Any]):
        def wait(self, gen: Any, interval: float = 0.1, timeout: float | None = None) -> Any:
            try:
                return super().wait(gen, interval, min(timeout or seconds, seconds))
            except psycopg.OperationalError as error:
                if self.info.transaction_status is not psycopg.pq.TransactionStatus.ACTIVE:
                    raise
                self.close()  # nobody knows any more what it would say next
                # No error of the database: after one of those another connection is tried, and waited at.
                raise TimeoutError("nothing came") from error

    def connect(_dialect: Any, _record: Any, arguments: Any, options: dict[str, Any]) -> Any:
        return ImpatientConnection.connect(*arguments, **options)

    return connect


def _set_up_sqlite(connection: Any, record: Any) -> None:
    connection.isolation_level = None  # transactions begin where `_begin_immediately` says
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode = WAL")
    cursor.execute("PRAGMA synchronous = FULL")  # a commit that was answered survives a power cut
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.close()


def _reading_options(engine: Engine) -> dict[str, Any]:
    """A single query needs no transaction around it."""
    return {"reads_only": True} if engine.dialect.name == "sqlite" else {"isolation_level": "AUTOCOMMIT"}


def _begin_immediately(connection: Connection) -> None:
    """Takes SQLite's write lock first, so that two writers queue instead of failing half way."""
    if not connection.get_execution_options().get("reads_only"):
        connection.exec_driver_sql("BEGIN IMMEDIATE")
