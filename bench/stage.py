"""Accord as in production, on stores of its own: gunicorn, PostgreSQL and the embedded Valkey, all on loopback."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from app.development.embedded import EmbeddedValkey
from app.stores.key_rotation import generate_signing_keys
from app.stores.ledger import migrations
from app.stores.redis.client import Redis, connect
from tests.support.ports import free_port
from tests.support.repository import ROOT
from tests.support.running_accord import RunningAccord

PAGE = ROOT / "docs" / "performance.md"


@dataclass(frozen=True, slots=True)
class Stage:
    """A running Accord, and what is behind it. `redis` is a client of the Redis that it uses."""

    accord: RunningAccord
    redis: Redis
    ledger_url: str


@contextmanager
def on_stage(directory: Path, *, registry: str, ledger_url: str, **variables: str) -> Iterator[Stage]:
    """Running inside the block, with an empty Redis and the ledger as it is; `registry` is the file's text.

    No worker is replaced, unless it ends by itself: whatever it keeps would show.
    """
    directory.mkdir(parents=True, exist_ok=True)
    keys, registration = directory / "keys.json", directory / "registry.toml"
    if not keys.exists():
        generate_signing_keys(keys)
    registration.write_text(registry, encoding="utf-8")
    migrations.upgrade(ledger_url)
    with EmbeddedValkey(directory / "valkey", port=free_port()) as valkey:
        redis = connect(valkey.url, timeout=timedelta(seconds=1))
        redis.flushall()
        accord = RunningAccord(
            directory / "accord.log",
            redis_url=valkey.url,
            ledger_url=ledger_url,
            signing_keys=keys,
            ACCORD_REGISTRY=str(registration),
            ACCORD_MAX_REQUESTS="0",
            **variables,
        )
        with accord:
            yield Stage(accord, redis, ledger_url)
