"""PostgreSQL through psycopg: which options its address may have, what a connection needs, and its timeouts.

There may be a pooler such as PgBouncer in transaction mode between: then every transaction may run in another
session of the server, so that no setting of a session can be relied on.
"""

import select
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import URL, Engine, event
from sqlalchemy.exc import DisconnectionError

from app.stores.unavailable import UnsuitableStore

if TYPE_CHECKING:
    import psycopg  # an extra, which SQLite does without

OLDEST_VERSION: Final = 13  # as docs/operating.md says

BEGIN: Final = "begin"
"""The key, in a pooled connection's `info`, of the statement that begins its transactions, if not BEGIN."""

# Options that an address must not have, since they are set here.
_OWN_OPTIONS: Final = {"connect_timeout", "tcp_user_timeout", "client_encoding"}


def refuse_options(url: URL) -> None:
    """Raises ValueError for an option that libpq does not know, or that is set here."""
    from psycopg.pq import Conninfo

    known = {option.keyword.decode() for option in Conninfo.get_defaults()}
    for name in url.query:
        if name in _OWN_OPTIONS:
            raise ValueError(f"must not have the option {name}, which Accord sets itself")
        if name == "prepare_threshold":
            raise ValueError("must not have the option prepare_threshold: behind a pool nothing is prepared")
        if name not in known:
            raise ValueError("has an option that is not known")


def open_cursor(connection: "psycopg.Connection[Any]") -> "psycopg.RawCursor[Any]":
    """A cursor for statements whose placeholders are PostgreSQL's own: psycopg translates none of them."""
    from psycopg import RawCursor

    return RawCursor(connection)


def arguments(seconds: float) -> dict[str, Any]:
    """The arguments to connect with, where no answer may take longer than `seconds`."""
    return {
        "connect_timeout": max(2, int(seconds)),  # libpq's least is 2; `connect_impatiently` gives up earlier
        # A machine that is gone sends nothing: when data is not acknowledged by then, the connection is lost.
        "tcp_user_timeout": int(seconds * 1000),
        "client_encoding": "utf8",
    }


def connect_impatiently(engine: Engine, seconds: float) -> None:
    """Gives the connections of `engine` their timeouts.

    The server ends a statement after `seconds`, and a wait for a lock a little earlier. This side gives up
    after a fifth more, for a server that is frozen or cut off and cannot end anything.
    """
    from app.stores.ledger.impatient import impatient  # it needs psycopg

    make = impatient(seconds * 1.2)
    milliseconds = int(seconds * 1000)
    # A wait for a lock ends before the statement would, so that the two have different errors.
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
    """Checks a new connection, and sets `limits`, in milliseconds, for its session.

    Returns whether there is a pooler between: then each transaction must set the limits itself. Raises
    UnsuitableStore for a database that is unsupported.
    """
    _require_suitable(connection)
    connection.autocommit = True
    if not (connection.info.parameter_status("DateStyle") or "").startswith("ISO"):
        connection.execute(b"SET DateStyle = 'ISO'")  # psycopg reads no other; PgBouncer restores it
    if _is_pooled(connection):
        connection.prepare_threshold = None  # the next session would not know what this one has prepared
        return True
    for name, milliseconds in limits.items():
        connection.execute(f"SET {name} = {milliseconds}".encode())
    return False


def _is_pooled(connection: "psycopg.Connection[Any]") -> bool:
    """Whether there is a pooler between: another process answers than the one that the greeting named."""
    row = connection.execute(b"SELECT pg_backend_pid()").fetchone()
    return row is None or row[0] != connection.info.backend_pid


def _begin_with(limits: Mapping[str, int]) -> str:
    """The statements that begin a transaction with `limits`, in milliseconds, in one round trip."""
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


def _refuse_closed(connection: Any, _record: Any, _proxy: Any) -> None:
    """Lets the pool replace a connection that a restart or a failover has closed, before a request fails.

    The server sends nothing unasked, so an idle connection that can be read has been closed. SQLAlchemy's own
    way, `pool_pre_ping`, is a query before each use.
    """
    if not connection.closed:
        waiting = select.poll()
        waiting.register(connection.fileno(), select.POLLIN)
        if not waiting.poll(0):
            return
    raise DisconnectionError("the server has closed it")
