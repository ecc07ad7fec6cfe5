"""Sessions: what the cookie is worth, how long, and what becomes of whatever else is sent in its place."""

import json
import pickle
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from flask import Flask
from pydantic import SecretStr

from app.development.embedded import EmbeddedValkey
from app.settings import Settings
from app.sign_in import Customer
from app.stores.redis import client as redis
from app.stores.redis.requests import RequestStore
from app.stores.redis.sessions import SessionStore
from app.web.edge.sessions import BrowserSession
from tests.support.applications import Clock, a_browser, make_app, make_settings
from tests.support.builders import NOON, RECORDS, SECRET_KEY, a_pending_request, a_provider, a_query
from tests.support.customer import BrowserCustomer, hidden_fields
from tests.support.expected_pages import check_page
from tests.support.page_contract import ContractClient
from tests.support.proxy import Proxy, to_socket

AUTHORIZE = "/api/v1/authorize"
NEXT_KEY = "the secret key after that one, long enough"


def cookie_of(client: ContractClient) -> str:
    cookie = client.get_cookie("accord")
    assert cookie is not None
    return cookie.value


def session_keys(redis_client: redis.Redis) -> list[str]:
    return [str(key) for key in redis_client.scan_iter("session:*")]


def is_signed_in(customer: BrowserCustomer, provider_id: str = "1000") -> bool:
    """Whether a new request needs no sign-in."""
    query = a_query(provider_id=provider_id)
    return customer.client.get(f"{AUTHORIZE}?{query}").location.startswith("/consent/")


# The id


def test_sign_in_gives_the_session_a_new_id_and_the_old_one_is_dead(
    customer: BrowserCustomer, app: Flask, redis_client: redis.Redis
) -> None:
    request_id = customer.begin()
    before = cookie_of(customer.client)
    customer.sign_in(request_id)
    after = cookie_of(customer.client)
    assert before != after
    assert len(session_keys(redis_client)) == 1
    check_page(a_browser(app, cookie=before).get(f"/consent/{request_id}"), "session_over", "en", status=404)
    customer.choose_accounts(request_id)
    check_page(a_browser(app, cookie=after).get(f"/consent/{request_id}"), "form", "en")


def test_an_id_that_was_planted_before_sign_in_is_worth_nothing_after_it(app: Flask) -> None:
    attacker = BrowserCustomer(a_browser(app))
    attacker.begin()
    planted = cookie_of(attacker.client)
    victim = BrowserCustomer(a_browser(app, cookie=planted))
    victim.signed_in_request()
    assert is_signed_in(victim)
    assert not is_signed_in(attacker)


def test_signing_out_ends_the_session_on_the_server(
    customer: BrowserCustomer, app: Flask, redis_client: redis.Redis
) -> None:
    request_id = customer.signed_in_request()
    before = cookie_of(customer.client)
    page = customer.form(request_id)
    token = page.one("form", action="/sign-out").one("input", name="csrf_token").attributes["value"]
    customer.client.post("/sign-out", data={"csrf_token": token, "request_id": request_id})
    assert cookie_of(customer.client) != before
    assert len(session_keys(redis_client)) == 1
    assert not is_signed_in(BrowserCustomer(a_browser(app, cookie=before)))


def test_an_id_is_never_taken_from_the_browser(customer: BrowserCustomer, redis_client: redis.Redis) -> None:
    """A cookie that was ours once, for a session that the server no longer has."""
    customer.begin()
    before, (key,) = cookie_of(customer.client), session_keys(redis_client)
    redis_client.delete(key)
    customer.begin()
    assert cookie_of(customer.client) != before
    assert key not in session_keys(redis_client)


def test_ids_are_long_and_all_different(app: Flask) -> None:
    cookies = set()
    for _ in range(20):
        customer = BrowserCustomer(a_browser(app))
        customer.begin()
        cookies.add(cookie_of(customer.client))
    assert len(cookies) == 20
    assert all(len(cookie.partition(".")[0]) == 32 for cookie in cookies), "192 bits"


# What stands in Redis


NOON_AS_TEXT = NOON.isoformat()


