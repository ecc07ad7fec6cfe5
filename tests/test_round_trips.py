"""What one consent costs: four requests, and at most six round trips to Redis."""

from pathlib import Path
from typing import Any

import pytest
from redis.connection import AbstractConnection

from app.development.embedded import EmbeddedValkey
from tests.support.applications import Clock, a_browser, make_app, make_settings
from tests.support.builders import EVERYTHING, a_query
from tests.support.customer import BrowserCustomer, answer_params, hidden_fields
from tests.support.page_contract import parse_page

MOST_ROUND_TRIPS = 6


@pytest.mark.usefixtures("redis_client")
def test_a_consent_of_a_signed_in_browser_takes_four_requests_and_six_round_trips(
    valkey: EmbeddedValkey,
    ledger_url: str,
    signing_keys: Path,
    clock: Clock,
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
    )
    client = a_browser(make_app(settings, clock))
    customer = BrowserCustomer(client)
    customer.redeem(customer.approve())  # signs in, and opens the connection to Redis

    sent: list[int] = []
    send = AbstractConnection.send_packed_command

    def count(connection: AbstractConnection, command: Any, *args: Any, **kwargs: Any) -> None:
        sent.append(1)
        send(connection, command, *args, **kwargs)  # type: ignore[no-untyped-call]  # redis-py

    monkeypatch.setattr(AbstractConnection, "send_packed_command", count)
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
