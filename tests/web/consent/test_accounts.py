"""The step before the form: which accounts, in every state of the customer's list."""

import gzip
import json
from collections.abc import Callable
from datetime import timedelta

import pytest
from flask import Flask
from flask_babel import gettext
from werkzeug.test import TestResponse

from app.domain.language import Language
from app.web.connections.stopping import account_parameter
from app.web.consent.cached_page import cached_page
from app.web.edge import language
from tests.support import texts
from tests.support.applications import Clock
from tests.support.builders import EVERYTHING
from tests.support.customer import LOANS_APP_REQUEST, BrowserCustomer, answer_params, hidden_fields
from tests.support.expected_pages import check_page
from tests.support.ledger_tables import LedgerTables
from tests.support.page_contract import ContractClient, Element, parse_page
from tests.support.repository import ROOT

UNLISTED = ('accounts = { from = "sandbox" }\n', "")
THREE = "ACCOUNT_BASIC ACCOUNT_DETAILED TRANSACTIONS"
NEEDS_INVESTMENTS = ('needs = ["ACCOUNT_BASIC"]', 'needs = ["ACCOUNT_BASIC", "INVESTMENTS"]')
CHEQUING, JOINT, SAVINGS, CARD, MORTGAGE, TFSA = range(6)
CHEQUING_CLOSED = (
    'name = "Everyday chequing", last_digits = "3416"',
    'name = "Gone", unshareable = "CLOSED"',
)
OTHER = {"en": "fr", "fr": "en"}

Register = Callable[..., ContractClient]


class ChoosingCustomer(BrowserCustomer):
    """A customer who looks at the page of the accounts, and sends its form."""

    def page(self, request_id: str, lang: str, query: str = "") -> Element:
        return check_page(self.client.get(f"/consent/{request_id}/accounts{query}"), "accounts", lang)

    def send(self, request_id: str, page: Element, *positions: int | str, **fields: str) -> TestResponse:
        address = f"/consent/{request_id}/accounts"
        boxes = [str(position) for position in positions]
        return self.client.post(address, data={**hidden_fields(page, address), "account": boxes, **fields})

    def begin_as(self, user_name: str, **changes: str | None) -> str:
        request_id = self.begin(**changes)
        self.sign_in(request_id, user_name)
        return request_id

    def choose(self, request_id: str, *positions: int, lang: str = "en") -> Element:
        """Chooses accounts; returns the form."""
        response = self.send(request_id, self.page(request_id, lang), *positions, go="next")
        assert (response.status_code, response.location) == (303, f"/consent/{request_id}")
        return check_page(self.client.get(response.location), "form", lang)

    def press(self, request_id: str, page: Element, decision: str, *boxes: str) -> TestResponse:
        address = f"/consent/{request_id}"
        data = {**hidden_fields(page, address), "decision": decision, "scope": list(boxes)}
        return self.client.post(address, data=data)


def until_the_list_is_stale(
    customer: ChoosingCustomer, request_id: str, clock: Clock, lang: str = "en"
) -> None:
    """Lets a quarter of an hour pass, in which the customer asks for more time."""
    clock.advance(timedelta(minutes=8))
    customer.send(request_id, customer.page(request_id, lang, f"?lang={lang}"), extend="yes")
    clock.advance(timedelta(minutes=8))


@pytest.fixture
def customer(register: Register) -> ChoosingCustomer:
    return ChoosingCustomer(register())


def names(page: Element) -> list[str]:
    """The accounts with a box, in their order; the end of a number once as it is heard."""
    return [label.text for label in page.all("label")]


def checked(page: Element) -> list[str]:
    return [
        box.attributes["value"]
        for box in page.all("input", type="checkbox", name="account")
        if "checked" in box.attributes
    ]


def problem(page: Element) -> str:
    return page.one("div", role="alert").one("a").text


def resources(recorded: LedgerTables) -> list[tuple[str, set[str]]]:
    """What is shared of which accounts, of the newest grant."""
    (grant,) = recorded.rows("grants", ended_at=None)
    groups = json.loads(grant["resources"])
    return sorted((group["clusters"], set(group["accounts"])) for group in groups)


# A list to choose from


def test_the_form_is_led_to_from_the_accounts(customer: ChoosingCustomer, lang: str) -> None:
    request_id = customer.begin_as("alex", lang=lang, scope=THREE)
    response = customer.client.get(f"/consent/{request_id}")
    assert (response.status_code, response.location) == (302, f"/consent/{request_id}/accounts")
    page = customer.page(request_id, lang)
    assert names(page)[CHEQUING].startswith("Everyday chequing")
    assert len(names(page)) == 6
    assert checked(page) == [], "nothing is checked for anybody"
    assert len(page.all("fieldset")) == 4, "one for each kind"
    assert texts.CHECK_ALL_NUMBER.of(num=6)[lang] in [button.text for button in page.all("button")]
    hints = [hint.text for hint in page.all("p", **{"class": "hint"})]
    assert any(hint.startswith(texts.JOINT_ACCOUNT[lang]) for hint in hints)
    cannot = page.one("details")
    assert cannot.one("summary").text == texts.CANNOT_BE_SHARED.of(num=1)[lang]
    assert texts.ACCOUNT_CLOSED[lang] in cannot.text


