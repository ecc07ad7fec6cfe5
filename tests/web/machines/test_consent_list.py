"""`GET /api/v1/consents`: a consent's token lists that consent, a recipient's own token all of its consents."""

import uuid
from typing import Any

import pytest

from app.web.machines import consent_record
from tests.support.applications import Clock
from tests.support.builders import VERIFIER
from tests.support.customer import LOANS, LOANS_CALLBACK, LOANS_REQUEST, BrowserCustomer, answer_params
from tests.support.expected_pages import check_json
from tests.support.fapi import FapiRecipient
from tests.support.machine_requests import CONSENTS, admin_token, bearer, connect
from tests.support.page_contract import ContractClient


def listed(client: ContractClient, token: str, address: str = CONSENTS) -> dict[str, Any]:
    response = client.get(address, headers=bearer(token))
    assert response.status_code == 200, response.text
    assert response.headers["Cache-Control"] == "no-store"
    return dict(response.get_json())


def test_a_consents_token_lists_that_consent_as_its_record_says_it(customer: BrowserCustomer) -> None:
    first, second = connect(customer), connect(customer, provider_id="2000")
    for tokens in (first, second):
        found = listed(customer.client, tokens["access_token"])
        record = customer.client.get(
            f"{CONSENTS}/{tokens['consent_id']}", headers=bearer(tokens["access_token"])
        ).get_json()
        assert found == {"consents": [record]}


def test_a_recipients_own_token_lists_all_of_its_consents_the_newest_first(
    customer: BrowserCustomer, clock: Clock
) -> None:
    assert listed(customer.client, admin_token(customer.client)) == {"consents": []}
    made = [connect(customer)["consent_id"]]
    made.append(connect(customer, provider_id="2000")["consent_id"])
    answer = customer.answer(customer.signed_in_request(**LOANS_REQUEST), "approve")
    code = answer_params(answer, LOANS_CALLBACK)["code"]
    customer.redeem(code, client=LOANS, redirect_uri=LOANS_CALLBACK, code_verifier=VERIFIER)
    found = listed(customer.client, admin_token(customer.client))["consents"]
    assert sorted(record["id"] for record in found) == sorted(made)
    assert len(listed(customer.client, admin_token(customer.client, LOANS))["consents"]) == 1


def test_the_list_comes_in_pages(customer: BrowserCustomer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(consent_record, "MOST_LISTED", 2)
    made = [connect(customer)["consent_id"] for _ in range(5)]
    token, address, found = admin_token(customer.client), CONSENTS, []
    for number in (2, 2, 1):
        page = listed(customer.client, token, address)
        assert len(page["consents"]) == number
        found += [record["id"] for record in page["consents"]]
        address = page.get("next", "").removeprefix("http://localhost:8000")
    assert address == ""
    assert sorted(found) == sorted(made)


def test_a_page_goes_on_after_ones_own_consents_alone(customer: BrowserCustomer) -> None:
    mine = connect(customer)["consent_id"]
    token = admin_token(customer.client, LOANS)
    for other in (mine, "never-was", "%00"):
        response = customer.client.get(f"{CONSENTS}?older_than={other}", headers=bearer(token))
        check_json(response, "invalid_request", status=400)


def test_nobody_else_sees_it_and_the_query_is_no_place_for_a_token(customer: BrowserCustomer) -> None:
    tokens = connect(customer)
    check_json(customer.client.get(CONSENTS), "invalid_token", status=401)
    check_json(customer.client.get(CONSENTS, headers=bearer("junk")), "invalid_token", status=401)
    in_query = customer.client.get(f"{CONSENTS}?access_token={tokens['access_token']}")
    check_json(in_query, "invalid_request", status=400)
    assert customer.client.post(CONSENTS, headers=bearer(tokens["access_token"])).status_code == 405


@pytest.mark.parametrize("accept", ["application/json", "*/*", "application/json;charset=UTF-8", "text/html"])
def test_it_is_the_resource_that_the_conformance_suite_asks_for(
    client: ContractClient, clock: Clock, accept: str
) -> None:
    fapi = FapiRecipient(client, clock)
    token = fapi.tokens()["access_token"]
    interaction = str(uuid.uuid4())
    headers = {
        "Authorization": f"DPoP {token}",
        "Accept": accept,
        "x-fapi-auth-date": "Tue, 11 Sep 2012 19:43:31 GMT",
        "x-fapi-customer-ip-address": "2001:db8::1893:25c8:1946",
        "x-fapi-interaction-id": interaction,
        **fapi.proof("GET", CONSENTS, access_token=token),
    }
    response = client.get(CONSENTS, headers=headers)
    assert response.status_code == 200
    assert response.mimetype == "application/json"
    assert response.headers["x-fapi-interaction-id"] == interaction


@pytest.mark.parametrize("sent", ["", "junk", "x" * 36, "5f2a6f0e-7f63-4a0e-9a54-2b9d6b3a2c110"])
def test_what_is_no_interaction_id_does_not_come_back(customer: BrowserCustomer, sent: str) -> None:
    headers = {**bearer(connect(customer)["access_token"]), "x-fapi-interaction-id": sent}
    assert "x-fapi-interaction-id" not in customer.client.get(CONSENTS, headers=headers).headers
