"""Sign-in at a bank's own server: there and back, and everything that can go wrong on the way.

The bank is tests/support/oidc_server.py, over real HTTP; tests/sign_in/test_provider_mock.py is about somebody else's server.
"""

import json
import math
import threading
import time
from base64 import urlsafe_b64encode
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from joserfc import jws
from joserfc.jwk import RSAKey
from werkzeug.test import Cookie, TestResponse

from app.development.embedded import EmbeddedValkey
from app.stores.redis import client as redis
from tests.support import texts
from tests.support.applications import Clock, Logged, a_browser, make_app, make_settings
from tests.support.customer import BrowserCustomer, carried_params, hidden_fields
from tests.support.expected_pages import check_error_page, check_page
from tests.support.oidc_server import (
    CLIENT_ID,
    CLIENT_SECRET,
    KEYS,
    METADATA,
    TOKEN,
    OidcServer,
    Trick,
    a_key,
    announce_too_much,
    cut,
    drip,
    flood,
    garble,
    hang,
    hang_up,
    say,
)
from tests.support.page_contract import ContractClient, Element, parse_page
from tests.support.ports import free_port
from tests.support.registrations import with_bank
from tests.support.waiting import wait_until

HARBOUR = "3000"
SHORT = timedelta(milliseconds=400)  # for what must run into its time limit
TRY_AGAIN = texts.TRY_AGAIN
SEE_CONNECTIONS = texts.SIGN_IN_TO_SEE

Serve = Callable[..., ContractClient]


@pytest.fixture
def bank(clock: Clock) -> Iterator[OidcServer]:
    with OidcServer(now=clock) as running:
        yield running


@pytest.fixture
def serve(
    valkey: EmbeddedValkey,
    redis_client: redis.Redis,
    ledger_url: str,
    signing_keys: Path,
    clock: Clock,
    tmp_path: Path,
    bank: OidcServer,
) -> Serve:
    """Serves a registration in which the third bank is `bank`, or another one."""

    def serve_bank(issuer: str = bank.issuer, **settings: object) -> ContractClient:
        text = with_bank(issuer)
        path = tmp_path / "registry.toml"
        path.write_text(text, encoding="utf-8")
        made = make_settings(valkey.url, ledger_url, signing_keys, registry=path, **settings)
        return a_browser(make_app(made, clock))

    return serve_bank


@pytest.fixture
def customer(serve: Serve) -> BrowserCustomer:
    return BrowserCustomer(serve())


def another_browser(client: ContractClient) -> ContractClient:
    """In front of the same server, with an empty cookie jar."""
    return a_browser(client.application)


def begin(customer: BrowserCustomer, **changes: str | None) -> str:
    return customer.begin(provider_id=HARBOUR, **changes)


def leave(customer: BrowserCustomer, address: str) -> str:
    """Where the sign-in at `address` sends the browser: an address at the bank."""
    response = customer.client.get(address)
    assert response.status_code == 302, response.text
    return response.location


def come_back(customer: BrowserCustomer, location: str) -> TestResponse:
    assert location.startswith(f"http://localhost:8000/sign-in/callback/{HARBOUR}?")
    return customer.client.get(location.removeprefix("http://localhost:8000"))


def sign_in(customer: BrowserCustomer, bank: OidcServer, request_id: str) -> TestResponse:
    """From the request to the bank and back."""
    return come_back(customer, bank.sign_in(leave(customer, f"/sign-in/{request_id}")))


def check_nobody_signed_in(
    customer: BrowserCustomer, request_id: str, response: TestResponse, lang: str = "en", *, status: int
) -> Element:
    """A page that says so and leads back to the same request, and no new session."""
    page = check_error_page(response, page_of(status), lang, status=status)
    assert session_in(customer.client.get_cookie("accord")) == session_in(response.request.cookies["accord"])
    again = page.one("a", id="try-again")
    assert again.text == TRY_AGAIN[lang]
    assert again.attributes["href"] == f"/sign-in/{request_id}?at=bank"
    assert carried_params(page.one("a", id="way-back").attributes["href"])["error"] == "access_denied"
    assert customer.client.get(f"/consent/{request_id}").location == f"/sign-in/{request_id}"
    return page


def session_in(cookie: Cookie | str | None) -> str:
    """The id that a cookie carries, before the language and the signature."""
    assert cookie is not None
    return (cookie if isinstance(cookie, str) else cookie.value).partition(".")[0]


def page_of(status: int) -> str:
    return {400: "not_signed_in", 502: "unproven", 503: "bank_unavailable"}[status]


def params_of(url: str) -> dict[str, str]:
    values = parse_qs(urlsplit(url).query, strict_parsing=True)
    assert all(len(each) == 1 for each in values.values())
    return {name: each[0] for name, each in values.items()}


# There


def test_the_browser_is_sent_to_the_bank_with_what_binds_the_answer(
    customer: BrowserCustomer, bank: OidcServer, lang: str
) -> None:
    url = leave(customer, f"/sign-in/{begin(customer, lang=lang)}")
    assert url.startswith(f"{bank.issuer}/authorize?tenant=a&")
    params = params_of(url)
    for name in ("state", "nonce", "code_challenge"):
        assert len(params.pop(name)) >= 43
    assert params == {
        "tenant": "a",
        "client_id": CLIENT_ID,
        "response_type": "code",
        "redirect_uri": f"http://localhost:8000/sign-in/callback/{HARBOUR}",
        "scope": "openid profile",
        "code_challenge_method": "S256",
        "ui_locales": f"{lang}-CA {lang}",
    }


def test_every_way_to_the_bank_has_secrets_of_its_own(customer: BrowserCustomer) -> None:
    request_id = begin(customer)
    ways = [params_of(leave(customer, f"/sign-in/{request_id}")) for _ in range(3)]
    for name in ("state", "nonce", "code_challenge"):
        assert len({way[name] for way in ways}) == 3


def test_head_begins_nothing(customer: BrowserCustomer, bank: OidcServer, redis_client: redis.Redis) -> None:
    request_id = begin(customer)
    assert customer.client.head(f"/sign-in/{request_id}").status_code == 200
    stranger = another_browser(customer.client)
    assert "Set-Cookie" not in stranger.head(f"/connections/sign-in/{HARBOUR}").headers
    assert bank.asked == []
    assert list(redis_client.scan_iter("sign_ins:*")) == []


