"""`client_credentials` with `client:admin`: a recipient as itself, and as nobody else."""

from datetime import timedelta
from typing import Any

import pytest

from tests.support.applications import Clock
from tests.support.customer import BUDGET, LOANS, BrowserCustomer, basic
from tests.support.ledger_tables import LedgerTables
from tests.support.machine_requests import (
    MAPLE_API,
    NOBODYS_CONSENT,
    TOKEN,
    admin_token,
    check_refused,
    claims_of,
    introspect,
    record,
)
from tests.support.page_contract import ContractClient


def test_a_client_gets_a_token_for_itself(client: ContractClient, recorded: LedgerTables) -> None:
    fields = {"grant_type": "client_credentials", "scope": "client:admin"}
    response = client.post(TOKEN, data=fields, headers=basic(*BUDGET))
    answer = response.get_json()
    assert answer == {
        "access_token": answer["access_token"],
        "token_type": "Bearer",
        "expires_in": 300,
        "scope": "client:admin",
    }
    assert response.headers["Cache-Control"] == "no-store"
    claims = claims_of(answer["access_token"])
    assert (claims["sub"], claims["client_id"]) == ("dc-budget", "dc-budget")
    assert claims["aud"] == claims["iss"] == "http://localhost:8000"
    assert "consent_id" not in claims
    assert recorded["events"] == recorded["refresh_tokens"] == []


@pytest.mark.parametrize("scope", [{}, {"scope": ""}, {"scope": None}], ids=["absent", "empty", "null"])
@pytest.mark.parametrize("body", ["data", "json"])
def test_without_its_scope_nobody_gets_a_token(
    client: ContractClient, recorded: LedgerTables, scope: dict[str, str | None], body: str
) -> None:
    """What a library sends that found no code where the customer had said no."""
    fields = {"grant_type": "client_credentials", "redirect_uri": "http://localhost:8001/callback", **scope}
    sent = fields if body == "json" else {name: value or "" for name, value in fields.items()}
    how: dict[str, Any] = {body: sent}
    check_refused(client.post(TOKEN, headers=basic(*BUDGET), **how), 400, "invalid_scope")
    assert recorded["events"] == []


@pytest.mark.parametrize("scope", ["ACCOUNT_BASIC", "client:admin ACCOUNT_BASIC", "client:Admin", "openid"])
def test_no_customers_data_comes_without_the_customer(client: ContractClient, scope: str) -> None:
    fields = {"grant_type": "client_credentials", "scope": scope}
    check_refused(client.post(TOKEN, data=fields, headers=basic(*BUDGET)), 400, "invalid_scope")


@pytest.mark.parametrize("credentials", [("dc-budget", "wrong"), ("nobody", "x"), MAPLE_API])
def test_nobody_else_gets_it(client: ContractClient, credentials: tuple[str, str]) -> None:
    fields = {"grant_type": "client_credentials", "scope": "client:admin"}
    check_refused(client.post(TOKEN, data=fields, headers=basic(*credentials)), 401, "invalid_client")


def test_client_admin_cannot_be_asked_of_a_customer(customer: BrowserCustomer) -> None:
    response = customer.client.get(
        "/api/v1/authorize",
        query_string={
            "client_id": "dc-budget",
            "redirect_uri": "http://localhost:8001/callback",
            "state": "s",
            "response_type": "code",
            "provider_id": "1000",
            "scope": "ACCOUNT_BASIC client:admin",
        },
    )
    assert "error=invalid_scope" in response.location


def test_it_dies_by_itself(client: ContractClient, clock: Clock) -> None:
    token = admin_token(client, LOANS)
    clock.advance(timedelta(seconds=299))
    assert introspect(client, token, LOANS)["active"]
    assert record(client, NOBODYS_CONSENT, token).status_code == 404
    clock.advance(timedelta(seconds=1))
    assert introspect(client, token, LOANS) == {"active": False}
    assert record(client, NOBODYS_CONSENT, token).status_code == 401
