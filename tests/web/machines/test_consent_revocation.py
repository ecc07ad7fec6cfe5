"""`/api/v1/consents/<consent_id>/revocation`: a recipient ends its own consents, once, and reads how they ended."""

from datetime import timedelta
from typing import Any

import pytest

from tests.support.applications import Clock
from tests.support.customer import LOANS, BrowserCustomer
from tests.support.ledger_tables import LedgerTables
from tests.support.machine_requests import (
    CONSENTS,
    NOBODYS_CONSENT,
    Serve,
    admin_token,
    bearer,
    check_refused,
    connect,
    record,
    revoke_as_fdx,
)
from tests.support.page_contract import ContractClient


def revocations(client: ContractClient, consent_id: str, access_token: str) -> Any:
    response = client.get(f"{CONSENTS}/{consent_id}/revocation", headers=bearer(access_token))
    assert response.status_code == 200, response.text
    return response.get_json()["revocations"]


@pytest.mark.parametrize("own", ["the consent's token", "client:admin"])
def test_a_recipient_ends_a_consent_and_is_not_told_what_it_did(
    customer: BrowserCustomer, recorded: LedgerTables, own: str
) -> None:
    tokens = connect(customer, correlation_id="correlation-1")
    admin = admin_token(customer.client)
    assert revocations(customer.client, tokens["consent_id"], tokens["access_token"]) == []
    token = admin if own == "client:admin" else tokens["access_token"]
    response = revoke_as_fdx(customer.client, tokens["consent_id"], token)
    assert (response.status_code, response.data) == (204, b"")
    assert "Content-Type" not in response.headers
    assert response.headers["ob-correlation-id"] == "correlation-1"
    assert revocations(customer.client, tokens["consent_id"], admin) == [
        {"reason": "USER_ACTION", "initiator": "DATA_RECIPIENT", "updatedTime": "2026-11-24T12:00:00.000Z"}
    ]
    assert recorded.events()[-1] == (tokens["consent_id"], "revoked")
    assert recorded["notices"] == []
    check_refused(record(customer.client, tokens["consent_id"], tokens["access_token"]), 401, "invalid_token")


def test_what_has_ended_does_not_end_again(customer: BrowserCustomer, recorded: LedgerTables) -> None:
    tokens = connect(customer)
    customer.stop(tokens["consent_id"])
    admin, before = admin_token(customer.client), recorded.events()
    check_refused(revoke_as_fdx(customer.client, tokens["consent_id"], admin), 409, "invalid_request")
    assert recorded.events() == before
    (revocation,) = revocations(customer.client, tokens["consent_id"], admin)
    assert revocation["initiator"] == "INDIVIDUAL"


def test_nor_does_what_has_run_out(customer: BrowserCustomer, clock: Clock) -> None:
    tokens = connect(customer)
    clock.now += timedelta(days=366)
    admin = admin_token(customer.client)
    check_refused(revoke_as_fdx(customer.client, tokens["consent_id"], admin), 409, "invalid_request")
    assert revocations(customer.client, tokens["consent_id"], admin) == []


def test_another_recipients_consent_is_as_unknown_as_none(
    customer: BrowserCustomer, recorded: LedgerTables
) -> None:
    tokens = connect(customer)
    others = admin_token(customer.client, LOANS)
    for consent_id in (tokens["consent_id"], NOBODYS_CONSENT):
        check_refused(revoke_as_fdx(customer.client, consent_id, others), 404, "invalid_request")
        address = f"{CONSENTS}/{consent_id}/revocation"
        check_refused(customer.client.get(address, headers=bearer(others)), 404, "invalid_request")
    check_refused(
        revoke_as_fdx(customer.client, NOBODYS_CONSENT, tokens["access_token"]), 404, "invalid_request"
    )
    assert (tokens["consent_id"], "revoked") not in recorded.events()


def test_without_a_reason_or_a_token_nothing_ends(customer: BrowserCustomer, recorded: LedgerTables) -> None:
    tokens = connect(customer)
    wrong = revoke_as_fdx(customer.client, tokens["consent_id"], tokens["access_token"], reason="NO_REASON")
    check_refused(wrong, 400, "invalid_request")
    check_refused(revoke_as_fdx(customer.client, tokens["consent_id"], "x"), 401, "invalid_token")
    form = customer.client.put(
        f"{CONSENTS}/{tokens['consent_id']}/revocation", data={}, headers=bearer(tokens["access_token"])
    )
    check_refused(form, 400, "invalid_request")
    assert (tokens["consent_id"], "revoked") not in recorded.events()


def test_a_recipient_may_have_registered_that_only_it_ends_its_consents(register: Serve) -> None:
    client = register(
        ("consent_days = 365\n", "consent_days = 365\nrevocation_requires_client_authentication = true\n")
    )
    tokens = connect(BrowserCustomer(client))
    by_token = revoke_as_fdx(client, tokens["consent_id"], tokens["access_token"])
    check_refused(by_token, 400, "unauthorized_client")
    assert revoke_as_fdx(client, tokens["consent_id"], admin_token(client)).status_code == 204
