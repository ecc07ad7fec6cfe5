"""One Accord, one recipient and one browser of each engine for all journeys; every test has its own cookies."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from app.development.embedded import EmbeddedValkey
from app.stores.ledger import migrations
from tests.engines.chromium import Chromium
from tests.engines.firefox import Firefox
from tests.engines.recipient import Recipient
from tests.engines.tab import Engine
from tests.engines.tab_customer import TabCustomer
from tests.engines.webkit import WebKit
from tests.support.registrations import DEMO_REGISTRY
from tests.support.running_accord import RunningAccord

ENGINES: dict[str, Callable[[], AbstractContextManager[Engine]]] = {
    "chromium": Chromium,
    "firefox": Firefox,
    "webkit": WebKit,
}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "engine" in metafunc.fixturenames:
        chosen = metafunc.config.getoption("engine") or ["chromium", "firefox"]
        metafunc.parametrize("engine", chosen, indirect=True, scope="package")


@pytest.fixture(scope="package")
def engine(request: pytest.FixtureRequest) -> Iterator[Engine]:
    with ENGINES[request.param]() as running:
        yield running


@pytest.fixture(scope="package")
def recipient(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Recipient]:
    with Recipient(tmp_path_factory.mktemp("recipient")) as listening:
        yield listening


@pytest.fixture(scope="package")
def accord(
    tmp_path_factory: pytest.TempPathFactory, recipient: Recipient, signing_keys: Path
) -> Iterator[RunningAccord]:
    """With the demo's registry, in which the recipient has its callbacks here."""
    folder = tmp_path_factory.mktemp("accord")
    ledger_url = f"sqlite:///{folder / 'ledger.sqlite3'}"
    migrations.upgrade(ledger_url)
    registered = ", ".join(f'"{callback.redirect_uri}"' for callback in recipient.callbacks.values())
    registry = folder / "registry.toml"
    registry.write_text(DEMO_REGISTRY.read_text().replace('"http://localhost:8001/callback"', registered))
    with (
        EmbeddedValkey(folder / "valkey") as valkey,
        RunningAccord(
            folder / "accord.log",
            redis_url=valkey.url,
            ledger_url=ledger_url,
            signing_keys=signing_keys,
            ACCORD_REGISTRY=str(registry),
        ) as running,
    ):
        yield running


@pytest.fixture
def callback() -> str:
    """The kind that is the hardest to reach, for a test that does not name others."""
    return "https and onward"


@pytest.fixture(params=[True, False], ids=["with JavaScript", "without JavaScript"])
def javascript(request: pytest.FixtureRequest) -> bool:
    """The test runs once in a browser with JavaScript and once without."""
    return bool(request.param)


@pytest.fixture
def customer(
    engine: Engine, accord: RunningAccord, recipient: Recipient, callback: str, *, javascript: bool
) -> Iterator[TabCustomer]:
    recipient.received.clear()
    with engine.new_tab(javascript=javascript) as tab:
        yield TabCustomer(tab, accord, recipient, recipient.callbacks[callback])
