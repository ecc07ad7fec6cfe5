"""The demo's banks, which end the connections of the test customers with the trouble `ended`."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from pathlib import Path

from app.domain.history import Actor
from app.domain.registry import SandboxTrouble
from app.registration.file import read_registry
from app.stores.ledger.connections import ConnectionStore
from app.stores.ledger.database import Database
from app.stores.unavailable import StoreUnavailable

ENDED_AFTER = timedelta(seconds=10)  # as docs/connecting.md says: enough to see the connection work first
_TIMEOUT = timedelta(seconds=1)  # of a call to the ledger


class DemoBanks:
    """All banks of a registration that have test customers."""

    def __init__(self, registry: Path, database: Database) -> None:
        registered = read_registry(registry, allow_demo=True)
        self._connections = ConnectionStore(database, registered.events_asked)
        self._customers = [
            (provider.provider_id, customer.subject)
            for provider in registered.providers.values()
            for customer in provider.sandbox_customers
            if customer.trouble is SandboxTrouble.ENDED
        ]

    def end_connections(self, *, now: datetime) -> None:
        """Ends the connections of these customers that are older than ENDED_AFTER.

        When the ledger does not answer, they are ended by a later call.
        """
        with suppress(StoreUnavailable):
            for provider_id, subject in self._customers:
                for connection in self._connections.active_of(provider_id, subject, now=now):
                    if now >= connection.grant.approved_at + ENDED_AFTER:
                        consent_id = connection.grant.consent_id
                        self._connections.withdraw(consent_id, None, actor=Actor.OPERATOR, now=now)


@contextmanager
def demo_banks(registry: Path, ledger_url: str) -> Iterator[DemoBanks]:
    """The banks of a demo, with a connection to its ledger, which must be migrated already."""
    database = Database(ledger_url, timeout=_TIMEOUT)
    try:
        yield DemoBanks(registry, database)
    finally:
        database.close()