def session_of(**changes: Any) -> dict[str, Any]:
    """A session as we write it, but for the `changes` in what is kept of its customer."""
    customer = {"provider_id": "1000", "issuer": "", "subject": "maple-0001", "display_name": "Alex"}
    return {"begun": NOON_AS_TEXT, "customers": {"1000": {**customer, **changes}}}


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"junk",
        b"null",
        b"[]",
        b'"text"',
        b"5",
        b"{}",
        b"{",
        pickle.dumps({"browser": "x"}),
        pickle.dumps({"browser": "x"}, protocol=0),
        b"\xff\xfe\x00",
        json.dumps(session_of()).encode(),
        b"[" * 5000,
    ],
)
def test_a_session_that_we_did_not_write_is_an_anonymous_visitor(
    customer: BrowserCustomer, redis_client: redis.Redis, content: bytes
) -> None:
    request_id = customer.signed_in_request()
    (key,) = session_keys(redis_client)
    redis_client.set(key, content)
    assert customer.client.get(f"/consent/{request_id}").status_code == 404
    redis_client.set(key, content)
    assert not is_signed_in(customer)


def test_a_session_as_we_write_it_is_the_customers(
    customer: BrowserCustomer, redis_client: redis.Redis
) -> None:
    customer.begin()
    (key,) = session_keys(redis_client)
    redis_client.set(key, RECORDS.seal(key, session_of()))
    assert is_signed_in(customer)


@pytest.mark.parametrize(
    "content",
    [
        {},
        {"begun": 5},
        {"begun": "yesterday"},
        {"begun": "2026-11-24T12:00:00"},
        {"begun": NOON_AS_TEXT, "customers": []},
        {"begun": NOON_AS_TEXT, "customers": {"1000": 5}},
        {"begun": NOON_AS_TEXT, "customers": {"1000": {"subject": "maple-0001"}}},
        session_of(subject=[]),
        session_of(display_name=None),
        session_of(unknown="x"),
        session_of(issuer="https://bank.example"),
        session_of(provider_id="9999"),
        {"begun": NOON_AS_TEXT, "left": 5},
    ],
    ids=str,
)
def test_a_session_of_another_version_or_another_registration_is_an_anonymous_visitor(
    customer: BrowserCustomer, redis_client: redis.Redis, content: dict[str, Any]
) -> None:
    request_id = customer.signed_in_request()
    (key,) = session_keys(redis_client)
    redis_client.set(key, RECORDS.seal(key, content))
    assert customer.client.get(f"/consent/{request_id}").status_code == 404
    assert not is_signed_in(customer)


@pytest.mark.parametrize(
    "content", [b"", b"junk", b"{}", b"[]", b"null", pickle.dumps({"browser": "x"}), b'{"browser": 5}']
)
def test_a_request_that_we_did_not_write_is_no_request(
    customer: BrowserCustomer, redis_client: redis.Redis, content: bytes
) -> None:
    request_id = customer.signed_in_request()
    redis_client.set(f"request:{request_id}", content)
    check_page(customer.client.get(f"/consent/{request_id}"), "request_lost", "en", status=404)


# How long


def test_a_session_is_over_eight_hours_after_sign_in_however_busy(
    customer: BrowserCustomer, clock: Clock
) -> None:
    customer.signed_in_request()
    clock.advance(timedelta(hours=7, minutes=59, seconds=59))
    assert is_signed_in(customer)
    clock.advance(timedelta(seconds=1))
    assert not is_signed_in(customer)


def test_sign_in_begins_the_eight_hours_anew(customer: BrowserCustomer, clock: Clock) -> None:
    customer.begin()
    clock.advance(timedelta(hours=7))
    customer.signed_in_request()
    clock.advance(timedelta(hours=7))
    assert is_signed_in(customer)