def test_the_form_says_which_accounts_and_the_grant_has_them(
    customer: ChoosingCustomer, recorded: LedgerTables, lang: str
) -> None:
    request_id = customer.begin_as("alex", lang=lang, scope=THREE)
    form = customer.choose(request_id, CHEQUING, CARD, lang=lang)
    said = form.one("div", id="chosen-accounts")
    assert "Everyday chequing" in said.text
    assert "Travel card" in said.text
    assert "Rainy day" not in said.text
    assert said.one("a").attributes["href"] == f"/consent/{request_id}/accounts"
    code = answer_params(customer.press(request_id, form, "approve", "TRANSACTIONS"))["code"]
    assert customer.redeem(code).status_code == 200
    assert resources(recorded) == [
        ("ACCOUNT_BASIC TRANSACTIONS", {"acc-maple-0001-chequing", "acc-maple-0001-card"})
    ]
    (decision,) = recorded["decisions"]
    assert "Everyday chequing" in decision["accounts"]
    assert "Rainy day" not in decision["accounts"], "what was left out is on record as a number"


def test_what_was_checked_stays_through_the_switch_of_language_and_back(
    customer: ChoosingCustomer, lang: str
) -> None:
    request_id = customer.begin_as("alex", lang=lang)
    other = OTHER[lang]
    response = customer.send(request_id, customer.page(request_id, lang), JOINT, TFSA, language=other)
    assert (response.status_code, response.location) == (303, f"/consent/{request_id}/accounts")
    page = customer.page(request_id, other)
    assert checked(page) == [str(JOINT), str(TFSA)]
    assert customer.client.get(f"/consent/{request_id}").location.endswith("/accounts"), "it was no choice"
    customer.choose(request_id, JOINT, TFSA, lang=other)
    assert checked(customer.page(request_id, other)) == [str(JOINT), str(TFSA)], "back from the form"


def test_what_another_tab_has_switched_to_does_not_change_what_was_read(
    customer: ChoosingCustomer, recorded: LedgerTables, lang: str
) -> None:
    request_id = customer.begin_as("alex", lang=lang)
    page = customer.page(request_id, lang)
    other = OTHER[lang]
    customer.send(request_id, page, language=other)  # and that tab loads no page
    assert answer_params(customer.send(request_id, page, go="deny"))["error"] == "access_denied"
    (decision,), (screen,) = recorded["decisions"], recorded["screens"]
    assert decision["language"] == screen["language"] == lang
    assert decision["screen_hash"] == screen["screen_hash"]
    assert texts.WHICH_ACCOUNTS[lang] in screen["text"].replace("\u202f", " ")
    # Whoever comes next reads the page that was kept, each in their own language.
    for spoken in (other, lang):
        customer.page(customer.begin(lang=spoken), spoken)


def test_whoever_goes_on_stays_in_the_language_that_they_read(customer: ChoosingCustomer, lang: str) -> None:
    request_id = customer.begin_as("alex", lang=lang)
    page = customer.page(request_id, lang)
    customer.send(request_id, page, language=OTHER[lang])
    response = customer.send(request_id, page, CHEQUING, go="next")
    check_page(customer.client.get(response.location), "form", lang)


def test_a_page_is_kept_in_its_own_language_whatever_the_response_has(app: Flask, lang: str) -> None:
    own, other = Language(lang), Language(OTHER[lang])
    with app.test_request_context():
        language.set_language(other)
        kept = cached_page("asked", own, lambda: gettext("Data sharing"))
        assert language.current_language() is other
    assert kept.screen.text.strip() == texts.DATA_SHARING[lang]
    assert kept.screen.language is own


@pytest.mark.parametrize(
    ("which", "left"),
    [("all", ["0", "1", "2", "3", "4", "5"]), ("none", []), ("investment", ["0", "5"]), ("card", ["0", "3"])],
)
def test_many_boxes_are_checked_at_once_without_a_script(
    customer: ChoosingCustomer, which: str, left: list[str]
) -> None:
    request_id = customer.begin_as("alex")
    response = customer.send(request_id, customer.page(request_id, "en"), CHEQUING, check=which)
    assert (response.status_code, response.location) == (303, f"/consent/{request_id}/accounts#accounts")
    assert checked(customer.page(request_id, "en")) == left


