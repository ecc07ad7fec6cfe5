"""Redis over TLS and under Sentinels: nothing is done twice, and what broke heals by itself."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from app.development.embedded import LOOPBACK, EmbeddedValkey
from app.stores.redis import client as redis
from app.stores.redis.client import Redis
from tests.stores.in_time import put_until_it_works, unavailable_in_time
from tests.stores.tls import TlsProxy
from tests.support.builders import RECORDS
from tests.support.certificates import certify
from tests.support.ports import free_port
from tests.support.redis_servers import SERVICE, SentinelSet, commands_to, reset_statistics, sets_run_by

HOUR = timedelta(hours=1)

Connect = Callable[[str], Redis]


# TLS


@pytest.fixture
def tls_port(valkey_on_port: EmbeddedValkey, tmp_path: Path) -> Iterator[int]:
    assert valkey_on_port.port is not None
    with TlsProxy(valkey_on_port.port, certify(tmp_path, "localhost")) as proxy:
        yield proxy.port


@pytest.fixture(scope="module")
def valkey_on_port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedValkey]:
    with EmbeddedValkey(tmp_path_factory.mktemp("valkey"), port=free_port()) as server:
        yield server


def test_over_tls_the_authority_that_is_named_is_trusted(
    tls_port: int, tmp_path: Path, connect: Connect
) -> None:
    client = connect(f"rediss://localhost:{tls_port}/0?ssl_ca_certs={tmp_path}/authority.pem")
    redis.ask(client, RECORDS.put("over-tls", {"n": 1}, HOUR))
    assert RECORDS.open("over-tls", client.get("over-tls")) == {"n": 1}


def test_over_tls_nobody_else_is_trusted(tls_port: int, tmp_path: Path, connect: Connect) -> None:
    other = tmp_path / "other"
    other.mkdir()
    certify(other, "localhost")
    named = f"?ssl_ca_certs={other}/authority.pem"
    for address in (f"rediss://localhost:{tls_port}/0", f"rediss://localhost:{tls_port}/0{named}"):
        with unavailable_in_time("redis"):
            redis.ping(connect(address))


def test_over_tls_a_certificate_of_another_name_is_refused(
    tls_port: int, tmp_path: Path, connect: Connect
) -> None:
    certified = connect(f"rediss://127.0.0.1:{tls_port}/0?ssl_ca_certs={tmp_path}/authority.pem")
    redis.ping(certified)
    elsewhere = connect(f"rediss://ip6-localhost.invalid:{tls_port}/0?ssl_ca_certs={tmp_path}/authority.pem")
    with unavailable_in_time("redis"):
        redis.ping(elsewhere)


# Both kinds


@pytest.mark.parametrize("kind", ["sentinel", "cluster"])
def test_nobody_there_is_unavailable_in_time(connect: Connect, kind: str) -> None:
    places = ",".join(f"{LOOPBACK}:{free_port()}" for _ in range(3))
    client = connect(f"redis+{kind}://{places}/{SERVICE if kind == 'sentinel' else ''}")
    for command in (
        redis.ping,
        lambda client: redis.ask(client, RECORDS.put("a", {}, HOUR), RECORDS.put("b", {}, HOUR)),
    ):
        with unavailable_in_time("redis"):
            command(client)


def test_under_sentinels_a_command_whose_reply_does_not_come_is_not_sent_again(
    sentinel_set: SentinelSet, connect: Connect
) -> None:
    client, primary = connect(sentinel_set.url), sentinel_set.primary
    redis.ping(client)
    reset_statistics(primary.port)
    primary.pause()
    try:
        with unavailable_in_time("redis"):
            redis.ask(client, RECORDS.put("a", {}, HOUR), RECORDS.put("b", {}, HOUR))
    finally:
        primary.resume()
    redis.ping(client)
    assert sets_run_by(primary.port) == 2
    put_until_it_works(client, "a")


# Sentinel


def test_a_failover_heals_by_itself_with_a_client_that_was_there_before(
    tmp_path: Path, connect: Connect
) -> None:
    with SentinelSet(tmp_path, replicas=2) as servers:
        client = connect(servers.url)
        redis.ask(client, RECORDS.put("kept", {"n": 1}, HOUR))
        fallen = servers.primary
        commands_to(fallen.port or 0).wait(2, 5000)  # both replicas have it
        fallen.kill()
        put_until_it_works(client, "new")
        assert servers.primary is not fallen
        assert RECORDS.open("kept", client.get("kept")) == {"n": 1}


# One address behind which the server changes


def test_connections_to_a_server_that_became_read_only_are_given_up(
    valkey_on_port: EmbeddedValkey, connect: Connect
) -> None:
    """The address may mean another server by then: only a new connection finds it."""
    client, server = connect(valkey_on_port.url), commands_to(valkey_on_port.port or 0)
    redis.ask(client, RECORDS.put("a", {}, HOUR))
    connection_id = client.client_id()
    server.replicaof(LOOPBACK, free_port())
    try:
        assert client.client_id() == connection_id
        with unavailable_in_time("redis"):
            redis.ask(client, RECORDS.put("a", {}, HOUR))
        assert client.client_id() != connection_id
    finally:
        server.replicaof("NO", "ONE")
    redis.ask(client, RECORDS.put("a", {}, HOUR))


# How many connections are in use


def held(client: Redis) -> list[int]:
    """How many are said to be in use before, while and after one is."""
    counts = [redis.connections_in_use(client)]
    connection = client.connection_pool.get_connection()
    counts.append(redis.connections_in_use(client))
    client.connection_pool.release(connection)
    return [*counts, redis.connections_in_use(client)]


def test_a_connection_is_in_use_while_somebody_has_it(
    valkey_on_port: EmbeddedValkey, connect: Connect
) -> None:
    assert held(connect(valkey_on_port.url)) == [0, 1, 0]
