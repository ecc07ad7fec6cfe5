"""From the recipient's link to the recipient's callback, in every engine, with and without JavaScript."""

import pytest
import requests

from tests.engines.tab_customer import TabCustomer
from tests.support.builders import query_params
from tests.support.expected_pages import HEADINGS

STATE = query_params()["state"]
ANSWERED = HEADINGS["answered"]["en"]

with_each_callback = pytest.mark.parametrize("callback", ["https", "https and onward", "http on loopback"])


def test_scripts_run_where_they_should_and_nowhere_else(customer: TabCustomer, *, javascript: bool) -> None:
    customer.tab.open(customer.callback.landing)
    customer.tab.wait_for_text("#script", "A script has run" if javascript else "No script has run")


@with_each_callback
def test_approving_brings_the_recipient_a_code_that_it_can_redeem(customer: TabCustomer) -> None:
    customer.open_form()
    customer.approve()
    customer.wait_for_the_recipient()
    [answer] = customer.answers
    assert set(answer) == {"code", "state", "iss"}
    assert answer["state"] == STATE
    assert answer["iss"] == customer.accord.issuer
    redeemed = customer.redeem(answer["code"])
    assert redeemed.status_code == requests.codes.ok, redeemed.text
    assert redeemed.json()["scope"] == "ACCOUNT_BASIC TRANSACTIONS"


@with_each_callback
def test_denying_tells_the_recipient_so(customer: TabCustomer) -> None:
    customer.open_form()
    customer.deny()
    customer.wait_for_the_recipient()
    [answer] = customer.answers
    assert answer["error"] == "access_denied"
    assert answer["state"] == STATE
    assert "code" not in answer


def test_a_request_that_cannot_be_granted_leads_to_the_recipient_before_any_page(
    customer: TabCustomer,
) -> None:
    customer.ask(scope="ACCOUNT_BASIC HOROSCOPE")
    customer.wait_for_the_recipient()
    [answer] = customer.answers
    assert answer["error"] == "invalid_scope"
    assert answer["state"] == STATE


def test_back_after_approving_shows_the_answer_and_sends_nothing_again(customer: TabCustomer) -> None:
    customer.open_form()
    customer.approve()
    customer.wait_for_the_recipient()
    customer.tab.press_back()
    customer.tab.arrive_at(f"{customer.accord.issuer}/consent/")
    customer.tab.wait_for_text("h1", ANSWERED)
    assert len(customer.answers) == 1


def test_a_double_click_on_approve_makes_one_code(customer: TabCustomer) -> None:
    customer.open_form()
    customer.approve_with_a_double_click()
    customer.wait_for_the_recipient()
    codes = {answer["code"] for answer in customer.answers}
    assert len(codes) == 1
    assert customer.redeem(codes.pop()).ok