def test_signing_in_at_another_bank_does_not_prolong_a_sign_in(
    customer: BrowserCustomer, clock: Clock
) -> None:
    """With the first of its sign-ins all of a session ends: what is bound to it is bound to who signed in."""
    customer.signed_in_request(provider_id="1000")
    clock.advance(timedelta(hours=7, minutes=59))
    at_the_second = customer.signed_in_request(provider_id="2000")
    assert is_signed_in(customer, "1000")
    clock.advance(timedelta(minutes=1))
    check_page(customer.client.get(f"/consent/{at_the_second}"), "session_over", "en", status=404)
    assert not is_signed_in(customer, "1000")
    assert not is_signed_in(customer, "2000")


# What ends with it


def check_boxes(customer: BrowserCustomer, request_id: str, *boxes: str) -> None:
    """Checks them, and lets the form be kept so."""
    address = f"/consent/{request_id}"
    fields = hidden_fields(customer.form(request_id), address)
    response = customer.client.post(address, data={**fields, "scope": list(boxes), "extend": "yes"})
    assert response.status_code == 303


@pytest.mark.parametrize("is_another_person", [True, False])
def test_after_a_sign_in_has_ended_by_age_nobody_opens_its_request(
    customer: BrowserCustomer, clock: Clock, is_another_person: bool
) -> None:
    customer.signed_in_request(provider_id="1000")
    clock.advance(timedelta(hours=7, minutes=55))
    customer.signed_in_request(provider_id="2000")
    hers = customer.begin(provider_id="1000", state="hers")
    check_boxes(customer, hers, "TRANSACTIONS")
    clock.advance(timedelta(minutes=6))
    next_request = customer.begin(provider_id="1000")
    customer.sign_in(next_request, "sam" if is_another_person else "alex")
    check_page(customer.client.get(f"/consent/{hers}"), "request_lost", "en", status=404)
    assert customer.form(next_request).all("input", checked="") == []


def test_a_session_that_ends_while_something_of_it_is_saved_leaves_nothing_of_its_customers(
    valkey: EmbeddedValkey, redis_client: redis.Redis, settings: Settings, clock: Clock
) -> None:
    """Somebody signs out in another tab, between the look at the session and what is written."""
    with Proxy(to_socket(urlsplit(valkey.url).path)) as proxy:
        between = settings.model_copy(update={"redis_url": SecretStr(f"redis://127.0.0.1:{proxy.port}/0")})
        client = a_browser(make_app(between, clock))
        customer = BrowserCustomer(client)
        hers = customer.signed_in_request()
        check_boxes(customer, hers, "TRANSACTIONS")
        (key,) = session_keys(redis_client)

        def end_the_session(written: bytes, _port: int) -> None:
            if b"XX" in written and key.encode() in written:
                redis_client.delete(key)

        proxy.on_request = end_the_session
        next_request = customer.begin(state="next")
        proxy.on_request = None
        assert key not in session_keys(redis_client)
        customer.sign_in(next_request, "sam")
        check_page(customer.client.get(f"/consent/{next_request}"), "form", "en")
        check_page(customer.client.get(f"/consent/{hers}"), "request_lost", "en", status=404)


def test_a_session_that_is_not_used_for_half_an_hour_is_gone(
    customer: BrowserCustomer, redis_client: redis.Redis, clock: Clock
) -> None:
    request_id = customer.signed_in_request()
    (key,) = session_keys(redis_client)
    redis_client.expire(key, 100)
    customer.client.get(f"/consent/{request_id}")
    assert 1795 <= redis_client.ttl(key) <= 1800, "reading it begins another half hour"
    redis_client.expireat(key, 1)  # a second of 1970
    check_page(customer.client.get(f"/consent/{request_id}"), "session_over", "en", status=404)
    assert not is_signed_in(customer)


def test_a_session_lasts_as_long_as_a_request_that_is_read_in_it(
    settings: Settings, clock: Clock, redis_client: redis.Redis
) -> None:
    """Otherwise an hour to answer would be half an hour to somebody who reads before they click."""
    an_hour = settings.model_copy(update={"request_lifetime": timedelta(hours=1)})
    client = a_browser(make_app(an_hour, clock))
    BrowserCustomer(client).signed_in_request()
    (key,) = session_keys(redis_client)
    assert redis_client.ttl(key) >= 3595