def test_head_ends_nothing(customer: BrowserCustomer, bank: OidcServer) -> None:
    request_id = begin(customer)
    back = bank.sign_in(leave(customer, f"/sign-in/{request_id}"))
    response = customer.client.head(back.removeprefix("http://localhost:8000"))
    assert (response.status_code, response.data) == (200, b"")
    assert customer.client.get(f"/consent/{request_id}").location == f"/sign-in/{request_id}"
    assert come_back(customer, back).location == f"/consent/{request_id}"


def test_what_is_kept_of_a_sign_in_is_gone_after_ten_minutes(
    customer: BrowserCustomer, bank: OidcServer, redis_client: redis.Redis
) -> None:
    request_id = begin(customer)
    sign_in(customer, bank, request_id)
    keys = list(redis_client.scan_iter("sign_ins:*"))
    assert len(keys) == 2
    assert all(0 < redis_client.ttl(key) <= 600 for key in keys)


def test_the_bank_gets_no_password_from_us(customer: BrowserCustomer) -> None:
    request_id = begin(customer)
    response = customer.client.post(f"/sign-in/{request_id}", data={"user_name": "alex", "password": "x"})
    assert response.status_code == 404


def test_what_the_bank_says_of_itself_is_asked_for_once_in_ten_minutes(
    customer: BrowserCustomer, bank: OidcServer, clock: Clock
) -> None:
    for _ in range(3):
        customer.client.delete_cookie("accord")
        assert sign_in(customer, bank, begin(customer)).status_code == 303
    assert (bank.count(METADATA), bank.count(KEYS)) == (1, 1)
    clock.advance(timedelta(minutes=10, seconds=1))
    customer.client.delete_cookie("accord")
    assert sign_in(customer, bank, begin(customer)).status_code == 303
    assert (bank.count(METADATA), bank.count(KEYS)) == (2, 2)


# And back


def test_who_has_signed_in_there_comes_to_the_form_of_the_same_request(
    customer: BrowserCustomer, bank: OidcServer, lang: str
) -> None:
    request_id = begin(customer, lang=lang)
    before = customer.client.get_cookie("accord")
    response = sign_in(customer, bank, request_id)
    assert response.status_code == 303
    assert response.location == f"/consent/{request_id}"
    assert before is not None
    assert customer.client.get_cookie("accord") != before, "a new session"
    page = check_page(customer.client.get(response.location), "form", lang)
    assert "Alex Tremblay" in page.text


def test_the_old_session_is_dead(customer: BrowserCustomer, bank: OidcServer) -> None:
    request_id = begin(customer)
    old = another_browser(customer.client)
    old.bring_cookies_of(customer.client)
    sign_in(customer, bank, request_id)
    check_page(old.get(f"/consent/{request_id}"), "session_over", "en", status=404)


def test_the_code_is_redeemed_with_the_verifier_and_the_secret(
    customer: BrowserCustomer, bank: OidcServer
) -> None:
    sign_in(customer, bank, begin(customer))
    [(authorization, body)] = bank.token_requests
    assert authorization.startswith("Basic ")
    assert body.keys() == {"grant_type", "code", "redirect_uri", "code_verifier"}
    assert CLIENT_SECRET not in body.values()


def test_a_bank_that_takes_no_basic_gets_the_secret_in_the_body(
    customer: BrowserCustomer, bank: OidcServer
) -> None:
    bank.metadata = {"token_endpoint_auth_methods_supported": ["client_secret_post"]}
    assert sign_in(customer, bank, begin(customer)).status_code == 303
    [(authorization, body)] = bank.token_requests
    assert authorization == ""
    assert body["client_secret"] == CLIENT_SECRET


def test_the_same_subject_at_another_bank_is_somebody_else(
    customer: BrowserCustomer, bank: OidcServer
) -> None:
    bank.customer = {"sub": "maple-0001"}
    sign_in(customer, bank, begin(customer))
    request_id = customer.begin(provider_id="1000")
    assert customer.client.get(f"/consent/{request_id}").location == f"/sign-in/{request_id}"


def test_a_customer_whose_name_is_not_told_is_signed_in_all_the_same(
    customer: BrowserCustomer, bank: OidcServer, lang: str
) -> None:
    bank.customer = {"sub": "alex"}
    page = parse_page(customer.client.get(sign_in(customer, bank, begin(customer, lang=lang)).location).text)
    assert texts.YOU_ARE_SIGNED_IN[lang] in page.text


def test_a_name_is_text_that_disturbs_nothing(customer: BrowserCustomer, bank: OidcServer) -> None:
    bank.customer = {"sub": "alex", "name": "\u202e<b>Alex</b>\u200b \ud83d\nTremblay"}
    response = customer.client.get(sign_in(customer, bank, begin(customer)).location)
    assert '<bdi translate="no">&lt;b&gt;Alex&lt;/b&gt; Tremblay</bdi>' in response.text


def test_requests_in_two_tabs_come_back_each_to_its_own(customer: BrowserCustomer, bank: OidcServer) -> None:
    first, second = begin(customer), begin(customer)
    ways = [leave(customer, f"/sign-in/{request_id}") for request_id in (first, second)]
    assert come_back(customer, bank.sign_in(ways[1])).location == f"/consent/{second}"
    assert come_back(customer, bank.sign_in(ways[0])).location == f"/consent/{first}"


def test_who_is_signed_in_already_is_not_sent_to_the_bank(
    customer: BrowserCustomer, bank: OidcServer
) -> None:
    sign_in(customer, bank, begin(customer))
    request_id = begin(customer)
    assert customer.client.get(f"/sign-in/{request_id}").location == f"/consent/{request_id}"


def test_the_whole_way_ends_with_a_code(customer: BrowserCustomer, bank: OidcServer) -> None:
    request_id = begin(customer)
    sign_in(customer, bank, request_id)
    response = customer.answer(request_id, "approve", "TRANSACTIONS")
    tokens = customer.redeem(params_of(response.location)["code"]).json
    assert tokens is not None
    assert set(tokens["scope"].split()) == {"ACCOUNT_BASIC", "TRANSACTIONS"}


