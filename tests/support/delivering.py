"""A deliverer, the notices that it finds, and the recipients that it sends to."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from threading import Thread

from app.domain.networks import LOOPBACK
from app.domain.notice_registration import FOR_BANKS, NoticesRegistration
from app.domain.registry import Client, DataProvider
from app.notices.deliverer import Deliverer
from app.stores.ledger.deliveries import DeliveryStore
from app.stores.ledger.ledger import Ledger
from app.stores.signing_keys import SigningKeys
from tests.support.builders import NOON, a_client, a_provider, a_registry
from tests.support.ledger_tables import LedgerTables
from tests.support.notices import put_notices
from tests.support.receiver import Receiver

ISSUER = "https://consent.bank.example"


def client_told_at(receiver: Receiver, client_id: str = "dc-budget") -> Client:
    """A recipient that has registered the address of `receiver`."""
    return a_client(client_id=client_id, notices=NoticesRegistration(receiver.address))


def bank_told_at(receiver: Receiver, provider_id: str = "1000") -> DataProvider:
    """A bank that has registered the address of `receiver`."""
    return a_provider(provider_id=provider_id, notices=NoticesRegistration(receiver.address, FOR_BANKS))


@dataclass
class Delivering:
    """A deliverer on a ledger and with a clock of its own."""

    deliverer: Deliverer

    def once(self) -> None:
        """Claims what is due, and sends it."""
        answers = iter([False])
        self.deliverer.run(lambda: next(answers, True))

    @contextmanager
    def running(self) -> Iterator[None]:
        """It works inside the block, as a process of its own would."""
        is_stopping = False
        thread = Thread(target=lambda: self.deliverer.run(lambda: is_stopping))
        thread.start()
        try:
            yield
        finally:
            is_stopping = True
            thread.join()


def a_deliverer(
    ledger: Ledger, keys: Path, clock: Callable[[], datetime], *parties: Client | DataProvider
) -> Delivering:
    """One for these recipients and banks, which may be on loopback."""
    return Delivering(
        Deliverer(
            DeliveryStore(ledger.database),
            SigningKeys(keys),
            a_registry(*parties),
            issuer=ISSUER,
            opened=LOOPBACK,
            clock=clock,
        )
    )


def put_due(database: LedgerTables, *ids: str, client_id: str = "dc-budget") -> None:
    """Writes notices that have been due since a moment before NOON."""
    put_notices(database, *ids, client_id=client_id, happened_at=NOON - timedelta(seconds=1))
