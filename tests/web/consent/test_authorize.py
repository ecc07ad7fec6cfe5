"""`GET /api/v1/authorize`: what a good request starts, and where each fault goes (contract 2)."""

import re
import uuid
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from urllib.parse import quote, urlencode

import pytest
from werkzeug.test import TestResponse

from app.development.embedded import EmbeddedValkey
from app.domain.language import Language
from app.settings import Settings
from app.stores.redis import client as redis
from tests.support.applications import Clock, a_browser, make_app, make_settings
from tests.support.builders import CALLBACK, a_query, query_params
from tests.support.customer import (
    BUDGET,
    LOANS_CALLBACK,
    LOANS_REQUEST,
    BrowserCustomer,
    answer_params,
    basic,
    carried_params,
)
from tests.support.expected_pages import check_error_page, check_json, check_page, complaints_page, ways_out
from tests.support.ledger_tables import LedgerTables
from tests.support.page_contract import ContractClient, parse_page

AUTHORIZE = "/api/v1/authorize"
ISSUER = "http://localhost:8000"
JSON = {"Accept": "application/json"}
MARK = "sent-by-the-caller"

Changes = Mapping[str, str | Sequence[str] | None]

# A good request with every parameter there is.
COMPLETE = {**query_params(**LOANS_REQUEST), "correlation_id": "correlation-1", "lang": "en"}


@dataclass(frozen=True)
class Fault:
    """What is wrong with a request, and what it is answered with; `page` when nothing is proven."""

    name: str
    changes: Changes
    error: str
    page: str | None = None
    keeps_state: bool = True

    @property
    def rules(self) -> set[str]:
        """Which parameters it is about; those of PKCE are looked at together."""
        return {name.removesuffix("_method") for name in self.changes}


# Each row of the table in contract 2.1, in its order.
UNPROVEN = [
    Fault("client_id missing", {"client_id": None}, "invalid_client", "unsafe_client"),
    Fault("client_id empty", {"client_id": ""}, "invalid_client", "unsafe_client"),
    Fault("client_id repeated", {"client_id": ["dc-loans", "dc-loans"]}, "invalid_client", "unsafe_client"),
    Fault("client_id unknown", {"client_id": MARK}, "invalid_client", "unsafe_client"),
    Fault("client_id suspended", {"client_id": "dc-budget"}, "invalid_client", "unsafe_client"),
    Fault("client_id not UTF-8", {"client_id": "dc-loans\udcff"}, "invalid_client", "unsafe_client"),
    Fault("client_id with NUL", {"client_id": "dc-loans\0"}, "invalid_client", "unsafe_client"),
    Fault("redirect_uri missing", {"redirect_uri": None}, "invalid_request", "unsafe_redirect"),
    Fault(
        "redirect_uri repeated", {"redirect_uri": [LOANS_CALLBACK] * 2}, "invalid_request", "unsafe_redirect"
    ),
    Fault(
        "redirect_uri unknown",
        {"redirect_uri": f"https://{MARK}.example/"},
        "invalid_request",
        "unsafe_redirect",
    ),
    Fault("redirect_uri of another", {"redirect_uri": CALLBACK}, "invalid_request", "unsafe_redirect"),
]
PROVEN = [
    Fault("a parameter repeated", {"lang": ["en", "en"]}, "invalid_request"),
    Fault("state repeated", {"state": [MARK, MARK]}, "invalid_request", keeps_state=False),
    Fault("lang not UTF-8", {"lang": "\udcff"}, "invalid_request"),
    Fault("state not UTF-8", {"state": f"{MARK}\udcff"}, "invalid_request", keeps_state=False),
    Fault("state with NUL", {"state": f"{MARK}\0"}, "invalid_request", keeps_state=False),
    Fault("state missing", {"state": None}, "invalid_request", keeps_state=False),
    Fault("state empty", {"state": ""}, "invalid_request", keeps_state=False),
    Fault("state too long", {"state": "s" * 2049}, "invalid_request", keeps_state=False),
    Fault("response_type missing", {"response_type": None}, "invalid_request"),
    Fault("response_type token", {"response_type": "token"}, "unsupported_response_type"),
    Fault("response_type of two", {"response_type": "code token"}, "unsupported_response_type"),
    Fault("scope missing", {"scope": None}, "invalid_scope"),
    Fault("scope of ten thousand words", {"scope": "ACCOUNT_BASIC " + "X " * 10_000}, "invalid_scope"),
    Fault("scope unknown", {"scope": f"ACCOUNT_BASIC {MARK}"}, "invalid_scope"),
    Fault("scope in lower case", {"scope": "account_basic"}, "invalid_scope"),
    Fault("scope without ACCOUNT_BASIC", {"scope": "TRANSACTIONS"}, "invalid_scope"),
    Fault("scope beyond registration", {"scope": "ACCOUNT_BASIC STATEMENTS"}, "invalid_scope"),
    Fault("provider_id missing", {"provider_id": None}, "invalid_request"),
    Fault("provider_id unknown", {"provider_id": MARK}, "invalid_request"),
    Fault("not active with the provider", {"provider_id": "2000"}, "unauthorized_client"),
    Fault("a needed cluster not served", {"scope": "ACCOUNT_BASIC INVESTMENTS"}, "invalid_scope"),
    Fault("no PKCE", {"code_challenge": None, "code_challenge_method": None}, "invalid_request"),
    Fault("code_challenge malformed", {"code_challenge": MARK}, "invalid_request"),
    Fault("code_challenge alone", {"code_challenge_method": None}, "invalid_request"),
    Fault("code_challenge_method alone", {"code_challenge": None}, "invalid_request"),
    Fault("code_challenge_method plain", {"code_challenge_method": "plain"}, "invalid_request"),
    Fault("correlation_id malformed", {"correlation_id": f"{MARK} {MARK}"}, "invalid_request"),
    Fault("correlation_id too long", {"correlation_id": "c" * 129}, "invalid_request"),
]