# "Not you?"


def sign_out(customer: BrowserCustomer, request_id: str) -> TestResponse:
    return customer.client.post("/sign-out", data=hidden_fields(customer.form(request_id), "/sign-out"))


def test_after_signing_out_a_page_leads_to_the_bank_which_asks_again(
    customer: BrowserCustomer, bank: OidcServer, lang: str
) -> None:
    """No redirect after the form: browsers hold form-action against it. See tests/browser."""
    request_id = begin(customer, lang=lang)
    sign_in(customer, bank, request_id)
    response = sign_out(customer, request_id)
    assert response.location == f"/sign-in/{request_id}"
    page = check_page(customer.client.get(response.location), "sign_in", lang)
    way = page.one("a", id="to-bank").attributes["href"]
    url = leave(customer, way)
    assert {name: params_of(url)[name] for name in ("prompt", "max_age")} == {
        "prompt": "login",
        "max_age": "0",
    }

    bank.customer = {"sub": "sam", "name": "Sam Nguyen"}
    assert come_back(customer, bank.sign_in(url)).location == f"/consent/{request_id}"
    form = customer.form(request_id)
    assert "Sam Nguyen" in form.text
    assert "Alex Tremblay" not in form.text
    assert "prompt" not in params_of(leave_as_stranger(customer))


def not_you(customer: BrowserCustomer, bank: OidcServer, lang: str = "en") -> tuple[str, str]:
    """Somebody signs in, and somebody else says that it is not them: the request, and the way to the bank."""
    request_id = begin(customer, lang=lang)
    sign_in(customer, bank, request_id)
    return request_id, leave(customer, f"{sign_out(customer, request_id).location}?at=bank")


@pytest.mark.parametrize("seconds", [10, 45, 3600])
def test_a_bank_that_does_not_ask_again_signs_nobody_in(
    customer: BrowserCustomer, bank: OidcServer, clock: Clock, lang: str, seconds: int
) -> None:
    signed_in_at = int(clock.now.timestamp())
    clock.advance(timedelta(seconds=seconds))
    request_id, url = not_you(customer, bank, lang)
    clock.advance(timedelta(seconds=3))
    bank.claims = {"auth_time": signed_in_at}
    response = come_back(customer, bank.sign_in(url))
    page = check_error_page(response, "not_asked", lang, status=502)
    assert customer.client.get(f"/consent/{request_id}").location == f"/sign-in/{request_id}"
    bank.claims = {}
    again = leave(customer, page.one("a", id="try-again").attributes["href"])
    assert params_of(again)["prompt"] == "login", "the bank is asked to ask again"
    assert come_back(customer, bank.sign_in(again)).location == f"/consent/{request_id}"


@pytest.mark.parametrize("auth_time", [None, True, "now", [], {}, float("nan"), -1])
def test_a_bank_that_does_not_say_when_it_asked_signs_nobody_in_after_not_you(
    customer: BrowserCustomer, bank: OidcServer, auth_time: object
) -> None:
    request_id, url = not_you(customer, bank)
    bank.claims = {"auth_time": auth_time}
    response = come_back(customer, bank.sign_in(url))
    assert response.status_code == 502
    assert customer.client.get(f"/consent/{request_id}").location == f"/sign-in/{request_id}"


@pytest.mark.parametrize("minutes", [0, 4])
@pytest.mark.parametrize("difference", [-50, 0, 50])
def test_a_bank_that_asks_again_is_believed_whatever_its_clock_and_however_long_it_took(
    customer: BrowserCustomer, bank: OidcServer, clock: Clock, minutes: int, difference: int
) -> None:
    bank.now = lambda: clock() + timedelta(seconds=difference)
    request_id, url = not_you(customer, bank)
    clock.advance(timedelta(seconds=1))
    bank.claims = {"auth_time": int(bank.now().timestamp())}
    clock.advance(timedelta(minutes=minutes))
    assert come_back(customer, bank.sign_in(url)).location == f"/consent/{request_id}"


def test_a_time_that_fits_no_float_is_compared_all_the_same(
    customer: BrowserCustomer, bank: OidcServer
) -> None:
    """With a fraction in `iat` the difference of the two would be a float."""
    request_id, url = not_you(customer, bank)
    bank.claims = {"iat": bank.now().timestamp(), "auth_time": -(10**400)}
    assert come_back(customer, bank.sign_in(url)).status_code == 502
    assert customer.client.get(f"/consent/{request_id}").location == f"/sign-in/{request_id}"


def test_who_has_not_signed_out_is_not_asked_when_they_signed_in(
    customer: BrowserCustomer, bank: OidcServer
) -> None:
    bank.claims = {"auth_time": 1}
    assert sign_in(customer, bank, begin(customer)).status_code == 303


def leave_as_stranger(customer: BrowserCustomer) -> str:
    customer.client.delete_cookie("accord")
    return leave(customer, f"/sign-in/{begin(customer)}")


def test_somebody_who_signed_out_elsewhere_is_not_asked_again_here(
    customer: BrowserCustomer, bank: OidcServer
) -> None:
    request_id = customer.signed_in_request()
    sign_out(customer, request_id)
    assert "prompt" not in params_of(leave(customer, f"/sign-in/{begin(customer)}"))


def test_an_answer_from_before_signing_out_is_nobodys(customer: BrowserCustomer, bank: OidcServer) -> None:
    request_id = begin(customer)
    waiting = begin(customer)
    late = bank.sign_in(leave(customer, f"/sign-in/{waiting}"))
    sign_in(customer, bank, request_id)
    sign_out(customer, request_id)
    check_error_page(come_back(customer, late), "sign_in_lost", "en", status=404)


# For the connections page


