"""The rights that the documentation gives Accord's login at Redis are enough for a flow, and not for everything."""

import re
from pathlib import Path

import pytest

from app.development.embedded import EmbeddedValkey
from app.stores.redis import client as redis
from app.stores.unavailable import StoreUnavailable
from tests.support.applications import Clock, a_browser, make_app, make_settings
from tests.support.customer import BrowserCustomer
from tests.support.ports import free_port
from tests.support.redis_servers import commands_to
from tests.support.registrations import with_accounts
from tests.support.repository import ROOT

DOCUMENTED = (ROOT / "docs" / "operating.md").read_text(encoding="utf-8")


def test_a_flow_needs_no_other_rights_than_the_documented_ones(
    tmp_path: Path, ledger_url: str, signing_keys: Path, clock: Clock
) -> None:
    found = re.search(r"needs no more than `([^`]+)`", DOCUMENTED)
    assert found
    with EmbeddedValkey(tmp_path / "valkey", port=free_port()) as server:
        server_commands = commands_to(server.port or 0)
        server_commands.execute_command(
            "ACL", "SETUSER", "accord", "on", ">a-password", "~*", *found[1].split()
        )
        url = f"redis://accord:a-password@127.0.0.1:{server.port}/0"
        registry = tmp_path / "registry.toml"
        registry.write_text(with_accounts(), encoding="utf-8")
        settings = make_settings(
            url, ledger_url, signing_keys, registry=registry, authorize_rate=100, token_rate=100
        )
        client = a_browser(make_app(settings, clock))
        customer = BrowserCustomer(client)
        request_id = customer.begin()
        # With one account there is nothing to choose; that it is kept counts here.
        assert customer.sign_in(request_id, user_name="sam", password="wrong").status_code == 400
        assert customer.sign_in(request_id, user_name="sam").status_code == 303
        assert customer.redeem(customer.approve()).status_code == 200
        assert client.get("/readyz").status_code == 200
        assert server_commands.execute_command("ACL", "LOG") == []
        connected = redis.connect(url, timeout=settings.store_timeout)
        with pytest.raises(StoreUnavailable), redis.guarded(connected):
            connected.flushall()
