"""Redis as one server, under Sentinels and as a Cluster; the ledger on both of its databases."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import timedelta

import pytest

from app.stores.ledger import migrations
from app.stores.ledger.ledger import Ledger
from app.stores.redis import client as redis
from app.stores.redis.cluster import Cluster
from tests.support.ledger_tables import LedgerTables
from tests.support.postgres import PostgresServer
from tests.support.redis_servers import SentinelSet, ValkeyCluster

TIMEOUT = timedelta(seconds=0.3)


@pytest.fixture(scope="session")
def sentinel_set(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SentinelSet]:
    """One for all tests that leave it as it is."""
    with SentinelSet(tmp_path_factory.mktemp("sentinel"), replicas=1) as running:
        yield running


@pytest.fixture(scope="session")
def valkey_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ValkeyCluster]:
    """One for all tests that leave it as it is."""
    with ValkeyCluster(tmp_path_factory.mktemp("cluster")) as running:
        yield running


@pytest.fixture
def connect() -> Iterator[Callable[[str], redis.Redis]]:
    """Opens clients, and closes them after the test."""
    with ExitStack() as opened:

        def open_at(url: str) -> redis.Redis:
            client = redis.connect(url, timeout=TIMEOUT)
            opened.callback(client.close)
            return client

        yield open_at


@pytest.fixture(params=["single", "sentinel", "cluster"])
def redis_client(request: pytest.FixtureRequest) -> Iterator[redis.Redis]:
    """An empty Redis: the test runs on each of the three kinds."""
    servers = {"single": "valkey", "sentinel": "sentinel_set", "cluster": "valkey_cluster"}
    url: str = request.getfixturevalue(servers[request.param]).url
    client = redis.connect(url, timeout=timedelta(seconds=1))
    for server in client.primaries() if isinstance(client, Cluster) else [client]:
        server.flushall()
    yield client
    client.close()


@pytest.fixture(scope="session")
def postgres_ledger(postgres: PostgresServer) -> LedgerTables:
    """A migrated ledger in PostgreSQL; `database` empties it before each test."""
    url = postgres.new_database()
    migrations.upgrade(url)
    return LedgerTables(url)


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest) -> LedgerTables:
    """An empty ledger: the test runs on each of the two databases."""
    if request.param == "sqlite":
        return LedgerTables(request.getfixturevalue("ledger_url"))
    database: LedgerTables = request.getfixturevalue("postgres_ledger")
    database.clear()
    return database


@pytest.fixture
def open_ledger() -> Iterator[Callable[[str], Ledger]]:
    """Opens ledgers that wait a third of a second at most, and closes them after the test."""
    opened: list[Ledger] = []

    def open_at(url: str) -> Ledger:
        opened.append(Ledger(url, timeout=timedelta(seconds=0.33)))
        return opened[-1]

    yield open_at
    for ledger in opened:
        ledger.close()


@pytest.fixture
def ledger(database: LedgerTables) -> Iterator[Ledger]:
    ledger = Ledger(database.url, timeout=timedelta(seconds=2))
    yield ledger
    ledger.close()