def test_without_any_account_it_does_not_go_on(customer: ChoosingCustomer, lang: str) -> None:
    request_id = customer.begin_as("alex", lang=lang)
    response = customer.send(request_id, customer.page(request_id, lang), go="next")
    assert (response.status_code, response.location) == (
        303,
        f"/consent/{request_id}/accounts?answer=missing",
    )
    page = check_page(customer.client.get(response.location), "accounts", lang)
    assert problem(page) == texts.CHECK_AT_LEAST_ONE_ACCOUNT[lang]
    link = page.one("div", role="alert").one("a").attributes["href"]
    assert page.one("input", id=link.removeprefix("#")).attributes["name"] == "account"
    assert "problem" in page.one("div", id="accounts").attributes["aria-describedby"]


def test_a_denial_on_the_first_page_is_one(
    customer: ChoosingCustomer, recorded: LedgerTables, lang: str
) -> None:
    request_id = customer.begin_as("alex", lang=lang)
    page = customer.page(request_id, lang)
    first = customer.send(request_id, page, CHEQUING, go="deny")
    assert answer_params(first)["error"] == "access_denied"
    assert answer_params(customer.send(request_id, page, go="deny"))["error"] == "access_denied"
    (decision,) = recorded["decisions"]
    assert (decision["answer"], decision["accounts"], decision["granted_scope"]) == ("deny", None, "")
    (screen,) = recorded["screens"]
    assert screen["screen_hash"] == decision["screen_hash"]
    assert texts.WHICH_ACCOUNTS[lang] in screen["text"].replace("\u202f", " ")
    assert "Everyday" not in screen["text"], "what is one customer's is not in the text of all"
    instead = check_page(customer.client.get(f"/consent/{request_id}/accounts"), "answered", lang)
    assert not instead.all("input", type="checkbox")


def test_a_denial_to_an_app_can_be_read_in_the_other_language(
    register: Register, recorded: LedgerTables
) -> None:
    customer = ChoosingCustomer(register())
    request_id = customer.begin_as("alex", **LOANS_APP_REQUEST)
    response = customer.send(request_id, customer.page(request_id, "en"), go="deny")
    page = check_page(response, "continue", "en")
    switch = page.one("header").one("form")
    again = customer.client.post(
        switch.attributes["action"], data=hidden_fields(page, switch.attributes["action"])
    )
    french = check_page(again, "continue", "fr")
    assert "error=access_denied" in french.one("a", id="continue").attributes["href"]
    assert len(recorded["decisions"]) == 1


def test_more_time_is_given_and_what_was_checked_stays(customer: ChoosingCustomer, clock: Clock) -> None:
    request_id = customer.begin_as("alex")
    clock.advance(timedelta(minutes=8))
    response = customer.send(request_id, customer.page(request_id, "en"), SAVINGS, extend="yes")
    assert response.location == f"/consent/{request_id}/accounts#time-left"
    clock.advance(timedelta(minutes=8))
    assert checked(customer.page(request_id, "en")) == [str(SAVINGS)]


def test_positions_that_mean_nothing_do_not_count(customer: ChoosingCustomer, recorded: LedgerTables) -> None:
    request_id = customer.begin_as("alex")
    page = customer.page(request_id, "en")
    forged = ("6", "-1", "00", "1e0", "²", "", "9" * 5000, "acc-maple-0001-old-savings")
    response = customer.send(request_id, page, *forged, go="next")
    assert response.location.endswith("?answer=missing")
    customer.send(request_id, page, CARD, CARD, *forged, go="next")
    form = check_page(customer.client.get(f"/consent/{request_id}"), "form", "en")
    customer.press(request_id, form, "approve", "TRANSACTIONS")
    assert resources(recorded) == [("ACCOUNT_BASIC TRANSACTIONS", {"acc-maple-0001-card"})]


def test_a_form_of_another_session_is_refused(register: Register, lang: str) -> None:
    customer, other = ChoosingCustomer(register()), ChoosingCustomer(register())
    request_id = customer.begin_as("alex", lang=lang)
    page = customer.page(request_id, lang)
    address = f"/consent/{request_id}/accounts"
    other_id = other.begin_as("alex", lang=lang)
    stolen = other.client.post(
        f"/consent/{other_id}/accounts", data={**hidden_fields(page, address), "account": "0", "go": "next"}
    )
    check_page(stolen, "form_refused", lang, status=400)
    lost = other.client.post(address, data={**hidden_fields(page, address), "account": "0", "go": "next"})
    check_page(lost, "request_lost", lang, status=404)


def test_the_next_person_finds_nothing_checked(customer: ChoosingCustomer) -> None:
    request_id = customer.begin_as("alex")
    customer.choose(request_id, CHEQUING)
    page = customer.page(request_id, "en")
    customer.client.post("/sign-out", data=hidden_fields(page, "/sign-out"))
    customer.sign_in(request_id, "jordan")
    assert customer.client.get(f"/consent/{request_id}").location.endswith("/accounts")
    assert checked(customer.page(request_id, "en")) == []


# Few accounts, many, and none


