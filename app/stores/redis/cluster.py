"""A Redis Cluster behind the client that every store knows: a command goes to the node that has its key.

Commands of one key only, which is all that Accord has. A command is sent again only when a node said that it
has not run it (MOVED, ASK). redis-py's own client would not do: it connects when it is made, before gunicorn
forks; it repeats the commands of a pipeline whose replies were lost; and when all nodes hang, its threads
wait for one another while each asks every node in turn.
"""

import random
import time
from collections.abc import Callable, Iterator, Sequence
from threading import Lock
from typing import Any

import redis
from redis.client import Pipeline
from redis.crc import key_slot
from redis.exceptions import AskError, ClusterDownError, MovedError

from app.stores.redis.address import Place

Connect = Callable[[Place, float], redis.Redis]

_SLOTS = 16384  # as the protocol of Redis Cluster has it
_MOST_REDIRECTS = 5  # as redis-py has it


class Cluster(redis.Redis):
    """`connect` makes the client of one node, which waits so many seconds. None is asked before it is needed.

    `seeds` are the nodes to begin with; the others are found through them.
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
        """A client for each node that was asked something and still owns a part of the keys."""
        return list(self._nodes.values())

    def execute_command(self, *args: Any, **options: Any) -> Any:
        """Runs the command on the node that has the slot of its key, which is the first argument."""
        if len(args) < 2:
            raise redis.RedisError(f"{args[0]} names no key: a Cluster does not know where to run it")
        slot = key_slot(str(args[1]).encode())
        place, is_asking = self._owner(slot), False
        for _ in range(_MOST_REDIRECTS):
            try:
                return self._run(place, args, options, is_asking=is_asking)
            except MovedError as elsewhere:
                # The slot has another owner, and more may have: the next command asks first.
                place, is_asking = (elsewhere.host or place[0], elsewhere.port), False
                self._owners[slot] = place
                self._is_current = False
            except AskError as elsewhere:
                place, is_asking = (elsewhere.host or place[0], elsewhere.port), True
        raise redis.ConnectionError("the nodes of the Cluster disagree about who has a slot")

    def ask(self, *commands: Sequence[str | int]) -> list[Any]:
        """Their keys may live on different nodes: they run one after the other, until one fails."""
        return [self.execute_command(*command) for command in commands]

    def pipeline(self, transaction: bool = True, shard_hint: str | None = None) -> Pipeline:
        raise redis.RedisError("a Cluster has nobody who runs several commands")

    def scan_iter(self, *args: Any, **options: Any) -> Iterator[Any]:
        """The keys of all nodes."""
        for node in self.primaries():
            yield from node.scan_iter(*args, **options)

    def ping(self, **options: Any) -> bool:
        """Whether every part of the keys has a node that answers."""
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
            raise ClusterDownError("a part of the keys has no node")
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
            raise ClusterDownError("this part of the keys has no node")
        return owner

    def _learn(self) -> None:
        """Asks one node after the other who owns which slot, for half of the time that a command may take.

        Addresses that failed are asked last, the latest failure at the end: however many nodes have moved to
        other addresses, the next calls come to one that answers. Nodes that own nothing are forgotten, so
        addresses that are gone do not add up; those of the URL are kept. Whoever comes meanwhile waits for
        the answer, no longer than that. Raises ConnectionError.
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
        """Closes nothing: another thread may be waiting for a reply."""
        self._nodes = {place: node for place, node in list(self._nodes.items()) if place in owners}
        kept = {*owners, *self._seeds}
        self._failed_at = {place: at for place, at in list(self._failed_at.items()) if place in kept}

    def _owners_as_told_by(self, place: Place) -> list[Place | None] | None:
        """None when it does not tell."""
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
