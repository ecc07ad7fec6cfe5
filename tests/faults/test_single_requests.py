"""When a store breaks: a page or a redirect that says so, never a 500, and an end that is well.

Valkey is stopped, frozen, full, demoted or loses its replies; the ledger is locked, read-only or without its
tables. Nobody gets a code that is not on record, and a retry afterwards finds what was recorded.
"""

import contextlib
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from werkzeug.test import TestResponse

from app.development.embedded import EmbeddedValkey
from app.settings import Settings
from app.stores.readiness import A_SECOND
from app.stores.redis import client as redis
from tests.support.applications import Clock, a_browser, make_app, make_settings
from tests.support.builders import a_query
from tests.support.customer import (
    BUDGET,
    BrowserCustomer,
    OpenForm,
    answer_params,
    basic,
    carried_params,
    hidden_fields,
)
from tests.support.expected_pages import (
    check_error_page,
    check_json,
    check_page,
    complaints_page,
    ways_out,
)
from tests.support.ledger_tables import LedgerTables
from tests.support.page_contract import ContractClient
from tests.support.ports import free_port
from tests.support.proxy import Proxy, to_port

SHORT = timedelta(milliseconds=300)

Breaks = Callable[[], AbstractContextManager[None]]


@pytest.fixture(scope="module")
def valkey(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedValkey]:
    """A server of these tests' own, to be broken."""
    with EmbeddedValkey(tmp_path_factory.mktemp("breaking"), port=free_port()) as server:
        yield server


@pytest.fixture
def settings(
    valkey: EmbeddedValkey, redis_client: redis.Redis, ledger_url: str, signing_keys: Path
) -> Settings:
    """As everywhere, but waiting for a store only shortly."""
    return make_settings(valkey.url, ledger_url, signing_keys, store_timeout=SHORT)


def check_unavailable(response: TestResponse, lang: str = "en") -> None:
    """A page that says that nothing was sent, when to come back, and leads nowhere."""
    page = check_error_page(response, "unavailable", lang, status=503)
    assert 1 <= int(response.headers["Retry-After"]) <= 120
    assert ways_out(page) == [complaints_page(lang)]


def check_unavailable_json(response: TestResponse) -> None:
    check_json(response, "temporarily_unavailable", status=503)
    assert 1 <= int(response.headers["Retry-After"]) <= 120


def codes_in(redis_client: redis.Redis) -> list[str]:
    return [str(key) for key in redis_client.scan_iter("code:*")]


# Valkey is down, or frozen: connections are accepted and never answered


@contextmanager
def stopped(valkey: EmbeddedValkey) -> Iterator[None]:
    valkey.stop()
    try:
        yield
    finally:
        valkey.start()


@contextmanager
def frozen(valkey: EmbeddedValkey) -> Iterator[None]:
    valkey.pause()
    try:
        yield
    finally:
        valkey.resume()


@pytest.fixture(params=[stopped, frozen], ids=["stopped", "frozen"])
def redis_gone(request: pytest.FixtureRequest, valkey: EmbeddedValkey) -> Breaks:
    how: Callable[[EmbeddedValkey], AbstractContextManager[None]] = request.param
    return lambda: how(valkey)


def test_a_proven_request_is_told_that_redis_is_gone(client: ContractClient, redis_gone: Breaks) -> None:
    with redis_gone():
        response = client.get(f"/api/v1/authorize?{a_query(state='kept')}")
    params = answer_params(response)
    assert params["error"] == "temporarily_unavailable"
    assert params["state"] == "kept"
    assert params["iss"] == "http://localhost:8000"
    assert "Set-Cookie" not in response.headers


def test_a_browser_with_a_session_is_told_so_too(customer: BrowserCustomer, redis_gone: Breaks) -> None:
    customer.signed_in_request()
    with redis_gone():
        response = customer.client.get(f"/api/v1/authorize?{a_query()}")
    assert answer_params(response)["error"] == "temporarily_unavailable"


