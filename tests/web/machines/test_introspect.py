"""`POST /api/v1/introspect` (RFC 7662): what a token is worth at this very moment, and who may know."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from app.development.embedded import EmbeddedValkey
from app.domain.accounts import AccountCategory
from app.domain.clusters import DataCluster
from app.domain.history import Actor
from app.domain.narrowing import Withdrawn
from app.stores.ledger.connections import ConnectionStore
from app.stores.ledger.ledger import Ledger
from tests.support.applications import Clock
from tests.support.builders import an_account
from tests.support.customer import BUDGET, LOANS, BrowserCustomer, basic
from tests.support.ledger_tables import LedgerTables
from tests.support.machine_requests import (
    INTROSPECT,
    MAPLE_API,
    NORTHERN_API,
    Serve,
    admin_token,
    check_refused,
    claims_of,
    connect,
    end,
    failing_server,
    introspect,
)
from tests.support.page_contract import ContractClient

INACTIVE = {"active": False}
WITH_INVESTMENTS = "ACCOUNT_BASIC INVESTMENTS CUSTOMER_CONTACT"
A_TFSA = an_account(account_id="acc-tfsa", category=AccountCategory.INVESTMENT_ACCOUNT, type="TFSA")


@pytest.fixture
def connections(ledger: Ledger) -> ConnectionStore:
    """Where a customer or an operator changes a connection, seen from another process."""
    return ConnectionStore(ledger.database)


def details(tokens: dict[str, Any], *clusters: str) -> dict[str, Any]:
    """What is told of a consent for every account."""
    customer = {"resourceType": "CUSTOMER", "resourceId": "maple-0001", "dataClusters": [*clusters]}
    return of_resources(tokens, customer)


def of_resources(tokens: dict[str, Any], *resources: dict[str, Any]) -> dict[str, Any]:
    request = {"type": "fdx_v1.0", "consentRequest": {"resources": [*resources]}}
    return {"fdxConsentId": tokens["consent_id"], "authorization_details": [request]}


def told(customer: BrowserCustomer, tokens: dict[str, Any], caller: tuple[str, str] = MAPLE_API) -> Any:
    return introspect(customer.client, tokens["access_token"], caller)


# What is told


@pytest.mark.parametrize("caller", [MAPLE_API, BUDGET])
def test_an_access_token_is_told_with_its_claims_to_the_banks_api_and_to_its_client(
    customer: BrowserCustomer, recorded: LedgerTables, caller: tuple[str, str]
) -> None:
    tokens = connect(customer, "TRANSACTIONS")
    recorded.name_no_account(tokens["consent_id"])
    answer = introspect(customer.client, tokens["access_token"], caller)
    assert answer == {
        "active": True,
        "token_type": "Bearer",
        "iss": "http://localhost:8000",
        "aud": "http://localhost:8003/maple",
        "sub": "maple-0001",
        "client_id": "dc-budget",
        "scope": "ACCOUNT_BASIC TRANSACTIONS",
        "consent_id": tokens["consent_id"],
        **details(tokens, "ACCOUNT_BASIC", "TRANSACTIONS"),
        "lookbackPeriod": 730,
        **{name: claims_of(tokens["access_token"])[name] for name in ("iat", "exp", "jti")},
    }


def test_a_refresh_token_is_told_to_its_client_alone(
    customer: BrowserCustomer, recorded: LedgerTables, clock: Clock
) -> None:
    tokens = connect(customer)
    recorded.name_no_account(tokens["consent_id"])
    assert introspect(customer.client, tokens["refresh_token"], BUDGET) == {
        "active": True,
        "token_type": "refresh_token",
        "iss": "http://localhost:8000",
        "sub": "maple-0001",
        "client_id": "dc-budget",
        "scope": "ACCOUNT_BASIC",
        "consent_id": tokens["consent_id"],
        **details(tokens, "ACCOUNT_BASIC"),
        "exp": int((clock.now + timedelta(days=365)).timestamp()),
    }
    for caller in (LOANS, MAPLE_API, NORTHERN_API):
        assert introspect(customer.client, tokens["refresh_token"], caller) == INACTIVE


def test_the_clients_own_token_is_told_to_it_alone(client: ContractClient) -> None:
    token = admin_token(client)
    answer = introspect(client, token, BUDGET)
    assert answer["active"]
    assert (answer["scope"], answer["sub"], answer["aud"]) == (
        "client:admin",
        "dc-budget",
        "http://localhost:8000",
    )
    assert not {"consent_id", "fdxConsentId", "authorization_details"} & answer.keys()
    for caller in (LOANS, MAPLE_API):
        assert introspect(client, token, caller) == INACTIVE


def test_json_and_secrets_in_the_body_are_understood(customer: BrowserCustomer) -> None:
    token = connect(customer)["access_token"]
    body = {"token": token, "client_id": MAPLE_API[0], "client_secret": MAPLE_API[1]}
    for sent in ({"json": body}, {"data": body}):
        assert customer.client.post(INTROSPECT, **sent).get_json()["active"]


def account(account_id: str, *clusters: str) -> dict[str, Any]:
    return {"resourceType": "ACCOUNT", "resourceId": account_id, "dataClusters": [*clusters]}


@pytest.mark.parametrize("caller", [MAPLE_API, BUDGET])
def test_the_accounts_that_were_chosen_are_told_with_what_is_shared_of_each(
    customer: BrowserCustomer, recorded: LedgerTables, caller: tuple[str, str]
) -> None:
    tokens = connect(customer, "INVESTMENTS", "CUSTOMER_CONTACT", scope=WITH_INVESTMENTS)
    recorded.name_accounts(tokens["consent_id"], an_account(), A_TFSA)
    expected = of_resources(
        tokens,
        account("acc-1", "ACCOUNT_BASIC"),
        account("acc-tfsa", "ACCOUNT_BASIC", "INVESTMENTS"),
        {"resourceType": "CUSTOMER", "resourceId": "maple-0001", "dataClusters": ["CUSTOMER_CONTACT"]},
    )
    answer = told(customer, tokens, caller)
    assert {name: answer[name] for name in expected} == expected
    assert "lookbackPeriod" not in answer
    if caller == BUDGET:
        refresh = introspect(customer.client, tokens["refresh_token"], caller)
        assert {name: refresh[name] for name in expected} == expected


def test_a_token_for_a_part_of_the_clusters_is_told_as_no_more(
    customer: BrowserCustomer, recorded: LedgerTables
) -> None:
    tokens = connect(customer, "INVESTMENTS", "CUSTOMER_CONTACT", scope=WITH_INVESTMENTS)
    recorded.name_accounts(tokens["consent_id"], an_account(), A_TFSA)
    narrow = customer.refresh(tokens["refresh_token"], scope="INVESTMENTS").get_json()
    assert (
        told(customer, narrow)["authorization_details"]
        == (of_resources(tokens, account("acc-tfsa", "INVESTMENTS"))["authorization_details"])
    )


def test_an_account_that_was_taken_out_is_gone_from_tokens_that_were_issued_before(
    customer: BrowserCustomer, connections: ConnectionStore, recorded: LedgerTables, clock: Clock
) -> None:
    tokens = connect(customer, "INVESTMENTS", "CUSTOMER_CONTACT", scope=WITH_INVESTMENTS)
    recorded.name_accounts(tokens["consent_id"], an_account(), A_TFSA)
    part = Withdrawn(accounts=frozenset({"acc-tfsa"}))
    connections.withdraw(tokens["consent_id"], part, actor=Actor.CUSTOMER, now=clock.now)
    answer = told(customer, tokens)
    assert answer["scope"] == "ACCOUNT_BASIC CUSTOMER_CONTACT"
    [request] = answer["authorization_details"]
    assert [one["resourceId"] for one in request["consentRequest"]["resources"]] == ["acc-1", "maple-0001"]


def test_how_far_back_is_told_as_it_was_agreed_whatever_is_registered_since(
    customer: BrowserCustomer, register: Serve
) -> None:
    tokens = connect(customer, "TRANSACTIONS")
    later = register(("history_months = 24", "history_months = 84"))
    for kind, caller in (("access_token", MAPLE_API), ("access_token", BUDGET), ("refresh_token", BUDGET)):
        assert introspect(later, tokens[kind], caller)["lookbackPeriod"] == 730


def test_without_a_limit_or_a_history_no_lookback_is_told(customer: BrowserCustomer, register: Serve) -> None:
    assert "lookbackPeriod" not in told(customer, connect(customer))
    unlimited = BrowserCustomer(register(("history_months = 24\n", "")))
    assert "lookbackPeriod" not in told(unlimited, connect(unlimited, "TRANSACTIONS"))


def test_a_token_names_its_consent_and_no_account(customer: BrowserCustomer, recorded: LedgerTables) -> None:
    tokens = connect(customer)
    recorded.name_accounts(tokens["consent_id"], an_account(account_id="the-id-of-an-account"))
    refreshed = customer.refresh(tokens["refresh_token"]).get_json()
    claims = claims_of(refreshed["access_token"])
    assert claims["fdxConsentId"] == refreshed["consent_id"] == tokens["consent_id"]
    assert "the-id-of-an-account" not in json.dumps([claims, refreshed])


# What is inactive


@pytest.mark.parametrize("caller", [LOANS, NORTHERN_API])
def test_somebody_elses_token_looks_like_none(customer: BrowserCustomer, caller: tuple[str, str]) -> None:
    assert introspect(customer.client, connect(customer)["access_token"], caller) == INACTIVE


@pytest.mark.parametrize("caller", [BUDGET, MAPLE_API])
@pytest.mark.parametrize("token", ["x", "a.b.c", "é", "e30.e30.e30", "x" * 4096, " "])
def test_what_is_no_token_is_inactive(client: ContractClient, token: str, caller: tuple[str, str]) -> None:
    assert introspect(client, token, caller) == INACTIVE


@pytest.mark.parametrize("change", [0, 1, 2])
def test_a_token_that_was_tampered_with_is_inactive(customer: BrowserCustomer, change: int) -> None:
    parts = connect(customer)["access_token"].split(".")
    parts[change] = ("A" if parts[change][0] != "A" else "B") + parts[change][1:]
    assert introspect(customer.client, ".".join(parts)) == INACTIVE


def test_a_token_is_inactive_from_the_second_in_which_it_expires(
    customer: BrowserCustomer, clock: Clock
) -> None:
    token = connect(customer)["access_token"]
    clock.advance(timedelta(seconds=299))
    assert introspect(customer.client, token)["active"]
    clock.advance(timedelta(seconds=1))
    assert introspect(customer.client, token) == INACTIVE


def test_a_refresh_token_that_was_idle_too_long_is_inactive(customer: BrowserCustomer, clock: Clock) -> None:
    token = connect(customer)["refresh_token"]
    clock.advance(timedelta(days=30))
    assert introspect(customer.client, token, BUDGET) == INACTIVE


def test_a_token_issued_just_before_the_end_of_its_consent_dies_with_it(
    customer: BrowserCustomer, clock: Clock
) -> None:
    tokens = connect(customer)
    for _ in range(13):  # used every four weeks, so that it is not idle
        clock.advance(timedelta(days=28))
        assert customer.refresh(tokens["refresh_token"]).status_code == 200
    clock.advance(timedelta(hours=23, minutes=59))
    last = customer.refresh(tokens["refresh_token"]).get_json()
    assert last["expires_in"] == 60
    clock.advance(timedelta(seconds=59))
    assert introspect(customer.client, last["access_token"])["active"]
    assert introspect(customer.client, tokens["refresh_token"], BUDGET)["active"]
    clock.advance(timedelta(seconds=1))
    assert introspect(customer.client, last["access_token"]) == INACTIVE
    assert introspect(customer.client, tokens["refresh_token"], BUDGET) == INACTIVE
    assert customer.refresh(tokens["refresh_token"]).get_json()["error"] == "invalid_grant"


def test_a_code_that_is_replayed_takes_its_access_tokens_with_it(customer: BrowserCustomer) -> None:
    code = customer.approve()
    tokens = customer.redeem(code).get_json()
    assert introspect(customer.client, tokens["access_token"])["active"]
    customer.redeem(code)
    assert introspect(customer.client, tokens["access_token"]) == INACTIVE
    assert introspect(customer.client, tokens["refresh_token"], BUDGET) == INACTIVE


def test_a_connection_that_was_replaced_takes_its_tokens_with_it(customer: BrowserCustomer) -> None:
    old = connect(customer, "TRANSACTIONS")
    new = connect(customer)
    assert introspect(customer.client, old["access_token"]) == INACTIVE
    assert introspect(customer.client, old["refresh_token"], BUDGET) == INACTIVE
    assert introspect(customer.client, new["access_token"])["active"]


@pytest.mark.parametrize(
    "edit",
    [
        ("demo = true", "demo = true\nsuspended = true"),
        ('"1000" = "ACTIVE"', '"1000" = "SUSPENDED"'),
        ('"1000" = "ACTIVE"', '"1000" = "PENDING_ACTIVATION"'),
    ],
)
def test_a_recipient_that_may_no_longer_ask_has_no_token_that_works(
    customer: BrowserCustomer, register: Serve, edit: tuple[str, str]
) -> None:
    tokens = connect(customer)
    changed = register(edit)
    assert introspect(changed, tokens["access_token"]) == INACTIVE
    if "suspended" not in edit[1]:
        assert introspect(changed, tokens["refresh_token"], BUDGET) == INACTIVE


# A withdrawal


def test_a_withdrawn_cluster_is_gone_from_tokens_that_were_issued_before(
    customer: BrowserCustomer, connections: ConnectionStore, clock: Clock
) -> None:
    scope = "ACCOUNT_BASIC TRANSACTIONS STATEMENTS"
    tokens = connect(customer, "TRANSACTIONS", "STATEMENTS", scope=scope)
    withdrawn = Withdrawn(frozenset({DataCluster.TRANSACTIONS}))
    connections.withdraw(tokens["consent_id"], withdrawn, actor=Actor.CUSTOMER, now=clock.now)
    for kind, caller in (("access_token", MAPLE_API), ("access_token", BUDGET), ("refresh_token", BUDGET)):
        assert introspect(customer.client, tokens[kind], caller)["scope"] == "ACCOUNT_BASIC STATEMENTS"
    assert customer.refresh(tokens["refresh_token"]).get_json()["scope"] == "ACCOUNT_BASIC STATEMENTS"
    narrower = customer.refresh(tokens["refresh_token"], scope="TRANSACTIONS")
    assert narrower.get_json()["error"] == "invalid_scope"


def test_a_token_of_nothing_but_a_withdrawn_cluster_is_inactive(
    customer: BrowserCustomer, connections: ConnectionStore, clock: Clock
) -> None:
    tokens = connect(customer, "TRANSACTIONS")
    narrow = customer.refresh(tokens["refresh_token"], scope="TRANSACTIONS").get_json()["access_token"]
    assert introspect(customer.client, narrow)["scope"] == "TRANSACTIONS"
    withdrawn = Withdrawn(frozenset({DataCluster.TRANSACTIONS}))
    connections.withdraw(tokens["consent_id"], withdrawn, actor=Actor.CUSTOMER, now=clock.now)
    assert introspect(customer.client, narrow) == INACTIVE
    assert introspect(customer.client, tokens["access_token"])["active"]


@pytest.mark.parametrize("withdrawn", [None, Withdrawn(frozenset({DataCluster.ACCOUNT_BASIC}))])
def test_nothing_is_active_once_the_customer_stops(
    customer: BrowserCustomer, connections: ConnectionStore, clock: Clock, withdrawn: Any
) -> None:
    tokens = connect(customer, "TRANSACTIONS")
    connections.withdraw(tokens["consent_id"], withdrawn, actor=Actor.CUSTOMER, now=clock.now)
    assert introspect(customer.client, tokens["access_token"]) == INACTIVE
    assert introspect(customer.client, tokens["refresh_token"], BUDGET) == INACTIVE
    assert end(customer.client, tokens["access_token"]).status_code == 204  # it is over: that is true


# Who may ask


@pytest.mark.parametrize(
    ("fields", "headers"),
    [
        ({"token": "a"}, {}),
        ({"token": "a"}, basic("maple-api", "wrong")),
        ({"token": "a"}, basic("nobody", "wrong")),
        ({"token": "a"}, {"Authorization": "Bearer a"}),
        ({"token": "a", "client_id": "maple-api", "client_secret": "wrong"}, {}),
        ({"token": "a", "client_id": "dc-budget"}, {}),
    ],
)
def test_nobody_asks_without_authentication(
    client: ContractClient, fields: dict[str, str], headers: dict[str, str]
) -> None:
    response = client.post(INTROSPECT, data=fields, headers=headers)
    check_refused(response, 401, "invalid_client")
    assert response.headers["WWW-Authenticate"].startswith("Basic ")


def test_an_unknown_asker_and_a_wrong_secret_are_told_the_same(client: ContractClient) -> None:
    answers = [
        client.post(INTROSPECT, data={"token": "a"}, headers=basic(name, "wrong"))
        for name in ("maple-api", "dc-budget", "nobody")
    ]
    assert len({answer.data for answer in answers}) == 1


@pytest.mark.parametrize(
    ("query", "fields"),
    [
        ({}, {}),
        ({}, {"token": ["a", "b"]}),
        ({}, {"token": "x" * 5000}),
        ({"token": "a"}, {"token": "a"}),
        ({"client_secret": "a"}, {"token": "a"}),
    ],
)
def test_what_is_asked_badly_is_refused(
    client: ContractClient, query: dict[str, str], fields: dict[str, Any]
) -> None:
    response = client.post(INTROSPECT, query_string=query, data=fields, headers=basic(*MAPLE_API))
    check_refused(response, 400, "invalid_request")


@pytest.mark.parametrize("grant", ["authorization_code", "client_credentials"])
def test_a_resource_server_is_no_client(client: ContractClient, grant: str) -> None:
    fields = {"grant_type": grant, "scope": "client:admin"}
    response = client.post("/api/v1/token", data=fields, headers=basic(*MAPLE_API))
    check_refused(response, 401, "invalid_client")


# When the ledger does not answer


def test_a_token_that_may_be_alive_is_never_called_dead(
    customer: BrowserCustomer, valkey: EmbeddedValkey, signing_keys: Path, clock: Clock, tmp_path: Path
) -> None:
    tokens = connect(customer)
    elsewhere = f"sqlite:///{tmp_path}/no-such-folder/ledger.sqlite3"
    failing = failing_server(valkey.url, elsewhere, signing_keys, clock)
    for kind, caller in (("access_token", MAPLE_API), ("access_token", BUDGET), ("refresh_token", BUDGET)):
        response = failing.post(INTROSPECT, data={"token": tokens[kind]}, headers=basic(*caller))
        check_refused(response, 503, "temporarily_unavailable")
        assert int(response.headers["Retry-After"]) > 0
        assert "active" not in response.get_json()


def test_redis_is_not_asked(
    customer: BrowserCustomer, ledger_url: str, signing_keys: Path, clock: Clock, tmp_path: Path
) -> None:
    """It forgets, and whether a token works must not hang on that."""
    tokens = connect(customer)
    without = failing_server(f"unix://{tmp_path}/nobody.sock", ledger_url, signing_keys, clock)
    assert introspect(without, tokens["access_token"])["active"]
    assert end(without, tokens["access_token"]).status_code == 204
    assert introspect(without, tokens["access_token"]) == INACTIVE