def by_name(fault: Fault) -> str:
    return fault.name


@pytest.fixture
def server(register: Callable[..., ContractClient]) -> ContractClient:
    """A registration in which every fault is possible."""
    return register(
        # Provider 1000 has no investments, without which dc-loans cannot work.
        ('"INVESTMENTS",\n', "\n"),
        (
            '"TRANSACTIONS", "CUSTOMER_PERSONAL"]\nneeds = ["ACCOUNT_BASIC", "TRANSACTIONS"]',
            '"TRANSACTIONS", "CUSTOMER_PERSONAL", "INVESTMENTS"]\nneeds = ["ACCOUNT_BASIC", "TRANSACTIONS", "INVESTMENTS"]',
        ),
        ('client_id = "dc-budget"', 'client_id = "dc-budget"\nsuspended = true'),
    )


def complete_query(*changes: Changes) -> str:
    """A good request's query, changed: None leaves a parameter out, a list repeats it."""
    values: dict[str, str | Sequence[str] | None] = dict(COMPLETE)
    for change in changes:
        values.update(change)
    present = {name: value for name, value in values.items() if value is not None}
    return urlencode(present, doseq=True, encoding="utf-8", errors="surrogateescape")


def ask(client: ContractClient, query: str, *, method: str = "GET", **headers: str) -> TestResponse:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return client.open(f"{AUTHORIZE}?{query}", method=method, headers=named)


def keys(redis_client: redis.Redis, pattern: str = "*") -> list[str]:
    return [str(key) for key in redis_client.scan_iter(pattern)]


# Where each fault goes


@pytest.mark.parametrize("fault", UNPROVEN, ids=by_name)
def test_what_is_not_proven_is_a_page_without_a_link(
    server: ContractClient, redis_client: redis.Redis, fault: Fault, lang: str
) -> None:
    assert fault.page is not None
    response = ask(server, complete_query({"lang": lang}, fault.changes))
    page = check_error_page(response, fault.page, lang, status=400)
    assert ways_out(page) == []
    assert "Set-Cookie" not in response.headers
    assert keys(redis_client) == []