@pytest.mark.parametrize("accept", ["text/html", "application/json"])
def test_what_is_not_proven_needs_no_store_to_be_refused(
    client: ContractClient, redis_gone: Breaks, accept: str, lang: str
) -> None:
    query = a_query(client_id="nobody", lang=lang)
    with redis_gone():
        response = client.get(f"/api/v1/authorize?{query}", headers={"Accept": accept})
    if accept == "text/html":
        check_error_page(response, "unsafe_client", lang, status=400)
    else:
        check_json(response, "invalid_client", status=400)


def test_a_proven_request_with_a_fault_is_told_of_its_fault(
    client: ContractClient, redis_gone: Breaks
) -> None:
    with redis_gone():
        response = client.get(f"/api/v1/authorize?{a_query(scope='nonsense')}")
    assert answer_params(response)["error"] == "invalid_scope"


@pytest.mark.parametrize("page", ["consent", "sign-in"])
def test_while_redis_is_gone_a_page_says_that_nothing_was_sent(
    customer: BrowserCustomer, redis_gone: Breaks, page: str, lang: str
) -> None:
    request_id = customer.signed_in_request(lang=lang)
    with redis_gone():
        response = customer.client.get(f"/{page}/{request_id}")
    check_unavailable(response, lang)
    assert customer.client.get(f"/consent/{request_id}").status_code == 200


@pytest.mark.parametrize("decision", ["approve", "deny"])
def test_an_answer_that_meets_no_redis_is_not_recorded_and_ends_well_afterwards(
    customer: BrowserCustomer, recorded: LedgerTables, redis_gone: Breaks, decision: str
) -> None:
    form = OpenForm(customer)
    with redis_gone():
        check_unavailable(form.send(decision))
    assert recorded.nothing_happened
    assert form.send(decision).status_code == 302
    assert len(recorded["decisions"]) == 1


def test_sign_in_and_sign_out_say_that_redis_is_gone(customer: BrowserCustomer, redis_gone: Breaks) -> None:
    form = OpenForm(customer)
    to_sign_out = hidden_fields(form.page, "/sign-out")
    with redis_gone():
        typed = {"user_name": "alex", "password": "maple-syrup"}
        check_unavailable(customer.client.post(f"/sign-in/{form.request_id}", data=typed))
        check_unavailable(customer.client.post("/sign-out", data=to_sign_out))
    assert customer.client.post("/sign-out", data=to_sign_out).status_code == 303


def test_a_code_that_nobody_redeemed_is_never_called_invalid(
    customer: BrowserCustomer, redis_gone: Breaks
) -> None:
    code = customer.approve()
    with redis_gone():
        check_unavailable_json(customer.redeem(code))
    assert customer.redeem(code).status_code == 200


def test_what_needs_no_redis_goes_on_without_it(customer: BrowserCustomer, redis_gone: Breaks) -> None:
    refresh_token = customer.redeem(customer.approve()).get_json()["refresh_token"]
    with redis_gone():
        assert customer.refresh(refresh_token).status_code == 200
        check_json(customer.redeem("forged.code"), "invalid_grant", status=400)
        check_json(customer.redeem("x", client=("dc-budget", "wrong")), "invalid_client", status=401)
        for path in ("/healthz", "/.well-known/jwks.json", "/.well-known/oauth-authorization-server", "/"):
            assert customer.client.get(path).status_code == 200


def test_the_process_is_alive_and_not_ready(client: ContractClient, redis_gone: Breaks) -> None:
    with redis_gone():
        assert client.get("/healthz").status_code == 200
        check_unavailable_json(answer := client.get("/readyz"))
    assert answer.get_json()["error_description"] == "redis is not ready, and the log says why"
    assert readiness_in_a_moment(client) == 200


def readiness_in_a_moment(client: ContractClient) -> int:
    """The status once what was found before is too old to be told again."""
    time.sleep(A_SECOND.total_seconds())
    return client.get("/readyz").status_code


