"""In which language a page is when its address does not say, and when no store can be asked."""

from datetime import timedelta
from pathlib import Path

import pytest
from flask import Flask

from app.stores.redis import client as redis
from tests.support import texts
from tests.support.applications import Clock, a_browser
from tests.support.builders import a_query
from tests.support.customer import BrowserCustomer, hidden_fields
from tests.support.expected_pages import (
    HEADINGS,
    check_error_page,
    check_page,
    complaints_page,
    ways_out,
)
from tests.support.machine_requests import failing_server
from tests.support.page_contract import ContractClient

OTHER = {"en": "fr", "fr": "en"}
COMPLAINTS = {"en": "complaints", "fr": "fr/plaintes"}


def switch_on_the_form(customer: BrowserCustomer, request_id: str, lang: str) -> None:
    address = f"/consent/{request_id}"
    fields = hidden_fields(customer.form(request_id), address)
    response = customer.client.post(address, data={**fields, "language": lang})
    assert (response.status_code, response.location) == (303, address)


@pytest.mark.parametrize("path", ["/nothing", "/connections", "/connections/nothing", "/consent/nothing"])
def test_what_was_switched_to_on_the_form_is_what_this_browser_reads_from_then_on(
    customer: BrowserCustomer, path: str, lang: str
) -> None:
    request_id = customer.signed_in_request(lang=OTHER[lang])
    switch_on_the_form(customer, request_id, lang)
    assert customer.client.get(path).headers["Content-Language"] == f"{lang}-CA"


def test_a_request_that_names_no_language_is_in_english_whatever_was_read_before(
    customer: BrowserCustomer,
) -> None:
    customer.signed_in_request(lang="fr")
    for changes in ({}, {"client_id": "nobody"}, {"redirect_uri": "https://elsewhere.example/"}):
        answer = customer.client.get(f"/api/v1/authorize?{a_query(**changes)}", follow_redirects=True)
        assert answer.headers["Content-Language"] == "en-CA"


def test_ui_locales_are_read_where_the_request_has_no_lang(customer: BrowserCustomer, lang: str) -> None:
    """OpenID Connect Core 1.0, 3.1.2.1: the first that is spoken."""
    locales = {"en": "de en-CA fr", "fr": "de fr-CA en"}[lang]
    for changes in ({}, {"client_id": "nobody"}, {"redirect_uri": "https://elsewhere.example/"}):
        query = a_query(ui_locales=locales, **changes)
        answer = customer.client.get(f"/api/v1/authorize?{query}", follow_redirects=True)
        assert answer.headers["Content-Language"] == f"{lang}-CA"
    request_id = customer.begin(ui_locales="fr", lang="en")
    check_page(customer.client.get(f"/sign-in/{request_id}"), "sign_in", "en")


def test_head_switches_no_language(customer: BrowserCustomer) -> None:
    request_id = customer.signed_in_request()
    answer = customer.client.head(f"/consent/{request_id}?lang=fr")
    assert answer.headers["Content-Language"] == "fr-CA"
    check_page(customer.client.get(f"/consent/{request_id}"), "form", "en")


def test_a_head_request_does_not_change_the_language_of_the_session(customer: BrowserCustomer) -> None:
    customer.signed_in_request(lang="en")
    answer = customer.client.head("/connections?lang=fr")
    assert answer.headers["Content-Language"] == "fr-CA"
    check_page(customer.client.get("/connections"), "connections", "en")


@pytest.mark.parametrize("page", ["consent", "sign-in"])
@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("whose", ["its own", "another's", "nobody's"])
def test_a_session_that_is_over_is_told_in_the_customers_language_and_tells_nothing_of_any_request(
    customer: BrowserCustomer,
    redis_client: redis.Redis,
    app: Flask,
    page: str,
    method: str,
    whose: str,
    lang: str,
) -> None:
    """Not whether it lives, nor between whom: the cookie of a session that is over proves nothing any more."""
    own = customer.signed_in_request(lang=lang, state="not-for-everybody")
    redis_client.delete(*redis_client.scan_iter("session:*"))
    other = a_browser(app)
    others = BrowserCustomer(other).begin(lang=OTHER[lang], provider_id="2000")
    request_id = {"its own": own, "another's": others, "nobody's": "never-was"}[whose]
    response = customer.client.open(f"/{page}/{request_id}", method=method, data={"decision": "approve"})
    answer = check_error_page(response, "session_over", lang, status=404)
    assert ways_out(answer) == [complaints_page(lang)]
    for secret in ("not-for-everybody", "Budget", "Maple", "Northern", "Érable", "Nord"):
        assert secret not in response.text
    assert customer.approve() != ""


