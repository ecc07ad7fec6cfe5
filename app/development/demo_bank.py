"""What the demo's banks do by themselves: they end the connections of customers for whom that goes wrong."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from pathlib import Path

from app.domain.consent import GrantStatus
from app.domain.history import Actor
from app.domain.registry import Trouble
from app.registration.file import read_registry
from app.stores.ledger.connections import ConnectionStore
from app.stores.ledger.database import Database
from app.stores.unavailable import StoreUnavailable

ENDED_AFTER = timedelta(seconds=10)
_TIMEOUT = timedelta(seconds=1)


class DemoBanks:
    """Every bank of a registration with test customers."""

    def __init__(self, registry: Path, connections: ConnectionStore) -> None:
        providers = read_registry(registry, allow_demo=True).providers
        self._connections = connections
        self._customers = [
            (provider.provider_id, customer.subject)
            for provider in providers.values()
            for customer in provider.sandbox_customers
            if customer.trouble is Trouble.ENDED
        ]

    def end_connections(self, *, now: datetime) -> None:
        """Ends what these customers have shared for ten seconds; later, where the ledger does not answer."""
        with suppress(StoreUnavailable):
            for provider_id, subject in self._customers:
                for connection in self._connections.of_customer(provider_id, subject):
                    is_due = now >= connection.grant.approved_at + ENDED_AFTER
                    if is_due and connection.status_at(now) is GrantStatus.ACTIVE:
                        consent_id = connection.grant.consent_id
                        self._connections.withdraw(consent_id, None, actor=Actor.OPERATOR, now=now)


@contextmanager
def demo_banks(registry: Path, ledger_url: str) -> Iterator[DemoBanks]:
    """The banks of a demo, at its ledger, which is there already."""
    database = Database(ledger_url, timeout=_TIMEOUT)
    try:
        yield DemoBanks(registry, ConnectionStore(database))
    finally:
        database.close()
