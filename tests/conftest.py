"""Real stores for every test: Valkey in a folder of its own, a ledger in a SQLite file, keys made here."""

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from flask import Flask
from jinja2.bccache import Bucket, BytecodeCache

from app import create_app
from app.development.embedded import EmbeddedValkey
from app.domain.tokens import hash_secret
from app.settings import Settings
from app.stores.keys import generate_signing_keys
from app.stores.ledger import migrations
from app.stores.ledger.ledger import Ledger
from app.stores.redis import client as redis
from tests.builders import NOON, SECRET_KEY
from tests.customer import BrowserCustomer
from tests.ledger_tables import LedgerTables
from tests.page_contract import ContractClient
from tests.postgres import PostgresServer

if TYPE_CHECKING:
    from tests.screens import ShownScreen

ROOT = Path(__file__).resolve().parent.parent
DEMO_REGISTRY = ROOT / "registry" / "demo.toml"


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


class Clock:
    """The time of a test, which moves when the test says so."""

    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> datetime:
        return self.now

    def advance(self, span: timedelta) -> None:
        self.now += span


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


def make_settings(redis_url: str, ledger_url: str, signing_keys: Path, **changes: Any) -> Settings:
    values: dict[str, Any] = {
        "environment": "development",
        "issuer": "http://localhost:8000",
        "redis_url": redis_url,
        "ledger_url": ledger_url,
        "registry": DEMO_REGISTRY,
        "signing_keys": signing_keys,
        "secret_key": SECRET_KEY,
    }
    return Settings(**{**values, **changes})


@pytest.fixture
def app(settings: Settings, clock: Clock) -> Flask:
    return make_app(settings, clock)


class CompiledTemplates(BytecodeCache):
    """Keeps what compiling gave: each test has an application of its own, and all have the same templates."""

    def __init__(self) -> None:
        self._kept: dict[str, bytes] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        if bucket.key in self._kept:
            bucket.bytecode_from_string(self._kept[bucket.key])

    def dump_bytecode(self, bucket: Bucket) -> None:
        self._kept[bucket.key] = bucket.bytecode_to_string()


COMPILED_TEMPLATES = CompiledTemplates()


def make_app(settings: Settings, clock: Callable[[], datetime]) -> Flask:
    app = create_app(settings, clock=clock)
    app.jinja_env.bytecode_cache = COMPILED_TEMPLATES
    app.test_client_class = ContractClient
    return app


@pytest.fixture
def client(app: Flask) -> ContractClient:
    """A browser or a machine, with an empty cookie jar."""
    client = app.test_client()
    assert isinstance(client, ContractClient)
    return client


@pytest.fixture
def customer(client: ContractClient) -> BrowserCustomer:
    return BrowserCustomer(client)


@pytest.fixture(scope="session")
def every_screen() -> "list[ShownScreen]":
    """Every page in every state as HTML, in English and in French."""
    from tests.screens import LANGUAGES, gallery_client, show_screens  # which imports this module

    with gallery_client() as client:
        return list(show_screens(client, *LANGUAGES))


@pytest.fixture(scope="session")
def four_languages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Every screen as a file, of an Accord in English, French, Arabic and Cree."""
    from tests.other_languages import add_two_languages, run, translate  # which imports this module

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


PRODUCTION_REGISTRY = """
[[providers]]
provider_id = "1000"
name = {{ en = "Maple Credit Union", fr = "Caisse Érable" }}
country = "CA"
colour = "#8c1d2f"
clusters = ["ACCOUNT_BASIC", "TRANSACTIONS"]
audience = "https://api.maple.example"
complaints = {{ en = "https://maple.example/complaints", fr = "https://maple.example/fr/plaintes" }}
sign_in = "oidc"
oidc = {{ issuer = "https://sign-in.maple.example", client_id = "accord", client_secret_file = "{secret_file}" }}

[[recipients]]
client_id = "dc-budget"
secret_sha256 = "{secret_hash}"
name = {{ en = "Budget Compass", fr = "Boussole Budget" }}
legal_name = {{ en = "Budget Compass Technologies Inc.", fr = "Technologies Boussole Budget inc." }}
site = {{ en = "https://budget.example", fr = "https://budget.example/fr" }}
privacy_policy = {{ en = "https://budget.example/privacy", fr = "https://budget.example/fr/confidentialite" }}
terms = {{ en = "https://budget.example/terms", fr = "https://budget.example/fr/conditions" }}
redirect_uris = ["https://budget.example/callback"]
clusters = ["ACCOUNT_BASIC", "TRANSACTIONS"]
needs = ["ACCOUNT_BASIC"]
consent_days = 365
providers = {{ "1000" = "ACTIVE" }}
"""


def write_production_registry(folder: Path) -> Path:
    """A registration in `folder` that production takes: a bank with a sign-in of its own, and one recipient."""
    registry, secret_file = folder / "production.toml", folder / "bank_secret"
    secret_file.write_text("a secret that the bank gave")
    text = PRODUCTION_REGISTRY.format(secret_file=secret_file, secret_hash=hash_secret("budget-secret"))
    registry.write_text(text, encoding="utf-8")
    return registry


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
    client = make_app(settings, clock).test_client()
    assert isinstance(client, ContractClient)
    client.base_url = "https://consent.bank.example"
    return client