def test_a_restart_between_two_requests_is_not_noticed(
    customer: BrowserCustomer, valkey: EmbeddedValkey
) -> None:
    """The connections in the pool are dead, and nothing that was kept is lost."""
    request_id = customer.begin()
    valkey.restart()
    assert customer.sign_in(request_id).status_code == 303
    valkey.restart()
    form = hidden_fields(customer.form(request_id), f"/consent/{request_id}")
    valkey.restart()
    code = answer_params(customer.post_answer(request_id, form, "approve"))["code"]
    valkey.restart()
    assert customer.redeem(code).status_code == 200


def test_a_crash_between_two_requests_is_not_noticed_either(
    customer: BrowserCustomer, valkey: EmbeddedValkey
) -> None:
    customer.begin()
    valkey.kill()
    valkey.start()
    assert customer.begin()


# Valkey answers, but takes nothing


@contextmanager
def full(redis_client: redis.Redis) -> Iterator[None]:
    """No memory is left and nothing may be evicted: reading works, writing does not."""
    redis_client.config_set("maxmemory", "1")
    try:
        yield
    finally:
        redis_client.config_set("maxmemory", "0")


@contextmanager
def demoted(redis_client: redis.Redis) -> Iterator[None]:
    """After a failover this server is somebody's replica, and read-only."""
    redis_client.replicaof("127.0.0.1", free_port())
    try:
        yield
    finally:
        redis_client.replicaof("NO", "ONE")


@pytest.mark.parametrize("how", [full, demoted])
def test_a_redis_that_takes_nothing_is_not_ready_although_it_answers(
    client: ContractClient, redis_client: redis.Redis, how: Callable[..., AbstractContextManager[None]]
) -> None:
    assert client.get("/readyz").status_code == 200
    with how(redis_client):
        assert readiness_in_a_moment(client) == 503
        assert client.get("/healthz").status_code == 200
    assert readiness_in_a_moment(client) == 200


@pytest.mark.parametrize("how", [full, demoted])
def test_a_redis_that_takes_nothing_is_a_page_or_a_redirect(
    customer: BrowserCustomer,
    redis_client: redis.Redis,
    how: Callable[[redis.Redis], AbstractContextManager[None]],
) -> None:
    request_id = customer.begin()
    fields = hidden_fields(parsed_sign_in(customer, request_id), f"/sign-in/{request_id}")
    typed = {**fields, "user_name": "alex", "password": "maple-syrup"}
    with how(redis_client):
        asked = customer.client.get(f"/api/v1/authorize?{a_query()}")
        assert answer_params(asked)["error"] == "temporarily_unavailable"
        check_unavailable(customer.client.post(f"/sign-in/{request_id}", data=typed))
    assert customer.client.post(f"/sign-in/{request_id}", data=typed).status_code == 303


def test_a_redis_that_takes_nothing_keeps_nobody_from_the_way_back(
    customer: BrowserCustomer, redis_client: redis.Redis, clock: Clock
) -> None:
    request_id = customer.begin()
    clock.advance(timedelta(minutes=16))
    with full(redis_client):
        response = customer.client.get(f"/consent/{request_id}")
    way_back = check_page(response, "request_expired", "en", status=410).one("a", id="way-back")
    assert carried_params(way_back.attributes["href"])["error"] == "access_denied"


def parsed_sign_in(customer: BrowserCustomer, request_id: str) -> Any:
    return check_page(customer.client.get(f"/sign-in/{request_id}"), "sign_in", "en")


