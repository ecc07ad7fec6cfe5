"""One consent from the recipient's link to the refreshed token, as everybody on the way sees it."""

from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

import pytest
from joserfc import jwt
from joserfc.jwk import KeySet
from werkzeug.test import TestResponse

from app.settings import Settings
from tests.support.applications import Clock, make_app
from tests.support.builders import CALLBACK, EVERYTHING, NOON, VERIFIER
from tests.support.customer import (
    LOANS,
    LOANS_APP_CALLBACK,
    LOANS_APP_REQUEST,
    LOANS_CALLBACK,
    LOANS_REQUEST,
    BrowserCustomer,
    answer_params,
    carried_params,
    hidden_fields,
)
from tests.support.ledger_tables import LedgerTables
from tests.support.page_contract import ContractClient, parse_page

AUDIENCE = {"1000": "http://localhost:8003/maple", "2000": "http://localhost:8003/northern"}
SUBJECT = {"1000": "maple-0001", "2000": "northern-0001"}


def verified(client: ContractClient, token: str) -> dict[str, Any]:
    """The claims of an access token, as the bank's API finds them."""
    keys = KeySet.import_key_set(client.get("/.well-known/jwks.json").get_json())
    return dict(jwt.decode(token, keys, algorithms=["ES256"]).claims)


@pytest.mark.parametrize("provider_id", ["1000", "2000"])
def test_a_customer_shares_what_they_chose_until_the_code_is_replayed(
    customer: BrowserCustomer, recorded: LedgerTables, clock: Clock, provider_id: str, lang: str
) -> None:
    client = customer.client
    query = {
        "client_id": "dc-budget",
        "redirect_uri": CALLBACK,
        "state": "état & +1",
        "response_type": "code",
        "scope": " ".join(EVERYTHING),
        "provider_id": provider_id,
        "correlation_id": "journey-1",
        "lang": lang,
    }

    # The recipient's link.
    begun = client.get(f"/api/v1/authorize?{urlencode(query)}")
    assert begun.status_code == 302

    # Who are you? A mistyped password first.
    request_id = begun.location.removeprefix("/sign-in/")
    assert customer.sign_in(request_id, password="mapel-syrup").status_code == 400
    signed_in = customer.sign_in(request_id)
    assert signed_in.status_code == 303

    # Which accounts? All of them.
    customer.choose_accounts(request_id)

    # What do you want to share? Two boxes, then the other language and back: the boxes stay.
    form = f"/consent/{request_id}"
    other = {"en": "fr", "fr": "en"}[lang]
    for language in (other, lang):
        page = parse_page(client.get(form).text)
        fields = hidden_fields(page, form)
        boxes = ["TRANSACTIONS", "INVESTMENTS"]
        client.post(form, data={**fields, "language": language, "scope": boxes})
    page = parse_page(client.get(form).text)
    assert page.one("html").attributes["lang"] == f"{lang}-CA"
    checked = [box.attributes["value"] for box in page.all("input", type="checkbox", checked="")]
    served = ["TRANSACTIONS", "INVESTMENTS"] if provider_id == "1000" else ["TRANSACTIONS"]
    assert checked == served

    # Yes. And once more, by a double click.
    fields = hidden_fields(page, form)
    answers = [customer.post_answer(request_id, fields, "approve", *checked) for _ in range(2)]
    params = answer_params(answers[0])
    assert answers[1].location == answers[0].location
    assert params["state"] == query["state"]
    assert params["iss"] == "http://localhost:8000"

    # The recipient redeems the code, a little later.
    clock.advance(timedelta(seconds=30))
    redeemed = customer.redeem(params["code"])
    assert redeemed.status_code == 200
    tokens = redeemed.get_json()
    granted = " ".join(["ACCOUNT_BASIC", *served])
    assert tokens["scope"] == granted
    claims = verified(client, tokens["access_token"])
    assert claims["aud"] == AUDIENCE[provider_id]
    assert claims["sub"] == SUBJECT[provider_id]
    assert claims["scope"] == granted
    assert claims["exp"] == int((NOON + timedelta(seconds=30 + 300)).timestamp())

    # A week later it refreshes, for less.
    clock.advance(timedelta(days=7))
    refreshed = customer.refresh(tokens["refresh_token"], scope="ACCOUNT_BASIC").get_json()
    assert refreshed["scope"] == "ACCOUNT_BASIC"
    assert verified(client, refreshed["access_token"])["consent_id"] == claims["consent_id"]

    # Somebody presents the code once more: the connection is over.
    assert customer.redeem(params["code"]).get_json()["error"] == "invalid_grant"
    assert customer.refresh(tokens["refresh_token"]).get_json()["error"] == "invalid_grant"

    # All of it is on record, in order.
    (decision,), (grant,) = recorded["decisions"], recorded["grants"]
    assert decision["language"] == lang
    assert grant["consent_id"] == claims["consent_id"]
    assert [event["kind"] for event in recorded["events"]] == [
        "asked",
        "approved",
        "redeemed",
        "refreshed",
        "replayed",
    ]
    assert {event["correlation_id"] for event in recorded["events"]} == {"journey-1"}


@pytest.mark.parametrize("provider_id", ["1000", "2000"])
def test_a_customer_who_says_no_shares_nothing(
    customer: BrowserCustomer, recorded: LedgerTables, provider_id: str, lang: str
) -> None:
    request_id = customer.signed_in_request(provider_id=provider_id, lang=lang)
    params = answer_params(customer.answer(request_id, "deny", "TRANSACTIONS"))
    assert params["error"] == "access_denied"
    assert params["error_description"] == "The user denied the access"
    assert [event["kind"] for event in recorded["events"]] == ["asked", "denied"]
    assert recorded["grants"] == []


@pytest.mark.parametrize(
    ("asked", "callback"),
    [(LOANS_REQUEST, LOANS_CALLBACK), (LOANS_APP_REQUEST, LOANS_APP_CALLBACK)],
    ids=["web", "app"],
)
def test_a_recipient_that_proves_its_code_comes_to_the_same_end(
    customer: BrowserCustomer, asked: dict[str, str], callback: str, lang: str
) -> None:
    request_id = customer.signed_in_request(**asked, lang=lang)
    code = carried_params(way_back(customer.answer(request_id, "approve")), callback)["code"]
    redeemed = customer.redeem(code, client=LOANS, redirect_uri=callback, code_verifier=VERIFIER)
    assert redeemed.get_json()["scope"] == "ACCOUNT_BASIC TRANSACTIONS"
    refreshed = customer.refresh(redeemed.get_json()["refresh_token"], client=LOANS)
    assert refreshed.status_code == 200


def way_back(answer: TestResponse) -> str:
    """Where the answer leads: by a redirect, or by a link for an app on the device."""
    if answer.status_code == 302:
        return answer.location
    return parse_page(answer.text).one("a", id="continue").attributes["href"]


def test_a_server_that_restarts_at_every_step_loses_nothing(
    settings: Settings, clock: Clock, client: ContractClient
) -> None:
    """Rolling restarts: each request of one consent meets a process that knows of none before it."""

    class Restarting(ContractClient):
        def open(self, *args: Any, **kwargs: Any) -> TestResponse:
            self.application = make_app(settings, clock)
            return super().open(*args, **kwargs)

    customer = BrowserCustomer(Restarting(client.application, client.response_wrapper))
    code = customer.approve("TRANSACTIONS")
    tokens = customer.redeem(code).get_json()
    assert customer.refresh(tokens["refresh_token"]).status_code == 200
