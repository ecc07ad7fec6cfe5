"""`/api/v1/revoke`: what a recipient's goodbye ends, at once, and that nobody can say it for another."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from werkzeug.test import TestResponse

from app.development.embedded import EmbeddedValkey
from app.domain.history import Actor
from app.stores.ledger.connections import ConnectionStore
from app.stores.ledger.ledger import Ledger
from tests.support.applications import Clock
from tests.support.customer import BUDGET, LOANS, BrowserCustomer, basic
from tests.support.ledger_tables import LedgerTables
from tests.support.machine_requests import (
    REVOKE,
    Serve,
    admin_token,
    bearer,
    check_refused,
    connect,
    end,
    failing_server,
    introspect,
    locked,
    revoke,
)
from tests.support.page_contract import ContractClient

End = Callable[[ContractClient, dict[str, Any]], TestResponse]

# Every way there is, with the status of its success.
WAYS: dict[str, tuple[int, End]] = {
    "DELETE": (204, lambda client, tokens: end(client, tokens["access_token"])),
    "access token": (200, lambda client, tokens: revoke(client, tokens["access_token"])),
    "refresh token": (200, lambda client, tokens: revoke(client, tokens["refresh_token"])),
}
every_way = pytest.mark.parametrize("way", WAYS)


def is_alive(customer: BrowserCustomer, tokens: dict[str, Any]) -> bool:
    """Whether the connection's tokens work: all of them, or none."""
    access = introspect(customer.client, tokens["access_token"])["active"]
    refreshed = customer.refresh(tokens["refresh_token"])
    assert refreshed.status_code == (200 if access else 400)
    return bool(access)


def check_body(response: TestResponse) -> None:
    """Nothing is told; where an answer may have a body, it is one that every library can read."""
    if response.status_code == 204:
        assert (response.data, response.mimetype) == (b"", None)
    else:
        assert (response.get_json(), response.mimetype) == ({}, "application/json")


def events(recorded: LedgerTables) -> list[str]:
    return [f"{event['kind']} {event['actor']} {event['reason']}" for event in recorded["events"]]


# What ends


@every_way
def test_access_and_refresh_end_with_the_connection(
    customer: BrowserCustomer, recorded: LedgerTables, way: str
) -> None:
    tokens = connect(customer)
    status, act = WAYS[way]
    response = act(customer.client, tokens)
    assert response.status_code == status
    check_body(response)
    assert response.headers["Cache-Control"] == "no-store"
    assert response.headers["ob-correlation-id"]
    assert not is_alive(customer, tokens)
    assert customer.refresh(tokens["refresh_token"]).get_json()["error"] == "invalid_grant"
    assert events(recorded)[-1] == "revoked client BUSINESS_RULE"


@every_way
def test_every_access_token_of_the_connection_ends_not_only_the_one_that_was_sent(
    customer: BrowserCustomer, way: str
) -> None:
    tokens = connect(customer)
    another = customer.refresh(tokens["refresh_token"]).get_json()["access_token"]
    WAYS[way][1](customer.client, tokens)
    assert introspect(customer.client, another) == {"active": False}


@every_way
def test_a_second_call_succeeds_like_the_first_and_changes_nothing(
    customer: BrowserCustomer, recorded: LedgerTables, way: str
) -> None:
    tokens = connect(customer)
    status, act = WAYS[way]
    act(customer.client, tokens)
    before = events(recorded)
    assert act(customer.client, tokens).status_code == status
    assert events(recorded) == before


@every_way
def test_other_connections_live_on(customer: BrowserCustomer, way: str) -> None:
    others = connect(customer, provider_id="2000")
    WAYS[way][1](customer.client, connect(customer))
    assert customer.refresh(others["refresh_token"]).status_code == 200


def test_a_code_on_its_way_is_dead_once_the_connection_is_over(
    customer: BrowserCustomer, ledger: Ledger, recorded: LedgerTables, clock: Clock
) -> None:
    code = customer.approve()
    [grant] = recorded["grants"]
    connections = ConnectionStore(ledger.database)
    connections.withdraw(grant["consent_id"], None, actor=Actor.CUSTOMER, now=clock.now)
    assert customer.redeem(code).get_json()["error"] == "invalid_grant"
    assert recorded["refresh_tokens"] == []