@pytest.mark.parametrize("later", [timedelta(0), timedelta(minutes=2), timedelta(minutes=14)])
def test_when_redis_fails_between_the_ledger_and_the_code_the_same_answer_gets_a_code_later(
    customer: BrowserCustomer,
    redis_client: redis.Redis,
    recorded: LedgerTables,
    clock: Clock,
    later: timedelta,
    lang: str,
) -> None:
    form = OpenForm(customer, lang=lang)
    with full(redis_client):
        check_unavailable(form.send("approve", "TRANSACTIONS"), lang)
        assert [row["answer"] for row in recorded["decisions"]] == ["approve"], "the ledger came first"
        assert codes_in(redis_client) == []
    clock.advance(later)
    code = answer_params(form.send("approve", "TRANSACTIONS"))["code"]
    tokens = customer.redeem(code)
    assert tokens.get_json()["scope"] == "ACCOUNT_BASIC TRANSACTIONS"
    assert len(recorded["decisions"]) == len(recorded["grants"]) == 1


def test_after_such_a_failure_another_answer_is_already_answered(
    customer: BrowserCustomer, redis_client: redis.Redis
) -> None:
    form = OpenForm(customer)
    with full(redis_client):
        form.send("approve", "TRANSACTIONS")
    check_page(form.send("deny"), "answered", "en")
    check_page(form.send("approve"), "answered", "en")
    assert "code" in answer_params(form.send("approve", "TRANSACTIONS"))


def test_after_such_a_failure_no_code_is_minted_once_the_request_is_over(
    customer: BrowserCustomer, redis_client: redis.Redis, clock: Clock
) -> None:
    form = OpenForm(customer)
    with full(redis_client):
        form.send("approve", "TRANSACTIONS")
    clock.advance(timedelta(minutes=15))
    check_page(form.send("approve", "TRANSACTIONS"), "answered", "en")
    assert codes_in(redis_client) == []


def test_a_denial_needs_no_redis_once_it_is_read(
    customer: BrowserCustomer, redis_client: redis.Redis
) -> None:
    form = OpenForm(customer)
    with full(redis_client):
        assert answer_params(form.send("deny"))["error"] == "access_denied"


def test_a_code_whose_note_was_lost_lives_no_longer_than_its_first_minute(
    customer: BrowserCustomer, redis_client: redis.Redis, clock: Clock
) -> None:
    """Its record was written, and that the request has a code was not."""
    form = OpenForm(customer)
    before = redis_client.get(f"request:{form.request_id}")
    code = answer_params(form.send("approve"))["code"]
    redis_client.set(f"request:{form.request_id}", before or "", ex=600)
    clock.advance(timedelta(seconds=30))
    assert answer_params(form.send("approve"))["code"] == code
    clock.advance(timedelta(seconds=30))
    check_json(customer.redeem(code), "invalid_grant", status=400)


# A reply that is lost on the way


@contextmanager
def losing_replies(proxy: Proxy, pattern: bytes) -> Iterator[list[bytes]]:
    """Inside the block, what contains `pattern` is done and its reply is lost; the list has what was sent."""
    sent = []

    def lose_the_next_one_too(data: bytes, _port: int) -> None:
        if pattern in data:
            sent.append(data)
            proxy.losing = pattern

    proxy.losing, proxy.on_request = pattern, lose_the_next_one_too
    yield sent
    proxy.losing = proxy.on_request = None


@pytest.fixture
def proxy(valkey: EmbeddedValkey, redis_client: redis.Redis) -> Iterator[Proxy]:
    assert valkey.port is not None
    with Proxy(to_port(valkey.port)) as running:
        yield running


@pytest.fixture
def behind_proxy(proxy: Proxy, ledger_url: str, signing_keys: Path, clock: Clock) -> BrowserCustomer:
    """A customer of a server that reaches Valkey through the proxy."""
    settings = make_settings(
        f"redis://127.0.0.1:{proxy.port}/0", ledger_url, signing_keys, store_timeout=SHORT
    )
    client = a_browser(make_app(settings, clock))
    return BrowserCustomer(client)


