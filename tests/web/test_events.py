"""What happens is in the log, once: when, between whom, in which flow, how it ended."""

import re
from collections.abc import Callable
from datetime import datetime, timedelta

import pytest

from tests.support.applications import Clock, Logged
from tests.support.customer import BUDGET, BrowserCustomer, basic, hidden_fields
from tests.support.machine_requests import admin_token, connect, revoke

ASKED = {"correlation_id": "flow-7", "lang": "fr"}


def approve(customer: BrowserCustomer) -> None:
    customer.approve("TRANSACTIONS", **ASKED)


def deny(customer: BrowserCustomer) -> None:
    customer.answer(customer.signed_in_request(**ASKED), "deny")


def redeem_twice(customer: BrowserCustomer) -> None:
    code = customer.approve("TRANSACTIONS", **ASKED)
    for _ in range(2):
        customer.redeem(code)


def refresh(customer: BrowserCustomer) -> None:
    customer.refresh(connect(customer, **ASKED)["refresh_token"])


def narrow(customer: BrowserCustomer) -> None:
    customer.stop(connect(customer, "TRANSACTIONS", **ASKED)["consent_id"], "TRANSACTIONS")


def withdraw(customer: BrowserCustomer) -> None:
    customer.stop(connect(customer, **ASKED)["consent_id"])


def revoke_token(customer: BrowserCustomer) -> None:
    revoke(customer.client, connect(customer, **ASKED)["refresh_token"])


def forge_a_form(customer: BrowserCustomer) -> None:
    request_id = customer.signed_in_request(**ASKED)
    customer.post_answer(request_id, {"csrf_token": "forged"}, "approve")


def mistype_the_password(customer: BrowserCustomer) -> None:
    customer.sign_in(customer.begin(**ASKED), password="wrong")


def guess_passwords(customer: BrowserCustomer) -> None:
    request_id = customer.begin(**ASKED)
    for _ in range(6):
        customer.sign_in(request_id, password="wrong")


OF_A_FLOW: list[tuple[str, Callable[[BrowserCustomer], None], str]] = [
    ("asked", approve, "pending"),
    ("signed_in", approve, "ok"),
    ("shown", approve, "form"),
    ("approved", approve, "code"),
    ("denied", deny, "access_denied"),
    ("redeemed", redeem_twice, "tokens"),
    ("replayed", redeem_twice, "ended"),
    ("refreshed", refresh, "tokens"),
    ("narrowed", narrow, "narrowed"),
    ("withdrawn", withdraw, "ended"),
    ("revoked", revoke_token, "ended"),
    ("csrf_refused", forge_a_form, "refused"),
    ("sign_in_failed", mistype_the_password, "refused"),
    ("rate_limited", guess_passwords, "refused"),
]


@pytest.mark.parametrize(("event", "happen", "outcome"), OF_A_FLOW, ids=[row[0] for row in OF_A_FLOW])
def test_an_event_of_a_flow_says_when_between_whom_in_which_flow_and_how_it_ended(
    customer: BrowserCustomer,
    logged: Logged,
    event: str,
    happen: Callable[[BrowserCustomer], None],
    outcome: str,
) -> None:
    happen(customer)
    (line,) = [line for line in logged() if line["event"] == event]
    when = datetime.fromisoformat(line["timestamp"])
    assert when.utcoffset() == timedelta(0)
    named = {name: line[name] for name in ("client_id", "provider_id", "correlation_id", "outcome")}
    expected = {
        "client_id": "dc-budget",
        "provider_id": "1000",
        "correlation_id": "flow-7",
        "outcome": outcome,
    }
    assert named == expected
    assert re.fullmatch("[0-9a-f]{32}", line["trace_id"])


@pytest.mark.parametrize("page", ["/consent/{}", "/sign-in/{}"])
def test_a_request_that_has_expired_is_noticed_once(
    customer: BrowserCustomer, clock: Clock, logged: Logged, page: str
) -> None:
    request_id = customer.begin(**ASKED)
    clock.advance(timedelta(minutes=16))
    for _ in range(3):
        assert customer.client.get(page.format(request_id)).status_code == 410
    (line,) = [line for line in logged() if line["event"] == "request_expired"]
    assert (line["client_id"], line["provider_id"], line["correlation_id"]) == ("dc-budget", "1000", "flow-7")
    assert (line["language"], line["outcome"]) == ("fr", "410")


def test_the_answer_to_a_request_is_said_once_however_often_it_is_given(
    customer: BrowserCustomer, logged: Logged
) -> None:
    request_id = customer.signed_in_request(**ASKED)
    fields = hidden_fields(customer.form(request_id), f"/consent/{request_id}")
    for _ in range(3):
        assert customer.post_answer(request_id, fields, "approve").status_code == 302
    assert [line["event"] for line in logged()].count("approved") == 1


def test_a_client_that_is_let_in_as_itself_is_named(customer: BrowserCustomer, logged: Logged) -> None:
    admin_token(customer.client)
    (line,) = [line for line in logged() if line["event"] == "administered"]
    assert (line["client_id"], line["outcome"]) == ("dc-budget", "tokens")


@pytest.mark.parametrize("client_id", ["dc-budget", "nobody"])
def test_a_refusal_names_the_client_that_was_claimed_if_it_is_registered(
    customer: BrowserCustomer, logged: Logged, client_id: str
) -> None:
    fields = {"grant_type": "client_credentials"}
    customer.client.post("/api/v1/token", data=fields, headers=basic(client_id, "wrong"))
    (line,) = logged()
    assert (line["event"], line["error"]) == ("refused", "invalid_client")
    assert line.get("client_id") == (client_id if client_id in BUDGET else None)


def test_the_correlation_id_finds_every_line_of_its_flow(customer: BrowserCustomer, logged: Logged) -> None:
    redeem_twice(customer)
    lines = [line["event"] for line in logged() if line.get("correlation_id") == "flow-7"]
    assert lines == ["asked", "signed_in", "shown", "approved", "redeemed", "replayed"]


def test_a_code_that_is_presented_again_and_again_ends_its_connection_once(
    customer: BrowserCustomer, logged: Logged, clock: Clock
) -> None:
    code = customer.approve(**ASKED)
    for seconds in (0, 1, 1, 300, 1):
        clock.advance(timedelta(seconds=seconds))
        customer.redeem(code)
    assert [line["event"] for line in logged()].count("replayed") == 1


def test_the_reference_number_of_a_page_finds_its_line(customer: BrowserCustomer, logged: Logged) -> None:
    response = customer.client.get("/consent/never-was")
    (reference,) = re.findall(r"[0-9A-F]{4}-[0-9A-F]{4}-[0-9A-F]{4}", response.text)
    digits = reference.replace("-", "").lower()
    (line,) = [line for line in logged() if line["trace_id"].startswith(digits)]
    assert line["outcome"] == "404"