@pytest.mark.parametrize("fault", UNPROVEN, ids=by_name)
def test_what_is_not_proven_is_json_for_a_caller_that_prefers_it(
    server: ContractClient, fault: Fault
) -> None:
    response = ask(server, complete_query(fault.changes), **JSON)
    check_json(response, fault.error, status=400)
    assert MARK not in response.text


def test_the_page_links_only_to_itself_in_the_other_language(server: ContractClient, lang: str) -> None:
    page = parse_page(ask(server, complete_query({"lang": lang, "client_id": MARK})).text)
    switches = [link.attributes["href"] for link in page.all("a") if "hreflang" in link.attributes]
    tags = []
    for switch in switches:
        assert switch.startswith(f"{AUTHORIZE}?")
        tags.append(parse_page(server.get(switch).text).one("html").attributes["lang"])
    assert tags == [other.tag for other in Language(lang).others]


@pytest.mark.parametrize("accept", ["text/html", "application/json"])
@pytest.mark.parametrize("fault", PROVEN, ids=by_name)
def test_what_is_wrong_with_a_proven_request_is_told_to_the_recipient(
    server: ContractClient, redis_client: redis.Redis, fault: Fault, accept: str
) -> None:
    response = ask(server, complete_query(fault.changes), Accept=accept)
    params = answer_params(response, LOANS_CALLBACK)
    assert params.keys() <= {"error", "error_description", "state", "iss"}
    assert params["error"] == fault.error
    assert params["iss"] == ISSUER
    assert params.get("state") == (COMPLETE["state"] if fault.keeps_state else None)
    assert re.fullmatch(r"[ !#-\[\]-~]+", params["error_description"]), "RFC 6749 4.1.2.1 allows nothing else"
    assert MARK not in response.location
    assert "Set-Cookie" not in response.headers
    assert keys(redis_client) == []


@pytest.mark.parametrize(
    "first", range(len(UNPROVEN + PROVEN)), ids=lambda i: by_name((UNPROVEN + PROVEN)[i])
)
def test_of_two_faults_the_one_that_comes_first_is_answered(server: ContractClient, first: int) -> None:
    def answer_to(*faults: Fault) -> tuple[int, str, str]:
        response = ask(server, complete_query(*(fault.changes for fault in faults)), **JSON)
        if response.status_code == 302:
            params = answer_params(response, LOANS_CALLBACK)
            return 302, params["error"], params["error_description"]
        assert response.json is not None
        return response.status_code, response.json["error"], response.json["error_description"]

    fault, *later = (UNPROVEN + PROVEN)[first:]
    alone = answer_to(fault)
    for other in later:
        if fault.rules.isdisjoint(other.rules):
            assert answer_to(fault, other) == alone, other.name


@pytest.mark.parametrize(
    "redirect_uri",
    [
        "http://localhost:8001/callback/",
        "http://localhost:8001/callbac",
        "http://localhost:8001/callback?",
        "http://localhost:8001/callback#",
        "http://localhost:8001/callback#fragment",
        "http://localhost:8001/Callback",
        "HTTP://localhost:8001/callback",
        "http://LOCALHOST:8001/callback",
        "http://localhost:8002/callback",
        "http://localhost/callback",
        "http://localhost.:8001/callback",
        "http://localhost:8001/%63allback",
        "http://localhost:8001/./callback",
        "http://localhost:8001/a/../callback",
        "http://localhost:8001/..;/callback",
        "http://localhost:8001\\callback",
        "http://somebody@localhost:8001/callback",
        "http://localhost:8001@evil.example/callback",
        "http://evil.example@localhost:8001@evil.example/callback",
        "http://localhost:8001/callback\t",
        " http://localhost:8001/callback",
        "http://localhost:8001/callback\n",
        "http://localhost:8001/callback\0",
        "http://localhost:8001/callback\udcff",
        "http://lоcalhost:8001/callback",  # a Cyrillic letter
        "//localhost:8001/callback",
        "javascript:alert(1)",
        "data:text/html,callback",
    ],
)
def test_a_redirect_uri_that_only_resembles_a_registered_one_is_refused(
    client: ContractClient, redirect_uri: str
) -> None:
    query = urlencode(query_params(redirect_uri=redirect_uri), encoding="utf-8", errors="surrogateescape")
    check_error_page(ask(client, query), "unsafe_redirect", "en", status=400)


