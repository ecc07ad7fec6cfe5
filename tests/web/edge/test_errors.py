"""The one exit for what goes wrong: a page for people, JSON for machines, a reference number for operators."""

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest

from app.settings import Settings
from tests.support import texts
from tests.support.applications import Clock, Logged, a_browser, make_app
from tests.support.builders import a_query
from tests.support.customer import BUDGET, BrowserCustomer, basic
from tests.support.expected_pages import (
    check_error_page,
    check_json,
    check_page,
    complaints_page,
    ways_out,
)
from tests.support.page_contract import ContractClient, parse_page


def broken_clock() -> datetime:
    """Something unexpected that happens in the middle of a view."""
    raise RuntimeError("the exception says secret-text")


@pytest.fixture
def broken(settings: Settings) -> ContractClient:
    """A server with the same stores in which something unexpected happens."""
    return a_browser(make_app(settings, broken_clock))


@pytest.mark.parametrize("has_help", [True, False])
def test_where_the_bank_has_help_the_page_leads_there(
    register: Callable[..., ContractClient], clock: Clock, has_help: bool, lang: str
) -> None:
    help_pages = {"en": "https://maple.example/help", "fr": "https://maple.example/fr/aide"}
    line = f'help = {{ en = "{help_pages["en"]}", fr = "{help_pages["fr"]}" }}\n'
    customer = BrowserCustomer(register() if has_help else register((line, "")))
    request_id = customer.signed_in_request(lang=lang)
    clock.advance(timedelta(minutes=16))
    response = customer.client.get(f"/consent/{request_id}")
    page = check_error_page(response, "request_expired", lang, status=410)
    links = page.one("main").all("a", id="help")
    assert [link.attributes["href"] for link in links] == ([help_pages[lang]] if has_help else [])


# Pages that are not there


@pytest.mark.parametrize(
    "path", ["/nothing", "/consent", "/consent/", "/sign-in", "/consent/a/b", "/static/nothing.css"]
)
def test_an_address_that_leads_nowhere_is_a_page(client: ContractClient, path: str, lang: str) -> None:
    page = check_error_page(client.get(f"{path}?lang={lang}"), "not_found", lang, status=404)
    assert ways_out(page) == [complaints_page(lang)]


@pytest.mark.parametrize("path", ["/api/v1/nothing", "/api", "/.well-known/nothing", "/api/v1/authorize/"])
def test_an_address_for_machines_that_leads_nowhere_is_json(client: ContractClient, path: str) -> None:
    response = client.get(path, headers={"Accept": "application/json"})
    check_json(response, "invalid_request", status=404)


@pytest.mark.parametrize("path", ["/api/v1/nothing", "/.well-known/nothing"])
def test_machines_get_json_whatever_they_prefer(client: ContractClient, path: str) -> None:
    check_json(client.get(path, headers={"Accept": "text/html"}), "invalid_request", status=404)


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("POST", "/api/v1/authorize", "GET, HEAD"),
        ("GET", "/api/v1/token", "POST"),
        ("GET", "/sign-out", "POST"),
        ("DELETE", "/consent/x", "GET, HEAD, POST"),
        ("PUT", "/sign-in/x", "GET, HEAD, POST"),
        ("POST", "/healthz", "GET, HEAD"),
        ("OPTIONS", "/consent/x", "GET, HEAD, POST"),
        ("TRACE", "/consent/x", "GET, HEAD, POST"),
    ],
)
def test_a_method_that_is_not_allowed_is_answered_with_those_that_are(
    client: ContractClient, method: str, path: str, allowed: str
) -> None:
    response = client.open(path, method=method)
    assert response.status_code == 405
    assert response.headers["Allow"] == allowed


def test_what_is_in_the_address_is_text_on_the_page(client: ContractClient) -> None:
    response = client.get('/<script>alert(1)</script>?lang=en&x="><script>alert(1)</script>')
    page = check_error_page(response, "not_found", "en", status=404)
    [script] = page.all("script")
    assert script.attributes["src"].startswith("/static/accord.")


