"""The connection to Redis: timeouts, and no retry that nobody asked for.

A command whose reply was lost may have run, and redis-py would send it again up to ten times. Here an
unknown outcome is `StoreUnavailable`, and whoever asked decides.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.maint_notifications import MaintNotificationsConfig
from redis.retry import Retry

from app.stores.unavailable import StoreUnavailable

Redis = redis.Redis


def connect(url: str, *, timeout: timedelta) -> Redis:
    """A client for `url` (`redis://`, `rediss://`, `unix://`). It connects when it is first used.

    Raises ValueError for any other address.
    """
    seconds = timeout.total_seconds()
    options: dict[str, Any] = {
        "socket_timeout": seconds,
        "retry": Retry(NoBackoff(), 0),
        "decode_responses": True,
        "encoding_errors": "replace",  # what is not text is no record either
        "driver_info": None,
        # With them on, the pool would hand out connections that the server has closed.
        "protocol": 2,
        "maint_notifications_config": MaintNotificationsConfig(enabled=False),
    }
    if not url.startswith("unix:"):
        options["socket_connect_timeout"] = seconds
    try:
        return redis.Redis.from_url(url, **options)
    except ValueError as error:
        raise ValueError("ACCORD_REDIS_URL must begin with redis://, rediss:// or unix://") from error


@contextmanager
def answering() -> Iterator[None]:
    """Turns whatever goes wrong between here and Redis into `StoreUnavailable`."""
    try:
        yield
    except (redis.RedisError, OSError) as error:
        raise StoreUnavailable(f"redis: {type(error).__name__}") from error


def dump(record: dict[str, Any]) -> str:
    return json.dumps(record, separators=(",", ":"))


def parse(text: str | bytes | None) -> dict[str, Any] | None:
    """The JSON object in `text`; None for nothing, and for anything else that somebody put there."""
    if text is None:
        return None
    try:
        record = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return record if isinstance(record, dict) else None


@dataclass(frozen=True, slots=True)
class Put:
    """One record to be written; with `only_new`, only where there is none."""

    key: str
    record: dict[str, Any]
    time_to_live: timedelta
    only_new: bool = False


def put(client: Redis, *puts: Put) -> None:
    """Writes every record, in one round trip. Raises StoreUnavailable; some may be written all the same."""
    with answering(), client.pipeline(transaction=False) as pipeline:
        for one in puts:
            milliseconds = max(1, int(one.time_to_live.total_seconds() * 1000))
            pipeline.set(one.key, dump(one.record), px=milliseconds, nx=one.only_new)
        pipeline.execute()


def connections_in_use(client: Redis) -> int:
    """How many of this process's connections are in use right now."""
    (_, (in_use, _)) = client.connection_pool.get_connection_count()
    return in_use


def ping(client: Redis) -> None:
    """Raises StoreUnavailable unless Redis answers."""
    with answering():
        client.ping()