def test_a_suspended_client_is_answered_like_an_unknown_one_whatever_else_it_asks(
    server: ContractClient,
) -> None:
    unknown = ask(server, complete_query({"client_id": "dc-nobody"}), **JSON)
    suspended = ask(server, complete_query({"client_id": "dc-budget"}), **JSON)
    assert suspended.data == unknown.data


@pytest.mark.parametrize(
    ("accept", "is_json"),
    [
        ("application/json", True),
        ("application/json, text/html;q=0.9", True),
        ("text/html, application/json;q=0.9", False),
        ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", False),
        ("*/*", False),
        ("", False),
        ("application/json;q=nan, \0;;q=", False),
    ],
)
def test_who_gets_json_is_decided_by_what_the_caller_prefers(
    client: ContractClient, accept: str, is_json: bool
) -> None:
    response = ask(client, a_query(client_id="nobody"), Accept=accept)
    assert response.status_code == 400
    assert response.mimetype == ("application/json" if is_json else "text/html")


@pytest.mark.parametrize("query", ["&".join(f"p{i}=1" for i in range(101)), a_query() + "&x=1" * 100])
def test_more_than_a_hundred_parameters_are_a_page_of_their_own(
    client: ContractClient, query: str, lang: str
) -> None:
    page = check_error_page(ask(client, f"lang={lang}&{query}"), "bad_request", lang, status=400)
    assert ways_out(page) == [complaints_page(lang)]
    check_json(ask(client, query, **JSON), "invalid_request", status=400)


@pytest.mark.parametrize(
    "beside",
    [
        "prompt=none&prompt=login&nonce=",
        "utm_campaign=%E9t%E9",
        "utm_campaign=été".encode("latin-1").decode("latin-1"),
        "utm=%00&%FF=1&%ED%A0%80",
    ],
)
def test_an_unknown_parameter_is_ignored_whatever_it_is(client: ContractClient, beside: str) -> None:
    query = f"{a_query()}&{beside}"
    response = client.get("/api/v1/authorize", environ_overrides={"QUERY_STRING": query})
    assert response.location.startswith("/sign-in/"), response.location


def test_what_happens_unexpectedly_after_validation_is_told_to_the_recipient(settings: Settings) -> None:
    def broken_clock() -> datetime:
        raise RuntimeError("no time")

    response = ask(make_app(settings, broken_clock).test_client(), a_query())  # type: ignore[arg-type]
    params = answer_params(response)
    assert params["error"] == "server_error"
    assert params["state"] == "af0ifjsldkj"
    assert params["iss"] == ISSUER


# What a good request starts


def test_a_good_request_goes_to_sign_in_with_the_request_id_and_nothing_else(client: ContractClient) -> None:
    response = ask(client, a_query())
    assert response.status_code == 302
    assert re.fullmatch(r"/sign-in/[A-Za-z0-9_-]{32}", response.location)


def test_a_customer_who_is_signed_in_begins_at_their_accounts(customer: BrowserCustomer) -> None:
    customer.signed_in_request()
    response = ask(customer.client, a_query())
    assert re.fullmatch(r"/consent/[A-Za-z0-9_-]{32}/accounts", response.location)
    elsewhere = ask(customer.client, a_query(provider_id="2000"))
    assert elsewhere.location.startswith("/sign-in/"), "signed in at one provider is not signed in at another"


def test_a_customer_with_one_account_begins_at_the_form(customer: BrowserCustomer) -> None:
    customer.sign_in(customer.begin(), "sam")
    response = ask(customer.client, a_query())
    assert re.fullmatch(r"/consent/[A-Za-z0-9_-]{32}", response.location)


def test_the_session_cookie_is_for_this_host_and_no_script(client: ContractClient) -> None:
    response = ask(client, a_query())
    name, _, attributes = response.headers["Set-Cookie"].partition("=")
    assert name == "accord"
    assert attributes.partition("; ")[2] == "HttpOnly; Path=/; SameSite=Lax"
    assert response.headers["Vary"] == "Cookie"
    assert response.headers["Cache-Control"] == "no-store"