@pytest.mark.parametrize(
    "path", ["//evil.example", "/\\evil.example", "///evil.example/..", "/%5cevil.example"]
)
def test_the_switch_to_the_other_language_leads_to_no_other_host(client: ContractClient, path: str) -> None:
    response = client.get("/", environ_overrides={"PATH_INFO": path.replace("%5c", "\\")})
    switch = parse_page(response.text).one("a", hreflang="fr").attributes["href"]
    assert switch.startswith("/")
    assert not switch.startswith(("//", "/\\"))


def test_the_page_in_the_other_language_is_the_same_page(client: ContractClient) -> None:
    switch = parse_page(client.get("/nothing?a=1&a=2&lang=en").text).one("a", hreflang="fr")
    assert switch.attributes["href"] == "/nothing?lang=fr"
    check_error_page(client.get(switch.attributes["href"]), "not_found", "fr", status=404)


def test_a_request_that_is_lost_is_told_in_the_language_that_this_browser_speaks(
    customer: BrowserCustomer, lang: str
) -> None:
    customer.begin(lang=lang)
    check_error_page(customer.client.get("/consent/never-was"), "request_lost", lang, status=404)


def test_in_production_the_start_page_is_not_there(production: ContractClient, lang: str) -> None:
    check_error_page(production.get(f"/?lang={lang}"), "not_found", lang, status=404)


# Something unexpected


@pytest.mark.parametrize("page", ["consent", "sign-in"])
def test_something_unexpected_is_a_page_that_says_nothing_of_what_it_was(
    customer: BrowserCustomer, broken: ContractClient, page: str, lang: str
) -> None:
    request_id = customer.begin(lang=lang)
    broken.bring_cookies_of(customer.client)
    response = broken.get(f"/{page}/{request_id}?lang={lang}")
    answer = check_error_page(response, "unexpected", lang, status=500)
    assert ways_out(answer) == [complaints_page(lang)]
    for secret in ("secret-text", "RuntimeError", "Traceback", "broken_clock", ".py"):
        assert secret not in response.text


def test_something_unexpected_at_the_token_endpoint_is_json(broken: ContractClient) -> None:
    fields = {"grant_type": "refresh_token", "refresh_token": "x"}
    response = broken.post("/api/v1/token", data=fields, headers=basic(*BUDGET))
    check_json(response, "server_error", status=500)
    assert "secret-text" not in response.text


def test_the_reference_number_on_the_page_finds_the_log_lines(logged: Logged, settings: Settings) -> None:
    client = a_browser(make_app(settings, broken_clock))
    response = client.get(f"/api/v1/authorize?{a_query(client_id='nobody')}")
    assert texts.REFERENCE_NUMBER.beginning["en"] in response.text
    broken_answer = client.post(
        "/api/v1/token", data={"grant_type": "refresh_token", "refresh_token": "x"}, headers=basic(*BUDGET)
    )
    lines = logged()
    by_trace = {line["trace_id"]: line for line in lines}
    refused = by_trace[response.headers["ob-trace-id"]]
    assert refused["error"] == "invalid_client"
    digits = response.headers["ob-trace-id"][:12].upper()
    assert f"{digits[:4]}-{digits[4:8]}-{digits[8:]}" in response.text
    unexpected = by_trace[broken_answer.headers["ob-trace-id"]]
    assert unexpected["exception"] == "RuntimeError"
    assert any("broken_clock" in place for place in unexpected["at"])
    assert "secret-text" not in str(lines)


# For whom


def test_a_person_gets_a_page_and_a_program_json_at_the_same_address(
    customer: BrowserCustomer, register: Callable[..., ContractClient]
) -> None:
    request_id = customer.signed_in_request()
    suspended = register(
        ('client_id = "dc-budget"', 'client_id = "dc-budget"\nsuspended = true'), browser=customer.client
    )
    check_page(suspended.get(f"/consent/{request_id}"), "unsafe_client", "en", status=400)
    response = suspended.get(f"/consent/{request_id}", headers={"Accept": "application/json"})
    assert response.status_code == 400
    assert response.mimetype == "application/json"
