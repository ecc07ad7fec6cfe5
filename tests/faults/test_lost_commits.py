"""A redemption is recorded, and the word that it is gets lost: the retry that Accord asks for loses no consent."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import make_url
from werkzeug.test import TestResponse

from app.development.embedded import EmbeddedValkey
from app.stores.ledger import migrations
from app.stores.redis import client as redis
from tests.support.applications import Clock, a_browser, make_app, make_settings, services_of
from tests.support.customer import BUDGET, BrowserCustomer, basic, hidden_fields
from tests.support.expected_pages import check_json
from tests.support.ledger_tables import LedgerTables
from tests.support.page_contract import parse_page
from tests.support.postgres import PostgresServer
from tests.support.proxy import Proxy, to_socket

SHORT = timedelta(milliseconds=300)
TOLD_TO_WAIT = timedelta(seconds=10)

Ask = Callable[[], TestResponse]


@pytest.fixture
def ledger_url(postgres: PostgresServer) -> str:
    url = postgres.new_database()
    migrations.upgrade(url)
    return url


@pytest.fixture
def way(ledger_url: str) -> Iterator[Proxy]:
    url = make_url(ledger_url)
    with Proxy(to_socket(f"{url.query['host']}/.s.PGSQL.{url.port or 5432}")) as proxy:
        yield proxy


@pytest.fixture
def customer(
    valkey: EmbeddedValkey,
    redis_client: redis.Redis,
    ledger_url: str,
    way: Proxy,
    signing_keys: Path,
    clock: Clock,
) -> Iterator[BrowserCustomer]:
    """In front of a server whose ledger is behind the proxy."""
    url = make_url(ledger_url).set(host="127.0.0.1", port=way.port).difference_update_query(["host"])
    through = url.render_as_string(hide_password=False)
    settings = make_settings(valkey.url, through, signing_keys, store_timeout=SHORT)
    app = make_app(settings, clock)
    client = a_browser(app)
    yield BrowserCustomer(client)
    services_of(app).tokens.ledger.close()


def tells_to_come_back(response: TestResponse) -> None:
    check_json(response, "temporarily_unavailable", status=503)
    assert int(response.headers["Retry-After"]) == TOLD_TO_WAIT.total_seconds()


def test_a_redemption_whose_commit_got_no_answer_looks_whether_it_happened(
    customer: BrowserCustomer, way: Proxy, recorded: LedgerTables
) -> None:
    code = customer.approve()
    way.lose_the_next_redemption()
    tokens = customer.redeem(code)
    assert way.lost == 1
    assert tokens.status_code == 200
    assert len(recorded["refresh_tokens"]) == 1
    assert customer.refresh(tokens.get_json()["refresh_token"]).status_code == 200


def test_a_retry_that_we_asked_for_gets_the_tokens_and_the_connection_stands(
    customer: BrowserCustomer, way: Proxy, clock: Clock, recorded: LedgerTables
) -> None:
    code = customer.approve()
    way.lose_the_next_redemption(then_cut=True)
    tells_to_come_back(customer.redeem(code))
    (lost,) = recorded["refresh_tokens"]
    for _ in range(12):
        clock.advance(TOLD_TO_WAIT)
        tells_to_come_back(customer.redeem(code))
    way.mend()
    clock.advance(TOLD_TO_WAIT)
    tokens = customer.redeem(code)
    assert tokens.status_code == 200, "two minutes after a code that lives for one"
    (grant,) = recorded["grants"]
    assert grant["ended_at"] is None
    (kept,) = recorded["refresh_tokens"]
    assert kept["token_hash"] != lost["token_hash"]
    assert customer.refresh(tokens.get_json()["refresh_token"]).status_code == 200


def test_once_the_tokens_were_given_the_code_is_spent_as_ever(
    customer: BrowserCustomer, way: Proxy, clock: Clock, recorded: LedgerTables
) -> None:
    code = customer.approve()
    way.lose_the_next_redemption(then_cut=True)
    tells_to_come_back(customer.redeem(code))
    way.mend()
    clock.advance(TOLD_TO_WAIT)
    tokens = customer.redeem(code).get_json()
    check_json(customer.redeem(code), "invalid_grant", status=400)
    check_json(customer.refresh(tokens["refresh_token"]), "invalid_grant", status=400)
    (grant,) = recorded["grants"]
    assert grant["ended_at"] is not None


class Answer:
    """The customer's, to a form that is open."""

    def __init__(self, customer: BrowserCustomer) -> None:
        self._customer = customer
        self._request_id = customer.signed_in_request()
        form = customer.form(self._request_id)
        self._fields = hidden_fields(form, f"/consent/{self._request_id}")

    def __call__(self) -> TestResponse:
        return self._customer.post_answer(self._request_id, self._fields, "approve")


def redeemed(customer: BrowserCustomer) -> dict[str, str]:
    tokens: dict[str, str] = customer.redeem(customer.approve()).get_json()
    return tokens


def to_refresh(customer: BrowserCustomer) -> Ask:
    return partial(customer.refresh, redeemed(customer)["refresh_token"])


def to_revoke(customer: BrowserCustomer) -> Ask:
    token = {"token": redeemed(customer)["refresh_token"]}
    return partial(customer.client.post, "/api/v1/revoke", data=token, headers=basic(*BUDGET))


def to_end_it(customer: BrowserCustomer) -> Ask:
    bearer = {"Authorization": f"Bearer {redeemed(customer)['access_token']}"}
    return partial(customer.client.delete, "/api/v1/revoke", headers=bearer)


def to_stop(customer: BrowserCustomer) -> Ask:
    redeemed(customer)
    (consent_id,) = customer.connections()
    address = f"/connections/{consent_id}"
    page = parse_page(customer.client.get(f"{address}?stop=all").text)
    fields = {**hidden_fields(page, address), "stop": "all"}
    return partial(customer.client.post, address, data=fields)


@pytest.mark.parametrize(
    ("prepare", "status", "ends"),
    [
        pytest.param(Answer, 302, False, id="an answer"),
        pytest.param(to_refresh, 200, False, id="a refresh"),
        pytest.param(to_revoke, 200, True, id="a revocation"),
        pytest.param(to_end_it, 204, True, id="a revocation by DELETE"),
        pytest.param(to_stop, 303, True, id="a stop"),
    ],
)
def test_whatever_else_was_recorded_without_an_answer_may_be_asked_again(
    customer: BrowserCustomer,
    way: Proxy,
    recorded: LedgerTables,
    prepare: Callable[[BrowserCustomer], Ask],
    status: int,
    ends: bool,
) -> None:
    ask = prepare(customer)
    way.lose_the_next_commit(then_cut=True)
    assert ask().status_code == 503
    assert way.lost == 1
    way.mend()
    assert ask().status_code == status
    (grant,) = recorded["grants"]
    assert (grant["ended_at"] is not None) is ends
