"""Where the list of accounts of a request is: beside the session, or at the bank."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from app.development.embedded import EmbeddedValkey
from app.domain.accounts import LONGEST_KEPT, AccountList
from app.stores.redis import client as redis
from app.web.consent.account_list import AtTheBank, NoList, find_accounts
from app.web.consent.open_request import open_request
from tests.support.applications import Clock, a_browser, make_app, make_settings
from tests.support.customer import BrowserCustomer, hidden_fields
from tests.support.page_contract import parse_page
from tests.support.registrations import with_accounts

Serve = Callable[..., BrowserCustomer]


@pytest.fixture
def serve(
    valkey: EmbeddedValkey,
    ledger_url: str,
    signing_keys: Path,
    clock: Clock,
    tmp_path: Path,
    redis_client: redis.Redis,
) -> Serve:
    """Serves a registration, whose first bank has the accounts of the sandbox unless it is said otherwise."""

    def start(text: str = with_accounts()) -> BrowserCustomer:  # the file does not change
        registry = tmp_path / "registry.toml"
        registry.write_text(text, encoding="utf-8")
        settings = make_settings(valkey.url, ledger_url, signing_keys, registry=registry)
        return BrowserCustomer(a_browser(make_app(settings, clock)))

    return start


def found_by(customer: BrowserCustomer, request_id: str) -> AccountList | AtTheBank | NoList:
    """What a page of this request finds."""
    with customer.client as client:
        client.get(f"/consent/{request_id}")
        return find_accounts(open_request(request_id))


def names_in(found: AccountList | AtTheBank | NoList) -> list[str]:
    assert isinstance(found, AccountList)
    return [account.name for account in found.accounts]


def test_a_test_customers_accounts_are_kept_when_they_sign_in(
    serve: Serve, redis_client: redis.Redis
) -> None:
    customer = serve()
    request_id = customer.signed_in_request()
    assert len(redis_client.keys("accounts:*")) == 1
    assert names_in(found_by(customer, request_id))[:3] == ["Everyday chequing", "Household", "Rainy day"]


def test_a_list_that_is_too_old_is_asked_for_again(
    serve: Serve, redis_client: redis.Redis, clock: Clock
) -> None:
    customer = serve()
    request_id = customer.signed_in_request()
    first = found_by(customer, request_id)
    clock.advance(LONGEST_KEPT - timedelta(seconds=1))
    assert found_by(customer, request_id) == first
    clock.advance(timedelta(seconds=1))
    again = found_by(customer, request_id)
    assert isinstance(first, AccountList)
    assert isinstance(again, AccountList)
    assert again.fetched_at - first.fetched_at == LONGEST_KEPT
    assert again.list_hash == first.list_hash


def test_a_list_that_redis_has_forgotten_is_asked_for_again(serve: Serve, redis_client: redis.Redis) -> None:
    customer = serve()
    request_id = customer.signed_in_request()
    first = found_by(customer, request_id)
    redis_client.delete(*redis_client.keys("accounts:*"))
    assert found_by(customer, request_id) == first
    assert len(redis_client.keys("accounts:*")) == 1


def test_signing_out_forgets_the_list(serve: Serve, redis_client: redis.Redis) -> None:
    customer = serve()
    customer.signed_in_request()
    page = parse_page(customer.client.get("/connections").text)
    customer.client.post("/sign-out", data=hidden_fields(page, "/sign-out"))
    assert redis_client.keys("accounts:*") == []


def test_who_signs_in_to_see_connections_is_asked_for_no_accounts(
    serve: Serve, redis_client: redis.Redis
) -> None:
    customer = serve()
    address = "/connections/sign-in/1000"
    page = parse_page(customer.client.get(address).text)
    fields = {**hidden_fields(page, address), "user_name": "alex", "password": "maple-syrup"}
    assert customer.client.post(address, data=fields).status_code == 303
    assert redis_client.keys("accounts:*") == []