def test_what_is_kept_is_one_request_in_a_list_and_one_session_each_with_an_end(
    client: ContractClient, redis_client: redis.Redis
) -> None:
    request_id = ask(client, a_query()).location.rpartition("/")[2]
    assert f"request:{request_id}" in keys(redis_client)
    assert len(keys(redis_client, "session:*")) == 1
    assert len(keys(redis_client)) == 3
    for key in (f"request:{request_id}", *keys(redis_client, "opened:*")):
        assert 4490 <= redis_client.ttl(key) <= 4500, "its 15 minutes, and an hour"
    assert 1790 <= redis_client.ttl(keys(redis_client, "session:*")[0]) <= 1800


def test_a_second_request_keeps_the_session_and_sets_no_cookie(
    client: ContractClient, redis_client: redis.Redis
) -> None:
    first, second = ask(client, a_query()), ask(client, a_query())
    assert first.location != second.location
    assert "Set-Cookie" not in second.headers
    assert len(keys(redis_client, "session:*")) == 1
    assert client.get(first.location).status_code == client.get(second.location).status_code == 200


def test_more_than_twenty_open_requests_push_out_the_oldest(
    customer: BrowserCustomer, redis_client: redis.Redis
) -> None:
    opened = [customer.begin() for _ in range(21)]
    assert len(keys(redis_client, "request:*")) == 20
    check_page(customer.client.get(f"/sign-in/{opened[0]}"), "request_lost", "en", status=404)
    for request_id in opened[1:]:
        check_page(customer.client.get(f"/sign-in/{request_id}"), "sign_in", "en")


def test_of_sixty_requests_that_are_opened_at_once_twenty_stay_open(
    customer: BrowserCustomer, redis_client: redis.Redis
) -> None:
    customer.begin()

    def begin(_number: int) -> str:
        tab = a_browser(customer.client.application)
        tab.bring_cookies_of(customer.client)
        return BrowserCustomer(tab).begin()

    with ThreadPoolExecutor(20) as pool:
        opened = list(pool.map(begin, range(60)))
    assert len(keys(redis_client, "request:*")) == 20
    statuses = [customer.client.get(f"/sign-in/{request_id}").status_code for request_id in opened]
    assert (statuses.count(200), statuses.count(404)) == (20, 40)


@pytest.mark.parametrize(
    "state",
    [
        "s",
        "a b+c%20d%2B",
        '&code=forged&iss=https://evil.example#"<>\\',
        "état ✓ 😀 \u202e",
        "\r\nSet-Cookie: forged=1\r\n\r\n",
        "%0d%0a",
        "s" * 2000,
        "é" * 2048,
        "\x01\x7f\t",
    ],
)
def test_the_state_comes_back_as_it_was_sent(customer: BrowserCustomer, state: str) -> None:
    request_id = customer.signed_in_request(state=state)
    answer = customer.answer(request_id, "deny")
    assert answer_params(answer)["state"] == state
    assert "\r" not in answer.location
    assert "\n" not in answer.location
    assert "forged" not in answer.headers.get("Set-Cookie", "")
    refused = ask(customer.client, a_query(state=state, scope="nonsense"))
    assert answer_params(refused)["state"] == state


@pytest.mark.parametrize(
    ("sent", "shown"),
    [
        (None, "en"),
        ("", "en"),
        ("en", "en"),
        ("fr", "fr"),
        ("FR", "fr"),
        ("fr-CA", "fr"),
        ("fr_FR", "fr"),
        ("en-CA", "en"),
        ("de", "en"),
        ("french", "en"),
        ("<fr>", "en"),
    ],
)
def test_the_pages_speak_the_language_that_the_recipient_asked_for(
    customer: BrowserCustomer, sent: str | None, shown: str
) -> None:
    response = ask(customer.client, a_query(lang=sent), Accept_Language="fr-CA, fr")
    page = customer.client.get(response.location, headers={"Accept-Language": "fr-CA, fr"})
    check_page(page, "sign_in", shown)


