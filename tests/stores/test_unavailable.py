"""What an operator reads when a store fails tells the causes apart, and quotes nothing."""

import resource
import socket
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest
import redis as redis_py
from sqlalchemy import NullPool, create_engine, make_url, text

from app.development.embedded import EmbeddedValkey
from app.stores.ledger import migrations
from app.stores.ledger.ledger import Ledger
from app.stores.redis import client as redis
from app.stores.unavailable import StoreUnavailable
from tests.stores.ledger.test_database import an_answer
from tests.support.builders import RECORDS
from tests.support.postgres import PostgresServer

TIMEOUT = timedelta(seconds=0.3)
PASSWORD = "marked-password"


def why(act: Callable[[], object]) -> str:
    with pytest.raises(StoreUnavailable) as raised:
        act()
    said = str(raised.value)
    assert PASSWORD not in said
    assert "127.0.0.1" not in said
    return said


def checked(url: str) -> str:
    with closing(Ledger(url, timeout=TIMEOUT)) as ledger:
        return why(ledger.check)


# Redis


@pytest.mark.parametrize(
    ("url", "said"),
    [
        (
            f"redis://:{PASSWORD}@127.0.0.1:1",
            "redis: ConnectionError, ConnectionRefusedError, Connection refused",
        ),
        ("redis://no.such.host.invalid", "redis: ConnectionError, gaierror"),
        (
            "unix:///nowhere/valkey.sock",
            "redis: ConnectionError, FileNotFoundError, No such file or directory",
        ),
        ("redis+sentinel://127.0.0.1:1/accord", "redis: MasterNotFoundError"),
    ],
)
def test_a_redis_that_cannot_be_reached(url: str, said: str) -> None:
    assert why(lambda: redis.check(redis.connect(url, timeout=TIMEOUT))) == said


def test_a_redis_that_says_nothing() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        client = redis.connect(f"redis://127.0.0.1:{silent.getsockname()[1]}", timeout=TIMEOUT)
        assert why(lambda: redis.check(client)) == "redis: TimeoutError"


@pytest.fixture(scope="module")
def own_valkey(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedValkey]:
    with EmbeddedValkey(tmp_path_factory.mktemp("valkey")) as server:
        yield server


@pytest.mark.parametrize(
    ("option", "value", "sound", "said"),
    [
        ("maxmemory", "1", "0", "redis: OutOfMemoryError"),
        ("requirepass", PASSWORD, "", "redis: AuthenticationError"),
        ("min-replicas-to-write", "1", "0", "redis: ResponseError, NOREPLICAS"),
    ],
)
def test_a_redis_that_refuses(
    own_valkey: EmbeddedValkey, option: str, value: str, sound: str, said: str
) -> None:
    with closing(redis_py.Redis.from_url(own_valkey.url)) as operator:
        operator.config_set(option, value)
        try:
            client = redis.connect(own_valkey.url, timeout=TIMEOUT)
            assert why(lambda: redis.ask(client, RECORDS.put("x", {}, TIMEOUT))) == said
        finally:
            operator.config_set(option, sound)


def test_a_redis_that_only_reads(own_valkey: EmbeddedValkey) -> None:
    with closing(redis_py.Redis.from_url(own_valkey.url)) as operator:
        operator.replicaof("127.0.0.1", 1)
        try:
            client = redis.connect(own_valkey.url, timeout=TIMEOUT)
            assert why(lambda: redis.ask(client, RECORDS.put("x", {}, TIMEOUT))) == "redis: ReadOnlyError"
        finally:
            operator.replicaof("NO", "ONE")


# SQLite


def test_a_folder_that_is_not_there() -> None:
    assert checked("sqlite:////nowhere/ledger") == "ledger: OperationalError, SQLITE_CANTOPEN"


def test_a_schema_that_is_not_there(tmp_path: Path) -> None:
    assert checked(f"sqlite:///{tmp_path}/new") == "ledger: OperationalError, SQLITE_ERROR, no such table"


def test_a_file_that_is_no_ledger(tmp_path: Path) -> None:
    (tmp_path / "other").write_bytes(b"something else" * 1000)
    assert checked(f"sqlite:///{tmp_path}/other") == "ledger: DatabaseError, SQLITE_NOTADB"


def test_a_disk_that_is_full(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/ledger"
    migrations.upgrade(url)
    _, hard = limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    with closing(Ledger(url, timeout=TIMEOUT)) as ledger:
        ledger.check()
        resource.setrlimit(resource.RLIMIT_FSIZE, (1, hard))
        try:
            said = why(lambda: ledger.record_decision(*an_answer(1)))
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert said.startswith("ledger: OperationalError, SQLITE_")


# PostgreSQL


def test_a_server_that_cannot_be_reached() -> None:
    login = f"postgresql+psycopg://accord:{PASSWORD}"
    refused, unknown = checked(f"{login}@127.0.0.1:1/x"), checked(f"{login}@no.such.host.invalid/x")
    assert refused == "ledger: OperationalError, Connection refused"
    assert unknown == "ledger: OperationalError, failed to resolve host"


def test_a_server_that_says_nothing() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        assert checked(f"postgresql+psycopg://127.0.0.1:{port}/x") == "ledger: ConnectionTimeout"


def test_a_database_without_schema_or_that_is_not_there(postgres: PostgresServer) -> None:
    url = postgres.new_database()
    assert checked(url) == "ledger: UndefinedTable, 42P01"
    other = make_url(url).set(database="nowhere").render_as_string(hide_password=False)
    assert checked(other) == "ledger: OperationalError, does not exist"


def test_a_database_that_only_reads(postgres: PostgresServer) -> None:
    url = postgres.new_database()
    migrations.upgrade(url)
    engine = create_engine(url, poolclass=NullPool, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        name = make_url(url).database
        connection.execute(text(f"ALTER DATABASE {name} SET default_transaction_read_only = on"))
    with closing(Ledger(url, timeout=TIMEOUT)) as ledger:
        said = why(lambda: ledger.record_decision(*an_answer(1)))
    assert said == "ledger: ReadOnlySqlTransaction, 25006"


def test_an_upgrade_says_the_drivers_cause_too() -> None:
    assert why(lambda: migrations.upgrade("sqlite:////nowhere/ledger")) == (
        "ledger: OperationalError, SQLITE_CANTOPEN"
    )