@pytest.mark.parametrize("page", ["consent", "sign-in"])
def test_without_a_cookie_every_request_gets_the_same_page_in_both_languages(
    customer: BrowserCustomer, app: Flask, page: str
) -> None:
    said = []
    for request_id in (customer.begin(lang="fr"), customer.begin(lang="en"), "never-was"):
        answer = check_error_page(
            app.test_client().get(f"/{page}/{request_id}"), "cookies_blocked", "en", status=404
        )
        french = answer.one("section", lang="fr-CA")
        assert french.one("h2").text == HEADINGS["cookies_blocked"]["fr"]
        assert french.all("p")[0].text == texts.NOTHING_NEW["fr"]
        said.append(answer.one("main").text.rpartition(texts.REFERENCE_NUMBER.beginning["en"])[0])
        said[-1] += french.text
    assert len(set(said)) == 1


def test_a_session_that_is_over_is_told_when_redis_has_forgotten_everything_too(
    customer: BrowserCustomer, redis_client: redis.Redis, lang: str
) -> None:
    request_id = customer.signed_in_request(lang=lang)
    redis_client.flushall()
    for path in (f"/consent/{request_id}", "/nothing", "/connections"):
        assert customer.client.get(path).headers["Content-Language"] == f"{lang}-CA"


def test_a_session_of_eight_hours_ends_in_the_middle_of_a_request(
    customer: BrowserCustomer, clock: Clock, lang: str
) -> None:
    customer.signed_in_request()
    clock.advance(timedelta(hours=7, minutes=50))
    request_id = customer.begin(lang=lang)
    clock.advance(timedelta(minutes=10))
    page = check_error_page(customer.client.get(f"/consent/{request_id}"), "session_over", lang, status=404)
    assert ways_out(page) == [complaints_page(lang)]


def test_a_language_in_a_cookie_that_we_did_not_sign_counts_for_nothing(app: Flask) -> None:
    stranger = a_browser(app)
    stranger.set_cookie("accord", f"{'x' * 32}.fr.{'y' * 43}")
    check_page(stranger.get("/nothing"), "not_found", "en", status=404)


def test_a_refused_form_is_the_banks_page_and_switches_to_the_form(
    customer: BrowserCustomer, lang: str
) -> None:
    request_id = customer.signed_in_request(lang=lang)
    response = customer.client.post(f"/consent/{request_id}", data={"decision": "approve"})
    page = check_error_page(response, "form_refused", lang, status=400, assurance=texts.NOTHING_RECORDED)
    assert "/complaints" in response.text or "/plaintes" in response.text
    switch = page.one("a", hreflang=OTHER[lang]).attributes["href"]
    check_page(customer.client.get(switch), "form", OTHER[lang])


def test_where_no_bank_is_known_the_page_to_choose_one_says_how_to_complain_to_each(
    client: ContractClient, lang: str
) -> None:
    page = check_page(client.get(f"/connections?lang={lang}"), "choose", lang)
    complaints = [link.attributes["href"] for link in page.all("a", rel="noreferrer")]
    word = {"en": "/complaints", "fr": "/plaintes"}[lang]
    assert [address.endswith(word) for address in complaints] == [True, True, True]


def test_a_page_about_no_bank_leads_to_one_that_says_how_to_complain_to_each(
    client: ContractClient, signing_keys: Path, clock: Clock, tmp_path: Path, lang: str
) -> None:
    page = check_page(client.get(f"/nothing?lang={lang}"), "not_found", lang, status=404)
    [address] = ways_out(page)
    nowhere = failing_server("redis://127.0.0.1:1/0", f"sqlite:///{tmp_path}/no/ledger", signing_keys, clock)
    for server in (client, nowhere):
        answer = server.get(address)
        complaints = ways_out(check_page(answer, "complaints", lang))
        assert complaints == [
            f"https://{bank}.example/{COMPLAINTS[lang]}" for bank in ("maple", "northern", "harbour")
        ]
        assert "Set-Cookie" not in answer.headers


def test_a_page_about_a_missing_file_is_kept_by_no_cache_since_it_is_in_one_language(
    customer: BrowserCustomer, lang: str
) -> None:
    customer.signed_in_request(lang=lang)
    response = customer.client.get("/static/nothing.css")
    check_page(response, "not_found", lang, status=404)
    assert "no-store" in response.headers.get("Cache-Control", "")


MARKED = "marked-guess"


@pytest.mark.parametrize("name", ["guess", "stop", "answer", "failed", "at", "lang", "%00"])
def test_no_page_of_a_customers_repeats_what_somebody_else_put_into_its_address(
    customer: BrowserCustomer, name: str
) -> None:
    """Who chose it could tell from the sizes of compressed pages what else is on them."""
    customer.approve("TRANSACTIONS")
    (consent_id,) = customer.connections()
    request_id = customer.signed_in_request()
    pages = [
        "/connections",
        f"/connections/{consent_id}",
        f"/connections/{consent_id}?stop=TRANSACTIONS",
        f"/consent/{request_id}",
        "/connections/sign-in/2000",
        f"/sign-in/{customer.begin(provider_id='2000')}",
        "/sign-in/callback/3000",
    ]
    for page in pages:
        response = customer.client.get(f"{page}{'&' if '?' in page else '?'}{name}={MARKED}")
        assert response.mimetype == "text/html", page
        assert MARKED not in response.text, page
