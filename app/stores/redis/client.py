"""The connection to Redis: every command has a timeout and is sent once.

A command whose reply was lost may have run. redis-py would send it again, up to ten times; here the unknown
outcome is `StoreUnavailable`, and the caller decides what that means.
"""

import hashlib
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final, Generic, TypeVar
from weakref import WeakKeyDictionary

import redis
import structlog
from redis.backoff import NoBackoff
from redis.connection import UnixDomainSocketConnection
from redis.maint_notifications import MaintNotificationsConfig
from redis.retry import Retry
from redis.sentinel import Sentinel

from app.stores.breaker import Breaker
from app.stores.instrumentation import store_span
from app.stores.redis.address import Kind, RedisAddress, parse_address
from app.stores.redis.cluster import Cluster
from app.stores.redis.redis_py import (
    END_THE_CONNECTION,
    Command,
    SingleAttemptRedis,
    count_in_use,
    require_known_options,
)
from app.stores.unavailable import StoreUnavailable, UnsuitableStore, cause

T = TypeVar("T")

Redis = redis.Redis

# Options, beside those of `_options`, with which redis-py would send a command again.
_OF_RETRIES = {"retry_on_timeout", "retry_on_error", "health_check_interval"}

OLDEST_VERSION: Final = 7  # of Redis, the first whose EXPIRE knows NX (attempts.py); every Valkey is later

_log = structlog.get_logger()

_breakers: WeakKeyDictionary[Redis, Breaker] = WeakKeyDictionary()


def connect(url: str, *, timeout: timedelta) -> Redis:
    """A client for `url` (address.py says what that may be). It connects when it is first used.

    `timeout` bounds each wait: for a connection, for a reply. Raises ValueError for an unusable address.
    """
    try:
        address = parse_address(url)
        _refuse_own_options(address)
        client = _make_client(address, timeout.total_seconds())
        require_known_options(client)
    except (ValueError, TypeError) as error:
        reason = "has an option that is not known" if isinstance(error, TypeError) else error
        raise ValueError(f"ACCORD_REDIS_URL {reason}") from error
    if address.kind is not Kind.CLUSTER:  # of a Cluster, one node may hang while the others answer
        _breakers[client] = Breaker("redis", timeout=timeout)
    return client


def _refuse_own_options(address: RedisAddress) -> None:
    own = (_options(0).keys() | _OF_RETRIES) & address.options.keys()
    if own:
        raise ValueError(f"must not have the option {min(own)}, which Accord sets itself")


def _make_client(address: RedisAddress, seconds: float) -> Redis:
    if address.kind is Kind.SINGLE:
        return _own_pool({**_options(seconds), **address.options})
    if address.kind is Kind.CLUSTER:
        return Cluster(
            address.places,
            connect=lambda place, patience: _own_pool(
                {**_options(patience), **address.options, "host": place[0], "port": place[1]}
            ),
            timeout=seconds,
        )
    # For each new connection the Sentinels are asked one after the other, so they share its timeout.
    tls = {name: value for name, value in address.options.items() if name.startswith("ssl_")}
    asking = {
        **_options(seconds / len(address.places)),
        **address.sentinel_login,
        **(tls if address.has_tls else {}),
        "ssl": address.has_tls,
    }
    serving = {**_options(seconds), **address.options, "ssl": address.has_tls}
    serving.pop("connection_class", None)  # redis-py's own class asks the Sentinels who the primary is
    sentinel: Any = Sentinel(address.places, sentinel_kwargs=asking)  # type: ignore[no-untyped-call]
    client: Redis = sentinel.master_for(address.service, redis_class=SingleAttemptRedis, **serving)
    return client


def _own_pool(options: dict[str, Any]) -> Redis:
    if options.get("connection_class") is UnixDomainSocketConnection:
        del options["socket_connect_timeout"]  # a Unix socket has none
    return SingleAttemptRedis.from_pool(redis.ConnectionPool(**options))