def test_with_one_account_there_is_no_step(
    customer: ChoosingCustomer, recorded: LedgerTables, lang: str
) -> None:
    request_id = customer.begin_as("sam", lang=lang)
    assert customer.client.get(f"/consent/{request_id}/accounts").location == f"/consent/{request_id}"
    form = check_page(customer.client.get(f"/consent/{request_id}"), "form", lang)
    said = form.one("div", id="chosen-accounts")
    assert said.one("dt").text == texts.ACCOUNT.of(num=1)[lang]
    assert "Everyday chequing" in said.text
    assert not said.all("a"), "there is nothing to change"
    customer.press(request_id, form, "approve", "TRANSACTIONS")
    assert resources(recorded) == [("ACCOUNT_BASIC TRANSACTIONS", {"acc-maple-0002-chequing"})]


def test_without_an_account_that_can_be_shared_nothing_is_asked(
    customer: ChoosingCustomer, recorded: LedgerTables, lang: str
) -> None:
    request_id = customer.begin_as("robin", lang=lang)
    assert customer.client.get(f"/consent/{request_id}").location == f"/consent/{request_id}/accounts"
    page = check_page(customer.client.get(f"/consent/{request_id}/accounts"), "no_account", lang)
    assert page.one("p", **{"class": "lead"}).text == texts.NOTHING_SHARED[lang]
    assert texts.ACCOUNT_CLOSED[lang] in page.text
    assert texts.ACCOUNT_BLOCKED.of(provider=texts.MAPLE)[lang] in page.text
    assert "error=access_denied" in page.one("a", id="way-back").attributes["href"]
    assert not page.all("input", type="checkbox")
    assert recorded.nothing_happened


def test_from_nine_accounts_on_each_kind_has_a_button(customer: ChoosingCustomer, lang: str) -> None:
    request_id = customer.begin_as("jordan", lang=lang)
    page = customer.page(request_id, lang)
    assert len(names(page)) == 40
    buttons = [button.attributes["value"] for button in page.all("button", name="check")]
    assert buttons[:3] == ["all", "none", "deposit"]
    assert not page.all("details"), "no box is folded away"
    customer.send(request_id, page, check="card")
    cards = checked(customer.page(request_id, lang))
    assert len(cards) == 6


def many_accounts(number: int) -> tuple[str, str]:
    """Gives Sam `number` accounts."""
    one = (
        '{ account_id = "acc-maple-0002-chequing", category = "DEPOSIT_ACCOUNT", type = "CHECKING", '
        'name = "Everyday chequing", last_digits = "8673" },'
    )
    more = "\n".join(
        f'{{ account_id = "acc-many-{index}", category = "DEPOSIT_ACCOUNT", type = "CHECKING", '
        f'name = "Account of client {index}", last_digits = "{1000 + index}" }},'
        for index in range(number)
    )
    return one, more


def test_the_first_two_hundred_are_listed_and_the_page_stays_small(register: Register, lang: str) -> None:
    customer = ChoosingCustomer(register(many_accounts(230)))
    request_id = customer.begin_as("sam", lang=lang, scope=" ".join(EVERYTHING))
    page = customer.page(request_id, lang)
    assert len(names(page)) == 200
    assert texts.FIRST_ACCOUNTS.of(num=200, provider=texts.MAPLE)[lang] in page.text
    html = customer.client.get(f"/consent/{request_id}/accounts").get_data()
    style, script = ((ROOT / "static" / name).read_bytes() for name in ("accord.css", "accord.js"))
    sizes = [len(gzip.compress(part, 6)) for part in (html, style, script)]
    assert sum(sizes) <= 14 * 1024, sizes
    customer.send(request_id, page, check="all")
    form = customer.choose(request_id, *range(200), lang=lang)
    assert len(form.one("div", id="chosen-accounts").all("li")) == 200


# What the accounts have


def test_what_no_chosen_account_has_is_not_asked_for(
    customer: ChoosingCustomer, recorded: LedgerTables, lang: str
) -> None:
    request_id = customer.begin_as("alex", lang=lang, scope=" ".join(EVERYTHING))
    form = customer.choose(request_id, CHEQUING, lang=lang)
    assert not form.all("input", value="INVESTMENTS")
    assert texts.NONE_CHOSEN_HAS_THIS[lang] in form.one("dl", id="facts").text
    response = customer.press(request_id, form, "approve", "INVESTMENTS", "TRANSACTIONS")
    assert answer_params(response)["code"]
    (grant,) = recorded["grants"]
    assert grant["granted_scope"] == "ACCOUNT_BASIC TRANSACTIONS"


def test_only_accounts_with_investments_share_investments(
    customer: ChoosingCustomer, recorded: LedgerTables
) -> None:
    request_id = customer.begin_as("alex", scope=" ".join(EVERYTHING))
    form = customer.choose(request_id, CHEQUING, TFSA)
    customer.press(request_id, form, "approve", "INVESTMENTS")
    assert resources(recorded) == [
        ("ACCOUNT_BASIC", {"acc-maple-0001-chequing"}),
        ("ACCOUNT_BASIC INVESTMENTS", {"acc-maple-0001-tfsa"}),
    ]


