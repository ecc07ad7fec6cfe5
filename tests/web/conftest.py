"""The same stores under a changed registration, and a server as in production."""

from collections.abc import Callable
from pathlib import Path

import pytest

from app.development.embedded import EmbeddedValkey
from app.domain.tokens import hash_secret
from app.stores.redis import client as redis
from tests.conftest import DEMO_REGISTRY, Clock, make_app, make_settings
from tests.page_contract import ContractClient


@pytest.fixture
def register(
    valkey: EmbeddedValkey, ledger_url: str, signing_keys: Path, clock: Clock, tmp_path: Path
) -> Callable[..., ContractClient]:
    """Serves the same stores with an edited registration file; returns a client of that server."""

    def serve(*edits: tuple[str, str], browser: ContractClient | None = None) -> ContractClient:
        text = DEMO_REGISTRY.read_text(encoding="utf-8")
        for old, new in edits:
            assert old in text, f"the registration file has no {old}"
            text = text.replace(old, new, 1)
        path = tmp_path / "registry.toml"
        path.write_text(text, encoding="utf-8")
        app = make_app(make_settings(valkey.url, ledger_url, signing_keys, registry=path), clock)
        client = app.test_client()
        assert isinstance(client, ContractClient)
        if browser is not None:
            client.bring_cookies_of(browser)
        return client

    return serve


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
    registry, secret_file = tmp_path / "production.toml", tmp_path / "bank_secret"
    secret_file.write_text("a secret that the bank gave")
    text = PRODUCTION_REGISTRY.format(secret_file=secret_file, secret_hash=hash_secret("budget-secret"))
    registry.write_text(text, encoding="utf-8")
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
