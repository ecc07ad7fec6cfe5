"""A client of a Redis Cluster, with the interface of a client of one server.

A command goes to the node that owns the slot of its key; every command of Accord has one key. It is sent
again only when a node has said that it did not run it (MOVED, ASK). When all nodes hang, redis-py's own
client lets threads wait for one another, far longer than a page may take (docs/adr/0022).
"""

import random
import time
from collections.abc import Callable, Iterator, Sequence
from threading import Lock
from typing import Any

import redis
from redis.client import Pipeline
from redis.exceptions import AskError, ClusterDownError, MovedError

from app.stores.redis.address import Place
from app.stores.redis.redis_py import slot_of

Connect = Callable[[Place, float], redis.Redis]

_SLOTS = 16384  # in the specification of Redis Cluster
_MOST_REDIRECTS = 5  # a slot on the move needs two (MOVED, ASK), a second move meanwhile two more


class Cluster(redis.Redis):
    """It connects when it is first used.

    `seeds` are the nodes through which the others are found. `connect` makes the client of one node, for a
    place and a timeout in seconds.
    """

    def __init__(self, seeds: Sequence[Place], *, connect: Connect, timeout: float) -> None:
        super().__init__(connection_pool=connect(seeds[0], timeout).connection_pool)
        self._seeds = tuple(seeds)
        self._connect = connect
        self._timeout = timeout
        self._nodes: dict[Place, redis.Redis] = {}
        self._owners: list[Place | None] = [None] * _SLOTS
        self._is_current = False
        self._failed_at: dict[Place, float] = {}
        self._learning = Lock()

    @property
    def nodes(self) -> list[redis.Redis]:
        """The clients of the nodes that own slots, as far as they have been used."""
        return list(self._nodes.values())

    def execute_command(self, *args: Any, **options: Any) -> Any:
        """Runs the command on the node that owns the slot of its key, which is its first argument."""
        if len(args) < 2:
            raise redis.RedisError(f"{args[0]} names no key: a Cluster does not know where to run it")
        slot = slot_of(str(args[1]))
        place, is_asking = self._owner(slot), False
        for _ in range(_MOST_REDIRECTS):
            try:
                return self._run(place, args, options, is_asking=is_asking)
            except MovedError as elsewhere:
                # More slots may have moved, so the next command learns the owners first.
                place, is_asking = (elsewhere.host or place[0], elsewhere.port), False
                self._owners[slot] = place
                self._is_current = False
            except AskError as elsewhere:
                place, is_asking = (elsewhere.host or place[0], elsewhere.port), True
        raise redis.ConnectionError("the nodes of the Cluster disagree about who has a slot")

    def ask(self, *commands: Sequence[str | int]) -> list[Any]:
        """The replies to the commands, which run one after the other, on their nodes, until one fails."""
        return [self.execute_command(*command) for command in commands]

    def pipeline(self, transaction: bool = True, shard_hint: str | None = None) -> Pipeline:
        raise redis.RedisError("a Cluster has nobody who runs several commands")

    def scan_iter(self, *args: Any, **options: Any) -> Iterator[Any]:
        """The keys of all nodes, of which none can list another's."""
        for node in self.primaries():
            yield from node.scan_iter(*args, **options)

    def ping(self, **options: Any) -> bool:
        """Whether every slot has a node that answers."""
        return all(node.ping(**options) for node in self.primaries())

    def close(self) -> None:
        super().close()
        for node in list(self._nodes.values()):
            node.close()

    def primaries(self) -> list[redis.Redis]:
        """The nodes that own slots. Raises ClusterDownError where a slot has no owner."""
        self._owner(0)
        owners = set(self._owners)
        if None in owners:
            raise ClusterDownError("a slot has no node")
        return [self._node(owner) for owner in owners if owner is not None]

    def _run(self, place: Place, args: Sequence[Any], options: dict[str, Any], *, is_asking: bool) -> Any:
        node: Any = self._node(place)
        try:
            if not is_asking:
                return node.execute_command(*args, **options)
            with node.pipeline(transaction=False) as both:  # on one connection: ASKING is for what follows it
                both.execute_command("ASKING")
                both.execute_command(*args, **options)
                return both.execute()[-1]
        except (redis.ConnectionError, redis.TimeoutError, ClusterDownError):
            self._is_current = False
            self._failed_at[place] = time.monotonic()
            raise

    def _node(self, place: Place) -> redis.Redis:
        return self._nodes.get(place) or self._nodes.setdefault(place, self._connect(place, self._timeout))

    def _owner(self, slot: int) -> Place:
        if not self._is_current:
            self._learn()
        owner = self._owners[slot]
        if owner is None:
            self._is_current = False
            raise ClusterDownError("this slot has no node")
        return owner

    def _learn(self) -> None:
        """Asks one node after the other who owns which slot, for half of a command's timeout.

        Half, so that with the command itself a call takes one and a half timeouts at most. Addresses that
        failed are asked last, the latest failure at the end: however many nodes have moved elsewhere, one of
        the next calls finds a node that answers. Nodes that own nothing are forgotten, so that dead addresses
        do not add up; the seeds are kept. Callers that come meanwhile wait for the result, and no longer than
        that. Raises ConnectionError.
        """
        deadline = time.monotonic() + self._timeout / 2
        if not self._learning.acquire(timeout=self._timeout / 2):
            raise redis.ConnectionError("the nodes of the Cluster do not say who owns what")
        try:
            if self._is_current:
                return
            known = list({*self._seeds, *self._nodes})
            random.shuffle(known)
            for place in sorted(known, key=lambda place: self._failed_at.get(place, 0)):
                if time.monotonic() > deadline:
                    break
                owners = self._owners_as_told_by(place)
                if owners is not None:
                    self._owners, self._is_current = owners, True
                    self._forget_all_but({owner for owner in owners if owner is not None})
                    return
                self._failed_at[place] = time.monotonic()
        finally:
            self._learning.release()
        raise redis.ConnectionError("no node of the Cluster says who owns what")

    def _forget_all_but(self, owners: set[Place]) -> None:
        """Forgets clients without closing them, since another thread may be waiting for a reply."""
        self._nodes = {place: node for place, node in list(self._nodes.items()) if place in owners}
        kept = {*owners, *self._seeds}
        self._failed_at = {place: at for place, at in list(self._failed_at.items()) if place in kept}

    def _owners_as_told_by(self, place: Place) -> list[Place | None] | None:
        """The owner of each slot, by its index; None where the node does not answer.

        A quarter of the timeout for each, so that two nodes can be asked in the time for learning.
        """
        try:
            node: Any
            with self._connect(place, self._timeout / 4) as node:
                ranges = node.execute_command("CLUSTER SLOTS")
        except (redis.RedisError, OSError):
            return None
        owners: list[Place | None] = [None] * _SLOTS
        for first, last, (host, port, *_), *_ in ranges:
            owner = (host or place[0], port)
            owners[first : last + 1] = [owner] * (last + 1 - first)
        return owners
