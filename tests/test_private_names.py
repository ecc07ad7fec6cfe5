"""What is used of libraries beyond their documentation exists, and pyproject.toml bounds their versions."""

import http.client
import socket
import tomllib
from typing import Any

import gunicorn.systemd
import gunicorn.util
import psycopg
import pytest
import redis
import redis.connection
import redis.crc
from gunicorn.arbiter import Arbiter
from gunicorn.workers.gthread import ThreadWorker
from sqlalchemy import bindparam, select
from sqlalchemy.dialects.sqlite.base import SQLiteDialect

from tests.support.repository import ROOT


@pytest.mark.parametrize(
    ("owner", "names"),
    [
        (redis.Connection, "send_packed_command pack_commands read_response"),
        (redis.ConnectionPool, "get_connection_count"),
        (redis.Redis(), "response_callbacks"),
        (redis.crc, "key_slot"),
        (redis.connection, "parse_url"),
        (psycopg.Connection, "_connect_gen wait"),
        (ThreadWorker, "handle_error"),
        (gunicorn.util, "write_nonblock"),
        (gunicorn.systemd, "listen_fds SD_LISTEN_FDS_START"),
        (Arbiter, "reload WORKERS"),
        (http.client.HTTPConnection("localhost"), "sock"),
        (http.client.HTTPResponse(socket.socket()), "length"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_names_that_are_not_documented_exist(owner: Any, names: str) -> None:
    assert [name for name in names.split() if not hasattr(owner, name)] == []


def test_a_compiled_statement_has_what_is_read_of_it() -> None:
    statement: Any = select(bindparam("a", 1))
    compiled: Any = statement.compile(dialect=SQLiteDialect(paramstyle="qmark"))
    assert compiled.positiontup == ["a"]
    assert list(compiled.binds) == ["a"]
    assert compiled.binds["a"].type.dialect_impl(compiled.dialect)
    assert len(statement.exported_columns) == 1


def test_their_versions_are_bounded() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = [*project["dependencies"], *project["optional-dependencies"]["postgres"]]
    bounded = {line for line in wanted if line.partition(">=")[0] in {"gunicorn", "redis", "sqlalchemy"}}
    bounded |= {line for line in wanted if line.startswith("psycopg")}
    assert len(bounded) == 4
    assert [line for line in bounded if ",<" not in line] == []