def test_nobody_chooses_what_the_recipient_cannot_work_with(register: Register, lang: str) -> None:
    customer = ChoosingCustomer(register(NEEDS_INVESTMENTS))
    request_id = customer.begin_as("alex", lang=lang, scope=" ".join(EVERYTHING))
    response = customer.send(request_id, customer.page(request_id, lang), CHEQUING, go="next")
    assert response.location == f"/consent/{request_id}/accounts?answer=investments"
    page = check_page(customer.client.get(response.location), "accounts", lang)
    assert problem(page) == texts.NEEDS_INVESTMENTS.of(recipient=texts.BUDGET_COMPASS)[lang]
    assert checked(page) == [str(CHEQUING)]
    customer.choose(request_id, CHEQUING, TFSA, lang=lang)


def test_where_no_account_has_what_is_needed_nothing_is_asked(
    register: Register, recorded: LedgerTables, lang: str
) -> None:
    customer = ChoosingCustomer(register(NEEDS_INVESTMENTS))
    request_id = customer.begin_as("sam", lang=lang, scope=" ".join(EVERYTHING))
    assert customer.client.get(f"/consent/{request_id}").location == f"/consent/{request_id}/accounts"
    page = check_page(customer.client.get(f"/consent/{request_id}/accounts"), "no_investments", lang)
    assert page.one("p", **{"class": "lead"}).text == texts.NOTHING_SHARED[lang]
    assert texts.LACKS_INVESTMENTS.of(recipient=texts.BUDGET_COMPASS)[lang] in page.text
    assert recorded.nothing_happened


def test_where_the_account_that_is_needed_cannot_be_shared_the_page_says_why(
    register: Register, recorded: LedgerTables, lang: str
) -> None:
    blocked = ('type = "TFSA", name', 'type = "TFSA", unshareable = "RESTRICTED", name')
    customer = ChoosingCustomer(register(NEEDS_INVESTMENTS, blocked))
    request_id = customer.begin_as("alex", lang=lang, scope=" ".join(EVERYTHING))
    page = check_page(customer.client.get(f"/consent/{request_id}/accounts"), "no_investments", lang)
    assert texts.LACKS_INVESTMENTS.of(recipient=texts.BUDGET_COMPASS)[lang] in page.text
    assert texts.CANNOT_BE_SHARED.of(num=2)[lang] in page.text
    assert texts.ACCOUNT_BLOCKED.of(provider=texts.MAPLE)[lang] in page.text
    assert recorded.nothing_happened


# The answer is for the accounts that the form showed


def test_a_choice_that_another_tab_has_changed_is_read_again(
    customer: ChoosingCustomer, recorded: LedgerTables, lang: str
) -> None:
    request_id = customer.begin_as("alex", lang=lang, scope=THREE)
    form = customer.choose(request_id, CHEQUING, lang=lang)
    customer.choose(request_id, CHEQUING, SAVINGS, lang=lang)
    response = customer.press(request_id, form, "approve", "TRANSACTIONS")
    assert (response.status_code, response.location) == (303, f"/consent/{request_id}?answer=changed")
    assert recorded.nothing_happened
    again = check_page(customer.client.get(response.location), "form", lang)
    assert "Rainy day" in again.one("div", id="chosen-accounts").text
    assert answer_params(customer.press(request_id, again, "approve", "TRANSACTIONS"))["code"]


def test_the_same_answer_gets_the_same_code_and_another_choice_does_not(customer: ChoosingCustomer) -> None:
    request_id = customer.begin_as("alex", scope=THREE)
    page = customer.page(request_id, "en")
    form = customer.choose(request_id, CHEQUING)
    code = answer_params(customer.press(request_id, form, "approve", "TRANSACTIONS"))["code"]
    assert answer_params(customer.press(request_id, form, "approve", "TRANSACTIONS"))["code"] == code
    late = customer.send(request_id, page, CHEQUING, SAVINGS, go="next")
    check_page(late, "answered", "en")
    assert answer_params(customer.press(request_id, form, "approve", "TRANSACTIONS"))["code"] == code


