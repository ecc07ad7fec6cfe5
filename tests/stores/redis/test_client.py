"""A Redis that does not answer, or is not heard: said in time, and nothing is done twice."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from socketserver import StreamRequestHandler, ThreadingTCPServer
from threading import Thread
from typing import Any

import pytest

from app.development.embedded import EmbeddedValkey
from app.stores.redis import client as redis
from app.stores.redis.client import Redis
from app.stores.redis.requests import RequestStore
from app.stores.redis.sessions import SessionStore
from app.stores.unavailable import StoreUnavailable, UnsuitableStore
from tests.stores.in_time import unavailable_in_time
from tests.support.applications import Logged
from tests.support.builders import NOON, RECORDS
from tests.support.ports import free_port
from tests.support.proxy import Proxy, to_port

Connect = Callable[[str], Redis]

HOUR = timedelta(hours=1)


def a_session_store(client: Redis) -> SessionStore:
    return SessionStore(client, RECORDS, RequestStore(client, RECORDS), idle=HOUR)


COMMANDS: dict[str, Callable[[Redis], Any]] = {
    "a ping": redis.ping,
    "a read": lambda client: a_session_store(client).find_session("s"),
    "a write": lambda client: a_session_store(client).save("s", {"lang": "fr"}, now=NOON),
    "two writes": lambda client: redis.ask(client, RECORDS.put("a", {}, HOUR), RECORDS.put("b", {}, HOUR)),
}
each_command = pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS.keys())


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedValkey]:
    """A server of this file's own, on a port, that may be frozen and restarted."""
    with EmbeddedValkey(tmp_path_factory.mktemp("valkey"), port=free_port()) as server:
        yield server


@pytest.fixture
def client(server: EmbeddedValkey, connect: Callable[[str], Redis]) -> Redis:
    client = connect(server.url)
    client.flushall()
    client.config_resetstat()
    return client


# A server that is not there, or does not answer


DEAD = {
    "a port": f"redis://127.0.0.1:{free_port()}/0",
    "a port over TLS": f"rediss://:a-password@127.0.0.1:{free_port()}/0",
    "a socket": "unix:///nowhere/valkey.sock?db=0",
    "a host": "redis://no-such-host.invalid:6379/0",
}


@pytest.mark.parametrize("url", DEAD.values(), ids=DEAD.keys())
@each_command
def test_a_dead_server_is_unavailable_in_time(
    connect: Callable[[str], Redis], url: str, command: Callable[[Redis], Any]
) -> None:
    client = connect(url)
    with unavailable_in_time("redis"):
        command(client)


@each_command
def test_a_frozen_server_is_unavailable_in_time_and_heals_when_it_thaws(
    server: EmbeddedValkey, client: Redis, command: Callable[[Redis], Any]
) -> None:
    server.pause()
    try:
        with unavailable_in_time("redis"):
            command(client)
        with unavailable_in_time("redis"):  # on a connection of its own, which a frozen server still accepts
            command(client)
    finally:
        server.resume()
    command(client)


def test_a_reply_that_comes_late_is_never_taken_for_the_answer_to_something_else(
    server: EmbeddedValkey, client: Redis
) -> None:
    client.set("first", "1")
    client.set("second", "2")
    server.pause()
    try:
        with unavailable_in_time("redis"), redis.guarded(client):
            client.get("first")
    finally:
        server.resume()
    assert client.get("second") == "2"


def test_connections_closed_by_a_restart_are_replaced_without_a_word(
    server: EmbeddedValkey, client: Redis
) -> None:
    pool = client.connection_pool
    held = [pool.get_connection() for _ in range(5)]
    for connection in held:
        pool.release(connection)
    server.restart()
    for command in COMMANDS.values():
        for _ in held:
            command(client)


# A server that refuses


def test_a_full_server_is_unavailable_to_writers_and_readable(
    tmp_path: Path, connect: Callable[[str], Redis]
) -> None:
    with EmbeddedValkey(tmp_path, options={"maxmemory-policy": "noeviction"}) as full:
        client = connect(full.url)
        store = a_session_store(client)
        store.save("s", {"lang": "fr"}, now=NOON)
        client.config_set("maxmemory", 1)
        with unavailable_in_time("redis"):
            store.save("s", {"lang": "en"}, now=NOON)
        assert store.find_session("s")[0] == {"lang": "fr"}
        client.config_set("maxmemory", 0)
        store.save("s", {"lang": "en"}, now=NOON)