def test_a_code_whose_record_was_written_but_not_confirmed_is_the_one_that_a_retry_gets(
    behind_proxy: BrowserCustomer, proxy: Proxy, redis_client: redis.Redis, recorded: LedgerTables
) -> None:
    form = OpenForm(behind_proxy)
    with losing_replies(proxy, b"code:") as sent:
        check_unavailable(form.send("approve"))
    assert len(sent) == 1, "nothing is sent again of which nobody knows whether it ran"
    assert len(codes_in(redis_client)) == 1
    code = answer_params(form.send("approve"))["code"]
    assert behind_proxy.redeem(code).status_code == 200
    assert len(recorded["grants"]) == 1


def test_a_redemption_whose_look_at_redis_was_lost_burns_nothing(
    behind_proxy: BrowserCustomer, proxy: Proxy
) -> None:
    code = behind_proxy.approve()
    with losing_replies(proxy, b"code:") as sent:
        check_unavailable_json(behind_proxy.redeem(code))
    assert len(sent) == 1
    assert behind_proxy.redeem(code).status_code == 200


def test_an_attempt_to_sign_in_is_counted_once_although_its_reply_was_lost(
    behind_proxy: BrowserCustomer, proxy: Proxy
) -> None:
    request_id = behind_proxy.begin()
    fields = hidden_fields(parsed_sign_in(behind_proxy, request_id), f"/sign-in/{request_id}")
    typed = {**fields, "user_name": "alex", "password": "wrong"}
    with losing_replies(proxy, b"attempts:") as sent:
        check_unavailable(behind_proxy.client.post(f"/sign-in/{request_id}", data=typed))
    assert len(sent) == 1
    again = [behind_proxy.sign_in(request_id, password="wrong").status_code for _ in range(5)]
    assert again == [400, 400, 400, 400, 429]


# The ledger cannot be written


@contextmanager
def locked(ledger_url: str) -> Iterator[None]:
    """Somebody else is writing, and does not finish."""
    path = ledger_url.removeprefix("sqlite:///")
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")


@pytest.fixture
def with_ledger(
    valkey: EmbeddedValkey, signing_keys: Path, clock: Clock, customer: BrowserCustomer
) -> Callable[[str], BrowserCustomer]:
    """The same customer in front of a server with another ledger."""

    def serve(url: str) -> BrowserCustomer:
        settings = make_settings(valkey.url, url, signing_keys, store_timeout=SHORT)
        client = a_browser(make_app(settings, clock))
        client.bring_cookies_of(customer.client)
        return BrowserCustomer(client)

    return serve


@pytest.mark.parametrize("decision", ["approve", "deny"])
def test_while_the_ledger_is_locked_nobody_gets_an_answer_and_afterwards_exactly_one(
    customer: BrowserCustomer,
    ledger_url: str,
    redis_client: redis.Redis,
    recorded: LedgerTables,
    decision: str,
    lang: str,
) -> None:
    form = OpenForm(customer, lang=lang)
    with locked(ledger_url):
        for _ in range(2):
            check_unavailable(form.send(decision), lang)
    assert recorded.nothing_happened
    assert codes_in(redis_client) == []
    assert form.send(decision).status_code == 302
    assert form.send(decision).status_code == 302
    assert len(recorded["decisions"]) == 1
    assert len(recorded["grants"]) == (1 if decision == "approve" else 0)


def test_while_the_ledger_is_locked_no_code_is_redeemed_and_none_is_burned(
    customer: BrowserCustomer, ledger_url: str
) -> None:
    code = customer.approve()
    with locked(ledger_url):
        check_unavailable_json(customer.redeem(code))
    tokens = customer.redeem(code)
    assert tokens.status_code == 200
    with locked(ledger_url):
        check_unavailable_json(customer.refresh(tokens.get_json()["refresh_token"]))
    assert customer.refresh(tokens.get_json()["refresh_token"]).status_code == 200