def test_an_approval_waits_for_a_list_that_is_stale(
    register: Register, clock: Clock, recorded: LedgerTables, lang: str
) -> None:
    server = register()
    customer = ChoosingCustomer(server)
    request_id = customer.begin_as("alex", lang=lang, scope=THREE)
    form = customer.choose(request_id, CHEQUING, SAVINGS, lang=lang)
    extended = customer.client.post(
        f"/consent/{request_id}",
        data={**hidden_fields(form, f"/consent/{request_id}"), "extend": "yes"},
    )
    assert extended.status_code == 303
    clock.advance(timedelta(minutes=9))
    customer.client.post(
        f"/consent/{request_id}",
        data={**hidden_fields(form, f"/consent/{request_id}"), "extend": "yes"},
    )
    clock.advance(timedelta(minutes=8))
    closed = ('name = "Rainy day", last_digits = "9143"', 'name = "Rainy day", unshareable = "CLOSED"')
    customer = ChoosingCustomer(register(closed, browser=server))
    response = customer.press(request_id, form, "approve", "TRANSACTIONS")
    assert (response.status_code, response.location) == (
        303,
        f"/consent/{request_id}/accounts?answer=changed",
    )
    assert recorded.nothing_happened
    page = check_page(customer.client.get(response.location), "accounts", lang)
    assert problem(page) == texts.ACCOUNTS_CHANGED[lang]
    assert checked(page) == [str(CHEQUING)], "what is still there stays checked"


def test_a_denial_does_not_wait_for_a_list(register: Register, clock: Clock, recorded: LedgerTables) -> None:
    server = register()
    customer = ChoosingCustomer(server)
    request_id = customer.begin_as("alex", scope=THREE)
    form = customer.choose(request_id, CHEQUING)
    until_the_list_is_stale(customer, request_id, clock)
    assert answer_params(customer.press(request_id, form, "deny"))["error"] == "access_denied"
    assert [row["answer"] for row in recorded["decisions"]] == ["deny"]


def test_what_was_checked_in_a_list_that_has_changed_stays_where_it_is_still_there(
    register: Register, clock: Clock, lang: str
) -> None:
    server = register()
    customer = ChoosingCustomer(server)
    request_id = customer.begin_as("alex", lang=lang)
    page = customer.page(request_id, lang)
    until_the_list_is_stale(customer, request_id, clock, lang)
    customer = ChoosingCustomer(register(CHEQUING_CLOSED, browser=server))
    response = customer.send(request_id, page, CHEQUING, SAVINGS, go="next")
    assert (response.status_code, response.location) == (303, f"/consent/{request_id}")
    led = customer.client.get(response.location)
    assert led.location == f"/consent/{request_id}/accounts?answer=changed"
    again = check_page(customer.client.get(led.location), "accounts", lang)
    assert problem(again) == texts.ACCOUNTS_CHANGED[lang]
    assert checked(again) == [str(SAVINGS - 1)], "where savings is now"


@pytest.mark.parametrize(
    "pressed", [{"go": "next"}, {"check": "all"}, {"extend": "yes"}, {"language": "other"}]
)
def test_positions_of_a_list_that_is_gone_are_not_taken_for_those_of_another(
    register: Register, clock: Clock, lang: str, pressed: dict[str, str]
) -> None:
    server = register()
    customer = ChoosingCustomer(server)
    request_id = customer.begin_as("alex", lang=lang)
    page = customer.page(request_id, lang)
    until_the_list_is_stale(customer, request_id, clock, lang)
    customer = ChoosingCustomer(register(CHEQUING_CLOSED, browser=server))
    customer.page(request_id, lang)  # in another tab
    spoken = OTHER[lang] if "language" in pressed else lang
    fields = {"language": spoken} if "language" in pressed else pressed
    response = customer.send(request_id, page, CHEQUING, **fields)
    assert (response.status_code, response.location) == (
        303,
        f"/consent/{request_id}/accounts?answer=changed",
    )
    again = check_page(customer.client.get(response.location), "accounts", spoken)
    assert problem(again) == texts.ACCOUNTS_CHANGED[spoken]
    assert checked(again) == []
    left = again.one("span", id="time-left").attributes["data-seconds-left"]
    assert (left == "900") == ("extend" in pressed), "and whoever asked for time has it"


def test_who_reads_longer_than_a_list_lasts_goes_on_with_the_same_one(
    customer: ChoosingCustomer, clock: Clock, lang: str
) -> None:
    request_id = customer.begin_as("alex", lang=lang)
    page = customer.page(request_id, lang)
    until_the_list_is_stale(customer, request_id, clock, lang)
    customer.send(request_id, page, CHEQUING, extend="yes")
    assert checked(customer.page(request_id, lang)) == [str(CHEQUING)]
    clock.advance(timedelta(minutes=8))
    response = customer.send(request_id, page, CHEQUING, CARD, go="next")
    assert (response.status_code, response.location) == (303, f"/consent/{request_id}")
    check_page(customer.client.get(response.location), "form", lang)


# A repeat request


def test_one_press_keeps_the_same_accounts(
    customer: ChoosingCustomer, recorded: LedgerTables, lang: str
) -> None:
    request_id = customer.begin_as("alex", lang=lang, scope=THREE)
    form = customer.choose(request_id, CHEQUING, CARD, lang=lang)
    answer_params(customer.press(request_id, form, "approve", "TRANSACTIONS"))
    before = resources(recorded)
    request_id = customer.begin(lang=lang, scope=THREE)
    page = check_page(customer.client.get(f"/consent/{request_id}"), "renewal", lang)
    assert "Travel card" in page.one("div", id="chosen-accounts").text
    assert "Rainy day" not in page.text
    assert answer_params(customer.press(request_id, page, "approve"))["code"]
    assert resources(recorded) == before


