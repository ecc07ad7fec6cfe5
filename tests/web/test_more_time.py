"""More time to answer, with one click that loses nothing (WCAG 2.2.1), and an end all the same."""

from datetime import timedelta

import pytest
from werkzeug.test import TestResponse

from app.stores.redis.client import Redis
from tests.support import texts
from tests.support.applications import Clock
from tests.support.customer import BrowserCustomer, answer_params, hidden_fields
from tests.support.expected_pages import check_error_page, check_page
from tests.support.ledger_tables import LedgerTables
from tests.support.page_contract import Element

ALMOST_OVER = timedelta(minutes=14, seconds=59)
LIFETIME = timedelta(minutes=15)


def extend(customer: BrowserCustomer, request_id: str, *boxes: str, **changes: str) -> TestResponse:
    address = f"/consent/{request_id}"
    fields = hidden_fields(customer.form(request_id), address)
    return customer.client.post(address, data={**fields, "extend": "yes", "scope": list(boxes), **changes})


def seconds_left(page: Element) -> str:
    return page.one("span", id="time-left").attributes["data-seconds-left"]


def test_the_form_has_a_button_for_it_that_is_no_answer(customer: BrowserCustomer, lang: str) -> None:
    page = customer.form(customer.signed_in_request(lang=lang))
    button = page.one("form", id="decision").all("button", name="extend")[0]
    assert button.text == texts.GET_MORE_TIME[lang]


def test_a_click_begins_the_time_anew_and_keeps_the_boxes(
    customer: BrowserCustomer, clock: Clock, recorded: LedgerTables, lang: str
) -> None:
    request_id = customer.signed_in_request(lang=lang, scope="ACCOUNT_BASIC TRANSACTIONS STATEMENTS")
    clock.advance(ALMOST_OVER)
    response = extend(customer, request_id, "STATEMENTS")
    assert (response.status_code, response.location) == (303, f"/consent/{request_id}#time-left")
    page = check_page(customer.client.get(response.location.partition("#")[0]), "form", lang)
    assert seconds_left(page) == "900"
    assert [box.attributes["value"] for box in page.all("input", checked="")] == ["STATEMENTS"]
    assert recorded.nothing_happened
    clock.advance(ALMOST_OVER)
    assert "code" in answer_params(customer.answer(request_id, "approve"))


def test_it_can_be_had_ten_times_and_the_request_ends_all_the_same(
    customer: BrowserCustomer, clock: Clock
) -> None:
    request_id = customer.signed_in_request()
    began = clock.now
    for _ in range(10):
        clock.advance(LIFETIME - timedelta(seconds=20))
        extend(customer, request_id)
        assert seconds_left(customer.form(request_id)) == "900"
    clock.advance(LIFETIME - timedelta(seconds=20))
    extend(customer, request_id)
    left = timedelta(seconds=int(seconds_left(customer.form(request_id))))
    assert clock.now - began + left == 11 * LIFETIME
    clock.advance(left - timedelta(seconds=1))
    extend(customer, request_id)
    assert seconds_left(customer.form(request_id)) == "1"
    clock.advance(timedelta(seconds=1))
    check_error_page(customer.client.get(f"/consent/{request_id}"), "request_expired", "en", status=410)


def test_a_language_link_at_the_same_moment_takes_no_time_back(
    customer: BrowserCustomer, clock: Clock, redis_client: Redis
) -> None:
    request_id = customer.signed_in_request()
    clock.advance(ALMOST_OVER)
    as_it_was = redis_client.get(f"request:{request_id}")
    extend(customer, request_id)
    redis_client.set(f"request:{request_id}", str(as_it_was), ex=4000)  # what the link had read before
    customer.client.get(f"/consent/{request_id}?lang=fr")
    assert seconds_left(customer.form(request_id)) == "900"


def test_what_has_expired_stays_so(customer: BrowserCustomer, clock: Clock, lang: str) -> None:
    request_id = customer.signed_in_request(lang=lang)
    fields = hidden_fields(customer.form(request_id), f"/consent/{request_id}")
    clock.advance(LIFETIME)
    response = customer.client.post(f"/consent/{request_id}", data={**fields, "extend": "yes"})
    check_error_page(response, "request_expired", lang, status=410)
    check_error_page(customer.client.get(f"/consent/{request_id}"), "request_expired", lang, status=410)


def test_an_answered_request_shows_its_answer(customer: BrowserCustomer) -> None:
    request_id = customer.signed_in_request()
    fields = hidden_fields(customer.form(request_id), f"/consent/{request_id}")
    customer.post_answer(request_id, fields, "deny")
    response = customer.client.post(f"/consent/{request_id}", data={**fields, "extend": "yes"})
    check_page(response, "answered", "en")


def test_without_the_forms_token_nothing_is_put_off(customer: BrowserCustomer, clock: Clock) -> None:
    request_id = customer.signed_in_request()
    clock.advance(ALMOST_OVER)
    response = customer.client.post(f"/consent/{request_id}", data={"extend": "yes"})
    check_error_page(response, "form_refused", "en", status=400, assurance=texts.NOTHING_RECORDED)
    assert seconds_left(customer.form(request_id)) == "1"


@pytest.mark.parametrize("late", ["extend", "language", "nothing"])
def test_a_click_that_overtakes_the_answer_brings_no_dead_code_back_to_life(
    customer: BrowserCustomer, clock: Clock, redis_client: Redis, late: str
) -> None:
    request_id = customer.signed_in_request()
    address = f"/consent/{request_id}"
    fields = hidden_fields(customer.form(request_id), address)
    as_it_was = redis_client.get(f"request:{request_id}")
    assert "code" in answer_params(customer.post_answer(request_id, fields, "approve"))
    redis_client.set(f"request:{request_id}", str(as_it_was), ex=4000)  # what a slow click would write
    redis_client.delete(f"code:{request_id}")
    clock.advance(timedelta(seconds=61))
    customer.client.post(address, data={**fields, late: "fr"})
    # Whatever was chosen since: the page that this answer was sent from was in English.
    check_page(customer.post_answer(request_id, fields, "approve"), "answered", "en")
