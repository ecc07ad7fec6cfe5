"""The same stores under a changed registration."""

from collections.abc import Callable
from pathlib import Path

import pytest

from app.development.embedded import EmbeddedValkey
from tests.support.applications import Clock, a_browser, make_app, make_settings
from tests.support.page_contract import ContractClient
from tests.support.registrations import DEMO_REGISTRY


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
        client = a_browser(app)
        if browser is not None:
            client.bring_cookies_of(browser)
        return client

    return serve