def test_nothing_is_written_when_nothing_changed(
    customer: BrowserCustomer, redis_client: redis.Redis
) -> None:
    request_id = customer.signed_in_request()
    redis_client.config_resetstat()
    for _ in range(3):
        customer.client.get(f"/consent/{request_id}")
    commands = redis_client.info("commandstats")
    assert "cmdstat_set" not in commands, "a page that is only read writes nothing"
    assert commands["cmdstat_getex"]["calls"] == 3


# What leaves it as it is


def test_a_failed_sign_in_leaves_the_session_as_it_was(
    customer: BrowserCustomer, redis_client: redis.Redis
) -> None:
    request_id = customer.begin()
    before, (key,) = cookie_of(customer.client), session_keys(redis_client)
    content = redis_client.get(key)
    assert "Set-Cookie" not in customer.sign_in(request_id, password="wrong").headers
    assert cookie_of(customer.client) == before
    assert redis_client.get(key) == content


def test_after_a_key_rotation_old_sessions_codes_and_forms_go_on(
    customer: BrowserCustomer, settings_with: Callable[..., ContractClient]
) -> None:
    request_id = customer.signed_in_request()
    fields = {
        field.attributes["name"]: field.attributes["value"]
        for field in customer.form(request_id).one("form", id="decision").all("input", type="hidden")
    }
    rotated = BrowserCustomer(settings_with(secret_key=NEXT_KEY, secret_key_fallbacks=(SECRET_KEY,)))
    rotated.client.bring_cookies_of(customer.client)
    response = rotated.post_answer(request_id, fields, "approve")
    assert response.status_code == 302
    assert is_signed_in(rotated)
    without = BrowserCustomer(settings_with(secret_key=NEXT_KEY))
    without.client.bring_cookies_of(customer.client)
    assert not is_signed_in(without)


@pytest.fixture
def settings_with(
    valkey: EmbeddedValkey, ledger_url: str, signing_keys: Path, clock: Clock
) -> Callable[..., ContractClient]:
    """A client of a server with the same stores and other settings."""

    def serve(**changes: Any) -> ContractClient:
        return a_browser(make_app(make_settings(valkey.url, ledger_url, signing_keys, **changes), clock))

    return serve


# A request that begins while its session is ended


def a_session(store: SessionStore, session_id: str | None) -> BrowserSession:
    """The session as one request has it; every provider is one of the sandbox."""
    return BrowserSession(
        store,
        session_id,
        has_cookie=session_id is not None,
        cookie_language=None,
        find_provider=lambda provider_id: a_provider(provider_id=provider_id),
        absolute=timedelta(hours=12),
        clock=lambda: NOON,
    )


def test_a_request_that_begins_while_somebody_signs_out_is_not_bound_to_who_was_signed_in(
    redis_client: redis.Redis,
) -> None:
    store = SessionStore(redis_client, RECORDS, RequestStore(redis_client, RECORDS), idle=timedelta(hours=1))
    before = a_session(store, None)
    before.sign_in(Customer("1000", "", "maple-0001", "Zoë"))
    session = a_session(store, before.id)
    assert session.customer_of("1000") is not None
    store.forget(before.id or "")
    kept = session.save_with_request(a_pending_request(browser_id=before.browser_id))
    assert session.customer_of("1000") is None
    assert kept.browser_id == session.browser_id != before.browser_id
    assert store.find_request(kept.request_id) == kept
    assert session.id not in {None, before.id}
    assert a_session(store, session.id).browser_id == kept.browser_id


def test_a_request_is_found_with_the_session_or_without_one(redis_client: redis.Redis) -> None:
    store = SessionStore(redis_client, RECORDS, RequestStore(redis_client, RECORDS), idle=timedelta(hours=1))
    first = a_session(store, None)
    kept = first.save_with_request(a_pending_request())
    for session_id, is_known in ((first.id, True), (None, False), ("nobodys", False)):
        session = a_session(store, session_id)
        assert session.find_request(kept.request_id) == kept
        assert session.find_request("another") is None
        assert session.is_known is is_known
        assert session.was_accessed
