"""Redis changes hands in the middle of a flow: it ends well without a restart, and nothing happens twice.

Replication is asynchronous, so what Redis says after a failover may be old news: a code that was redeemed can
be back. The ledger decides.
"""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from werkzeug.test import TestResponse

from app.settings import Settings
from tests.support.applications import Clock, a_browser, make_app, make_settings
from tests.support.customer import BrowserCustomer, answer_params, hidden_fields
from tests.support.expected_pages import check_json
from tests.support.ledger_tables import LedgerTables
from tests.support.redis_servers import PATIENCE, SentinelSet, ValkeyCluster, commands_to


@pytest.fixture
def sentinel_set(tmp_path: Path) -> Iterator[SentinelSet]:
    with SentinelSet(tmp_path / "sentinel") as running:
        yield running


@pytest.fixture
def settings(sentinel_set: SentinelSet, ledger_url: str, signing_keys: Path) -> Settings:
    return make_settings(sentinel_set.url, ledger_url, signing_keys)


def until_it_works(ask: Callable[[], TestResponse]) -> TestResponse:
    """The first answer that is not 503: what a person gets who tries again."""
    deadline = time.monotonic() + PATIENCE
    while (answer := ask()).status_code == 503:
        assert time.monotonic() < deadline, "it never healed"
        time.sleep(0.1)
    return answer


def test_a_primary_that_dies_between_the_form_and_the_answer_costs_a_second_try(
    customer: BrowserCustomer, sentinel_set: SentinelSet, recorded: LedgerTables
) -> None:
    redeemed_before = customer.approve(provider_id="2000")
    tokens = customer.redeem(redeemed_before)
    request_id = customer.signed_in_request()
    fields = hidden_fields(customer.form(request_id), f"/consent/{request_id}")
    fallen = sentinel_set.primary
    assert commands_to(fallen.port or 0).wait(2, 5000) == 2, "both replicas have all of it"

    fallen.kill()
    assert customer.client.get("/readyz").status_code == 503
    answer = until_it_works(lambda: customer.post_answer(request_id, fields, "approve"))

    assert sentinel_set.primary is not fallen
    code = answer_params(answer)["code"]
    assert customer.redeem(code).status_code == 200
    check_json(customer.redeem(code), "invalid_grant", status=400)
    check_json(customer.redeem(redeemed_before), "invalid_grant", status=400)
    assert customer.refresh(tokens.get_json()["refresh_token"]).status_code == 400, "it was replayed"
    assert len(recorded["decisions"]) == len(recorded["grants"]) == 2
    assert customer.client.get("/readyz").status_code == 200


def test_a_whole_flow_works_on_a_cluster(
    tmp_path: Path, ledger_url: str, signing_keys: Path, clock: Clock
) -> None:
    with ValkeyCluster(tmp_path / "cluster") as cluster:
        client = a_browser(make_app(make_settings(cluster.url, ledger_url, signing_keys), clock))
        customer = BrowserCustomer(client)
        code = customer.approve()
        assert customer.redeem(code).status_code == 200
        check_json(customer.redeem(code), "invalid_grant", status=400)
        assert client.get("/readyz").status_code == 200