def _options(seconds: float) -> dict[str, Any]:
    return {
        "socket_timeout": seconds,
        "socket_connect_timeout": seconds,
        "retry": Retry(NoBackoff(), 0, END_THE_CONNECTION),  # no retry; these errors close a connection
        # CLIENT LIST shows whose connections they are. Setting the name has a reply, and so lets TLS 1.3
        # finish: without one, its session tickets would look like a reply that nobody asked for.
        "client_name": "accord",
        "decode_responses": True,
        "encoding_errors": "replace",  # a value that is no text fails its signature, without an exception
        "driver_info": None,
        # With these notifications on, the pool would hand out connections that the server has closed.
        "protocol": 2,
        "maint_notifications_config": MaintNotificationsConfig(enabled=False),
    }


@contextmanager
def guarded(client: Redis) -> Iterator[None]:
    """Around one use of Redis: the circuit breaker, a tracing span, and StoreUnavailable for every error."""
    breaker = _breakers.get(client)
    with nullcontext() if breaker is None else breaker.guard(), store_span("redis"):
        try:
            yield
        except (redis.RedisError, OSError) as error:
            raise StoreUnavailable(f"redis: {cause(error)}") from error


def ask(client: Redis, *commands: Command) -> list[Any]:
    """The reply of Redis to each of `commands`, in one round trip; in a Cluster, in one for each.

    Raises StoreUnavailable, after which some of them may have run.
    """
    with guarded(client):
        replies: list[Any] = client.ask(*commands)  # type: ignore[attr-defined]  # `connect` made it
    return replies


@dataclass(frozen=True, slots=True)
class Lookup(Generic[T]):
    """Commands that read something, and the function that makes it of their replies.

    It lets a store read its own record and another store's in one round trip. It stays within the stores.
    """

    commands: tuple[Command, ...]
    understand: Callable[[list[Any]], T]


def look_up(client: Redis, lookup: Lookup[T]) -> T:
    """What `lookup` reads. Raises StoreUnavailable."""
    return lookup.understand(ask(client, *lookup.commands))


def key_for(kind: str, whom: Iterable[str]) -> str:
    """The key of a count for `whom`, who is hashed: Redis learns no name, and all keys have one length."""
    hashed = hashlib.sha256("\x00".join(whom).encode("utf-8", "replace")).hexdigest()
    return f"{kind}:{hashed}"


def connections_in_use(client: Redis) -> int:
    """How many connections of this process are in use now, in a Cluster those to all nodes."""
    nodes = client.nodes if isinstance(client, Cluster) else [client]
    return sum(count_in_use(node) for node in nodes)


def ping(client: Redis) -> None:
    """Raises StoreUnavailable unless Redis answers, or every node of a Cluster that owns slots."""
    with guarded(client):
        client.ping()


def require_suitable(client: Redis) -> None:
    """Asks every server for its version. Raises UnsuitableStore for one that is too old; StoreUnavailable.

    A server that would evict records when its memory is full gets a warning in the log, since customers would
    have to begin again. A login without the right to ask for that gets none.
    """
    with guarded(client):
        nodes: list[Any] = client.primaries() if isinstance(client, Cluster) else [client]
        for node in nodes:
            said = node.ask(("HELLO",))[0]
            version = str(dict(zip(said[::2], said[1::2], strict=True)).get("version"))
            if int(version.partition(".")[0]) < OLDEST_VERSION:
                raise UnsuitableStore(
                    f"redis: {version} is too old, {OLDEST_VERSION} or a later one is needed"
                )
            with suppress(redis.ResponseError):
                memory = str(node.ask(("INFO", "memory"))[0])
                policy = re.search(r"^maxmemory_policy:(\S+)", memory, re.MULTILINE)
                if policy is not None and policy[1] != "noeviction":
                    _log.warning("redis_evicts", policy=policy[1])


def check(client: Redis) -> None:
    """Raises StoreUnavailable unless Redis can be written: one that is full, or read-only, answers a PING."""
    if isinstance(client, Cluster):
        ping(client)
    ask(client, ("SET", "ready", 1, "EX", 1))