def test_a_replica_that_cannot_be_written_is_unavailable_to_writers(client: Redis) -> None:
    client.replicaof("127.0.0.1", str(free_port()))
    try:
        with unavailable_in_time("redis"):
            COMMANDS["a write"](client)
        with unavailable_in_time("redis"):
            COMMANDS["two writes"](client)
    finally:
        client.replicaof("NO", "ONE")


def test_a_value_of_another_kind_is_unavailable_and_no_crash(client: Redis) -> None:
    client.lpush("session:s", "a")
    with unavailable_in_time("redis"):
        COMMANDS["a read"](client)


def test_an_error_among_several_replies_is_one_and_the_others_are_not_taken_for_later_ones(
    client: Redis,
) -> None:
    before = client.client_id()
    with unavailable_in_time("redis"):
        redis.ask(client, ("SET", "a", "1"), ("LPUSH", "a", "x"), ("SET", "b", "2"))
    assert redis.ask(client, ("GET", "a"), ("GET", "b"), ("GET", "c")) == ["1", "2", None]
    assert client.client_id() == before, "nothing was wrong with the connection"


# A reply that is lost


def calls_of(client: Redis, name: str) -> int:
    """How often the server has run the command."""
    statistics = client.info("commandstats").get(f"cmdstat_{name}", {"calls": 0})
    calls: int = statistics["calls"]
    return calls


@pytest.mark.parametrize(
    ("command", "name", "times"),
    [("a ping", "ping", 1), ("a read", "getex", 1), ("a write", "set", 1), ("two writes", "set", 2)],
)
def test_a_command_whose_reply_was_lost_is_not_sent_again(
    client: Redis,
    connect: Callable[[str], Redis],
    server: EmbeddedValkey,
    command: str,
    name: str,
    times: int,
) -> None:
    assert server.port is not None
    with Proxy(to_port(server.port)) as proxy:
        through_proxy = connect(f"redis://127.0.0.1:{proxy.port}/0")
        redis.ping(through_proxy)  # the connection stands: what is lost is the reply to the command
        client.config_resetstat()
        proxy.losing = b""  # whatever it is
        with unavailable_in_time("redis"):
            COMMANDS[command](through_proxy)
        assert calls_of(client, name) == times
        COMMANDS[command](through_proxy)
        assert calls_of(client, name) == 2 * times


# A server that will never do


class OldRedis(StreamRequestHandler):
    """As much of Redis 6 as says which version it is."""

    timeout = 10

    def handle(self) -> None:
        said = ["server", "redis", "version", "6.2.14", "proto", "2"]
        hello = f"*{len(said)}\r\n" + "".join(f"${len(word)}\r\n{word}\r\n" for word in said)
        while line := self.rfile.readline():
            if line.strip() == b"SETNAME":
                self.wfile.write(b"+OK\r\n")
            elif line.strip() == b"HELLO":
                self.wfile.write(hello.encode())


def test_a_server_that_is_too_old_is_told_from_one_that_does_not_answer(connect: Connect) -> None:
    with ThreadingTCPServer(("127.0.0.1", 0), OldRedis) as server:
        serving = Thread(target=server.serve_forever)
        serving.start()
        client = connect(f"redis://127.0.0.1:{server.server_address[1]}/0")
        try:
            with pytest.raises(
                UnsuitableStore, match=r"^redis: 6\.2\.14 is too old, 7 or a later one is needed$"
            ):
                redis.require_suitable(client)
        finally:
            client.close()
            server.shutdown()
            serving.join()
    with pytest.raises(StoreUnavailable) as raised:
        redis.require_suitable(connect(f"redis://127.0.0.1:{free_port()}/0"))
    assert not isinstance(raised.value, UnsuitableStore)


def test_a_server_that_forgets_when_it_is_full_is_a_warning(
    redis_client: redis.Redis, valkey: EmbeddedValkey, connect: Connect, logged: Logged
) -> None:
    redis.require_suitable(redis_client)
    own = connect(valkey.url)
    own.config_set("maxmemory-policy", "allkeys-lru")
    try:
        redis.require_suitable(own)
    finally:
        own.config_set("maxmemory-policy", "noeviction")
    (entry,) = logged()
    assert (entry["event"], entry["policy"]) == ("redis_evicts", "allkeys-lru")