def test_whoever_changes_what_is_shared_begins_with_the_accounts(
    customer: ChoosingCustomer, recorded: LedgerTables, lang: str
) -> None:
    request_id = customer.begin_as("alex", lang=lang, scope=THREE)
    form = customer.choose(request_id, CHEQUING, CARD, lang=lang)
    answer_params(customer.press(request_id, form, "approve", "TRANSACTIONS"))
    request_id = customer.begin(lang=lang, scope=THREE)
    renewal = check_page(customer.client.get(f"/consent/{request_id}"), "renewal", lang)
    address = f"/consent/{request_id}"
    change = customer.client.post(address, data={**hidden_fields(renewal, address), "go": "change"})
    to_accounts = customer.client.get(change.location)
    assert to_accounts.location == f"/consent/{request_id}/accounts?go=change"
    page = check_page(customer.client.get(to_accounts.location), "accounts", lang)
    assert checked(page) == []
    marked = [
        row.one("label").text
        for row in page.all("div", **{"class": "row"})
        if row.all("span", **{"class": "tag"})
    ]
    assert [name.split(" ••")[0] for name in marked] == ["Everyday chequing", "Travel card"]
    response = customer.send(request_id, page, SAVINGS, go="next")
    assert response.location == f"/consent/{request_id}?go=change"
    form = check_page(customer.client.get(response.location), "form", lang)
    assert answer_params(customer.press(request_id, form, "approve", "TRANSACTIONS"))["code"]
    assert resources(recorded) == [("ACCOUNT_BASIC TRANSACTIONS", {"acc-maple-0001-savings"})]


def test_whoever_changes_what_is_shared_stays_in_the_language_that_they_read(
    customer: ChoosingCustomer, lang: str
) -> None:
    request_id = customer.begin_as("alex", lang=lang, scope=THREE)
    form = customer.choose(request_id, CHEQUING, lang=lang)
    answer_params(customer.press(request_id, form, "approve", "TRANSACTIONS"))
    address = f"/consent/{customer.begin(lang=lang, scope=THREE)}"
    fields = hidden_fields(check_page(customer.client.get(address), "renewal", lang), address)
    customer.client.post(address, data={**fields, "language": OTHER[lang]})
    customer.client.post(address, data={**fields, "go": "change"})
    check_page(customer.client.get(f"{address}/accounts?go=change"), "accounts", lang)


def test_a_consent_for_all_accounts_is_asked_for_again_by_account(
    register: Register, recorded: LedgerTables, lang: str
) -> None:
    server = register(UNLISTED)
    customer = ChoosingCustomer(server)
    customer.approve("TRANSACTIONS", lang=lang, scope=THREE)
    customer = ChoosingCustomer(register(browser=server))
    request_id = customer.begin(lang=lang, scope=THREE)
    assert customer.client.get(f"/consent/{request_id}").location.endswith("/accounts")
    page = customer.page(request_id, lang)
    assert len(page.all("span", **{"class": "tag"})) == 6, "all of them are shared now"
    form = customer.choose(request_id, SAVINGS, lang=lang)
    assert answer_params(customer.press(request_id, form, "approve", "TRANSACTIONS"))["code"]
    assert resources(recorded) == [("ACCOUNT_BASIC TRANSACTIONS", {"acc-maple-0001-savings"})]


def test_where_a_kept_account_is_gone_the_accounts_are_asked_for(
    register: Register, clock: Clock, lang: str
) -> None:
    server = register()
    customer = ChoosingCustomer(server)
    request_id = customer.begin_as("alex", lang=lang, scope=THREE)
    form = customer.choose(request_id, CHEQUING, SAVINGS, lang=lang)
    answer_params(customer.press(request_id, form, "approve", "TRANSACTIONS"))
    closed = ('name = "Rainy day", last_digits = "9143"', 'name = "Rainy day", unshareable = "CLOSED"')
    clock.advance(timedelta(minutes=16))
    customer = ChoosingCustomer(register(closed, browser=server))
    request_id = customer.begin(lang=lang, scope=THREE)
    assert customer.client.get(f"/consent/{request_id}").location == f"/consent/{request_id}/accounts"


