"""`GET /api/v1/consents/<consent_id>`: the record in FDX's terms, and for whose eyes it is."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from app.development.embedded import EmbeddedValkey
from app.domain.clusters import DataCluster
from app.domain.history import Actor
from app.domain.narrowing import Withdrawn
from app.stores.ledger.connections import ConnectionStore
from app.stores.ledger.ledger import Ledger
from tests.support.applications import Clock
from tests.support.builders import an_account
from tests.support.customer import BUDGET, LOANS, BrowserCustomer, answer_params, basic
from tests.support.ledger_tables import LedgerTables
from tests.support.machine_requests import (
    CONSENTS,
    MAPLE_API,
    NOBODYS_CONSENT,
    NORTHERN_API,
    Serve,
    admin_token,
    bearer,
    check_refused,
    claims_of,
    connect,
    end,
    failing_server,
    record,
)
from tests.support.page_contract import ContractClient


@pytest.fixture
def connections(ledger: Ledger) -> ConnectionStore:
    """Where a customer or an operator changes a connection, seen from another process."""
    return ConnectionStore(ledger.database)


def read(client: ContractClient, consent_id: str) -> Any:
    """The record as the recipient reads it whatever has become of the consent."""
    response = record(client, consent_id, admin_token(client))
    assert response.status_code == 200, response.text
    return response.get_json()


# Who reads it beside the recipient


def test_a_bank_that_is_told_of_its_consents_reads_them_and_no_others(
    register: Callable[..., ContractClient], redis_client: object
) -> None:
    first, second = 'provider_id = "1000"\n', 'provider_id = "2000"\n'
    client = register((first, f"{first}notices = {{}}\n"), (second, f"{second}notices = {{}}\n"))
    tokens = connect(BrowserCustomer(client))
    address = f"{CONSENTS}/{tokens['consent_id']}"
    by_recipient = record(client, tokens["consent_id"], tokens["access_token"]).get_json()
    by_bank = client.get(address, headers=basic(*MAPLE_API))
    assert (by_bank.status_code, by_bank.get_json()) == (200, by_recipient)
    assert by_bank.headers["Cache-Control"] == "no-store"
    check_refused(client.get(address, headers=basic(*NORTHERN_API)), 404, "invalid_request")
    check_refused(
        client.get(f"{CONSENTS}/{NOBODYS_CONSENT}", headers=basic(*MAPLE_API)), 404, "invalid_request"
    )
    # It reads one by one, and ends none.
    check_refused(client.get(CONSENTS, headers=basic(*MAPLE_API)), 401, "invalid_token")
    ended = client.put(
        f"{address}/revocation",
        json={"reason": "USER_ACTION", "initiator": "INDIVIDUAL"},
        headers=basic(*MAPLE_API),
    )
    check_refused(ended, 401, "invalid_token")


def test_a_bank_that_is_not_told_and_a_recipient_with_its_secret_read_nothing(
    customer: BrowserCustomer,
) -> None:
    tokens = connect(customer)
    address = f"{CONSENTS}/{tokens['consent_id']}"
    check_refused(customer.client.get(address, headers=basic(*MAPLE_API)), 400, "unauthorized_client")
    check_refused(customer.client.get(address, headers=basic(*BUDGET)), 401, "invalid_token")


# What it says


def test_the_record_is_an_fdx_consent_grant(customer: BrowserCustomer, recorded: LedgerTables) -> None:
    tokens = connect(customer, "TRANSACTIONS", correlation_id="correlation-1")
    recorded.name_no_account(tokens["consent_id"])
    response = record(customer.client, tokens["consent_id"], tokens["access_token"])
    assert response.status_code == 200
    assert response.headers["Cache-Control"] == "no-store"
    assert response.headers["ob-correlation-id"] == "correlation-1"
    assert response.get_json() == {
        "id": tokens["consent_id"],
        "status": "ACTIVE",
        "createdTime": "2026-11-24T12:00:00.000Z",
        "expirationTime": "2027-11-24T12:00:00.000Z",
        "durationType": "TIME_BOUND",
        "durationPeriod": 365,
        "lookbackPeriod": 730,
        "parties": [
            {
                "name": "Budget Compass",
                "type": "DATA_RECIPIENT",
                "homeUri": "https://budget.example",
                "registry": "PRIVATE",
                "registeredEntityName": "Budget Compass Technologies Inc.",
                "registeredEntityId": "dc-budget",
            },
            {
                "name": "Maple Credit Union",
                "type": "DATA_PROVIDER",
                "registry": "PRIVATE",
                "registeredEntityName": "Maple Credit Union Limited",
                "registeredEntityId": "1000",
            },
        ],
        "resources": [
            {
                "resourceType": "CUSTOMER",
                "resourceId": "maple-0001",
                "dataClusters": ["ACCOUNT_BASIC", "TRANSACTIONS"],
            }
        ],
    }


def test_the_language_of_the_customer_changes_nothing(customer: BrowserCustomer) -> None:
    tokens = connect(customer, lang="fr")
    assert read(customer.client, tokens["consent_id"])["parties"][0]["name"] == "Budget Compass"


def test_without_a_limit_on_history_there_is_no_lookback(register: Serve) -> None:
    client = register(("history_months = 24\n", ""))
    tokens = connect(BrowserCustomer(client), "TRANSACTIONS")
    assert "lookbackPeriod" not in read(client, tokens["consent_id"])


def test_where_nothing_with_a_past_is_shared_there_is_no_lookback(customer: BrowserCustomer) -> None:
    tokens = connect(customer)
    assert "lookbackPeriod" not in read(customer.client, tokens["consent_id"])


def test_a_consent_that_a_newer_one_replaced_names_it(customer: BrowserCustomer) -> None:
    old, new = connect(customer), connect(customer, "TRANSACTIONS")
    replaced = read(customer.client, old["consent_id"])
    assert replaced["status"] == "REVOKED"
    assert replaced["revocation"] == {
        "reason": "OTHER",
        "otherReason": "SUPERSEDED",
        "supersededBy": new["consent_id"],
        "initiator": "INDIVIDUAL",
        "updatedTime": "2026-11-24T12:00:00.000Z",
    }


def test_the_token_answer_names_its_consent(customer: BrowserCustomer) -> None:
    answer = customer.redeem(customer.approve()).get_json()
    refreshed = customer.refresh(answer["refresh_token"]).get_json()
    assert answer["consent_id"] == refreshed["consent_id"] == claims_of(answer["access_token"])["consent_id"]


def test_a_changed_registration_does_not_change_how_long_a_consent_lasts(
    customer: BrowserCustomer, register: Serve
) -> None:
    tokens = connect(customer)
    assert (
        read(register(("consent_days = 365", "consent_days = 30")), tokens["consent_id"])["durationPeriod"]
        == 365
    )


def test_how_long_it_lasts_is_counted_in_whole_days_however_long_the_answer_took(
    customer: BrowserCustomer, clock: Clock
) -> None:
    request_id = customer.signed_in_request()
    clock.advance(timedelta(minutes=5))
    code = answer_params(customer.answer(request_id, "approve"))["code"]
    access_token = customer.redeem(code).get_json()["access_token"]
    found = record(customer.client, claims_of(access_token)["consent_id"], access_token).get_json()
    assert found["createdTime"] == "2026-11-24T12:05:00.000Z"
    assert found["expirationTime"] == "2027-11-24T12:00:00.000Z"
    assert found["durationPeriod"] == 365


def test_the_scope_is_what_is_shared_now(
    customer: BrowserCustomer, connections: ConnectionStore, clock: Clock
) -> None:
    tokens = connect(customer, "TRANSACTIONS")
    withdrawn = Withdrawn(frozenset({DataCluster.TRANSACTIONS}))
    connections.withdraw(tokens["consent_id"], withdrawn, actor=Actor.CUSTOMER, now=clock.now)
    found = read(customer.client, tokens["consent_id"])
    assert found["status"] == "ACTIVE"
    assert found["resources"][0]["dataClusters"] == ["ACCOUNT_BASIC"]
    assert found["updatedTime"] == "2026-11-24T12:00:00.000Z"
    assert "revocation" not in found


def test_each_account_that_was_chosen_is_a_resource_and_so_is_the_customer(
    customer: BrowserCustomer, connections: ConnectionStore, recorded: LedgerTables, clock: Clock
) -> None:
    scope = "ACCOUNT_BASIC TRANSACTIONS CUSTOMER_CONTACT"
    tokens = connect(customer, "TRANSACTIONS", "CUSTOMER_CONTACT", scope=scope)
    consent_id = tokens["consent_id"]
    recorded.name_accounts(consent_id, an_account(), an_account(account_id="acc-2"))
    found = read(customer.client, consent_id)
    assert "updatedTime" not in found
    assert found["resources"] == [
        *(
            {
                "resourceType": "ACCOUNT",
                "resourceId": account_id,
                "dataClusters": ["ACCOUNT_BASIC", "TRANSACTIONS"],
            }
            for account_id in ("acc-1", "acc-2")
        ),
        {"resourceType": "CUSTOMER", "resourceId": "maple-0001", "dataClusters": ["CUSTOMER_CONTACT"]},
    ]
    clock.advance(timedelta(hours=1))
    part = Withdrawn(frozenset({DataCluster.CUSTOMER_CONTACT}), frozenset({"acc-2"}))
    connections.withdraw(consent_id, part, actor=Actor.CUSTOMER, now=clock.now)
    found = read(customer.client, consent_id)
    assert [one["resourceId"] for one in found["resources"]] == ["acc-1"]
    assert found["updatedTime"] == "2026-11-24T13:00:00.000Z"


@pytest.mark.parametrize(
    ("actor", "reason", "initiator"),
    [
        (Actor.CUSTOMER, "USER_ACTION", "INDIVIDUAL"),
        (Actor.CLIENT, "BUSINESS_RULE", "DATA_RECIPIENT"),
        (Actor.OPERATOR, "BUSINESS_RULE", "DATA_PROVIDER"),
    ],
)
def test_a_consent_that_was_ended_says_by_whom_why_and_when(
    customer: BrowserCustomer,
    connections: ConnectionStore,
    clock: Clock,
    actor: Actor,
    reason: str,
    initiator: str,
) -> None:
    tokens = connect(customer)
    clock.advance(timedelta(hours=1))
    connections.withdraw(tokens["consent_id"], None, actor=actor, now=clock.now)
    found = read(customer.client, tokens["consent_id"])
    assert found["status"] == "REVOKED"
    assert found["revocation"] == {
        "reason": reason,
        "initiator": initiator,
        "updatedTime": "2026-11-24T13:00:00.000Z",
    }


def test_a_consent_that_was_replaced_or_whose_code_was_replayed_says_so(customer: BrowserCustomer) -> None:
    old = connect(customer)
    code = customer.approve()
    tokens = customer.redeem(code).get_json()
    replaced = read(customer.client, old["consent_id"])
    assert (replaced["status"], replaced["revocation"]["initiator"]) == ("REVOKED", "INDIVIDUAL")
    customer.redeem(code)
    assert customer.refresh(tokens["refresh_token"]).status_code == 400


def test_a_consent_ends_on_its_end_date_to_the_second(
    customer: BrowserCustomer, connections: ConnectionStore, clock: Clock
) -> None:
    tokens = connect(customer)
    clock.advance(timedelta(days=365, seconds=-1))
    assert read(customer.client, tokens["consent_id"])["status"] == "ACTIVE"
    clock.advance(timedelta(seconds=1))
    for _ in range(2):  # before and after somebody has written it down
        found = read(customer.client, tokens["consent_id"])
        assert found["status"] == "EXPIRED"
        assert "revocation" not in found
        connections.record_expired(now=clock.now)


# For whose eyes


def test_another_consent_of_the_same_recipient_is_not_for_this_token(customer: BrowserCustomer) -> None:
    one, other = connect(customer), connect(customer, provider_id="2000")
    check_refused(record(customer.client, other["consent_id"], one["access_token"]), 404, "invalid_request")


def test_somebody_elses_consent_looks_like_none(customer: BrowserCustomer) -> None:
    tokens = connect(customer)
    others = admin_token(customer.client, LOANS)
    answers = [
        record(customer.client, consent_id, token)
        for token in (others, tokens["access_token"])
        for consent_id in (NOBODYS_CONSENT, tokens["consent_id"])
    ]
    assert [answer.status_code for answer in answers] == [404, 404, 404, 200]
    assert len({answer.data for answer in answers[:3]}) == 1


def test_the_tokens_of_an_ended_consent_open_nothing(customer: BrowserCustomer) -> None:
    tokens = connect(customer)
    end(customer.client, tokens["access_token"])
    check_refused(record(customer.client, tokens["consent_id"], tokens["access_token"]), 401, "invalid_token")
    assert read(customer.client, tokens["consent_id"])["status"] == "REVOKED"


def test_nothing_but_an_access_token_opens_it(customer: BrowserCustomer, clock: Clock) -> None:
    tokens = connect(customer)
    address = f"{CONSENTS}/{tokens['consent_id']}"
    for headers in (
        {},
        basic(*BUDGET),
        bearer(tokens["refresh_token"]),
        bearer(tokens["consent_id"]),
        bearer("a.b.c"),
    ):
        response = customer.client.get(address, headers=headers)
        check_refused(response, 401, "invalid_token")
        assert response.headers["WWW-Authenticate"].startswith("Bearer ")
    sent = {"access_token": tokens["access_token"]}
    check_refused(customer.client.get(address, query_string=sent), 400, "invalid_request")
    clock.advance(timedelta(minutes=5))
    check_refused(record(customer.client, tokens["consent_id"], tokens["access_token"]), 401, "invalid_token")


def test_a_suspended_recipient_reads_nothing(customer: BrowserCustomer, register: Serve) -> None:
    tokens, own = connect(customer), admin_token(customer.client)
    suspended = register(("demo = true", "demo = true\nsuspended = true"))
    for token in (tokens["access_token"], own):
        check_refused(record(suspended, tokens["consent_id"], token), 401, "invalid_token")


@pytest.mark.parametrize("consent_id", ["x", "1", "%00", NOBODYS_CONSENT + "0", "..%2f", "é"])
def test_what_cannot_be_a_consent_is_not_found(client: ContractClient, consent_id: str) -> None:
    response = client.get(f"{CONSENTS}/{consent_id}", headers=bearer(admin_token(client)))
    assert response.status_code == 404
    assert response.mimetype == "application/json"


def test_a_bank_that_is_no_longer_registered_keeps_its_name(
    customer: BrowserCustomer, register: Serve
) -> None:
    tokens = connect(customer, provider_id="2000")
    changed = register(
        ('provider_id = "2000"', 'provider_id = "2001"'),
        *[('"2000" = "ACTIVE"\n', "")] * 2,
        ('"2000" = "PENDING_ACTIVATION"', '"2001" = "PENDING_ACTIVATION"'),
    )
    provider = read(changed, tokens["consent_id"])["parties"][1]
    assert (provider["name"], provider["registeredEntityId"]) == ("Northern Bank", "2000")


# When the ledger does not answer


def test_a_ledger_that_does_not_answer_is_no_missing_consent(
    customer: BrowserCustomer, valkey: EmbeddedValkey, signing_keys: Path, clock: Clock, tmp_path: Path
) -> None:
    tokens, own = connect(customer), admin_token(customer.client)
    elsewhere = f"sqlite:///{tmp_path}/no-such-folder/ledger.sqlite3"
    failing = failing_server(valkey.url, elsewhere, signing_keys, clock)
    for token in (tokens["access_token"], own):
        response = record(failing, tokens["consent_id"], token)
        check_refused(response, 503, "temporarily_unavailable")
        assert int(response.headers["Retry-After"]) > 0
