"""PostgreSQL through psycopg: what its address may say, what a connection must be, and how long it may take.

A connection may be a pool's, such as PgBouncer's in transaction mode: then every transaction may run in
another session of the server. Nothing is kept in a session that is not ours alone.
"""

import select
from collections.abc import Callable, Mapping
from time import monotonic
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import URL, Engine, event
from sqlalchemy.exc import DisconnectionError

from app.stores.unavailable import UnsuitableStore

if TYPE_CHECKING:
    import psycopg  # an extra, which SQLite does without

OLDEST_VERSION: Final = 13

BEGIN: Final = "begin"
"""Under this name a connection's own `info` has how its transactions begin, where that is not just so."""

# What an address must not say, since it is set here.
_OWN_OPTIONS: Final = {"connect_timeout", "tcp_user_timeout", "client_encoding"}


def refuse_options(url: URL) -> None:
    """Raises ValueError for what the address says beside libpq's own words, or what is set here."""
    from psycopg.pq import Conninfo

    known = {option.keyword.decode() for option in Conninfo.get_defaults()}
    for name in url.query:
        if name in _OWN_OPTIONS:
            raise ValueError(f"must not have the option {name}, which Accord sets itself")
        if name == "prepare_threshold":
            raise ValueError("must not have the option prepare_threshold: behind a pool nothing is prepared")
        if name not in known:
            raise ValueError("has an option that is not known")


def arguments(seconds: float) -> dict[str, Any]:
    """How a connection is asked for, when no answer may take longer than `seconds`."""
    return {
        "connect_timeout": max(2, int(seconds)),  # the least that libpq knows; `connect_impatiently`
        # A machine that is gone says nothing: what it does not confirm by then is taken for lost.
        "tcp_user_timeout": int(seconds * 1000),
        "client_encoding": "utf8",
    }


def connect_impatiently(engine: Engine, seconds: float) -> None:
    """Connections of `engine` end a statement, or a wait for a lock, after `seconds`, and a silence after a
    fifth more: a server's own limits say nothing once it is frozen or cut off.
    """
    make = _impatient(seconds * 1.2)
    milliseconds = int(seconds * 1000)
    # A wait for a lock ends before the statement does, so that the two can be told apart.
    limits = {"statement_timeout": milliseconds, "lock_timeout": milliseconds * 4 // 5}

    def connect(_dialect: Any, record: Any, given: Any, options: dict[str, Any]) -> Any:
        connection = make(*given, **options)
        try:
            if settle(connection, limits):
                record.info[BEGIN] = _begin_with(limits)
        except BaseException:
            connection.close()
            raise
        return connection

    event.listen(engine, "do_connect", connect)
    event.listen(engine, "checkout", _refuse_closed)


def settle(connection: "psycopg.Connection[Any]", limits: Mapping[str, int]) -> bool:
    """Looks at a new connection, and gives its session `limits`, in milliseconds, where it is ours alone.

    Returns whether it is a pool's: then each transaction needs the limits. Raises UnsuitableStore for what no
    later connection to this database would be better at.
    """
    _require_suitable(connection)
    connection.autocommit = True
    if not (connection.info.parameter_status("DateStyle") or "").startswith("ISO"):
        connection.execute(b"SET DateStyle = 'ISO'")  # psycopg reads no other; a pool keeps it for its client
    if _is_pooled(connection):
        connection.prepare_threshold = None  # what one session has prepared the next one does not know
        return True
    for name, milliseconds in limits.items():
        connection.execute(f"SET {name} = {milliseconds}".encode())
    return False


def _is_pooled(connection: "psycopg.Connection[Any]") -> bool:
    """Whether somebody stands between: who serves the connection is not who greeted it."""
    row = connection.execute(b"SELECT pg_backend_pid()").fetchone()
    return row is None or row[0] != connection.info.backend_pid


def _begin_with(limits: Mapping[str, int]) -> str:
    """Begins a transaction that has `limits`, in milliseconds, in one round trip."""
    return "; ".join(
        ["BEGIN", *(f"SET LOCAL {name} = {milliseconds}" for name, milliseconds in limits.items())]
    )


def _require_suitable(connection: "psycopg.Connection[Any]") -> None:
    version = connection.info.server_version // 10_000
    if version < OLDEST_VERSION:
        raise UnsuitableStore(
            f"ledger: PostgreSQL {version} is too old, {OLDEST_VERSION} or a later one is needed"
        )
    encoding = connection.info.parameter_status("server_encoding")
    if encoding != "UTF8":
        raise UnsuitableStore(f"ledger: the database's encoding is {encoding}, and must be UTF8")


def _impatient(seconds: float) -> Callable[..., Any]:
    import psycopg

    class ImpatientConnection(psycopg.Connection[Any]):
        @classmethod
        def _connect_gen(cls, conninfo: str = "") -> Any:
            """psycopg's steps, each of which says what it waits for; it would have waited for two seconds."""
            deadline = monotonic() + seconds
            steps = super()._connect_gen(conninfo)
            try:
                awaited = next(steps)
                while (came := (yield awaited)) or monotonic() < deadline:
                    awaited = steps.send(came)
            except StopIteration as connected:
                return connected.value
            raise psycopg.errors.ConnectionTimeout("nothing came")

        def wait(self, gen: Any, interval: float = 0.1, timeout: float | None = None) -> Any:
            try:
                return super().wait(gen, interval, min(timeout or seconds, seconds))
            except psycopg.OperationalError as error:
                if self.info.transaction_status is not psycopg.pq.TransactionStatus.ACTIVE:
                    raise
                self.close()  # nobody knows any more what it would say next
                # No error of the database: after one of those another connection is tried, and waited at.
                raise TimeoutError("nothing came") from error

    return ImpatientConnection.connect


def _refuse_closed(connection: Any, _record: Any, _proxy: Any) -> None:
    """A connection that a restart or a failover has closed is replaced before anybody's request fails.

    The server says nothing unasked, so that what can be read from a connection is its end. (SQLAlchemy's own
    way is a query before each use.)
    """
    if not connection.closed:
        waiting = select.poll()
        waiting.register(connection.fileno(), select.POLLIN)
        if not waiting.poll(0):
            return
    raise DisconnectionError("the server has closed it")
