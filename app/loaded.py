"""What this process runs and has read: its version, and short names of its registration, keys and secret.

Two machines of one service have the same. The names are hashes, from which nothing follows of what they name.
"""

import hashlib
import hmac
from collections.abc import Iterator
from importlib.metadata import version
from typing import Final

import structlog
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from app.domain.registry import Registry
from app.settings import Settings
from app.stores.keys import SigningKeys

VERSION: Final = version("accord")
_DIGITS: Final = 12  # of a SHA-256, in hexadecimal: enough to tell versions apart

_log = structlog.get_logger()


def names_of(settings: Settings, registry: Registry, keys: SigningKeys) -> dict[str, str]:
    """As they are now: keys are read again when their file changes."""
    key_ids = " ".join(sorted(key["kid"] for key in keys.public["keys"]))
    secret = settings.secret_key.get_secret_value().encode()
    return {
        "version": VERSION,
        "registry": registry.digest,
        "keys": hashlib.sha256(key_ids.encode()).hexdigest()[:_DIGITS],
        "secret": hmac.digest(secret, b"the name of this key", "sha256").hex()[:_DIGITS],
    }


class LoadedMetrics(Collector):
    """The same for Prometheus, of the process that is asked: no two of one server differ for long."""

    def __init__(self, settings: Settings, registry: Registry, keys: SigningKeys) -> None:
        self._settings, self._registry, self._keys = settings, registry, keys

    def collect(self) -> Iterator[GaugeMetricFamily]:
        named = names_of(self._settings, self._registry, self._keys)
        info = GaugeMetricFamily(
            "accord_info", "What is running, and short names of what it has read", labels=list(named)
        )
        info.add_metric(list(named.values()), 1)
        yield info
        registered = GaugeMetricFamily("accord_registered", "Who is registered", labels=["kind"])
        registered.add_metric(["recipient"], len(self._registry.clients))
        registered.add_metric(["provider"], len(self._registry.providers))
        registered.add_metric(["resource_server"], len(self._registry.resource_servers))
        yield registered
        left_out = GaugeMetricFamily(
            "accord_bank_left_out", "Banks at which nobody can sign in", labels=["provider_id"]
        )
        for provider_id, provider in self._registry.providers.items():
            left_out.add_metric([provider_id], int(provider.is_left_out))
        yield left_out


def say_what_was_loaded(settings: Settings, registry: Registry, keys: SigningKeys, *, texts: str) -> None:
    """One line of the log; and one for each bank that is left out."""
    _log.info(
        "loaded",
        **names_of(settings, registry, keys),
        registry_path=str(settings.registry.resolve()),
        recipients=len(registry.clients),
        providers=len(registry.providers),
        resource_servers=len(registry.resource_servers),
        signing_keys_path=str(settings.signing_keys.resolve()),
        signing_keys=len(keys.public["keys"]),
        texts=texts,
    )
    for provider_id, fault in registry.left_out.items():
        _log.error("bank_left_out", provider_id=provider_id, fault=fault)
