"""A deliverer, the ledger that it empties, and recipients that it sends to."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from threading import Thread

import pytest

from app.domain.networks import LOOPBACK
from app.domain.notice_registration import NoticesRegistration
from app.domain.registry import Client
from app.notices.deliverer import Deliverer
from app.stores.keys import SigningKeys
from app.stores.ledger.deliveries import DeliveryStore
from app.stores.ledger.ledger import Ledger
from tests.support.applications import Clock
from tests.support.builders import NOON, a_client, a_registry
from tests.support.ledger_tables import LedgerTables
from tests.support.notices import put_notices
from tests.support.receiver import Receiver

ISSUER = "https://consent.bank.example"


def told_at(receiver: Receiver, client_id: str = "dc-budget") -> Client:
    """A recipient that has registered the address of `receiver`."""
    return a_client(client_id=client_id, notices=NoticesRegistration(receiver.address))


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


Deliver = Callable[..., Delivering]


@pytest.fixture
def keys(signing_keys: Path, tmp_path: Path) -> Path:
    path = tmp_path / "signing_keys.json"
    path.write_bytes(signing_keys.read_bytes())
    path.chmod(0o600)
    return path


@pytest.fixture
def deliver(ledger: Ledger, keys: Path, clock: Clock) -> Deliver:
    """Makes a deliverer for these recipients, which are on loopback."""

    def make(*clients: Client) -> Delivering:
        return Delivering(
            Deliverer(
                DeliveryStore(ledger.database),
                SigningKeys(keys),
                a_registry(*clients),
                issuer=ISSUER,
                opened=LOOPBACK,
                clock=clock,
            )
        )

    return make


def put_due(database: LedgerTables, *ids: str, client_id: str = "dc-budget") -> None:
    """Writes notices that have been due since a moment before NOON."""
    put_notices(database, *ids, client_id=client_id, happened_at=NOON - timedelta(seconds=1))


@pytest.fixture
def database(ledger_url: str) -> LedgerTables:
    return LedgerTables(ledger_url)