def test_what_the_kept_accounts_do_not_have_and_is_needed_is_not_renewed_with_one_press(
    register: Register, recorded: LedgerTables, lang: str
) -> None:
    customer = ChoosingCustomer(register(NEEDS_INVESTMENTS))
    scope = f"{THREE} INVESTMENTS"
    request_id = customer.begin_as("alex", lang=lang, scope=scope)
    form = customer.choose(request_id, CHEQUING, TFSA, lang=lang)
    answer_params(customer.press(request_id, form, "approve", "TRANSACTIONS"))
    (consent_id,) = customer.connections()
    customer.stop(consent_id, account_parameter(consent_id, "acc-maple-0001-tfsa"))
    assert resources(recorded) == [("ACCOUNT_BASIC TRANSACTIONS", {"acc-maple-0001-chequing"})]
    request_id = customer.begin(lang=lang, scope=scope)
    assert customer.client.get(f"/consent/{request_id}").location == f"/consent/{request_id}/accounts"
    response = customer.send(request_id, customer.page(request_id, lang), CHEQUING, go="next")
    page = check_page(customer.client.get(response.location), "accounts", lang)
    assert problem(page) == texts.NEEDS_INVESTMENTS.of(recipient=texts.BUDGET_COMPASS)[lang]


def test_a_consent_for_chosen_accounts_becomes_one_for_all_in_so_many_words(
    register: Register, recorded: LedgerTables, lang: str
) -> None:
    server = register()
    customer = ChoosingCustomer(server)
    request_id = customer.begin_as("alex", lang=lang, scope=THREE)
    form = customer.choose(request_id, CHEQUING, lang=lang)
    answer_params(customer.press(request_id, form, "approve", "TRANSACTIONS"))
    customer = ChoosingCustomer(register(UNLISTED, browser=server))
    request_id = customer.begin(lang=lang, scope=THREE)
    form = check_page(customer.client.get(f"/consent/{request_id}"), "form", lang)
    said = f"{texts.ACCOUNT.of(num=2)[lang]} {texts.ALL_ACCOUNTS[lang]} "
    assert said in form.one("dl", id="facts").text
    answer_params(customer.press(request_id, form, "approve", "TRANSACTIONS"))
    (grant,) = recorded.rows("grants", ended_at=None)
    assert grant["resources"] is None
    (decision,) = recorded.rows("decisions", consent_id=grant["consent_id"])
    (screen,) = recorded.rows("screens", screen_hash=decision["screen_hash"])
    assert said in " ".join(screen["text"].split()), "and it is on record"


def test_two_accounts_of_one_name_stay_told_apart_where_one_of_them_is_named(
    register: Register, clock: Clock, lang: str
) -> None:
    alike = (
        'name = "Rainy day", last_digits',
        'name = "Household", product = "High interest", holder = "Sam Nguyen", last_digits',
    )
    others = (
        'product = "Joint chequing", last_digits',
        'product = "Joint chequing", holder = "Alex Tremblay", last_digits',
    )
    customer = ChoosingCustomer(register(alike, others))
    request_id = customer.begin_as("alex", lang=lang, scope=THREE)
    page = customer.page(request_id, lang)
    assert [name for name in names(page) if name.startswith("Household (")] == [
        f"Household ({product}) ••{digits}{texts.ENDING_IN.of(digits=digits)[lang]}"
        for product, digits in (("Joint chequing", "0231"), ("High interest", "9143"))
    ]
    assert "World Travel Visa" not in page.text, "no other card is called “Travel card”"
    form = customer.choose(request_id, SAVINGS, CARD, lang=lang)
    told = "Household (High interest) (Sam Nguyen) ••9143"
    assert told in form.one("div", id="chosen-accounts").text
    code = answer_params(customer.press(request_id, form, "approve", "TRANSACTIONS"))["code"]
    consent_id = customer.redeem(code).get_json()["consent_id"]
    detail = customer.client.get(f"/connections/{consent_id}")
    assert parse_page(detail.text).text.count(told) >= 3, "what is shared now, and both receipts"
    receipt = customer.client.get(f"/connections/{consent_id}/receipt.json").get_json()
    assert [account["name"] for account in receipt[lang]["accounts"]] == [
        "Household (High interest) (Sam Nguyen)",
        "Travel card",
    ]


def test_a_bank_without_a_list_asks_as_before(register: Register, lang: str) -> None:
    customer = ChoosingCustomer(register(UNLISTED))
    request_id = customer.begin_as("alex", lang=lang)
    form = check_page(customer.client.get(f"/consent/{request_id}"), "form", lang)
    assert not form.all("div", id="chosen-accounts")
    said = f"{texts.ACCOUNT.of(num=2)[lang]} {texts.ALL_ACCOUNTS[lang]} "
    assert said in form.one("dl", id="facts").text
    assert customer.client.get(f"/consent/{request_id}/accounts").location == f"/consent/{request_id}"


def test_whoever_is_not_signed_in_signs_in_first(customer: ChoosingCustomer) -> None:
    request_id = customer.begin()
    for response in (
        customer.client.get(f"/consent/{request_id}/accounts"),
        customer.client.post(f"/consent/{request_id}/accounts"),
    ):
        assert response.location == f"/sign-in/{request_id}"
