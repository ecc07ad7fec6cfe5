"""What a request shows instead of its form: the question whether no box was meant, and what is shared already."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from werkzeug.test import TestResponse

from tests.support import texts
from tests.support.applications import Clock
from tests.support.builders import EVERYTHING
from tests.support.customer import LOANS_APP_REQUEST, BrowserCustomer, answer_params, hidden_fields
from tests.support.expected_pages import check_page
from tests.support.ledger_tables import LedgerTables
from tests.support.page_contract import ContractClient, Element

THREE = "ACCOUNT_BASIC TRANSACTIONS STATEMENTS"


def press(customer: BrowserCustomer, request_id: str, page: Element, **fields: object) -> TestResponse:
    """Sends the first form of the page to the request, with what its hidden fields say."""
    address = f"/consent/{request_id}"
    return customer.client.post(address, data={**hidden_fields(page, address), **fields})


def opened(
    customer: BrowserCustomer, request_id: str, name: str, lang: str = "en", query: str = ""
) -> Element:
    return check_page(customer.client.get(f"/consent/{request_id}{query}"), name, lang)


def scopes(recorded: LedgerTables) -> list[str]:
    """What was granted, from the first grant to the last."""
    grants = sorted(recorded["grants"], key=lambda grant: (grant["approved_at"], grant["ended_at"] is None))
    return [grant["granted_scope"] for grant in grants]


# No box is checked


def test_whoever_checks_no_box_is_asked_once_whether_that_is_meant(
    customer: BrowserCustomer, recorded: LedgerTables, lang: str
) -> None:
    request_id = customer.signed_in_request(lang=lang, scope=" ".join(EVERYTHING))
    response = press(customer, request_id, opened(customer, request_id, "form", lang), decision="approve")
    assert (response.status_code, response.location) == (303, f"/consent/{request_id}?answer=unchecked")
    assert recorded.nothing_happened
    page = check_page(customer.client.get(response.location), "form", lang)
    pause = page.one("div", id="pause")
    assert {"tabindex", "autofocus"} <= pause.attributes.keys(), "it has the focus"
    assert "role" not in pause.attributes, "it is no error"
    assert pause.one("h2").text == texts.YOU_CHECKED_NO_BOX[lang]
    assert texts.ALSO_ASKED_FOR.of(num=7)[lang] in pause.text
    back, only_this = pause.one("a"), pause.one("button")
    assert back.attributes["href"] == "#hint"
    assert only_this.text == texts.SHARE_ONLY_THIS[lang]
    code = answer_params(press(customer, request_id, page, decision="approve"))["code"]
    assert code
    assert scopes(recorded) == ["ACCOUNT_BASIC"]


def test_boxes_that_are_checked_after_the_question_are_shared(
    customer: BrowserCustomer, recorded: LedgerTables
) -> None:
    request_id = customer.signed_in_request(scope=THREE)
    paused = press(customer, request_id, opened(customer, request_id, "form"), decision="approve")
    page = check_page(customer.client.get(paused.location), "form", "en")
    answer_params(press(customer, request_id, page, decision="approve", scope=["TRANSACTIONS"]))
    assert scopes(recorded) == ["ACCOUNT_BASIC TRANSACTIONS"]


@pytest.mark.parametrize(
    ("changes", "fields"),
    [
        ({"scope": THREE}, {"decision": "deny"}),
        ({"scope": THREE}, {"decision": "approve", "scope": ["STATEMENTS"]}),
        ({"scope": "ACCOUNT_BASIC"}, {"decision": "approve"}),
    ],
    ids=["denied", "one box", "no boxes"],
)
def test_nobody_else_is_asked(
    customer: BrowserCustomer, changes: dict[str, str], fields: dict[str, object]
) -> None:
    request_id = customer.signed_in_request(**changes)
    answer_params(press(customer, request_id, opened(customer, request_id, "form"), **fields))


def test_an_unchecked_box_that_was_not_offered_is_no_choice(customer: BrowserCustomer) -> None:
    request_id = customer.signed_in_request(scope=THREE)
    page = opened(customer, request_id, "form")
    response = press(customer, request_id, page, decision="approve", scope=["INVESTMENTS", "ACCOUNT_BASIC"])
    assert response.location.endswith("?answer=unchecked")


def test_the_question_stays_in_the_other_language(customer: BrowserCustomer) -> None:
    request_id = customer.signed_in_request(scope=THREE)
    paused = press(customer, request_id, opened(customer, request_id, "form"), decision="approve")
    page = check_page(customer.client.get(paused.location), "form", "en")
    switched = press(customer, request_id, page, language="fr")
    page = check_page(customer.client.get(switched.location), "form", "fr")
    page.one("div", id="pause")
    answer_params(press(customer, request_id, page, decision="approve"))


# All boxes at once


@pytest.mark.parametrize(("button", "expected"), [("all", {"TRANSACTIONS", "STATEMENTS"}), ("none", set())])
def test_all_boxes_are_checked_or_unchecked_at_once(
    customer: BrowserCustomer, recorded: LedgerTables, button: str, expected: set[str]
) -> None:
    request_id = customer.signed_in_request(scope=THREE)
    page = opened(customer, request_id, "form")
    response = press(customer, request_id, page, check=button, scope=["STATEMENTS"])
    assert (response.status_code, response.location) == (303, f"/consent/{request_id}#hint")
    page = check_page(customer.client.get(response.location), "form", "en")
    boxes = page.all("input", type="checkbox")
    assert {box.attributes["value"] for box in boxes if "checked" in box.attributes} == expected
    assert recorded.nothing_happened


def test_where_there_is_one_box_nothing_checks_it_but_a_press_on_it(customer: BrowserCustomer) -> None:
    request_id = customer.signed_in_request(scope="ACCOUNT_BASIC TRANSACTIONS")
    assert opened(customer, request_id, "form").all("button", name="check") == []


# A repeat request that asks for nothing new


def test_what_is_shared_is_kept_with_one_press_until_a_later_day(
    customer: BrowserCustomer, clock: Clock, recorded: LedgerTables, lang: str
) -> None:
    customer.approve("TRANSACTIONS", scope=THREE)
    clock.advance(timedelta(days=30))
    request_id = customer.signed_in_request(lang=lang, scope=THREE)
    page = opened(customer, request_id, "renewal", lang)
    rows = [row.attributes["data-cluster"] for row in page.all("div", **{"class": "row"})]
    assert rows == ["ACCOUNT_BASIC", "TRANSACTIONS"]
    assert page.all("input", type="checkbox") == []
    in_13_months = {"en": "December 24, 2027", "fr": "24 décembre 2027"}
    for words in (
        texts.NOT_SHARED_AS_BEFORE.of(clusters=texts.STATEMENTS),
        texts.INSTEAD_OF.of(end_date=in_13_months, earlier_date=texts.IN_A_YEAR),
    ):
        assert words[lang] in page.text
    labels = [texts.DO_NOT_RENEW[lang], texts.KEEP_SHARING_THE_SAME[lang]]
    assert [button.text for button in page.all("button", name="decision")] == labels
    answer_params(press(customer, request_id, page, decision="approve"))
    assert scopes(recorded) == ["ACCOUNT_BASIC TRANSACTIONS"] * 2
    first, second = sorted(recorded["grants"], key=lambda grant: str(grant["expires_at"]))
    assert second["expires_at"] - first["expires_at"] == timedelta(days=30)
    assert first["ended_at"] is not None


def test_whoever_does_not_renew_keeps_what_is_shared_until_its_end(
    customer: BrowserCustomer, recorded: LedgerTables
) -> None:
    customer.approve("TRANSACTIONS", scope=THREE)
    request_id = customer.signed_in_request(scope=THREE)
    page = opened(customer, request_id, "renewal")
    assert answer_params(press(customer, request_id, page, decision="deny"))["error"] == "access_denied"
    (grant,) = recorded["grants"]
    assert grant["ended_at"] is None


def test_boxes_that_are_sent_with_a_renewal_change_nothing_of_what_is_kept(
    customer: BrowserCustomer, recorded: LedgerTables
) -> None:
    customer.approve("TRANSACTIONS", scope=THREE)
    request_id = customer.signed_in_request(scope=THREE)
    page = opened(customer, request_id, "renewal")
    answer_params(press(customer, request_id, page, decision="approve", scope=["STATEMENTS"]))
    assert scopes(recorded) == ["ACCOUNT_BASIC TRANSACTIONS"] * 2


def test_whoever_wants_to_change_gets_the_boxes_of_which_none_is_checked(
    customer: BrowserCustomer, recorded: LedgerTables
) -> None:
    customer.approve("TRANSACTIONS", scope=THREE)
    request_id = customer.signed_in_request(scope=THREE)
    response = press(customer, request_id, opened(customer, request_id, "renewal"), go="change")
    assert (response.status_code, response.location) == (303, f"/consent/{request_id}?go=change")
    page = check_page(customer.client.get(response.location), "form", "en")
    assert not [box for box in page.all("input", type="checkbox") if "checked" in box.attributes]
    shown = page.one("span", id="mark-TRANSACTIONS")
    assert shown.text == texts.YOU_SHARE_THIS_NOW["en"]
    answer_params(press(customer, request_id, page, decision="approve", scope=["STATEMENTS"]))
    assert scopes(recorded)[-1] == "ACCOUNT_BASIC STATEMENTS"


@pytest.mark.parametrize("action", [{"language": "fr"}, {"check": "all"}, {"extend": "yes"}, {}])
def test_whoever_has_opened_the_boxes_stays_with_them(
    customer: BrowserCustomer, action: dict[str, str]
) -> None:
    customer.approve("TRANSACTIONS", scope=THREE)
    request_id = customer.signed_in_request(scope=THREE)
    response = press(customer, request_id, opened(customer, request_id, "form", query="?go=change"), **action)
    assert "go=change" in response.location
    check_page(customer.client.get(response.location), "form", action.get("language", "en"))


@pytest.mark.parametrize(
    "edit",
    [
        ('"To show all your accounts in one place', '"To look at all your accounts in one place'),
        ("history_months = 24", "history_months = 36"),
        ('needs = ["ACCOUNT_BASIC"]', 'needs = ["ACCOUNT_BASIC", "STATEMENTS"]'),
    ],
    ids=["another purpose", "further back", "more is needed"],
)
def test_anything_new_is_asked_for_with_boxes(
    customer: BrowserCustomer, register: Callable[..., ContractClient], edit: tuple[str, str]
) -> None:
    customer.approve("TRANSACTIONS", scope=THREE)
    server = BrowserCustomer(register(edit, browser=customer.client))
    opened(server, server.signed_in_request(scope=THREE), "form")


@pytest.mark.parametrize(("days", "name"), [(365, "renewal"), (364, "form")])
def test_a_longer_time_than_before_is_asked_for_with_boxes(
    customer: BrowserCustomer, register: Callable[..., ContractClient], days: int, name: str
) -> None:
    before = BrowserCustomer(
        register(("consent_days = 365", f"consent_days = {days}"), browser=customer.client)
    )
    before.approve("TRANSACTIONS", scope=THREE)
    customer.client.bring_cookies_of(before.client)
    opened(customer, customer.signed_in_request(scope=THREE), name)


def test_another_type_of_data_is_asked_for_with_boxes(customer: BrowserCustomer) -> None:
    customer.approve("TRANSACTIONS", scope=THREE)
    opened(customer, customer.signed_in_request(scope=f"{THREE} INVESTMENTS"), "form")


def test_what_is_no_longer_asked_cannot_go_on_with_one_press(customer: BrowserCustomer) -> None:
    customer.approve("TRANSACTIONS", "STATEMENTS", scope=THREE)
    opened(customer, customer.signed_in_request(scope="ACCOUNT_BASIC TRANSACTIONS"), "form")


def test_a_renewal_that_was_read_before_something_was_stopped_is_read_again(
    customer: BrowserCustomer, recorded: LedgerTables
) -> None:
    customer.approve("TRANSACTIONS", "STATEMENTS", scope=THREE)
    request_id = customer.signed_in_request(scope=THREE)
    page = opened(customer, request_id, "renewal")
    customer.stop(customer.connections()[0], "STATEMENTS")
    response = press(customer, request_id, page, decision="approve")
    assert (response.status_code, response.location) == (
        303,
        f"/consent/{request_id}?go=renew&answer=changed",
    )
    again = opened(customer, request_id, "renewal", query="?go=renew&answer=changed")
    answer_params(press(customer, request_id, again, decision="approve"))
    assert scopes(recorded)[-1] == "ACCOUNT_BASIC TRANSACTIONS"


def test_a_renewal_whose_connection_has_ended_becomes_the_form(customer: BrowserCustomer) -> None:
    customer.approve("TRANSACTIONS", scope=THREE)
    request_id = customer.signed_in_request(scope=THREE)
    page = opened(customer, request_id, "renewal")
    customer.stop(customer.connections()[0])
    response = press(customer, request_id, page, decision="approve")
    assert response.status_code == 303
    check_page(customer.client.get(response.location), "form", "en")


@pytest.mark.parametrize("is_renewal", [True, False], ids=["renewed", "asked whether no box was meant"])
def test_the_link_to_an_app_is_the_same_in_the_other_language(
    customer: BrowserCustomer, is_renewal: bool
) -> None:
    """The switch sends the same answer again, of the page that it answered."""
    if is_renewal:
        customer.answer(customer.signed_in_request(**LOANS_APP_REQUEST), "approve", "ACCOUNT_DETAILED")
    request_id = customer.signed_in_request(**LOANS_APP_REQUEST)
    page = opened(customer, request_id, "renewal" if is_renewal else "form")
    response = press(customer, request_id, page, decision="approve")
    if not is_renewal:
        page = check_page(customer.client.get(response.location), "form", "en")
        response = press(customer, request_id, page, decision="approve")
    link = check_page(response, "continue", "en")
    switch = link.all("form")[0]
    fields = {field.attributes["name"]: field.attributes["value"] for field in switch.all("input")}
    again = check_page(customer.client.post(switch.attributes["action"], data=fields), "continue", "fr")
    assert again.one("a", id="continue").attributes == link.one("a", id="continue").attributes
