"""Opens the files and stores that the settings name, and reports every fault in them when a server starts."""

from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import TypeVar

from app.domain.notice_registration import asked_by_default
from app.domain.registry import Registry
from app.registration.file import RegistryError, read_registry
from app.settings import ConfigurationError, Environment, Settings
from app.stores.ledger.ledger import Ledger
from app.stores.redis import client as redis
from app.stores.signing_keys import SigningKeys
from app.stores.unavailable import StoreUnavailable, UnsuitableStore

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Parts:
    """The files and stores that the settings name, without faults. No store has been connected to yet."""

    registry: Registry
    keys: SigningKeys
    redis: redis.Redis
    ledger: Ledger


def open_parts(settings: Settings, registry: Registry | None = None) -> Parts:
    """Reads the files and the addresses of the stores. Raises ConfigurationError with every fault in them.

    The `registry` is given where its file has been read before.
    """
    faults: list[str] = []
    timeout = settings.store_timeout
    if registry is None:
        registry = _attempt(
            lambda: read_registry(settings.registry, allow_demo=settings.is_development), faults
        )
    keys = _attempt(lambda: SigningKeys(settings.signing_keys), faults)
    client = _attempt(lambda: redis.connect(settings.redis_url.get_secret_value(), timeout=timeout), faults)
    ledger = _attempt(
        lambda: Ledger(
            settings.ledger_url.get_secret_value(),
            timeout=timeout,
            connections=settings.ledger_connections,
            asked=asked_by_default if registry is None else registry.events_asked,
        ),
        faults,
    )
    if registry is None or keys is None or client is None or ledger is None:
        raise ConfigurationError("\n".join(faults))
    return Parts(registry, keys, client, ledger)


def require_suitable_stores(settings: Settings) -> None:
    """Asks each store once whether it is of a kind and version that Accord can use, and disconnects.

    Raises ConfigurationError for a store that is unsuitable. A store that does not answer is no fault here:
    it may answer later, and `/readyz` says when.
    """
    timeout, faults = settings.store_timeout, []
    client = redis.connect(settings.redis_url.get_secret_value(), timeout=timeout)
    ledger = Ledger(settings.ledger_url.get_secret_value(), timeout=timeout, connections=1)
    with closing(client), closing(ledger):
        for require_suitable in (partial(redis.require_suitable, client), ledger.database.require_suitable):
            try:
                require_suitable()
            except UnsuitableStore as error:
                faults.append(str(error))
            except StoreUnavailable:
                continue
    if faults:
        raise ConfigurationError("\n".join(faults))


def faults_in_files_and_stores(sound: Mapping[str, str]) -> list[str]:
    """The faults in the files and addresses that the `sound` settings name.

    It is for the case that other settings are wrong, so that an operator sees all faults at once.
    """
    faults: list[str] = []
    allow_demo = sound.get("environment") == Environment.DEVELOPMENT
    attempts: dict[str, Callable[[str], object]] = {
        "registry": lambda path: read_registry(Path(path), allow_demo=allow_demo),
        "signing_keys": lambda path: SigningKeys(Path(path)),
        "redis_url": lambda url: redis.connect(url, timeout=timedelta(seconds=1)),
        "ledger_url": lambda url: Ledger(url, timeout=timedelta(seconds=1)),
    }
    for field, attempt in attempts.items():
        if field in sound:
            _attempt(partial(attempt, sound[field]), faults)
    return faults


def _attempt(make: Callable[[], T], faults: list[str]) -> T | None:
    try:
        return make()
    except (RegistryError, ValueError) as error:
        faults += str(error).splitlines()
        return None