def test_while_the_ledger_is_locked_a_replay_is_not_called_invalid_before_its_tokens_are_dead(
    customer: BrowserCustomer, ledger_url: str
) -> None:
    code = customer.approve()
    refresh_token = customer.redeem(code).get_json()["refresh_token"]
    with locked(ledger_url):
        check_unavailable_json(customer.redeem(code))
    check_json(customer.redeem(code), "invalid_grant", status=400)
    check_json(customer.refresh(refresh_token), "invalid_grant", status=400)


def read_only(path: Path) -> str:
    return f"sqlite:///file:{path}?mode=ro&uri=true"


def without_tables(path: Path) -> str:
    return f"sqlite:///{path.with_name('empty.sqlite3')}"


def nowhere(path: Path) -> str:
    return f"sqlite:///{path.parent}/no/such/folder/ledger.sqlite3"


def no_database(path: Path) -> str:
    other = path.with_name("text.sqlite3")
    other.write_text("this is no database " * 100)
    return f"sqlite:///{other}"


@pytest.mark.parametrize("broken", [read_only, without_tables, nowhere, no_database])
@pytest.mark.parametrize("decision", ["approve", "deny"])
def test_a_ledger_that_cannot_be_written_gives_nobody_a_code(
    customer: BrowserCustomer,
    with_ledger: Callable[[str], BrowserCustomer],
    ledger_url: str,
    redis_client: redis.Redis,
    recorded: LedgerTables,
    broken: Callable[[Path], str],
    decision: str,
) -> None:
    form = OpenForm(customer)
    there = with_ledger(broken(Path(ledger_url.removeprefix("sqlite:///"))))
    check_unavailable(there.post_answer(form.request_id, form.fields, decision))
    assert codes_in(redis_client) == []
    assert recorded.nothing_happened
    assert form.send(decision).status_code == 302
    assert len(recorded["decisions"]) == 1


@pytest.mark.parametrize("broken", [without_tables, nowhere, no_database])
def test_a_ledger_that_cannot_be_read_is_told_at_the_door(
    with_ledger: Callable[[str], BrowserCustomer],
    ledger_url: str,
    broken: Callable[[Path], str],
    redis_client: redis.Redis,
) -> None:
    """Nobody reads a form that cannot be answered."""
    there = with_ledger(broken(Path(ledger_url.removeprefix("sqlite:///"))))
    response = there.client.get(f"/api/v1/authorize?{a_query(state='kept')}")
    params = answer_params(response)
    assert params["error"] == "temporarily_unavailable"
    assert params["state"] == "kept"
    assert list(redis_client.scan_iter("request:*")) == []
    check_unavailable_json(answer := there.client.get("/readyz"))
    assert answer.get_json()["error_description"] == "ledger is not ready, and the log says why"
    assert there.client.get("/healthz").status_code == 200


def test_every_page_of_a_request_says_so_while_the_ledger_is_gone(
    customer: BrowserCustomer, with_ledger: Callable[[str], BrowserCustomer], ledger_url: str, lang: str
) -> None:
    form = OpenForm(customer, lang=lang)
    there = with_ledger(nowhere(Path(ledger_url.removeprefix("sqlite:///"))))
    check_unavailable(there.client.get(form.address), lang)
    check_unavailable(there.post_answer(form.request_id, form.fields, "neither"), lang)
    check_unavailable_json(
        there.client.post(
            "/api/v1/token",
            data={"grant_type": "refresh_token", "refresh_token": "x"},
            headers=basic(*BUDGET),
        )
    )


def test_a_ledger_that_comes_back_is_used_without_a_restart(
    with_ledger: Callable[[str], BrowserCustomer], empty_ledger: Path, tmp_path: Path
) -> None:
    path = tmp_path / "late" / "ledger.sqlite3"
    there = with_ledger(f"sqlite:///{path}")
    check_unavailable_json(there.client.get("/readyz"))
    path.parent.mkdir()
    path.write_bytes(empty_ledger.read_bytes())
    assert readiness_in_a_moment(there.client) == 200
    assert there.redeem(there.approve()).status_code == 200
