"""Real stores for every test: Valkey in a folder of its own, a ledger in a SQLite file, keys made here."""

import json
import logging
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import hypothesis
import pytest
import structlog
from flask import Flask

from app.development.embedded import EmbeddedValkey
from app.logs import set_up_logging
from app.settings import Settings
from app.stores.key_rotation import generate_signing_keys
from app.stores.ledger import migrations
from app.stores.ledger.ledger import Ledger
from app.stores.redis import client as redis
from tests.support.applications import Clock, Logged, a_browser, make_app, make_settings
from tests.support.customer import BrowserCustomer
from tests.support.ledger_tables import LedgerTables
from tests.support.other_languages import add_two_languages, run, translate
from tests.support.page_contract import ContractClient
from tests.support.postgres import PostgresServer
from tests.support.registrations import write_production_registry
from tests.support.screens import LANGUAGES, ShownScreen, gallery_client, show_screens

# How long an example takes says how busy the machine is, and nothing about the code.
hypothesis.settings.register_profile(
    "any machine", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("any machine")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--booted", action="store_true", help="run tests/booted, under a systemd of its own")
    parser.addoption(
        "--engine",
        action="append",
        choices=["chromium", "firefox", "webkit"],
        help="a browser engine for tests/engines, once or more; Chromium and Firefox when none is named",
    )


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """What needs root and systemd is run by itself: `make test-systemd`."""
    return True if collection_path.name == "booted" and not config.getoption("--booted") else None


@pytest.fixture(autouse=True)
def logging_of_one_test() -> Iterator[None]:
    """An application sets logging up for the whole process, and so for the tests after its own."""
    root = logging.getLogger()
    handlers, level, configuration = root.handlers[:], root.level, structlog.get_config()
    yield
    structlog.contextvars.clear_contextvars()
    structlog.configure(**configuration)
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.fixture
def logged(capsys: pytest.CaptureFixture[str]) -> Logged:
    """The entries of the log since it was last asked. Each is a line of printable ASCII."""
    set_up_logging()

    def entries() -> list[dict[str, Any]]:
        captured = capsys.readouterr()
        assert captured.out == ""
        assert captured.err.replace("\n", "").isprintable()
        assert captured.err.isascii()
        return [json.loads(line) for line in captured.err.splitlines()]

    return entries


@pytest.fixture(scope="session")
def valkey(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedValkey]:
    """One server for all tests; `stores_client` wipes it before each."""
    with EmbeddedValkey(tmp_path_factory.mktemp("valkey")) as server:
        yield server


@pytest.fixture(scope="session")
def signing_keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("keys") / "signing_keys.json"
    generate_signing_keys(path)
    return path


@pytest.fixture(scope="session")
def empty_ledger(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated ledger without a row, to be copied."""
    path = tmp_path_factory.mktemp("ledger") / "empty.sqlite3"
    migrations.upgrade(f"sqlite:///{path}")
    return path


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """One server for all tests that ask for it; each asks it for a database."""
    with PostgresServer() as server:
        server.forgo_durability()
        yield server


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def redis_client(valkey: EmbeddedValkey) -> Iterator[redis.Redis]:
    client = redis.connect(valkey.url, timeout=timedelta(seconds=1))
    client.flushall()
    yield client
    client.close()


@pytest.fixture
def ledger_url(empty_ledger: Path, tmp_path: Path) -> str:
    path = tmp_path / "ledger.sqlite3"
    path.write_bytes(empty_ledger.read_bytes())
    return f"sqlite:///{path}"


@pytest.fixture
def ledger(ledger_url: str) -> Ledger:
    return Ledger(ledger_url, timeout=timedelta(seconds=1))


@pytest.fixture
def settings(
    valkey: EmbeddedValkey, redis_client: redis.Redis, ledger_url: str, signing_keys: Path
) -> Settings:
    return make_settings(valkey.url, ledger_url, signing_keys)


@pytest.fixture
def app(settings: Settings, clock: Clock) -> Flask:
    return make_app(settings, clock)


@pytest.fixture
def client(app: Flask) -> ContractClient:
    """A browser or a machine, with an empty cookie jar."""
    return a_browser(app)


@pytest.fixture
def customer(client: ContractClient) -> BrowserCustomer:
    return BrowserCustomer(client)


@pytest.fixture(scope="session")
def every_screen() -> list[ShownScreen]:
    """Every page in every state as HTML, in English and in French."""
    with gallery_client() as client:
        return list(show_screens(client, *LANGUAGES))


@pytest.fixture(scope="session")
def four_languages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Every screen as a file, of an Accord in English, French, Arabic and Cree."""
    folder = tmp_path_factory.mktemp("four_languages")
    add_two_languages(folder)
    for language, mark in (("ar", "نص"), ("cr", "ᐁᑯᓯ")):
        translate(folder / "translations" / language / "LC_MESSAGES" / "messages.po", mark)
    run(folder, "flask", "catalogues", "check", str(folder / "translations"))
    run(folder, "tools.gallery", str(folder / "gallery"))
    return folder / "gallery"


@pytest.fixture(params=["en", "fr"])
def lang(request: pytest.FixtureRequest) -> str:
    """The test runs once in each language."""
    return str(request.param)


@pytest.fixture
def recorded(ledger_url: str) -> LedgerTables:
    """What is on record."""
    return LedgerTables(ledger_url)


@pytest.fixture
def production(
    valkey: EmbeddedValkey,
    redis_client: redis.Redis,
    ledger_url: str,
    signing_keys: Path,
    clock: Clock,
    tmp_path: Path,
) -> ContractClient:
    """A browser in front of a server as in production: https, a bank's own sign-in, nothing of the demo."""
    registry = write_production_registry(tmp_path)
    settings = make_settings(
        valkey.url,
        ledger_url,
        signing_keys,
        environment="production",
        issuer="https://consent.bank.example",
        registry=registry,
    )
    client = a_browser(make_app(settings, clock))
    client.base_url = "https://consent.bank.example"
    return client
