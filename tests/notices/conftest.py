"""A deliverer, and the ledger that it empties."""

from collections.abc import Callable
from pathlib import Path

import pytest

from app.domain.registry import Client, DataProvider
from app.stores.ledger.ledger import Ledger
from tests.support.applications import Clock
from tests.support.delivering import Delivering, a_deliverer
from tests.support.ledger_tables import LedgerTables

Deliver = Callable[..., Delivering]


@pytest.fixture
def keys(signing_keys: Path, tmp_path: Path) -> Path:
    """A file of keys that the test may change."""
    path = tmp_path / "signing_keys.json"
    path.write_bytes(signing_keys.read_bytes())
    path.chmod(0o600)
    return path


@pytest.fixture
def deliver(ledger: Ledger, keys: Path, clock: Clock) -> Deliver:
    """Makes a deliverer for these recipients and banks."""

    def make(*parties: Client | DataProvider) -> Delivering:
        return a_deliverer(ledger, keys, clock, *parties)

    return make


@pytest.fixture
def database(ledger_url: str) -> LedgerTables:
    return LedgerTables(ledger_url)
