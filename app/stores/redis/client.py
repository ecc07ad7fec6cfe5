"""The connection to Redis: every command has a timeout, and none is ever sent twice.

A command whose reply was lost may have run, and redis-py would send it again up to ten times. Here an
unknown outcome is `StoreUnavailable`, and whoever asked decides.
"""

import hashlib
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
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
from app.stores.unavailable import StoreUnavailable, UnsuitableStore, cause

T = TypeVar("T")

Redis = redis.Redis
Command = Sequence[str | int]

# After one of these nobody knows what the connection would say next. The next connection is made to whoever
# the address means then, which after a failover is another server.
_END_THE_CONNECTION = (redis.ConnectionError, redis.TimeoutError, OSError, redis.ReadOnlyError)

# Beside what `_options` says: with one of these, redis-py would send a command again.
_OF_RETRIES = {"retry_on_timeout", "retry_on_error", "health_check_interval"}

OLDEST_VERSION: Final = 7  # of Redis: EXPIRE with NX. Valkey says that it is one

_log = structlog.get_logger()

_breakers: WeakKeyDictionary[Redis, Breaker] = WeakKeyDictionary()


def connect(url: str, *, timeout: timedelta) -> Redis:
    """A client for `url` (see `redis_address`). It connects when it is first used.

    Raises ValueError for an address that cannot be used.
    """
    try:
        address = parse_address(url)
        _refuse_own_options(address)
        client = _make_client(address, timeout.total_seconds())
        pool = client.connection_pool
        pool.connection_class(**pool.connection_kwargs)  # connects to nothing, and knows every option
    except (ValueError, TypeError) as error:
        reason = "has an option that is not known" if isinstance(error, TypeError) else error
        raise ValueError(f"ACCORD_REDIS_URL {reason}") from error
    if address.kind is not Kind.CLUSTER:  # where one node that hangs says nothing of the others
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
    # The Sentinels are asked one after the other, whenever a connection is made: they share its time.
    tls = {name: value for name, value in address.options.items() if name.startswith("ssl_")}
    asking = {
        **_options(seconds / len(address.places)),
        **address.sentinel_login,
        **(tls if address.has_tls else {}),
        "ssl": address.has_tls,
    }
    serving = {**_options(seconds), **address.options, "ssl": address.has_tls}
    serving.pop("connection_class", None)  # Sentinel's own class asks who the primary is
    sentinel: Any = Sentinel(address.places, sentinel_kwargs=asking)  # type: ignore[no-untyped-call]
    client: Redis = sentinel.master_for(address.service, redis_class=SingleAttemptRedis, **serving)
    return client


def _own_pool(options: dict[str, Any]) -> Redis:
    if options.get("connection_class") is UnixDomainSocketConnection:
        del options["socket_connect_timeout"]  # it knows none
    return SingleAttemptRedis.from_pool(redis.ConnectionPool(**options))


class SingleAttemptRedis(redis.Redis):
    """Sends each command once, without the retries and the metrics of redis-py: a GET takes 18 µs, not 53.

    It uses methods of redis-py's connections that are not documented; pyproject.toml bounds the version.
    """

    def ask(self, *commands: Command) -> list[Any]:
        connection: Any = self.connection_pool.get_connection()
        replies: list[Any] = []
        try:
            connection.send_packed_command(connection.pack_commands(commands))
            replies += [_next_reply(connection) for _ in commands]
        finally:
            if not replies or any(isinstance(reply, _END_THE_CONNECTION) for reply in replies):
                connection.disconnect()
            self.connection_pool.release(connection)
        for reply in replies:
            if isinstance(reply, redis.ResponseError):
                raise reply
        return replies

    def execute_command(self, *command: Any, **options: Any) -> Any:
        """For the commands of redis-py, which knows what their replies mean."""
        (reply,) = self.ask(command)
        options.pop("keys", None)
        understand: Any = self.response_callbacks.get(command[0])  # type: ignore[no-untyped-call]
        return reply if understand is None else understand(reply, **options)


def _next_reply(connection: Any) -> Any:
    """The reply, or the error that is one: others may follow."""
    try:
        return connection.read_response()
    except redis.ResponseError as error:
        return error


def _options(seconds: float) -> dict[str, Any]:
    return {
        "socket_timeout": seconds,
        "socket_connect_timeout": seconds,
        "retry": Retry(NoBackoff(), 0, _END_THE_CONNECTION),  # none; what is listed closes a connection
        # Whose connections they are, in CLIENT LIST. Over TLS 1.3 a connection is ready only after an answer:
        # the tickets that come before it look like a reply to nothing.
        "client_name": "accord",
        "decode_responses": True,
        "encoding_errors": "replace",  # what is not text is no record either
        "driver_info": None,
        # With them on, the pool would hand out connections that the server has closed.
        "protocol": 2,
        "maint_notifications_config": MaintNotificationsConfig(enabled=False),
    }


@contextmanager
def guarded(client: Redis) -> Iterator[None]:
    """Behind the circuit breaker, raises StoreUnavailable for every error of redis-py and of the network."""
    breaker = _breakers.get(client)
    with nullcontext() if breaker is None else breaker.guard(), store_span("redis"):
        try:
            yield
        except (redis.RedisError, OSError) as error:
            raise StoreUnavailable(f"redis: {cause(error)}") from error


def ask(client: Redis, *commands: Command) -> list[Any]:
    """What Redis says to each of `commands`, in one round trip (in a Cluster, one for each).

    Raises StoreUnavailable; some may have run all the same.
    """
    with guarded(client):
        replies: list[Any] = client.ask(*commands)  # type: ignore[attr-defined]  # `connect` made it
    return replies


@dataclass(frozen=True, slots=True)
class Lookup(Generic[T]):
    """Commands, and what their replies mean: for whoever asks for something else in the same round trip."""

    commands: tuple[Command, ...]
    understand: Callable[[list[Any]], T]


def look_up(client: Redis, lookup: Lookup[T]) -> T:
    """What the replies to `lookup` mean. Raises StoreUnavailable."""
    return lookup.understand(ask(client, *lookup.commands))


def key_for(kind: str, whom: Iterable[str]) -> str:
    """The key of a count for `whom`, hashed: it tells nobody who that is, and has one length."""
    hashed = hashlib.sha256("\x00".join(whom).encode("utf-8", "replace")).hexdigest()
    return f"{kind}:{hashed}"


def connections_in_use(client: Redis) -> int:
    """How many of this process's connections are in use right now."""
    nodes = client.nodes if isinstance(client, Cluster) else [client]
    counts = [node.connection_pool.get_connection_count() for node in nodes]
    return sum(in_use for _, (in_use, _) in counts)


def ping(client: Redis) -> None:
    """Raises StoreUnavailable unless Redis answers; of a Cluster, every node that has keys."""
    with guarded(client):
        client.ping()


def require_suitable(client: Redis) -> None:
    """Asks every server once. Raises UnsuitableStore for one that is too old, and StoreUnavailable.

    One that forgets records when its memory is full, which its login may have no right to say, is a warning
    in the log: its customers would have to begin again.
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
    """Raises StoreUnavailable unless Redis takes something: full, or read-only, it still answers a PING."""
    if isinstance(client, Cluster):
        ping(client)
    ask(client, ("SET", "ready", 1, "EX", 1))
