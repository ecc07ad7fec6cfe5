"""A bank's issuer changes in the registration: the same subject may be another person."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from flask import Flask

from app.development.embedded import EmbeddedValkey
from app.stores.redis import client as redis
from tests.support.applications import Clock, a_browser, make_app, make_settings
from tests.support.customer import BrowserCustomer
from tests.support.expected_pages import check_error_page
from tests.support.oidc_server import OidcServer
from tests.support.page_contract import parse_page
from tests.support.registrations import with_bank

HARBOUR = "3000"
ACCORD = "http://localhost:8000"

Serve = Callable[..., Flask]


@pytest.fixture
def servers(clock: Clock) -> Iterator[list[OidcServer]]:
    """The one before and the one after, each of which has a customer `alex`."""
    with OidcServer(now=clock) as before, OidcServer(now=clock) as after:
        after.customer = {"sub": "alex", "name": "Alex Roy"}
        yield [before, after]


@pytest.fixture
def serve(
    valkey: EmbeddedValkey,
    redis_client: redis.Redis,
    ledger_url: str,
    signing_keys: Path,
    clock: Clock,
    tmp_path: Path,
) -> Serve:
    """Serves the same stores, with another server of the third bank."""

    def serve_with(bank: OidcServer, *former: OidcServer) -> Flask:
        names = ", ".join(f'"{one.issuer}"' for one in former)
        text = with_bank(bank.issuer)
        text = text.replace(
            'demo_client_secret = "harbour-demo-secret"',
            f'demo_client_secret = "harbour-demo-secret", former_issuers = [{names}]',
        )
        path = tmp_path / "registry.toml"
        path.write_text(text, encoding="utf-8")
        return make_app(make_settings(valkey.url, ledger_url, signing_keys, registry=path), clock)

    return serve_with


def follow(customer: BrowserCustomer, bank: OidcServer, address: str) -> str:
    """Signs in at the bank from `address`; where that ends."""
    location = bank.sign_in(customer.client.get(address).location)
    return customer.client.get(location.removeprefix(ACCORD)).location


def connected(app: Flask, bank: OidcServer) -> BrowserCustomer:
    """A customer of the bank who shares something."""
    customer = BrowserCustomer(a_browser(app))
    request_id = customer.begin(provider_id=HARBOUR)
    assert follow(customer, bank, f"/sign-in/{request_id}") == f"/consent/{request_id}"
    assert "code=" in customer.answer(request_id, "approve").location
    assert len(customer.connections()) == 1
    return customer


def test_another_issuers_customer_with_the_same_subject_is_not_let_in(
    serve: Serve, servers: list[OidcServer], lang: str
) -> None:
    before, after = servers
    connected(serve(before), before)
    stranger = BrowserCustomer(a_browser(serve(after)))
    address = f"/connections/sign-in/{HARBOUR}?lang={lang}"
    location = after.sign_in(stranger.client.get(address).location)
    response = stranger.client.get(location.removeprefix(ACCORD))
    check_error_page(response, "bank_unavailable", lang, status=503)
    assert stranger.connections() == []
    request_id = stranger.begin(provider_id=HARBOUR)
    assert stranger.client.get(f"/consent/{request_id}").location == f"/sign-in/{request_id}"


def test_back_with_the_issuer_before_everything_is_as_it_was(serve: Serve, servers: list[OidcServer]) -> None:
    before, after = servers
    (consent_id,) = connected(serve(before), before).connections()
    stranger = BrowserCustomer(a_browser(serve(after)))
    after.sign_in(stranger.client.get(f"/connections/sign-in/{HARBOUR}").location)
    again = BrowserCustomer(a_browser(serve(before)))
    assert follow(again, before, f"/connections/sign-in/{HARBOUR}") == "/connections"
    assert again.connections() == [consent_id]


def test_who_was_signed_in_by_the_issuer_before_is_nobody_now(
    serve: Serve, servers: list[OidcServer]
) -> None:
    before, after = servers
    customer = connected(serve(before), before)
    later = BrowserCustomer(a_browser(serve(after)))
    later.client.bring_cookies_of(customer.client)
    assert later.connections() == []
    request_id = later.begin(provider_id=HARBOUR)
    assert later.client.get(f"/consent/{request_id}").location == f"/sign-in/{request_id}"


@pytest.mark.parametrize("to_the_first", [True, False])
def test_a_sign_in_under_way_to_the_issuer_before_ends_there(
    serve: Serve, servers: list[OidcServer], to_the_first: bool
) -> None:
    """What one server answered is not brought to the other, whoever has customers in the ledger."""
    before, after = servers
    customer = BrowserCustomer(a_browser(serve(before)))
    request_id = customer.begin(provider_id=HARBOUR)
    location = before.sign_in(customer.client.get(f"/sign-in/{request_id}").location)
    later = BrowserCustomer(a_browser(serve(after, *([before] if to_the_first else []))))
    later.client.bring_cookies_of(customer.client)
    response = later.client.get(location.removeprefix(ACCORD))
    page = check_error_page(response, "bank_unavailable", "en", status=503)
    assert after.token_requests == []
    assert follow(later, after, page.one("a", id="try-again").attributes["href"]).endswith(request_id)


def test_where_the_registration_says_that_they_are_the_same_people_they_go_on(
    serve: Serve, servers: list[OidcServer]
) -> None:
    before, after = servers
    (consent_id,) = connected(serve(before), before).connections()
    later = BrowserCustomer(a_browser(serve(after, before)))
    assert follow(later, after, f"/connections/sign-in/{HARBOUR}") == "/connections"
    assert later.connections() == [consent_id]
    assert "Alex Roy" in parse_page(later.client.get("/connections").text).text
