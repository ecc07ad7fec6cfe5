"""The cookie of a session: which is believed, who gets one, and how it is bound to the host."""

import json
import pickle
from pathlib import Path

import pytest
from flask import Flask
from werkzeug.http import dump_cookie

from app.development.embedded import EmbeddedValkey
from app.stores.redis import client as redis
from tests.support.applications import Clock, a_browser, make_app, make_settings
from tests.support.builders import a_query
from tests.support.customer import BUDGET, BrowserCustomer, basic
from tests.support.expected_pages import check_error_page, check_page
from tests.support.page_contract import ContractClient

AUTHORIZE = "/api/v1/authorize"


# Cookies that are not ours


@pytest.mark.parametrize(
    "cookie",
    [
        "",
        "junk",
        "a.b",
        "." * 100,
        "x" * 4000,
        pickle.dumps({"customers": {}}).hex(),
        '"quoted; and more"',
        "é\u202e😀",
        "\x01\x02",
        "session:*",
        "null",
        json.dumps({"browser": "x", "customers": {"1000": {"subject": "maple-0001"}}}),
    ],
)
def test_a_cookie_that_we_did_not_sign_is_an_anonymous_visitor(app: Flask, cookie: str) -> None:
    request_id = BrowserCustomer(a_browser(app)).signed_in_request()
    header = {"Cookie": dump_cookie("accord", cookie).partition("; ")[0]}
    client = app.test_client(use_cookies=False)
    begun = client.get(f"{AUTHORIZE}?{a_query()}", headers=header)
    assert begun.location.startswith("/sign-in/")
    assert "accord=" in begun.headers["Set-Cookie"]
    page = client.get(f"/consent/{request_id}", headers=header)
    check_page(page, "request_lost" if cookie else "cookies_blocked", "en", status=404)


@pytest.mark.parametrize(
    "raw", ["accord=\xff\xfe", "accord", "=;;==; accord", "accord=a; accord=b", "\x00", "a" * 8000]
)
def test_a_malformed_cookie_header_is_an_anonymous_visitor(app: Flask, raw: str) -> None:
    client = app.test_client(use_cookies=False)
    response = client.get(f"{AUTHORIZE}?{a_query()}", environ_overrides={"HTTP_COOKIE": raw})
    assert response.location.startswith("/sign-in/")


@pytest.mark.parametrize("change", ["last character", "no signature", "another key", "another id"])
def test_a_cookie_that_was_changed_is_an_anonymous_visitor(
    customer: BrowserCustomer, app: Flask, change: str
) -> None:
    request_id = customer.signed_in_request()
    cookie = customer.client.get_cookie("accord")
    assert cookie is not None
    ours = cookie.value
    session_id, _, signature = ours.partition(".")
    changed = {
        "last character": ours[:-2] + ("A" if ours[-2] != "A" else "B") + ours[-1],
        "no signature": session_id,
        "another key": f"{session_id}.{'A' * len(signature)}",
        "another id": f"{'A' * 32}.{signature}",
    }[change]
    check_page(a_browser(app, cookie=changed).get(f"/consent/{request_id}"), "request_lost", "en", status=404)


# Who gets a cookie


@pytest.mark.parametrize(
    "path",
    [
        "/.well-known/oauth-authorization-server",
        "/.well-known/jwks.json",
        "/healthz",
        "/readyz",
        "/nothing",
        "/",
    ],
)
def test_what_machines_ask_for_sets_no_cookie_and_reads_no_session(
    customer: BrowserCustomer, redis_client: redis.Redis, path: str
) -> None:
    fresh = customer.client.get(path)
    customer.begin()
    known = customer.client.get(path)
    for response in (fresh, known):
        assert "Set-Cookie" not in response.headers
        assert "Cookie" not in response.headers.get("Vary", "")
    redis_client.config_resetstat()
    customer.client.get(path)
    assert "cmdstat_getex" not in redis_client.info("commandstats")


@pytest.mark.parametrize("path", ["/api/v1/token", "/api/v1/introspect", "/api/v1/revoke"])
def test_the_machine_endpoints_set_no_cookie(customer: BrowserCustomer, path: str) -> None:
    customer.begin()
    fields = {"grant_type": "client_credentials", "scope": "client:admin", "token": "unknown"}
    response = customer.client.post(path, data=fields, headers=basic(*BUDGET))
    assert response.status_code == 200
    assert "Set-Cookie" not in response.headers
    assert "Vary" not in response.headers


def test_a_page_for_one_browser_is_kept_by_no_cache(customer: BrowserCustomer) -> None:
    request_id = customer.signed_in_request()
    for response in (
        customer.client.get(f"/consent/{request_id}"),
        customer.client.get(f"/consent/{request_id}x"),
        customer.answer(request_id, "approve"),
        customer.client.get(f"/consent/{request_id}"),
    ):
        assert response.headers["Cache-Control"] == "no-store"
        assert response.headers["Vary"] == "Cookie"


# Over https


@pytest.fixture
def https_client(
    valkey: EmbeddedValkey, redis_client: redis.Redis, ledger_url: str, signing_keys: Path, clock: Clock
) -> ContractClient:
    settings = make_settings(valkey.url, ledger_url, signing_keys, issuer="https://localhost:8000")
    client = a_browser(make_app(settings, clock))
    client.base_url = "https://localhost:8000"
    return client


def test_over_https_the_cookie_is_bound_to_the_host_and_secure(https_client: ContractClient) -> None:
    response = https_client.get(f"{AUTHORIZE}?{a_query()}")
    name, _, rest = response.headers["Set-Cookie"].partition("=")
    assert name == "__Host-accord"
    assert rest.partition("; ")[2] == "Secure; HttpOnly; Path=/; SameSite=Lax"


def test_over_https_a_plain_cookie_is_not_looked_at(https_client: ContractClient) -> None:
    """Any page of a neighbouring host could set a cookie without the prefix."""
    begun = https_client.get(f"{AUTHORIZE}?{a_query()}")
    value = begun.headers["Set-Cookie"].partition("=")[2].partition(";")[0]
    other = https_client.application.test_client(use_cookies=False)
    response = other.get(begun.location, headers={"Host": "localhost:8000", "Cookie": f"accord={value}"})
    check_error_page(response, "cookies_blocked", "en", status=404)
