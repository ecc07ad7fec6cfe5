"""PgBouncer from the system's packages, before a database of the tests' PostgreSQL server."""

import os
import shutil
import tempfile
from pathlib import Path
from typing import Self

import psycopg
from sqlalchemy import make_url

from app.development.embedded import start_child, stop_child
from tests.support.ports import free_port
from tests.support.waiting import wait_until
from tools.programs import PGBOUNCER

_CONFIGURATION = """
[databases]
* = host={host} port={port} user={user}

[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {listen_port}
unix_socket_dir =
auth_type = any
pool_mode = {pool_mode}
default_pool_size = {pool_size}
server_reset_query =
"""


class PgBouncer:
    """As a context manager, running inside the block. `pool_mode` is PgBouncer's own word."""

    def __init__(self, database_url: str, *, pool_mode: str = "transaction") -> None:
        # Not below pytest's own folder, which only its owner may enter: PgBouncer refuses to be root.
        self._directory = Path(tempfile.mkdtemp(prefix="accord-pgbouncer-"))
        self._port = free_port()
        url = make_url(database_url)
        host = str(url.query["host"])
        self._user = Path(host).owner()  # who may open the server's socket
        self._url = url.set(host="127.0.0.1", port=self._port).difference_update_query(["host", "port"])
        self._configuration = self._directory / "pgbouncer.ini"
        self._configuration.write_text(
            _CONFIGURATION.format(
                host=host,
                port=url.port or 5432,
                user=url.username,
                listen_port=self._port,
                pool_mode=pool_mode,
                # In transaction mode fewer than its clients have connections; in session mode each keeps one.
                pool_size=4 if pool_mode == "transaction" else 20,
            )
        )
        self.log = self._directory / "pgbouncer.log"

    @property
    def url(self) -> str:
        """The database through PgBouncer."""
        return self._url.render_as_string(hide_password=False)

    def __enter__(self) -> Self:
        command = [PGBOUNCER.executable, str(self._configuration)]
        if os.geteuid() == 0:
            for path in (self._directory, self._configuration):
                shutil.chown(path, self._user)
            command[1:1] = ["--user", self._user]
        self._process = start_child(command, log=self.log)
        try:
            wait_until(self._answers)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        stop_child(self._process, seconds=20)
        shutil.rmtree(self._directory)

    def _answers(self) -> bool:
        plain = self._url.set(drivername="postgresql").render_as_string(hide_password=False)
        try:
            psycopg.connect(plain).close()
        except psycopg.OperationalError:
            assert self._process.poll() is None, self.log.read_text()
            return False
        return True
