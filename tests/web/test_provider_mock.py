"""Sign-in at an OpenID Connect server that somebody else wrote (oidc-provider-mock), the one of `make run`."""

import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import requests

from app.development.embedded import EmbeddedValkey, start_child, stop_child
from app.stores.redis import client as redis
from app.web.consent.open_request import open_request
from examples.harbour.customers import accounts_of
from tests.support.applications import a_browser, make_app, make_settings
from tests.support.customer import BrowserCustomer
from tests.support.expected_pages import check_error_page, check_page
from tests.support.ports import free_port
from tests.support.registrations import with_accounts, with_bank
from tests.support.waiting import wait_until

PATIENCE = 10


def answers(issuer: str) -> bool:
    try:
        return requests.get(f"{issuer}/.well-known/openid-configuration", timeout=PATIENCE).ok
    except requests.ConnectionError:
        return False


@pytest.fixture(scope="module")
def issuer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where it answers, with alex and sam among its customers."""
    port = free_port()
    customers = ['{"sub": "alex", "name": "Alex Tremblay"}', '{"sub": "sam", "given_name": "Sam"}']
    arguments = ["--port", str(port), "--require-nonce", "true"]
    arguments += [f"--user-claims={customer}" for customer in customers]
    log = tmp_path_factory.mktemp("bank") / "bank.log"
    process = start_child([sys.executable, "-m", "oidc_provider_mock", *arguments], log=log)
    try:
        wait_until(lambda: answers(f"http://localhost:{port}"))
        yield f"http://localhost:{port}"
    finally:
        stop_child(process, seconds=PATIENCE)


@pytest.fixture
def customer(
    valkey: EmbeddedValkey,
    redis_client: redis.Redis,
    ledger_url: str,
    signing_keys: Path,
    tmp_path: Path,
    issuer: str,
) -> BrowserCustomer:
    path = tmp_path / "registry.toml"
    path.write_text(with_bank(issuer), encoding="utf-8")
    settings = make_settings(valkey.url, ledger_url, signing_keys, registry=path)
    client = a_browser(make_app(settings, lambda: datetime.now(UTC)))  # the other server has the real time
    return BrowserCustomer(client)


def press(url: str, **fields: str) -> str:
    """What the bank's page at `url` answers to a button: the way back to Accord."""
    assert requests.get(url, timeout=PATIENCE).ok
    response = requests.post(url, data=fields, allow_redirects=False, timeout=PATIENCE)
    assert response.is_redirect, response.text
    return response.headers["Location"].removeprefix("http://localhost:8000")


@pytest.mark.parametrize(("subject", "name"), [("alex", "Alex Tremblay"), ("sam", "Sam")])
def test_its_customers_come_to_the_form(
    customer: BrowserCustomer, subject: str, name: str, lang: str
) -> None:
    request_id = customer.begin(provider_id="3000", lang=lang)
    response = customer.client.get(press(customer.client.get(f"/sign-in/{request_id}").location, sub=subject))
    assert response.location == f"/consent/{request_id}"
    assert name in check_page(customer.client.get(response.location), "form", lang).text


def test_its_refusal_belongs_to_no_sign_in_and_the_request_stays_open(
    customer: BrowserCustomer, lang: str
) -> None:
    """It leaves `state` out, which RFC 6749 4.1.2.1 requires: the one sign-in that is open can be tried again."""
    request_id = customer.begin(provider_id="3000", lang=lang)
    url = customer.client.get(f"/sign-in/{request_id}").location
    check_error_page(customer.client.get(press(url, action="deny")), "not_signed_in", lang, status=400)
    again = customer.client.get(f"/sign-in/{request_id}")
    assert customer.client.get(press(again.location, sub="alex")).status_code == 303


@pytest.fixture(scope="module")
def harbour(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where the example bank answers."""
    port = free_port()
    log = tmp_path_factory.mktemp("harbour") / "bank.log"
    process = start_child([sys.executable, "-m", "examples.harbour", str(port)], log=log)
    try:
        wait_until(lambda: answers(f"http://localhost:{port}"))
        yield f"http://localhost:{port}"
    finally:
        stop_child(process, seconds=PATIENCE)


def test_the_example_bank_tells_the_accounts_of_whoever_has_signed_in(
    valkey: EmbeddedValkey,
    redis_client: redis.Redis,
    ledger_url: str,
    signing_keys: Path,
    tmp_path: Path,
    harbour: str,
) -> None:
    address = "http://localhost:8002/fdx/v6/accounts?resultType=lightweight"
    text = with_accounts(f'{{ from = "fdx", as = "customer", address = "{address}" }}', of="3000")
    path = tmp_path / "registry.toml"
    path.write_text(text.replace("http://localhost:8002", harbour), encoding="utf-8")
    settings = make_settings(valkey.url, ledger_url, signing_keys, registry=path)
    customer = BrowserCustomer(a_browser(make_app(settings, lambda: datetime.now(UTC))))
    request_id = customer.begin(provider_id="3000")
    with customer.client as client:
        back = press(client.get(f"/sign-in/{request_id}").location, sub="alex")
        assert client.get(back).status_code == 303
        client.get("/openapi.yaml")
        found = open_request(request_id).accounts
    assert found is not None
    assert {account.account_id: account.name for account in found.accounts} == {
        account["account_id"]: account["name"] for account in accounts_of("alex")
    }
    assert found.left_out == 0


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer nobodys"}])
def test_the_example_bank_tells_nobody_else(harbour: str, headers: dict[str, str]) -> None:
    response = requests.get(f"{harbour}/fdx/v6/accounts", headers=headers, timeout=PATIENCE)
    assert response.status_code in {requests.codes.bad_request, requests.codes.unauthorized}
    assert "acc-" not in response.text
