"""Redis as a Cluster: nothing is done twice, and what broke heals by itself."""

import socket
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from redis.crc import key_slot

from app.development.embedded import LOOPBACK, EmbeddedValkey
from app.stores.redis import client as redis
from app.stores.redis.client import Redis
from app.stores.redis.cluster import Cluster
from app.stores.unavailable import StoreUnavailable
from tests.stores.in_time import IN_TIME, put_until_it_works, unavailable_in_time
from tests.support.builders import RECORDS
from tests.support.ports import free_port
from tests.support.redis_servers import ValkeyCluster, commands_to, reset_statistics, sets_run_by
from tests.support.waiting import wait_until

HOUR = timedelta(hours=1)

Connect = Callable[[str], Redis]


def test_in_a_cluster_a_command_whose_reply_does_not_come_is_not_sent_again(
    valkey_cluster: ValkeyCluster, connect: Connect
) -> None:
    client = connect(valkey_cluster.url)
    redis.ask(client, RECORDS.put("a", {}, HOUR))
    owner = valkey_cluster.owner_of("a")
    reset_statistics(owner.port)
    owner.pause()
    try:
        with unavailable_in_time("redis"):
            redis.ask(client, RECORDS.put("a", {}, HOUR))
    finally:
        owner.resume()
    redis.ping(client)
    assert sets_run_by(owner.port) == 1
    put_until_it_works(client, "a")


def test_keys_of_every_node_are_written_read_and_listed(
    valkey_cluster: ValkeyCluster, connect: Connect
) -> None:
    client = connect(valkey_cluster.url)
    records = {f"many:{number}": {"n": number} for number in range(60)}
    redis.ask(client, *(RECORDS.put(key, record, HOUR) for key, record in records.items()))
    assert {valkey_cluster.owner_of(key) for key in records} == set(valkey_cluster.nodes[:3])
    assert {key: RECORDS.open(key, client.get(key)) for key in records} == records
    assert set(client.scan_iter("many:*")) == records.keys()


def test_a_part_that_moves_to_another_node_is_followed_while_it_moves_and_afterwards(
    valkey_cluster: ValkeyCluster, connect: Connect
) -> None:
    client, slot = connect(valkey_cluster.url), key_slot(b"moving")
    redis.ask(client, RECORDS.put("moving", {"n": 1}, HOUR))
    source = valkey_cluster.owner_of("moving")
    target = next(node for node in valkey_cluster.nodes[:3] if node is not source)
    with valkey_cluster.moving(slot, source, target):
        # The key is at its old place; what is not there is asked for at the new one.
        assert RECORDS.open("moving", client.get("moving")) == {"n": 1}
        redis.ask(client, RECORDS.put("{moving}new", {"n": 2}, HOUR))
        assert RECORDS.open("{moving}new", client.get("{moving}new")) == {"n": 2}
    assert valkey_cluster.owner_of("moving") is target
    assert RECORDS.open("moving", client.get("moving")) == {"n": 1}
    assert RECORDS.open("{moving}new", client.get("{moving}new")) == {"n": 2}
    assert commands_to(target.port or 0).exists("moving", "{moving}new") == 2


def test_commands_of_several_keys_and_of_none_are_refused(
    valkey_cluster: ValkeyCluster, connect: Connect
) -> None:
    client: Any = connect(valkey_cluster.url)
    with pytest.raises(StoreUnavailable), redis.guarded(client):
        client.delete("a", "b")
    with pytest.raises(StoreUnavailable), redis.guarded(client):
        client.flushall()
    with pytest.raises(StoreUnavailable), redis.guarded(client):
        client.pipeline(transaction=False)


def test_when_all_nodes_hang_everybody_is_told_in_time_and_nobody_waits_for_another(
    valkey_cluster: ValkeyCluster, connect: Connect
) -> None:
    client = connect(valkey_cluster.url)
    redis.ping(client)
    waited: list[float] = []

    def ask() -> None:
        for _ in range(2):
            begun = time.monotonic()
            with pytest.raises(StoreUnavailable):
                redis.ask(client, RECORDS.put("a", {}, HOUR))
            waited.append(time.monotonic() - begun)

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for node in valkey_cluster.nodes:
        node.pause()
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        for node in valkey_cluster.nodes:
            node.resume()
    assert len(waited) == 16
    assert max(waited) < IN_TIME
    put_until_it_works(client, "a")


def test_a_node_that_dies_is_replaced_by_its_replica_and_the_others_go_on(
    tmp_path: Path, connect: Connect
) -> None:
    with ValkeyCluster(tmp_path, node_timeout=500) as cluster:
        client = connect(cluster.url)
        fallen = cluster.nodes[0]
        keys = [f"key:{number}" for number in range(60)]
        there = [key for key in keys if cluster.owner_of(key) is fallen]
        elsewhere = [key for key in keys if key not in there]
        redis.ask(client, *(RECORDS.put(key, {"n": 1}, HOUR) for key in keys))
        commands_to(fallen.port or 0).wait(1, 5000)
        fallen.kill()
        with unavailable_in_time("redis"):
            redis.ask(client, RECORDS.put(there[0], {}, HOUR))
        for key in elsewhere:
            redis.ask(client, RECORDS.put(key, {"n": 2}, HOUR))
        put_until_it_works(client, there[0])
        for key in there[1:]:
            assert RECORDS.open(key, client.get(key)) == {"n": 1}


def test_nodes_that_move_to_other_ports_are_learned_anew_and_the_old_ones_forgotten(
    tmp_path: Path, connect: Connect
) -> None:
    """At the old ports connections are accepted and nobody answers, as at addresses of pods that are gone."""
    with ExitStack() as held, ValkeyCluster(tmp_path) as cluster:
        primaries, staying = cluster.nodes[:3], cluster.nodes[3:]
        client = connect("redis+cluster://" + ",".join(f"{LOOPBACK}:{node.port}" for node in staying))
        keys = [f"key:{number}" for number in range(60)]
        redis.ask(client, *(RECORDS.put(key, {}, HOUR) for key in keys))
        for node in primaries:
            node.kill()
            held.enter_context(socket.create_server((LOOPBACK, node.port or 0)))
            node.port = free_port()
            node.start()
        ports = {node.port for node in primaries}
        for node in cluster.nodes:
            wait_until(partial(_knows, node, ports))
        # A call asks two addresses at most for the nodes: one of three that are gone fails, then come the others.
        assert put_until_it_works(client, keys[0]) <= 3
        for key in keys:
            put_until_it_works(client, key)
        assert isinstance(client, Cluster)
        assert {node.connection_pool.connection_kwargs["port"] for node in client.nodes} == ports
        redis.ping(client)


def _knows(node: EmbeddedValkey, ports: set[int | None]) -> bool:
    """Whether this node says that those at `ports` own the keys, and that all is well."""
    commands = commands_to(node.port or 0)
    owners = {owner[1] for _, _, owner, *_ in commands.execute_command("CLUSTER SLOTS")}
    return owners == ports and commands.execute_command("CLUSTER INFO")["cluster_state"] == "ok"


def test_in_a_cluster_the_connections_to_every_node_count(
    valkey_cluster: ValkeyCluster, connect: Connect
) -> None:
    client = connect(valkey_cluster.url)
    for number in range(20):
        redis.ask(client, RECORDS.put(f"key-{number}", {}, HOUR))
    assert isinstance(client, Cluster)
    assert len(client.nodes) == 3
    (one, *_) = client.nodes
    connection = one.connection_pool.get_connection()
    assert redis.connections_in_use(client) == 1
    one.connection_pool.release(connection)
    assert redis.connections_in_use(client) == 0