@pytest.mark.parametrize("is_known", [True, False])
def test_without_a_request_signing_in_leads_to_the_connections(
    customer: BrowserCustomer, bank: OidcServer, lang: str, is_known: bool
) -> None:
    if is_known:
        begin(customer)
    url = leave(customer, f"/connections/sign-in/{HARBOUR}?lang={lang}")
    assert params_of(url)["ui_locales"] == f"{lang}-CA {lang}"
    response = come_back(customer, bank.sign_in(url))
    assert response.status_code == 303
    assert response.location == "/connections"
    again = customer.client.get(f"/connections/sign-in/{HARBOUR}")
    assert (again.status_code, again.location) == (302, "/connections")


def test_a_failure_on_the_way_to_the_connections_leads_back_there(
    customer: BrowserCustomer, bank: OidcServer, lang: str
) -> None:
    url = leave(customer, f"/connections/sign-in/{HARBOUR}?lang={lang}")
    response = come_back(customer, bank.refuse(url, "access_denied"))
    page = check_error_page(response, "not_signed_in", lang, status=400)
    assert page.one("a", id="try-again").attributes["href"] == f"/connections/sign-in/{HARBOUR}?at=bank"
    assert page.all("a", id="way-back") == []


def test_the_sandbox_serves_the_connections_too(customer: BrowserCustomer, lang: str) -> None:
    address = "/connections/sign-in/1000"
    page = check_page(customer.client.get(f"{address}?lang={lang}"), "sign_in", lang)
    assert SEE_CONNECTIONS[lang] in page.text
    fields = {**hidden_fields(page, address), "user_name": "alex"}
    failed = customer.client.post(address, data={**fields, "password": "wrong"})
    check_page(failed, "sign_in", lang, status=400)
    response = customer.client.post(address, data={**fields, "password": "maple-syrup"})
    assert (response.status_code, response.location) == (303, "/connections")


@pytest.mark.parametrize("method", ["get", "post"])
def test_there_is_no_sign_in_at_a_bank_that_nobody_registered(
    customer: BrowserCustomer, method: str, lang: str
) -> None:
    response = getattr(customer.client, method)(f"/connections/sign-in/4000?lang={lang}")
    check_error_page(response, "not_found", lang, status=404)


def test_a_sign_in_form_counts_for_what_it_was_made_for(customer: BrowserCustomer) -> None:
    page = parse_page(customer.client.get("/connections/sign-in/1000").text)
    token = hidden_fields(page, "/connections/sign-in/1000")
    as_alex = {**token, "user_name": "alex", "password": "maple-syrup"}
    assert customer.client.post("/connections/sign-in/2000", data=as_alex).status_code == 400
    request_id = customer.begin()
    assert customer.client.post(f"/sign-in/{request_id}", data=as_alex).status_code == 400


# An answer that counts for nobody


def test_an_answer_counts_in_the_browser_that_asked_and_in_no_other(
    customer: BrowserCustomer, bank: OidcServer, lang: str
) -> None:
    request_id = begin(customer, lang=lang)
    location = bank.sign_in(leave(customer, f"/sign-in/{request_id}"))
    thief = BrowserCustomer(another_browser(customer.client))
    for _ in range(2):  # first without a cookie, then with one
        response = thief.client.get(location.removeprefix("http://localhost:8000") + f"&lang={lang}")
        page = check_error_page(response, "sign_in_lost", lang, status=404)
        assert "Set-Cookie" not in response.headers
        assert request_id not in page.text
        begin(thief, lang=lang)
    assert bank.count(TOKEN) == 0
    assert come_back(customer, location).location == f"/consent/{request_id}", "nothing was used up"


def test_an_answer_counts_once(customer: BrowserCustomer, bank: OidcServer, lang: str) -> None:
    request_id = begin(customer, lang=lang)
    location = bank.sign_in(leave(customer, f"/sign-in/{request_id}"))
    assert come_back(customer, location).status_code == 303
    page = check_error_page(come_back(customer, location), "sign_in_used", lang, status=400)
    way = page.one("a", id="try-again").attributes["href"]
    assert customer.client.get(way).location == f"/consent/{request_id}", "it had been no failure"
    assert bank.count(TOKEN) == 1