# HEAD, other methods, other ways to write the address


def test_head_answers_with_a_status_and_begins_nothing(
    server: ContractClient, redis_client: redis.Redis, recorded: LedgerTables
) -> None:
    for changes, status in (({}, 200), ({"scope": "nonsense"}, 302), ({"client_id": "nobody"}, 400)):
        response = ask(server, complete_query(changes), method="HEAD")
        assert response.status_code == status
        assert response.data == b""
        assert "Set-Cookie" not in response.headers
    assert keys(redis_client) == []
    assert recorded.nothing_happened


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"])
def test_any_other_method_is_refused(
    client: ContractClient, redis_client: redis.Redis, method: str, lang: str
) -> None:
    response = ask(client, a_query(lang=lang), method=method)
    check_error_page(response, "not_allowed", lang, status=405)
    assert response.headers["Allow"] == "GET, HEAD"
    assert "Set-Cookie" not in response.headers
    check_json(ask(client, a_query(), method=method, **JSON), "invalid_request", status=405)
    assert keys(redis_client) == []


@pytest.mark.parametrize("path", ["//api/v1/authorize", "/api//v1/authorize", "///api/v1///authorize"])
def test_doubled_slashes_reach_the_same_place_with_the_query_intact(
    client: ContractClient, path: str
) -> None:
    written = {"PATH_INFO": path, "QUERY_STRING": a_query(state="a+b%20c", scope="nonsense")}
    response = client.get("/", environ_overrides=written)
    assert answer_params(response)["state"] == "a+b%20c"
    good = client.get("/", environ_overrides={"PATH_INFO": path, "QUERY_STRING": a_query()})
    assert good.location.startswith("/sign-in/")


# Who asks, and through what


@pytest.mark.parametrize("host", ["LOCALHOST:8000", "Localhost"])
def test_a_host_is_ours_however_its_name_is_written(client: ContractClient, host: str) -> None:
    assert client.get(f"{AUTHORIZE}?{a_query()}", headers={"Host": host}).status_code == 302


def test_a_redirect_is_no_page_and_repeats_nothing(client: ContractClient) -> None:
    """A browser that follows it shows none; a machine would find Werkzeug's, in English."""
    response = ask(client, a_query(scope="nonsense"))
    assert (response.status_code, response.data) == (302, b"")


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:8000",
        "localhost.evil.example",
        "localhost:8000@evil.example",
        "evil.example#",
    ],
)
@pytest.mark.parametrize(
    "path", [AUTHORIZE, "//api/v1/authorize", "/nothing", "/connections", "/api/v1/token"]
)
def test_a_host_that_is_not_ours_is_refused_and_reflected_nowhere(
    client: ContractClient, redis_client: redis.Redis, host: str, path: str
) -> None:
    written = {"PATH_INFO": path, "QUERY_STRING": a_query(), "HTTP_HOST": host}
    response = client.get("/", environ_overrides=written)
    assert response.status_code == 400
    assert "evil" not in response.text
    assert "evil" not in str(response.headers)
    assert "Set-Cookie" not in response.headers
    assert keys(redis_client) == []


FORWARDED = {
    "X-Forwarded-Host": "evil.example",
    "X-Forwarded-Proto": "https",
    "X-Forwarded-Port": "4443",
    "X-Forwarded-Prefix": "/evil",
    "X-Forwarded-For": "192.0.2.1",
    "X-Original-URL": "/evil",
    "Script-Name": "/evil",
    "Forwarded": "for=192.0.2.1;host=evil.example;proto=https",
}


@pytest.mark.parametrize("query", [a_query(), a_query(scope="nonsense"), a_query(client_id="nobody")])
def test_what_a_peer_says_was_forwarded_changes_nothing(client: ContractClient, query: str) -> None:
    plain = ask(client, query)
    client.delete_cookie("accord")
    forwarded = client.get(f"{AUTHORIZE}?{query}", headers=FORWARDED)
    assert forwarded.status_code == plain.status_code
    assert list(forwarded.headers.keys()) == list(plain.headers.keys())
    assert "evil" not in forwarded.text
    assert "evil" not in str(forwarded.headers)
    assert "Secure" not in forwarded.headers.get("Set-Cookie", "")
    if forwarded.status_code == 302 and "error=" in forwarded.location:
        assert forwarded.location == plain.location