def test_an_expired_access_token_ends_nothing(customer: BrowserCustomer, clock: Clock) -> None:
    tokens = connect(customer)
    clock.advance(timedelta(minutes=5))
    check_refused(end(customer.client, tokens["access_token"]), 401, "invalid_token")
    assert revoke(customer.client, tokens["access_token"]).status_code == 200
    assert customer.refresh(tokens["refresh_token"]).status_code == 200


@pytest.mark.parametrize("hint", ["access_token", "refresh_token", "id_token", "x" * 4000, ""])
@pytest.mark.parametrize("kind", ["access_token", "refresh_token"])
def test_a_hint_is_only_a_hint(customer: BrowserCustomer, kind: str, hint: str) -> None:
    tokens = connect(customer)
    assert revoke(customer.client, tokens[kind], token_type_hint=hint).status_code == 200
    assert not is_alive(customer, tokens)


def test_json_is_a_body_too(customer: BrowserCustomer) -> None:
    tokens = connect(customer)
    body = {"token": tokens["refresh_token"], "client_id": BUDGET[0], "client_secret": BUDGET[1]}
    assert customer.client.post(REVOKE, json=body).status_code == 200
    assert not is_alive(customer, tokens)


# What does not


def test_a_client_revokes_only_its_own_and_learns_nothing_of_others(customer: BrowserCustomer) -> None:
    tokens = connect(customer)
    answers = [
        revoke(customer.client, token, LOANS)
        for token in (tokens["access_token"], tokens["refresh_token"], "no-such-token", "a.b.c", "é")
    ]
    assert {answer.status_code for answer in answers} == {200}
    for answer in answers:
        check_body(answer)
    assert is_alive(customer, tokens)


def test_a_token_of_one_kind_is_never_taken_for_another(customer: BrowserCustomer) -> None:
    tokens = connect(customer)
    for token in (tokens["refresh_token"], tokens["consent_id"], "", " ", "e30.e30.e30"):
        check_refused(end(customer.client, token), 401, "invalid_token")
    assert is_alive(customer, tokens)


def test_the_clients_own_token_cannot_be_revoked_and_nobody_says_that_it_was(client: ContractClient) -> None:
    token = admin_token(client)
    check_refused(revoke(client, token), 400, "unsupported_token_type")
    assert introspect(client, token, BUDGET)["active"]
    assert revoke(client, token, LOANS).status_code == 200
    check_refused(end(client, token), 401, "invalid_token")


def test_a_suspended_recipient_cannot_revoke_and_has_no_access_either(
    customer: BrowserCustomer, register: Serve
) -> None:
    tokens = connect(customer)
    suspended = register(("demo = true", "demo = true\nsuspended = true"))
    check_refused(revoke(suspended, tokens["refresh_token"]), 401, "invalid_client")
    assert introspect(suspended, tokens["access_token"]) == {"active": False}


# How it is asked


def test_without_a_token_the_challenge_names_no_error(client: ContractClient) -> None:
    for headers in ({}, basic(*BUDGET), {"Authorization": "Bearer"}, {"Authorization": "bogus"}):
        response = client.delete(REVOKE, headers=headers)
        check_refused(response, 401, "invalid_token")
        assert response.headers["WWW-Authenticate"].startswith('Bearer realm="accord"')
    assert client.delete(REVOKE).headers["WWW-Authenticate"] == 'Bearer realm="accord"'
    assert 'error="invalid_token"' in client.delete(REVOKE, headers=bearer("x")).headers["WWW-Authenticate"]


@pytest.mark.parametrize("place", ["query_string", "data"])
def test_a_bearer_token_elsewhere_is_refused_and_ends_nothing(customer: BrowserCustomer, place: str) -> None:
    tokens = connect(customer)
    sent: dict[str, Any] = {place: {"access_token": tokens["access_token"]}}
    for headers in ({}, bearer(tokens["access_token"])):
        check_refused(customer.client.delete(REVOKE, headers=headers, **sent), 400, "invalid_request")
    assert is_alive(customer, tokens)


