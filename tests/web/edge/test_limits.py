"""Who is told to wait, how it is said, and who is never held up by somebody else."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from werkzeug.test import TestResponse

from app.development.embedded import EmbeddedValkey
from app.stores.redis.client import Redis
from tests.support import texts
from tests.support.applications import Clock, Logged, a_browser, make_app, make_settings, services_of
from tests.support.builders import a_query
from tests.support.customer import BUDGET, LOANS, LOANS_REQUEST, BrowserCustomer, answer_params, basic
from tests.support.expected_pages import check_error_page, check_json, complaints_page, ways_out
from tests.support.machine_requests import INTROSPECT, MAPLE_API, REVOKE, TOKEN
from tests.support.page_contract import ContractClient
from tests.support.ports import free_port

AUTHORIZE = "/api/v1/authorize"
HERE, ELSEWHERE = "192.0.2.1", "192.0.2.2"
LIMITED = {"authorize_rate": 3, "token_rate": 4, "wrong_secrets": 5}

Serve = Callable[..., ContractClient]


@pytest.fixture
def serve(
    valkey: EmbeddedValkey, redis_client: Redis, ledger_url: str, signing_keys: Path, clock: Clock
) -> Serve:
    """A server of the same stores, as another worker or another machine would be."""

    def serve(redis_url: str = valkey.url, **limits: Any) -> ContractClient:
        settings = make_settings(redis_url, ledger_url, signing_keys, **{**LIMITED, **limits})
        return a_browser(make_app(settings, clock))

    return serve


@pytest.fixture
def client(serve: Serve) -> ContractClient:
    return serve()


def ask(
    client: ContractClient, address: str = HERE, accept: str = "text/html", **changes: str
) -> TestResponse:
    return client.get(
        f"{AUTHORIZE}?{a_query(**changes)}",
        headers={"Accept": accept},
        environ_overrides={"REMOTE_ADDR": address},
    )


def token(
    client: ContractClient,
    credentials: tuple[str, str] = BUDGET,
    address: str = HERE,
    path: str = TOKEN,
) -> TestResponse:
    fields = {"grant_type": "client_credentials", "scope": "client:admin", "token": "x"}
    overrides = {"REMOTE_ADDR": address}
    return client.post(path, data=fields, headers=basic(*credentials), environ_overrides=overrides)


def statuses(act: Callable[[], TestResponse], times: int) -> list[int]:
    return [act().status_code for _ in range(times)]


# Requests


def test_an_address_that_begins_too_many_requests_reads_how_long_to_wait(
    client: ContractClient, lang: str
) -> None:
    assert statuses(lambda: ask(client, lang=lang), 3) == [302] * 3
    response = ask(client, lang=lang)
    page = check_error_page(response, "too_many", lang, status=429)
    assert ways_out(page) == [complaints_page(lang)]
    assert 1 <= int(response.headers["Retry-After"]) <= 60
    wait = {"en": "60 seconds", "fr": "60 secondes"}
    assert texts.WAIT_THEN_START_AGAIN.of(time=wait)[lang] in page.one("main").text


def test_a_program_is_told_in_json(client: ContractClient) -> None:
    statuses(lambda: ask(client), 3)
    response = ask(client, accept="application/json")
    check_json(response, "temporarily_unavailable", status=429)
    assert "Retry-After" in response.headers


def test_nothing_is_stored_for_whoever_is_told_to_wait(client: ContractClient, redis_client: Redis) -> None:
    statuses(lambda: ask(client), 3)
    stored = set(redis_client.scan_iter("request:*"))
    statuses(lambda: ask(client), 20)
    assert set(redis_client.scan_iter("request:*")) == stored


def test_two_servers_count_together(client: ContractClient, serve: Serve) -> None:
    assert statuses(lambda: ask(client), 2) == [302] * 2
    other = serve()
    assert statuses(lambda: ask(other), 2) == [302, 429]


def test_neither_another_address_nor_another_recipient_has_to_wait(client: ContractClient) -> None:
    statuses(lambda: ask(client), 4)
    assert ask(client, address=ELSEWHERE).status_code == 302
    assert ask(client, **LOANS_REQUEST).status_code == 302


def test_an_address_that_is_only_claimed_counts_for_nobody(client: ContractClient) -> None:
    for number in range(4):
        response = client.get(
            f"{AUTHORIZE}?{a_query()}",
            headers={"X-Forwarded-For": f"198.51.100.{number}", "Forwarded": f"for=198.51.100.{number}"},
            environ_overrides={"REMOTE_ADDR": HERE},
        )
    assert response.status_code == 429


def test_a_network_of_ipv6_addresses_is_one(client: ContractClient) -> None:
    statuses_of_one = [ask(client, address=f"2001:db8:1:2::{number}").status_code for number in range(1, 5)]
    assert statuses_of_one == [302, 302, 302, 429]
    assert ask(client, address="2001:db8:1:3::1").status_code == 302
    assert [ask(client, address=f"::ffff:{ELSEWHERE}").status_code for _ in range(3)] == [302] * 3
    assert ask(client, address=ELSEWHERE).status_code == 429


LOOPBACK = ["127.0.0.1", "127.8.8.8", "::1", "::ffff:127.0.0.1"]


@pytest.mark.parametrize("address", LOOPBACK)
def test_loopback_is_an_address_like_another_for_whoever_sets_a_limit(
    client: ContractClient, address: str
) -> None:
    assert statuses(lambda: ask(client, address=address), 4) == [302, 302, 302, 429]
    assert statuses(lambda: token(client, ("dc-budget", "x"), address=address), 6) == [401] * 5 + [429]


@pytest.mark.parametrize("address", LOOPBACK)
def test_loopback_is_not_counted_where_nobody_has_set_a_limit(
    production: ContractClient, address: str
) -> None:
    """Behind a proxy that nobody has named it stands for everybody."""
    guesses = statuses(lambda: token(production, ("dc-budget", "x"), address=address), 105)
    assert guesses == [401] * 105
    elsewhere = statuses(lambda: token(production, ("dc-budget", "x"), address=HERE), 105)
    assert elsewhere == [401] * 100 + [429] * 5


def test_who_comes_by_a_socket_of_this_machine_is_loopback(client: ContractClient) -> None:
    assert statuses(lambda: ask(client, address=""), 4) == [302, 302, 302, 429]


def test_an_address_has_one_budget_for_all_that_is_stored_for_somebody_unknown(serve: Serve) -> None:
    """Requests at several recipients, sign-ins without any request, answers of banks, addresses that nobody
    registered: all of it together."""
    client = serve(address_rate=8, authorize_rate=0)

    def get(path: str) -> int:
        client.delete_cookie("accord_session")
        return client.get(path, environ_overrides={"REMOTE_ADDR": HERE}).status_code

    seen = [ask(client).status_code, ask(client, **LOANS_REQUEST).status_code]
    seen += [get("/connections/sign-in/1000"), get("/connections/sign-in/2000")]
    seen += [get("/sign-in/callback/1000?code=junk&state=junk") for _ in range(2)]
    seen += [ask(client, client_id="nobody").status_code for _ in range(2)]
    assert 429 not in seen
    assert ask(client).status_code == 429
    assert get("/connections/sign-in/1000") == 429
    assert get("/sign-in/callback/1000?code=junk&state=junk") == 429
    assert ask(client, client_id="nobody").status_code == 429
    assert ask(client, address=ELSEWHERE).status_code == 302


def test_nothing_is_stored_for_an_address_that_is_over_its_budget(serve: Serve, redis_client: Redis) -> None:
    client = serve(address_rate=2)
    for _ in range(50):
        client.delete_cookie("accord_session")
        client.get("/connections/sign-in/1000", environ_overrides={"REMOTE_ADDR": HERE})
    assert len(redis_client.keys("session:*")) <= 2


@pytest.mark.parametrize(
    "claimed",
    ["203.0.113.70:{port}", "[2001:db8::7]:{port}", "203.0.113.70, 198.51.100.7:{port}", "nobody{port}"],
)
def test_a_guesser_behind_proxies_is_counted_however_its_address_is_written(
    serve: Serve, claimed: str
) -> None:
    client = serve(wrong_secrets=3, trusted_proxies="127.0.0.1,198.51.100.0/24")

    def guess(number: int) -> int:
        return client.post(
            TOKEN,
            data={"grant_type": "client_credentials", "scope": "client:admin"},
            headers={**basic("dc-budget", "a guess"), "X-Forwarded-For": claimed.format(port=50001 + number)},
            environ_overrides={"REMOTE_ADDR": "127.0.0.1"},
        ).status_code

    assert [guess(number) for number in range(4)] == [401, 401, 401, 429]


def test_a_flood_writes_few_lines_which_say_how_many_were_left_out(serve: Serve, logged: Logged) -> None:
    client = serve(address_rate=1)
    for _ in range(300):
        ask(client, client_id="nobody")
    assert 0 < len(logged()) < 40


def test_a_question_without_a_beginning_does_not_count(client: ContractClient) -> None:
    for _ in range(6):
        overrides = {"REMOTE_ADDR": HERE}
        assert client.head(f"{AUTHORIZE}?{a_query()}", environ_overrides=overrides).status_code == 200
        assert "error" in answer_params(ask(client, scope="nonsense"))


# Tokens


def test_a_recipient_that_asks_for_too_many_tokens_waits_wherever_it_asks_from(
    client: ContractClient,
) -> None:
    assert statuses(lambda: token(client), 4) == [200] * 4
    for address in (HERE, ELSEWHERE, "127.0.0.1"):
        response = token(client, address=address)
        check_json(response, "temporarily_unavailable", status=429)
        assert 1 <= int(response.headers["Retry-After"]) <= 60
    assert token(client, LOANS).status_code == 200


def test_nobody_else_can_use_up_what_a_recipient_may_ask(serve: Serve) -> None:
    client = serve(wrong_secrets=0)
    assert statuses(lambda: token(client, ("dc-budget", "wrong")), 20) == [401] * 20
    assert token(client).status_code == 200


def test_a_code_that_had_to_wait_is_good_afterwards(serve: Serve, clock: Clock) -> None:
    client = serve(code_lifetime=600)
    customer = BrowserCustomer(client)
    code = customer.approve()
    statuses(lambda: token(client), 4)
    assert customer.redeem(code).status_code == 429
    clock.now = clock.now.replace(minute=1)
    assert customer.redeem(code).status_code == 200


def test_tokens_are_refreshed_while_redis_does_not_answer(serve: Serve, valkey: EmbeddedValkey) -> None:
    refresh_token = (
        (customer := BrowserCustomer(serve())).redeem(customer.approve()).get_json()["refresh_token"]
    )
    elsewhere = BrowserCustomer(serve(f"redis://127.0.0.1:{free_port()}", token_rate=100))
    assert elsewhere.refresh(refresh_token).status_code == 200


# Guessing


@pytest.mark.parametrize("path", [TOKEN, REVOKE, INTROSPECT])
def test_whoever_guesses_secrets_has_to_wait_and_learns_nothing_more(
    client: ContractClient, path: str
) -> None:
    guess = ("dc-budget", "a guess")
    assert statuses(lambda: token(client, guess, path=path), 5) == [401] * 5
    for credentials in (guess, ("dc-loans", "a guess"), ("nobody", "a guess")):
        response = token(client, credentials, path=path)
        check_json(response, "temporarily_unavailable", status=429)
        assert int(response.headers["Retry-After"]) > 60
        assert "WWW-Authenticate" not in response.headers


@pytest.mark.parametrize("path", [TOKEN, REVOKE, INTROSPECT])
def test_the_right_secret_never_waits_for_a_neighbour_behind_the_same_address(
    client: ContractClient, path: str
) -> None:
    assert statuses(lambda: token(client, ("dc-loans", "a guess"), path=path), 6)[-1] == 429
    assert token(client, BUDGET, path=path).status_code == 200
    assert statuses(lambda: token(client, ("dc-loans", "a guess"), path=path), 1) == [429]


def test_a_guesser_gains_nothing_from_a_further_server(client: ContractClient, serve: Serve) -> None:
    statuses(lambda: token(client, ("dc-budget", "a guess")), 6)
    assert statuses(lambda: token(serve(), ("dc-budget", "a guess")), 1) == [429]


def test_where_guesses_cannot_be_counted_nobody_may_guess(serve: Serve) -> None:
    client = serve(f"redis://127.0.0.1:{free_port()}")
    assert statuses(lambda: token(client, ("dc-budget", "a guess")), 3) == [503] * 3
    assert token(client).status_code == 200


def test_the_right_secret_costs_no_round_trip(client: ContractClient, redis_client: Redis) -> None:
    token(client, ("dc-budget", "a guess"))
    redis_client.config_resetstat()
    assert token(client).status_code == 200
    assert "cmdstat_ttl" not in redis_client.info("commandstats")


# What is configured


def test_a_limit_of_nothing_is_no_limit(serve: Serve) -> None:
    client = serve(authorize_rate=0, token_rate=0, wrong_secrets=0)
    assert statuses(lambda: ask(client), 10) == [302] * 10
    assert statuses(lambda: token(client), 10) == [200] * 10
    assert statuses(lambda: token(client, ("dc-budget", "wrong")), 10) == [401] * 10


def test_a_bank_that_introspects_is_not_counted_as_a_recipient(client: ContractClient) -> None:
    assert statuses(lambda: token(client, MAPLE_API, path=INTROSPECT), 10) == [200] * 10


def test_in_production_there_are_limits_and_in_development_only_those_that_were_set(
    production: ContractClient, app: Any
) -> None:
    def in_force(settings: Any) -> list[int]:
        return [
            settings.address_rate_in_force,
            settings.authorize_rate_in_force,
            settings.token_rate_in_force,
            settings.wrong_secrets_in_force,
        ]

    assert in_force(services_of(production.application).settings) == [1200, 600, 6000, 100]
    assert in_force(services_of(app).settings) == [0, 0, 0, 0]