def test_even_a_trusted_proxy_changes_no_address_that_is_a_setting(
    valkey: EmbeddedValkey, ledger_url: str, signing_keys: Path, clock: Clock, redis_client: redis.Redis
) -> None:
    settings = make_settings(valkey.url, ledger_url, signing_keys, trusted_proxies="127.0.0.1")
    response = make_app(settings, clock).test_client().get(f"{AUTHORIZE}?{a_query()}", headers=FORWARDED)
    assert response.location.startswith("/sign-in/")
    assert "evil" not in str(response.headers)
    assert "Secure" not in response.headers["Set-Cookie"]


# The correlation id


def test_every_answer_of_a_flow_carries_the_correlation_id_that_began_it(customer: BrowserCustomer) -> None:
    client = customer.client
    asked = ask(client, a_query(correlation_id="flow-1"))
    request_id = asked.location.rpartition("/")[2]
    signed_out_page = client.get(f"/sign-in/{request_id}")
    failed = customer.sign_in(request_id, password="wrong")
    signed_in = customer.sign_in(request_id)
    form = client.get(f"/consent/{request_id}")
    answer = customer.answer(request_id, "approve")
    answered = client.get(f"/consent/{request_id}")
    tokens = customer.redeem(answer_params(answer)["code"])
    assert tokens.json is not None
    refreshed = customer.refresh(tokens.json["refresh_token"])
    for response in (asked, signed_out_page, failed, signed_in, form, answer, answered, tokens, refreshed):
        assert response.headers["ob-correlation-id"] == "flow-1", response.request.path


@pytest.mark.parametrize(
    "changes", [{"scope": "nonsense"}, {"state": None}, {"client_id": "nobody"}, {"redirect_uri": "x:y"}]
)
def test_a_refusal_carries_the_correlation_id_too(
    client: ContractClient, changes: dict[str, str | None]
) -> None:
    response = ask(client, a_query(correlation_id="flow-1", **changes))
    assert response.headers["ob-correlation-id"] == "flow-1"


@pytest.mark.parametrize("sent", ["", "a b", "a\r\nX-Forged: 1", "é", "c" * 129])
def test_a_correlation_id_is_made_where_none_was_sent_that_can_be_used(
    client: ContractClient, sent: str
) -> None:
    response = ask(client, f"{a_query()}&correlation_id={quote(sent)}")
    assert uuid.UUID(response.headers["ob-correlation-id"]).version == 4
    assert "X-Forged" not in response.headers


def test_two_requests_without_a_correlation_id_get_different_ones(client: ContractClient) -> None:
    first, second = ask(client, a_query()), ask(client, a_query())
    assert first.headers["ob-correlation-id"] != second.headers["ob-correlation-id"]
    assert first.headers["ob-trace-id"] != second.headers["ob-trace-id"]


def test_a_refused_token_request_carries_a_correlation_id(client: ContractClient) -> None:
    response = client.post("/api/v1/token", data={"grant_type": "x"}, headers=basic(*BUDGET))
    assert response.status_code == 400
    assert uuid.UUID(response.headers["ob-correlation-id"]).version == 4


# The way back


def test_an_expired_request_leads_back_to_the_query_that_was_registered(
    customer: BrowserCustomer, clock: Clock
) -> None:
    request_id = customer.begin(**LOANS_REQUEST, state="kept & safe")
    clock.advance(timedelta(minutes=15))
    page = check_page(customer.client.get(f"/consent/{request_id}"), "request_expired", "en", status=410)
    params = carried_params(page.one("a", id="way-back").attributes["href"], LOANS_CALLBACK)
    assert params == {
        "error": "access_denied",
        "error_description": "The user denied the access",
        "state": "kept & safe",
        "iss": ISSUER,
    }
