"""What this process has loaded: its version, and fingerprints of its registration, keys and secret.

An operator compares them between the machines of one service. A fingerprint is a part of a hash, from which
the secret itself cannot be computed.
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
from app.stores.signing_keys import SigningKeys

VERSION: Final = version("accord")
_DIGITS: Final = 12  # hexadecimal digits of a SHA-256: 48 bits, a judgement, enough to tell versions apart

_log = structlog.get_logger()


def fingerprints(settings: Settings, registry: Registry, keys: SigningKeys) -> dict[str, str]:
    """The version and the fingerprints at this moment: the keys are read again when their file changes."""
    key_ids = " ".join(sorted(key["kid"] for key in keys.public["keys"]))
    secret = settings.secret_key.get_secret_value().encode()
    return {
        "version": VERSION,
        "registry": registry.digest,
        "keys": hashlib.sha256(key_ids.encode()).hexdigest()[:_DIGITS],
        "secret": hmac.digest(secret, b"the name of this key", "sha256").hex()[:_DIGITS],
    }


class LoadedMetrics(Collector):
    """The fingerprints and the numbers of registered parties, as metrics for Prometheus.

    They are those of the process that answers the scrape; other workers of the same server have the same.
    """

    def __init__(self, settings: Settings, registry: Registry, keys: SigningKeys) -> None:
        self._settings, self._registry, self._keys = settings, registry, keys

    def collect(self) -> Iterator[GaugeMetricFamily]:
        labels = fingerprints(self._settings, self._registry, self._keys)
        info = GaugeMetricFamily(
            "accord_info", "The version, and fingerprints of what it has loaded", labels=list(labels)
        )
        info.add_metric(list(labels.values()), 1)
        yield info
        registered = GaugeMetricFamily("accord_registered", "Registered parties, by kind", labels=["kind"])
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
    """Logs one `loaded` event, and one `bank_left_out` event for each bank at which nobody can sign in."""
    _log.info(
        "loaded",
        **fingerprints(settings, registry, keys),
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
