"""What one consent costs: four requests, and at most six round trips to Redis; two more for a pushed request."""

import re
from pathlib import Path
from typing import Any

import pytest
from redis.connection import AbstractConnection

from app.development.embedded import EmbeddedValkey
from app.settings import Settings
from tests.support.applications import Clock, a_browser, make_app, make_settings
from tests.support.builders import EVERYTHING, a_query
from tests.support.customer import BrowserCustomer, all_accounts, answer_params, carried_params, hidden_fields
from tests.support.fapi import PAR, FapiRecipient
from tests.support.ledger_tables import LedgerTables
from tests.support.page_contract import parse_page
from tests.support.registrations import DEMO_REGISTRY

MOST_ROUND_TRIPS = 6


def count_round_trips(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Has an entry for each time that something was sent to Redis, from now on."""
    sent: list[int] = []
    send = AbstractConnection.send_packed_command

    def count(connection: AbstractConnection, command: Any, *args: Any, **kwargs: Any) -> None:
        sent.append(1)
        send(connection, command, *args, **kwargs)  # type: ignore[no-untyped-call]  # redis-py

    monkeypatch.setattr(AbstractConnection, "send_packed_command", count)
    return sent


@pytest.fixture
def without_accounts(tmp_path: Path) -> Path:
    """The demo's registration, of whose banks none lists accounts."""
    path = tmp_path / "registry.toml"
    text = DEMO_REGISTRY.read_text(encoding="utf-8")
    path.write_text(re.sub(r"(?m)^accounts = \{ from = .*\n", "", text), encoding="utf-8")
    return path


@pytest.mark.usefixtures("redis_client")
def test_a_consent_of_a_signed_in_browser_takes_four_requests_and_six_round_trips(
    valkey: EmbeddedValkey,
    ledger_url: str,
    signing_keys: Path,
    clock: Clock,
    without_accounts: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """With every limit and the metrics on, as in production."""
    settings = make_settings(
        valkey.url,
        ledger_url,
        signing_keys,
        authorize_rate=600,
        token_rate=6000,
        wrong_secrets=100,
        metrics_address="127.0.0.1:9100",
        registry=without_accounts,
    )
    client = a_browser(make_app(settings, clock))
    customer = BrowserCustomer(client)
    customer.redeem(customer.approve())  # signs in, and opens the connection to Redis

    sent = count_round_trips(monkeypatch)
    begun = client.get(
        f"/api/v1/authorize?{a_query(scope=' '.join(EVERYTHING))}",
        environ_overrides={"REMOTE_ADDR": "192.0.2.1"},
    )
    form = parse_page(client.get(begun.location).text)
    answer = client.post(
        begun.location,
        data={**hidden_fields(form, begun.location), "decision": "approve", "scope": "STATEMENTS"},
    )
    assert customer.redeem(answer_params(answer)["code"]).status_code == 200
    assert 0 < len(sent) <= MOST_ROUND_TRIPS


def test_choosing_accounts_takes_no_more_than_its_pages(
    settings: Settings, clock: Clock, recorded: LedgerTables, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Three more: the list comes with the session, so that its page takes one, and the choice two."""
    client = a_browser(make_app(settings, clock))
    customer = BrowserCustomer(client)
    customer.redeem(customer.approve("INVESTMENTS", scope="ACCOUNT_BASIC INVESTMENTS"))
    sent = count_round_trips(monkeypatch)
    begun = client.get(f"/api/v1/authorize?{a_query(scope='ACCOUNT_BASIC STATEMENTS')}")
    page = parse_page(client.get(begun.location).text)
    request_id = begun.location.split("/")[2]
    chosen = client.post(begun.location, data=all_accounts(page, request_id))
    form = parse_page(client.get(chosen.location).text)
    answer = client.post(
        chosen.location,
        data={**hidden_fields(form, chosen.location), "decision": "approve", "scope": "STATEMENTS"},
    )
    assert customer.redeem(answer_params(answer)["code"]).status_code == 200
    (grant,) = recorded.rows("grants", ended_at=None)
    assert grant["resources"] is not None
    assert len(sent) <= MOST_ROUND_TRIPS + 3


def test_the_way_of_fapi_takes_two_round_trips_more_and_none_at_the_token_endpoint(
    settings: Settings, clock: Clock, without_accounts: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The push and its opening; the uses of assertions and proofs are noted with what is asked anyway."""
    client = a_browser(make_app(settings.model_copy(update={"registry": without_accounts}), clock))
    fapi = FapiRecipient(client, clock)
    fapi.tokens()  # signs in, and opens the connection to Redis
    sent = count_round_trips(monkeypatch)
    scope = "ACCOUNT_BASIC TRANSACTIONS CUSTOMER_PERSONAL"
    address = fapi.pushed(headers=fapi.proof("POST", PAR), scope=scope)
    assert len(sent) == 1
    begun = client.get(address)
    form = parse_page(client.get(begun.location).text)
    answer = client.post(
        begun.location,
        data={**hidden_fields(form, begun.location), "decision": "approve", "scope": "CUSTOMER_PERSONAL"},
    )
    before = len(sent)
    assert fapi.redeem(carried_params(answer.location)["code"]).status_code == 200
    assert len(sent) - before == 1
    assert len(sent) <= MOST_ROUND_TRIPS + 2