@pytest.mark.parametrize(
    ("query", "fields", "headers", "status", "error"),
    [
        ({}, {}, basic(*BUDGET), 400, "invalid_request"),
        ({}, {"token": ""}, basic(*BUDGET), 400, "invalid_request"),
        ({}, {"token": ["a", "b"]}, basic(*BUDGET), 400, "invalid_request"),
        ({}, {"token": "a", "token_type_hint": ["a", "b"]}, basic(*BUDGET), 400, "invalid_request"),
        ({}, {"token": "x" * 5000}, basic(*BUDGET), 400, "invalid_request"),
        ({}, {"token": "a\0b"}, basic(*BUDGET), 400, "invalid_request"),
        ({"token": "a"}, {"token": "a"}, basic(*BUDGET), 400, "invalid_request"),
        ({"token": "a"}, {}, basic(*BUDGET), 400, "invalid_request"),
        ({}, {"token": "a"}, {}, 400, "invalid_client"),
        ({}, {"token": "a", "client_id": "dc-budget"}, {}, 400, "invalid_client"),
        ({}, {"token": "a"}, basic("dc-budget", "wrong"), 401, "invalid_client"),
        ({}, {"token": "a"}, basic("maple-api", "maple-api-demo-secret"), 401, "invalid_client"),
        ({}, {"token": "a", "client_secret": "b"}, basic(*BUDGET), 400, "invalid_request"),
    ],
)
def test_what_is_asked_badly_is_refused(
    client: ContractClient,
    query: dict[str, str],
    fields: dict[str, Any],
    headers: dict[str, str],
    status: int,
    error: str,
) -> None:
    check_refused(client.post(REVOKE, query_string=query, data=fields, headers=headers), status, error)


@pytest.mark.parametrize("method", ["GET", "PUT", "OPTIONS"])
def test_there_are_two_methods(client: ContractClient, method: str) -> None:
    response = client.open(REVOKE, method=method)
    assert response.status_code == 405
    assert response.headers["Allow"] == "DELETE, POST"
    assert response.mimetype == "application/json"


# When the ledger does not answer


@every_way
@pytest.mark.parametrize("failure", ["gone", "locked"])
def test_no_success_is_said_that_did_not_happen(
    customer: BrowserCustomer,
    valkey: EmbeddedValkey,
    ledger_url: str,
    signing_keys: Path,
    clock: Clock,
    tmp_path: Path,
    way: str,
    failure: str,
) -> None:
    tokens = connect(customer)
    act = WAYS[way][1]
    if failure == "gone":
        elsewhere = f"sqlite:///{tmp_path}/no-such-folder/ledger.sqlite3"
        response = act(failing_server(valkey.url, elsewhere, signing_keys, clock), tokens)
    else:
        with locked(ledger_url):
            response = act(failing_server(valkey.url, ledger_url, signing_keys, clock), tokens)
    check_refused(response, 503, "temporarily_unavailable")
    assert int(response.headers["Retry-After"]) > 0
    assert is_alive(customer, tokens)
    act(customer.client, tokens)
    assert not is_alive(customer, tokens)


def test_a_recipient_may_register_that_a_bearer_token_alone_ends_nothing(
    customer: BrowserCustomer, register: Serve
) -> None:
    tokens = connect(customer)
    strict = register(("demo = true", "demo = true\nrevocation_requires_client_authentication = true"))
    for _ in range(2):
        refused = end(strict, tokens["access_token"])
        check_refused(refused, 400, "unauthorized_client")
        assert "POST" in refused.get_json()["error_description"]
    check_refused(end(strict, "not a token"), 401, "invalid_token")
    assert is_alive(customer, tokens)
    assert revoke(strict, tokens["access_token"]).status_code == 200
    assert not is_alive(customer, tokens)