def test_of_many_answers_at_once_one_is_sent_to_the_bank(customer: BrowserCustomer, bank: OidcServer) -> None:
    location = bank.sign_in(leave(customer, f"/sign-in/{begin(customer)}"))
    browsers = [another_browser(customer.client) for _ in range(8)]
    for browser in browsers:
        browser.bring_cookies_of(customer.client)
    statuses: list[int] = []

    def answer(browser: ContractClient) -> None:
        statuses.append(browser.get(location.removeprefix("http://localhost:8000")).status_code)

    threads = [threading.Thread(target=answer, args=(browser,)) for browser in browsers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert bank.count(TOKEN) == 1
    assert statuses.count(303) == 1


@pytest.mark.parametrize("state", ["", "x", "x" * 43, "é" * 43, "%00" * 43, "x" * 5000])
def test_a_state_that_nobody_made_is_a_page(customer: BrowserCustomer, state: str, lang: str) -> None:
    begin(customer, lang=lang)
    response = customer.client.get(f"/sign-in/callback/{HARBOUR}?code=c&state={state}")
    page = check_error_page(response, "sign_in_lost", lang, status=404)
    switch = next(link for link in page.all("a") if "hreflang" in link.attributes)
    assert "code=" not in switch.attributes["href"]


def test_an_error_without_state_leads_back_to_the_only_sign_in_that_is_open(
    customer: BrowserCustomer, bank: OidcServer, lang: str
) -> None:
    request_id = begin(customer, lang=lang)
    leave(customer, f"/sign-in/{request_id}")
    response = customer.client.get(f"/sign-in/callback/{HARBOUR}?error=access_denied")
    page = check_error_page(response, "not_signed_in", lang, status=400)
    assert page.one("a", id="try-again").attributes["href"] == f"/sign-in/{request_id}?at=bank"
    way_back = page.one("a", id="way-back").attributes["href"]
    assert params_of(way_back)["error"] == "access_denied"
    # Nothing was decided by it: the sign-in and the request go on.
    assert sign_in(customer, bank, request_id).location == f"/consent/{request_id}"


@pytest.mark.parametrize("where", ["two are open", "another bank", "signed in", "another browser", "a code"])
def test_an_error_without_state_that_could_be_any_ones_leads_nowhere(
    customer: BrowserCustomer, bank: OidcServer, client: ContractClient, where: str, lang: str
) -> None:
    request_id = begin(customer, lang=lang)
    browser, provider_id, query = customer.client, HARBOUR, "error=access_denied"
    if where == "two are open":
        begin(customer, lang=lang)
    elif where == "another bank":
        provider_id = "1000"
    elif where == "signed in":
        sign_in(customer, bank, request_id)
    elif where == "another browser":
        browser = another_browser(client)
    else:
        query = "code=c"
    response = browser.get(f"/sign-in/callback/{provider_id}?{query}&lang={lang}")
    page = check_error_page(response, "sign_in_lost", lang, status=404)
    assert not page.one("main").all("a")


def test_after_redis_has_forgotten_it_a_sign_in_is_lost(
    customer: BrowserCustomer, bank: OidcServer, redis_client: redis.Redis, lang: str
) -> None:
    location = bank.sign_in(leave(customer, f"/sign-in/{begin(customer, lang=lang)}"))
    redis_client.flushall()
    response = customer.client.get(location.removeprefix("http://localhost:8000") + f"&lang={lang}")
    check_error_page(response, "sign_in_lost", lang, status=404)


def test_an_answer_after_the_request_has_expired_is_too_late(
    customer: BrowserCustomer, bank: OidcServer, clock: Clock, lang: str
) -> None:
    location = bank.sign_in(leave(customer, f"/sign-in/{begin(customer, lang=lang)}"))
    clock.advance(timedelta(minutes=15))
    check_error_page(come_back(customer, location), "request_expired", lang, status=410)
    assert bank.count(TOKEN) == 0


@pytest.mark.parametrize(
    ("error", "status"),
    [
        ("access_denied", 400),
        ("login_required", 400),
        ("interaction_required", 400),
        ("consent_required", 400),
        ("account_selection_required", 400),
        ("server_error", 503),
        ("temporarily_unavailable", 503),
        ("invalid_request", 503),
        ("marked-error <b>", 503),
    ],
)
def test_an_error_from_the_bank_is_told_in_our_own_words(
    customer: BrowserCustomer, bank: OidcServer, error: str, status: int, lang: str
) -> None:
    request_id = begin(customer, lang=lang)
    response = come_back(customer, bank.refuse(leave(customer, f"/sign-in/{request_id}"), error))
    page = check_nobody_signed_in(customer, request_id, response, lang, status=status)
    assert "marked" not in response.text
    assert error not in page.text
    assert bank.count(TOKEN) == 0
    assert sign_in(customer, bank, request_id).status_code == 303, "the same request, again"


# Answers that prove nothing


def with_answer(**answer: str | None) -> Callable[[OidcServer], None]:
    return lambda bank: bank.answer.update(answer)


def with_claims(**claims: object) -> Callable[[OidcServer], None]:
    return lambda bank: bank.claims.update(claims)


def with_metadata_and_answer(**answer: str | None) -> Callable[[OidcServer], None]:
    def lie(bank: OidcServer) -> None:
        bank.metadata = {"authorization_response_iss_parameter_supported": True}
        bank.answer.update(answer)

    return lie


def sign_with_another_key(bank: OidcServer) -> None:
    bank.key = a_key("first")


def sign_with_an_unknown_key(bank: OidcServer) -> None:
    bank.key = a_key("second")


def sign_with_the_public_key_as_a_secret(bank: OidcServer) -> None:
    key = RSAKey.generate_key(2048, {"kid": "rsa", "use": "sig"})
    bank.published, bank.key, bank.algorithm = [key], key, "HS256"


NESTED = b'{"alg": "ES256", "x": ' + b"[" * 50_000
NESTED_HEADER = f"{urlsafe_b64encode(NESTED).rstrip(b'=').decode()}.e30.AA"


def nested_claims(bank: OidcServer) -> str:
    header = {"alg": "ES256", "kid": bank.key.kid}
    return jws.serialize_compact(header, NESTED, bank.key, algorithms=["ES256"])


def sign_nothing(bank: OidcServer) -> None:
    bank.algorithm = "none"


LIES: dict[str, Callable[[OidcServer], None]] = {
    "another server's answer": with_answer(iss="https://evil.example"),
    "an empty issuer in the answer of a server that names itself": with_metadata_and_answer(iss=""),
    "no issuer in the answer of a server that names itself": with_metadata_and_answer(),
    "no code": with_answer(code=None),
    "a code that it does not know": with_answer(code="another"),
    "wrong key": sign_with_another_key,
    "unknown key": sign_with_an_unknown_key,
    "the public key as a secret": sign_with_the_public_key_as_a_secret,
    "no signature": sign_nothing,
    "no ID token": lambda bank: bank.tokens.update(id_token=None),
    "an ID token that is none": lambda bank: bank.tokens.update(id_token="a.b.c"),
    "another nonce": with_claims(nonce="another"),
    "a list with the nonce": with_claims(nonce=["another"]),
    "no nonce": with_claims(nonce=None),
    "another audience": with_claims(aud="another"),
    "audiences without us": with_claims(aud=["another", "third"]),
    "an audience that shares us with a stranger": with_claims(aud=[CLIENT_ID, "another"]),
    "issued to a stranger": with_claims(aud=[CLIENT_ID, "another"], azp="another"),
    "no audience": with_claims(aud=None),
    "another issuer": with_claims(iss="https://evil.example"),
    "no issuer": with_claims(iss=None),
    "expired": with_claims(exp=1),
    "no expiry": with_claims(exp=None),
    "an expiry that is no number": with_claims(exp="never"),
    "from before the sign-in began": with_claims(iat=1),
    "from the future": with_claims(iat=99_999_999_999),
    "no time of issue": with_claims(iat=None),
    "no subject": with_claims(sub=None),
    "an empty subject": with_claims(sub=""),
    "a subject of 256 characters": with_claims(sub="x" * 256),
    "a subject with a line break": with_claims(sub="alex\n"),
    "another access token's hash": with_claims(at_hash="another"),
    "a hash that is no text": with_claims(at_hash="\ud800"),
    "an expiry that is not a number": with_claims(exp=math.nan),
    "an expiry before all time": with_claims(exp=-(10**400)),
    "issued at no time": with_claims(iat=math.nan),
    "issued at the end of time": with_claims(iat=math.inf),
    "issued in a time that fits no float": with_claims(iat=10**400),
    "issued before all time": with_claims(iat=-(10**400)),
    "not before a time that fits no float": with_claims(nbf=10**400),
    "a subject that is no text": with_claims(sub="\ud800"),
    "a nonce that is no text": with_claims(nonce="\ud800"),
    "a key whose name is no text": lambda bank: bank.header.update(kid="\ud800"),
    "an ID token that is no text": lambda bank: bank.tokens.update(id_token="\ud800.\ud800.\ud800"),
    "claims that are nested too deeply": lambda bank: bank.tokens.update(id_token=nested_claims(bank)),
    "a header that is nested too deeply": lambda bank: bank.tokens.update(id_token=NESTED_HEADER),
}


@pytest.mark.parametrize("lie", LIES.values(), ids=LIES)
def test_an_answer_that_proves_nothing_signs_nobody_in(
    customer: BrowserCustomer, bank: OidcServer, lie: Callable[[OidcServer], None]
) -> None:
    request_id = begin(customer)
    lie(bank)
    check_nobody_signed_in(customer, request_id, sign_in(customer, bank, request_id), status=502)


def test_a_page_about_a_failure_can_be_read_in_the_other_language_without_asking_again(
    customer: BrowserCustomer, bank: OidcServer, lang: str
) -> None:
    request_id = begin(customer, lang=lang)
    bank.claims = {"nonce": "another"}
    page = check_nobody_signed_in(customer, request_id, sign_in(customer, bank, request_id), lang, status=502)
    asked = list(bank.asked)
    other = "fr" if lang == "en" else "en"
    switch = page.one("a", hreflang=other)
    response = customer.client.get(switch.attributes["href"])
    check_nobody_signed_in(customer, request_id, response, other, status=502)
    assert bank.asked == asked


def test_whose_error_it_is_comes_before_what_it_says(customer: BrowserCustomer, bank: OidcServer) -> None:
    request_id = begin(customer)
    bank.answer = {"iss": "https://evil.example"}
    response = come_back(customer, bank.refuse(leave(customer, f"/sign-in/{request_id}"), "access_denied"))
    check_nobody_signed_in(customer, request_id, response, status=502)


def test_a_server_that_names_itself_is_believed(customer: BrowserCustomer, bank: OidcServer) -> None:
    bank.metadata = {"authorization_response_iss_parameter_supported": True}
    bank.answer = {"iss": bank.issuer}
    assert sign_in(customer, bank, begin(customer)).status_code == 303


@pytest.mark.parametrize("name", ["code", "iss", "error"])
def test_an_answer_that_says_two_things_is_not_believed(
    customer: BrowserCustomer, bank: OidcServer, name: str
) -> None:
    request_id = begin(customer)
    location = bank.sign_in(leave(customer, f"/sign-in/{request_id}"))
    response = come_back(customer, f"{location}&{name}=a&{name}=b")
    check_nobody_signed_in(customer, request_id, response, status=502)
    assert bank.count(TOKEN) == 0


def test_a_nonce_counts_for_the_sign_in_it_was_made_for(customer: BrowserCustomer, bank: OidcServer) -> None:
    """A token of the same customer, from another way to the same bank."""
    request_id = begin(customer)
    other = params_of(leave(customer, f"/sign-in/{request_id}"))
    bank.claims = {"nonce": other["nonce"]}
    check_nobody_signed_in(customer, request_id, sign_in(customer, bank, request_id), status=502)


ODD: list[Any] = [None, 5, "text", ["a", {"b": None}], {"c": [True, 1e9]}, "\ud83d\ude00\x00"]


def test_what_nobody_asked_a_bank_for_is_ignored_whatever_it_is(
    customer: BrowserCustomer, bank: OidcServer
) -> None:
    """In its metadata, its keys, its token, and the answers of its endpoints (RFC 6749 3.1, 5.1; RFC 7517 5)."""
    odd = {f"unknown_{number}": value for number, value in enumerate(ODD)}
    known_of_old = {
        "expires_in": "soon",
        "refresh_token": 5,
        "scope": ["openid"],
        "expires_at": ["never"],
        "error": None,
    }
    bank.metadata = {**odd, "scopes_supported": 5, "claims_supported": {"sub": True}, "jwks": "none"}
    bank.metadata["userinfo_endpoint"] = "https://localhost/\ud800"
    bank.claims, bank.header = odd, {"unknown": "x", "typ": None}
    bank.tokens = {**odd, **known_of_old}
    readable = {**bank.key.as_dict(private=False), **odd, "x5c": "not a list", "x5t": 5}
    others = [
        {"kty": "EC", "crv": "P-999", "x": "AA", "y": "AA"},
        {"kty": "OKP", "crv": "Ed999", "x": "AA"},
        {"kty": "AKP", "alg": "ML-DSA-44", "pub": "AAAA"},
        {"kty": "RSA"},
        {"kty": "RSA", "n": "AQAB", "e": "AQAB"},
        {"kty": "oct", "k": "c2VjcmV0"},
        {"kty": "\ud800"},
        {"kty": ["EC"]},
        {"kty": "EC", "crv": "\ud800", "x": "AA", "y": "AA"},
        {"kty": "EC", "crv": ["P-256"], "x": "AA", "y": "AA"},
        {"kty": "EC", "crv": "P-256", "x": "\ud800", "y": "AA"},
        {"kty": "EC", "crv": "P-256", "x": "f" * 40_000, "y": "AA"},
        {"kty": "EC", "crv": "P-256", "x": 10**400, "y": 1e999},
        {"kty": "OKP", "crv": "Ed448", "x": "AA"},
        {"kty": "OKP", "crv": "X25519", "x": "AA"},
        {"kty": "RSA", "n": "", "e": ""},
        {"kty": "RSA", "n": "A" * 344, "e": "AQAB"},
        {"kty": "RSA", "n": "f" * 40_000, "e": "AQAB"},
        {"kty": "RSA", "n": "f" * 344, "e": "f" * 40_000},
        {"kty": "RSA", "n": "f" * 344, "e": "AA"},
        {"kty": "RSA", "n": 10**400, "e": 10**400},
        {**readable, "kid": 10**400},
        {**readable, "kid": "\ud800"},
        {**readable, "use": ["sig"]},
        {**readable, "use": "sig", "key_ops": 5},
        {**readable, "alg": {}},
        {},
        *ODD,
    ]
    keys = json.dumps({**odd, "keys": [*others, readable]}).encode()
    bank.tricks[KEYS] = say("200 OK", keys, "Content-Type: application/jwk-set+json")
    request_id = begin(customer)
    location = bank.sign_in(leave(customer, f"/sign-in/{request_id}"))
    response = come_back(customer, f"{location}&session_state=%E9t%E9&session_state=b&%FF=%00")
    assert response.location == f"/consent/{request_id}", response.text


@pytest.mark.parametrize("keys", [[], {}, None, "keys", [{"kty": "RSA"}], [{"kty": "oct", "k": "c2VjcmV0"}]])
def test_a_set_without_a_key_that_can_be_read_signs_nobody_in(
    customer: BrowserCustomer, bank: OidcServer, keys: Any
) -> None:
    bank.tricks[KEYS] = say("200 OK", json.dumps({"keys": keys}).encode(), "Content-Type: application/json")
    request_id = begin(customer)
    check_nobody_signed_in(customer, request_id, sign_in(customer, bank, request_id), status=503)


def test_new_keys_are_fetched_when_a_token_names_one(
    customer: BrowserCustomer, bank: OidcServer, clock: Clock
) -> None:
    sign_in(customer, bank, begin(customer))
    clock.advance(timedelta(seconds=10))
    bank.key = a_key("second")
    bank.published = [bank.key]
    customer.client.delete_cookie("accord")
    assert sign_in(customer, bank, begin(customer)).status_code == 303
    assert bank.count(KEYS) == 2


def test_nobody_makes_us_hammer_the_bank_for_keys(
    customer: BrowserCustomer, bank: OidcServer, clock: Clock
) -> None:
    sign_with_an_unknown_key(bank)
    request_id = begin(customer)
    for _ in range(5):
        check_nobody_signed_in(customer, request_id, sign_in(customer, bank, request_id), status=502)
    assert bank.count(KEYS) == 1
    clock.advance(timedelta(seconds=10))
    check_nobody_signed_in(customer, request_id, sign_in(customer, bank, request_id), status=502)
    assert bank.count(KEYS) == 2


# A bank that does not answer as it should

TRICKS: dict[str, Trick] = {
    "hangs": hang,
    "drips": drip,
    "is cut off": cut,
    "hangs up": hang_up,
    "never stops": flood,
    "announces too much": announce_too_much,
    "speaks something else": garble,
    "is too long": say("200 OK", b'{"keys": [], "x": "' + b"x" * 300_000 + b'"}'),
    "is no JSON": say("200 OK", b"<html>"),
    "is a list": say("200 OK", b"[]"),
    "is nested too deeply": say("200 OK", b"[" * 100_000),
    "is empty": say("200 OK", b""),
    "is an error": say("500 Internal Server Error", b"{}"),
    "is a page of a proxy": say("502 Bad Gateway", b"<html>marked"),
    "sends us elsewhere": say("302 Found", b"", "Location: http://localhost:1/"),
}


@pytest.mark.parametrize("path", [METADATA, TOKEN, KEYS])
@pytest.mark.parametrize("trick", TRICKS.values(), ids=TRICKS)
def test_whatever_the_bank_does_a_page_says_so_in_time_and_it_can_be_tried_again(
    serve: Serve, bank: OidcServer, path: str, trick: Trick
) -> None:
    customer = BrowserCustomer(serve(bank_timeout=SHORT))
    request_id = begin(customer)
    bank.tricks[path] = trick
    began = time.monotonic()
    response = customer.client.get(f"/sign-in/{request_id}")
    if path != METADATA:
        response = come_back(customer, bank.sign_in(response.location))
    assert time.monotonic() - began < 5
    check_nobody_signed_in(customer, request_id, response, status=503)
    assert int(response.headers["Retry-After"]) > 0
    bank.tricks.clear()
    wait_until(lambda: customer.client.get(f"/sign-in/{request_id}").status_code == 302)
    assert sign_in(customer, bank, request_id).status_code == 303


@pytest.mark.parametrize(
    "metadata",
    [
        {"authorization_endpoint": "http://localhost:1/\ud800"},
        {"authorization_endpoint": "http://localhost:1/authorize?tenant=é"},
        {"authorization_endpoint": "http://localhost:1/authorize#top"},
        {"authorization_endpoint": "http://localhost:1/a\r\nb"},
        {"token_endpoint": "http://localhost:1/\ud800"},
        {"token_endpoint": "http://localhost:99999/token"},
        {"token_endpoint": f"http://localhost:{'1' * 400}/token"},
        {"token_endpoint": 10**400},
        {"jwks_uri": "http://localhost:1/\udfff"},
        {"jwks_uri": "https://\ud800/keys"},
        {"issuer": "\ud800"},
        {"issuer": "https://evil.example"},
        {"issuer": None},
        {"token_endpoint": None},
        {"token_endpoint": ["http://localhost:1/"]},
        {"token_endpoint": "http://bank.example/token"},
        {"jwks_uri": "file:///etc/passwd"},
        {"jwks_uri": "http://[/"},
        {"authorization_endpoint": "javascript:alert(1)"},
    ],
    ids=str,
)
def test_metadata_that_cannot_be_the_banks_own_are_not_used(
    customer: BrowserCustomer, bank: OidcServer, metadata: dict[str, object]
) -> None:
    bank.metadata = metadata
    request_id = begin(customer)
    response = customer.client.get(f"/sign-in/{request_id}")
    check_nobody_signed_in(customer, request_id, response, status=503)


def test_a_bank_that_is_down_is_a_page(serve: Serve, lang: str) -> None:
    customer = BrowserCustomer(serve(f"http://localhost:{free_port()}"))
    request_id = begin(customer, lang=lang)
    response = customer.client.get(f"/sign-in/{request_id}")
    check_nobody_signed_in(customer, request_id, response, lang, status=503)


def test_a_bank_whose_name_nobody_knows_is_a_page(serve: Serve) -> None:
    customer = BrowserCustomer(serve("https://bank.invalid", bank_timeout=SHORT))
    request_id = begin(customer)
    response = customer.client.get(f"/sign-in/{request_id}")
    check_nobody_signed_in(customer, request_id, response, status=503)


def test_a_bank_that_is_not_sure_who_we_are_is_a_page(serve: Serve, bank: OidcServer) -> None:
    customer = BrowserCustomer(serve())
    request_id = begin(customer)
    bank.tricks[TOKEN] = say("401 Unauthorized", b'{"error": "invalid_client"}')
    check_nobody_signed_in(customer, request_id, sign_in(customer, bank, request_id), status=503)


@pytest.mark.parametrize("status", ["400 Bad Request", "401 Unauthorized", "200 OK"])
@pytest.mark.parametrize(
    "error",
    [
        '"invalid_request"',
        '"marked-error"',
        '{"code": 5}',
        "[]",
        "[[]]",
        "5",
        "1e999",
        "true",
        '""',
        '"é"',
        '"\\ud83d"',
    ],
)
def test_an_error_of_any_shape_is_a_failed_sign_in(
    customer: BrowserCustomer, bank: OidcServer, status: str, error: str
) -> None:
    request_id = begin(customer)
    bank.tricks[TOKEN] = say(status, f'{{"error": {error}, "error_description": {error}}}'.encode())
    check_nobody_signed_in(customer, request_id, sign_in(customer, bank, request_id), status=503)


@pytest.mark.parametrize("description", ['"Le code a expiré"', "5", "[]", "null", '"\\u0000\\""'])
@pytest.mark.parametrize("status", ["400 Bad Request", "200 OK"])
def test_a_code_that_the_bank_does_not_know_is_not_told_as_a_bank_that_is_away(
    customer: BrowserCustomer, bank: OidcServer, status: str, description: str
) -> None:
    request_id = begin(customer)
    said = f'{{"error": "invalid_grant", "error_description": {description}, "error_uri": {description}}}'
    bank.tricks[TOKEN] = say(status, said.encode())
    check_nobody_signed_in(customer, request_id, sign_in(customer, bank, request_id), status=502)


@pytest.mark.parametrize("expires_in", [None, "soon", [], -1, 1e400, {"a": 1}])
def test_how_long_an_access_token_lives_does_not_matter(
    customer: BrowserCustomer, bank: OidcServer, expires_in: object
) -> None:
    bank.tokens = {"expires_in": expires_in, "error": None, "token_type": 5}
    assert sign_in(customer, bank, begin(customer)).status_code == 303


def test_while_one_bank_hangs_few_wait_for_it_and_nobody_else_notices(
    serve: Serve, bank: OidcServer, lang: str
) -> None:
    client = serve(bank_timeout=timedelta(seconds=5), bank_waiting=2)
    bank.tricks[METADATA] = hang
    waiting = [BrowserCustomer(another_browser(client)) for _ in range(2)]
    threads = [threading.Thread(target=one.client.get, args=(f"/sign-in/{begin(one)}",)) for one in waiting]
    for thread in threads:
        thread.start()
    # One of them asks; the other waits for what it brings.
    wait_until(lambda: bank.count(METADATA) == 1 and _asking() == 2)

    began = time.monotonic()
    third = BrowserCustomer(another_browser(client))
    request_id = begin(third, lang=lang)
    response = third.client.get(f"/sign-in/{request_id}")
    page = check_error_page(response, "bank_busy", lang, status=503)
    assert page.one("a", id="try-again").attributes["href"] == f"/sign-in/{request_id}?at=bank"
    another = BrowserCustomer(another_browser(client))
    assert another.sign_in(another.begin(provider_id="1000")).status_code == 303
    assert time.monotonic() - began < 2, "nobody waited for the bank"

    bank.tricks.clear()
    bank.closing.set()
    for thread in threads:
        thread.join()


def test_who_sets_out_for_a_bank_that_is_known_does_not_wait_with_those_who_come_back(
    serve: Serve, bank: OidcServer
) -> None:
    client = serve(bank_timeout=timedelta(seconds=5), bank_waiting=1)
    customer = BrowserCustomer(client)
    location = bank.sign_in(leave(customer, f"/sign-in/{begin(customer)}"))
    bank.tricks[TOKEN] = hang
    thread = threading.Thread(target=come_back, args=(customer, location))
    thread.start()
    wait_until(lambda: bank.count(TOKEN) == 1)
    another = BrowserCustomer(another_browser(client))
    assert leave(another, f"/sign-in/{begin(another)}").startswith(bank.issuer)
    bank.closing.set()
    thread.join()


def _asking() -> int:
    """How many calls to banks are under way."""
    return sum(thread.name == "bulkhead" for thread in threading.enumerate())


# Logs


@pytest.mark.parametrize(
    "lie", [lambda bank: None, with_claims(nonce="another"), with_answer(iss="marked-iss")]
)
def test_no_value_of_a_sign_in_is_in_a_log(
    customer: BrowserCustomer, bank: OidcServer, lie: Callable[[OidcServer], None], logged: Logged
) -> None:
    bank.customer = {"sub": "marked-subject", "name": "Marked Name"}
    lie(bank)
    url = leave(customer, f"/sign-in/{begin(customer)}")
    location = bank.sign_in(url)
    come_back(customer, location)
    come_back(customer, bank.refuse(leave_as_stranger(customer), "marked-error"))
    said = json.dumps(logged())
    assert "sign_in_failed" in said
    verifiers = [body["code_verifier"] for _, body in bank.token_requests]
    secrets = [value for name, value in params_of(url).items() if name in ("state", "nonce")]
    for value in (*secrets, *verifiers, params_of(location)["code"], CLIENT_SECRET, "marked", "Marked"):
        assert value not in said
    assert "Traceback" not in said
