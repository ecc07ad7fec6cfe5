"""`GET /consent/<request_id>`: what the form says, in both languages, and when it is not shown."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from app.domain.language import Language
from app.stores.redis import client as redis
from tests.support import texts
from tests.support.applications import Clock, a_browser
from tests.support.builders import EVERYTHING
from tests.support.customer import (
    LOANS_APP_REQUEST,
    LOANS_REQUEST,
    BrowserCustomer,
    carried_params,
    hidden_fields,
)
from tests.support.expected_pages import (
    check_error_page,
    check_page,
    complaints_page,
    ways_out,
)
from tests.support.ledger_tables import LedgerTables
from tests.support.page_contract import ContractClient, Element, parse_page
from tests.support.registrations import DEMO_REGISTRY

EVERY_CLUSTER = " ".join(EVERYTHING)
IN_ORDER = [
    "ACCOUNT_BASIC",
    "ACCOUNT_DETAILED",
    "TRANSACTIONS",
    "STATEMENTS",
    "INVESTMENTS",
    "ACCOUNT_PAYMENTS",
    "CUSTOMER_CONTACT",
    "CUSTOMER_PERSONAL",
]


def form_page(customer: BrowserCustomer, lang: str, **changes: str | None) -> Element:
    """The form of a new request, for the customer who has just signed in."""
    request_id = customer.signed_in_request(lang=lang, **changes)
    return check_page(customer.client.get(f"/consent/{request_id}"), "form", lang)


def sections(page: Element) -> dict[str, Element]:
    return {section.attributes["data-cluster"]: section for section in page.all("div", **{"class": "row"})}


def boxes(page: Element) -> list[Element]:
    return page.all("input", type="checkbox")


def checked(page: Element) -> set[str]:
    return {box.attributes["value"] for box in boxes(page) if "checked" in box.attributes}


def switch_language(customer: BrowserCustomer, request_id: str, language: str, *ticked: str) -> TestResponse:
    """What the button in the other language does, with the boxes as they are."""
    fields = hidden_fields(customer.form(request_id), f"/consent/{request_id}")
    return customer.client.post(
        f"/consent/{request_id}", data={**fields, "language": language, "scope": list(ticked)}
    )


# Who asks, why, how long


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            {},
            [
                texts.SHARE_YOUR_DATA.of(recipient=texts.BUDGET_COMPASS),
                texts.BUDGET_COMPASS_INC,
                texts.SIGNED_IN_AS.of(customer="Alex Tremblay"),
                texts.WHY_THEY_ASK.of(purpose=texts.PURPOSE_OF_BUDGET_COMPASS),
                texts.THEN_IT_STOPS.of(end_date=texts.IN_A_YEAR),
                texts.UP_TO_MONTHS.of(num=24),
                texts.EITHER_WAY.of(recipient=texts.BUDGET_COMPASS, host="localhost:8001"),
                texts.YOU_HAVE_UNTIL.of(clock_time=texts.IN_15_MINUTES),
            ],
        ),
        (
            LOANS_REQUEST,
            [
                texts.SHARE_YOUR_DATA.of(recipient=texts.PRAIRIE_LOANS),
                texts.WHY_THEY_ASK.of(purpose=texts.PURPOSE_OF_PRAIRIE_LOANS),
                texts.THEN_IT_STOPS.of(end_date={"en": "February 22, 2027", "fr": "22 février 2027"}),
                texts.EITHER_WAY.of(recipient=texts.PRAIRIE_LOANS, host="loans.example"),
            ],
        ),
    ],
    ids=["dc-budget", "dc-loans"],
)
def test_the_form_says_who_asks_why_for_how_long_and_where_the_browser_goes_next(
    customer: BrowserCustomer, changes: dict[str, str], said: list[Mapping[str, str]], lang: str
) -> None:
    page = form_page(customer, lang, **changes)
    for words in said:
        assert words[lang] in page.text


@pytest.mark.parametrize("provider_id", ["1000", "2000"])
def test_the_form_looks_like_the_banks_and_shows_both_logos(
    customer: BrowserCustomer, provider_id: str
) -> None:
    page = form_page(customer, "en", provider_id=provider_id)
    logo, colour = {"1000": ("maple", "#8c1d2f"), "2000": ("northern", "#0b4f6c")}[provider_id]
    assert page.one("header").one("rect").attributes["fill"] == colour
    shown = [picture.attributes["src"].rpartition("/")[2].partition(".")[0] for picture in page.all("img")]
    assert shown == [logo, "budget"]
    assert page.one("link", rel="icon").attributes["href"].startswith(f"/static/logos/{logo}.")
    assert page.one("meta", name="theme-color").attributes["content"] == colour
    theme = page.all("link", rel="stylesheet")[1].attributes["href"]
    assert f"--link: {colour};" in customer.client.get(theme).text


def test_where_somebody_asks_for_somebody_else_the_form_names_both(
    register: Callable[..., ContractClient], lang: str
) -> None:
    registered = 'client_id = "dc-budget"'
    agent = registered + '\nagent = { en = "Data Bridge", fr = "Pont de données" }'
    page = form_page(BrowserCustomer(register((registered, agent))), lang)
    data_bridge = {"en": "Data Bridge", "fr": "Pont de données"}
    said = texts.ASKS_ON_BEHALF_OF.of(agent=data_bridge, recipient=texts.BUDGET_COMPASS)
    assert said[lang] in page.text


def test_the_end_date_is_the_customers_own_late_in_the_evening_too(
    customer: BrowserCustomer, clock: Clock, lang: str
) -> None:
    clock.now = datetime(2026, 11, 25, 4, 30, tzinfo=UTC)  # half past eleven in Toronto, the day before
    page = form_page(customer, lang)
    assert texts.THEN_IT_STOPS.of(end_date=texts.IN_A_YEAR)[lang] in page.text


def test_the_time_left_counts_down(customer: BrowserCustomer, clock: Clock, lang: str) -> None:
    request_id = customer.signed_in_request(lang=lang)
    clock.advance(timedelta(minutes=12))
    page = customer.form(request_id)
    time_left = page.one("span", id="time-left")
    assert time_left.text == texts.YOU_HAVE_UNTIL.of(clock_time=texts.IN_15_MINUTES)[lang]
    assert time_left.attributes["data-seconds-left"] == "180"
    assert time_left.one("time").attributes["datetime"] == "2026-11-24T12:15:00+00:00"


def test_where_no_purpose_is_registered_the_form_says_so(
    register: Callable[..., ContractClient], lang: str
) -> None:
    purpose = (
        "[recipients.purpose]\n"
        f'en = "{texts.PURPOSE_OF_BUDGET_COMPASS["en"]}"\n'
        f'fr = "{texts.PURPOSE_OF_BUDGET_COMPASS["fr"]}"\n'
    )
    page = form_page(BrowserCustomer(register((purpose, ""))), lang)
    assert texts.NO_PURPOSE.of(recipient=texts.BUDGET_COMPASS)[lang] in page.text


def test_the_links_lead_to_the_recipients_policies_and_the_banks_complaints(
    customer: BrowserCustomer, lang: str
) -> None:
    page = form_page(customer, lang)
    expected = {
        "en": [
            "https://budget.example",
            "https://budget.example/privacy",
            "https://budget.example/terms",
            "https://maple.example/complaints",
        ],
        "fr": [
            "https://budget.example/fr",
            "https://budget.example/fr/confidentialite",
            "https://budget.example/fr/conditions",
            "https://maple.example/fr/plaintes",
        ],
    }
    assert [way for way in ways_out(page) if not way.startswith("/")] == expected[lang]


def test_the_page_holds_nothing_of_the_request_that_is_not_for_reading(customer: BrowserCustomer) -> None:
    request_id = customer.signed_in_request(state="the-state", correlation_id="the-flow")
    html = customer.client.get(f"/consent/{request_id}").text
    for secret in ("the-state", "dc-budget", "/callback", "maple-0001", "response_type"):
        assert secret not in html


def test_registered_names_are_text_whatever_they_contain(
    register: Callable[..., ContractClient], lang: str
) -> None:
    nasty = "<script>alert(1)</script><!-- </bdi> \u202eevil %(recipient)s {{ 7*7 }} &amp;"
    seen = "<script>alert(1)</script><!-- </bdi> evil %(recipient)s {{ 7*7 }} &amp;"
    client = register(
        (
            'name = { en = "Budget Compass", fr = "Boussole Budget" }',
            f"name = {{ en = '{nasty}', fr = '{nasty}' }}",
        ),
        (
            'name = { en = "Maple Credit Union", fr = "Caisse Érable" }',
            f"name = {{ en = '{nasty}', fr = '{nasty}' }}",
        ),
    )
    page = form_page(BrowserCustomer(client), lang)
    assert seen in page.one("h1").text
    [script] = page.all("script")
    assert script.attributes["src"].startswith("/static/accord.")
    assert "\u202e" not in page.text
    assert "49" not in page.one("h1").text


def test_a_name_of_256_characters_is_shown_whole(register: Callable[..., ContractClient], lang: str) -> None:
    long_name = "É" * 256
    client = register(
        ('{ en = "Budget Compass", fr = "Boussole Budget" }', f'{{ en = "{long_name}", fr = "{long_name}" }}')
    )
    assert long_name in form_page(BrowserCustomer(client), lang).one("h1").text


# What


def test_needed_clusters_have_no_box_and_optional_ones_an_unchecked_one(
    customer: BrowserCustomer, lang: str
) -> None:
    page = form_page(customer, lang, **LOANS_REQUEST)
    shown = sections(page)
    assert list(shown) == ["ACCOUNT_BASIC", "ACCOUNT_DETAILED", "TRANSACTIONS"]
    for needed in ("ACCOUNT_BASIC", "TRANSACTIONS"):
        assert shown[needed].all("input") == []
        assert shown[needed].one("span", **{"class": "tag"}).text == texts.NEEDED[lang]
    box = shown["ACCOUNT_DETAILED"].one("input")
    assert (box.attributes["type"], box.attributes["name"], box.attributes["value"]) == (
        "checkbox",
        "scope",
        "ACCOUNT_DETAILED",
    )
    assert "checked" not in box.attributes
    assert shown["ACCOUNT_DETAILED"].all("span", **{"class": "tag"}) == []


def test_all_eight_clusters_are_shown_from_the_least_to_the_most_identifying(
    customer: BrowserCustomer, lang: str
) -> None:
    page = form_page(customer, lang, scope=EVERY_CLUSTER)
    assert list(sections(page)) == IN_ORDER
    assert [box.attributes["value"] for box in boxes(page)] == IN_ORDER[1:]
    assert checked(page) == set()
    for section in sections(page).values():
        details = section.one("details")
        assert texts.SHARED_HERE[lang] in details.text
        assert texts.NOT_SHARED_HERE[lang] in details.text
        assert all(items.all("li") for items in details.all("ul"))


def test_what_unfolds_a_list_is_named_after_its_type_of_data(customer: BrowserCustomer, lang: str) -> None:
    page = form_page(customer, lang, scope=EVERY_CLUSTER)
    names = [summary.attributes["aria-label"] for summary in page.all("summary")]
    assert len(set(names)) == 8
    begins = texts.DETAILS[lang]
    assert {summary.text for summary in page.all("summary")} == {begins}
    assert all(name.startswith(begins) for name in names)
    assert names[2].endswith(f": {texts.TRANSACTIONS[lang]}")


def test_the_basic_data_are_within_the_detailed_where_neither_can_be_left_out(
    register: Callable[..., ContractClient], lang: str
) -> None:
    needs = 'needs = ["ACCOUNT_BASIC"]'
    client = register((needs, 'needs = ["ACCOUNT_BASIC", "ACCOUNT_DETAILED"]'))
    page = form_page(BrowserCustomer(client), lang, scope="ACCOUNT_BASIC ACCOUNT_DETAILED TRANSACTIONS")
    assert list(sections(page)) == ["ACCOUNT_DETAILED", "TRANSACTIONS"]
    items = sections(page)["ACCOUNT_DETAILED"].one("details").text
    for of_both in (texts.CURRENCY, texts.CREDIT_LIMIT):
        assert of_both[lang] in items


def test_statements_say_that_they_repeat_what_other_boxes_withhold(
    customer: BrowserCustomer, lang: str
) -> None:
    shown = sections(form_page(customer, lang, scope=EVERY_CLUSTER))["STATEMENTS"]
    assert texts.STATEMENTS_REPEAT_OTHERS[lang] in shown.text


@pytest.mark.parametrize(
    ("scope", "says_so"),
    [
        ("ACCOUNT_BASIC", False),
        ("ACCOUNT_BASIC ACCOUNT_DETAILED INVESTMENTS CUSTOMER_CONTACT", False),
        ("ACCOUNT_BASIC TRANSACTIONS", True),
        ("ACCOUNT_BASIC STATEMENTS", True),
    ],
)
def test_how_far_back_is_said_where_something_that_has_a_past_is_asked_for(
    customer: BrowserCustomer, scope: str, says_so: bool, lang: str
) -> None:
    page = form_page(customer, lang, scope=scope)
    assert (texts.UP_TO_MONTHS.of(num=24)[lang] in page.text) is says_so


def test_what_the_bank_does_not_have_is_named_and_is_no_choice(customer: BrowserCustomer, lang: str) -> None:
    page = form_page(customer, lang, provider_id="2000", scope=EVERY_CLUSTER)
    assert "INVESTMENTS" not in sections(page)
    assert "INVESTMENTS" not in [box.attributes["value"] for box in boxes(page)]
    missing = texts.NOT_AVAILABLE.of(cluster=texts.INVESTMENTS, provider=texts.NORTHERN)
    assert missing[lang] in page.text


def test_where_partial_consent_is_not_allowed_there_is_no_box(
    register: Callable[..., ContractClient], lang: str
) -> None:
    client = register(('needs = ["ACCOUNT_BASIC"]\n', 'needs = ["ACCOUNT_BASIC"]\nallow_subset = false\n'))
    page = form_page(BrowserCustomer(client), lang, scope=EVERY_CLUSTER)
    assert boxes(page) == []
    assert texts.ALL_OR_NOTHING.of(recipient=texts.BUDGET_COMPASS)[lang] in page.text


def test_the_two_buttons_have_machine_values_and_deny_comes_first(
    customer: BrowserCustomer, lang: str
) -> None:
    buttons = form_page(customer, lang).all("button", name="decision")
    assert [button.attributes["value"] for button in buttons] == ["deny", "approve"]
    assert [button.text for button in buttons] == [texts.DO_NOT_SHARE[lang], texts.SHARE_MY_DATA[lang]]
    first, second = ({**button.attributes, "value": ""} for button in buttons)
    assert first == second, "alike in everything but their words"


def test_how_to_stop_is_said_before_the_buttons(customer: BrowserCustomer, lang: str) -> None:
    text = form_page(customer, lang).one("main").text
    stop = texts.STOP_ANY_TIME.of(page=texts.DATA_SHARING)[lang]
    assert text.index(stop) < text.rindex(texts.SHARE_MY_DATA[lang])


def test_the_boxes_are_one_group_and_the_answers_are_read_with_what_is_about_to_happen(
    customer: BrowserCustomer, lang: str
) -> None:
    page = form_page(customer, lang, scope=EVERY_CLUSTER)
    group = page.one("fieldset")
    assert group.one("legend").one("h2").text == texts.WHAT_DO_YOU_AGREE_TO_SHARE[lang]
    assert len(group.all("input", type="checkbox")) == 7
    answers = page.one("div", id="answer", role="group")
    assert page.one("h2", id=answers.attributes["aria-labelledby"]).text == texts.BEFORE_YOU_ANSWER[lang]
    read_along = page.one("dl", id=answers.attributes["aria-describedby"]).text
    for words in (
        texts.THEY_GET,
        texts.ACCOUNT_BASIC,
        texts.THEN_IT_STOPS.of(end_date=texts.IN_A_YEAR),
        texts.STOP_ANY_TIME.of(page=texts.DATA_SHARING),
    ):
        assert words[lang] in read_along


def test_what_the_recipient_has_to_say_opens_beside_the_form_which_stays(
    customer: BrowserCustomer, lang: str
) -> None:
    page = form_page(customer, lang)
    opens = [link for link in page.all("a") if link.attributes["href"].startswith("https://budget.example")]
    assert len(opens) == 3
    new_tab = texts.NEW_TAB.of(page="")[lang].strip()
    for link in opens:
        assert link.attributes["target"] == "_blank"
        assert {"noopener", "noreferrer"} == set(link.attributes["rel"].split())
        assert link.attributes["aria-label"].endswith(new_tab)
        assert link.attributes["aria-label"].startswith(link.text)


# Two languages


def test_the_switch_is_a_button_of_the_form_in_the_other_language(
    customer: BrowserCustomer, lang: str
) -> None:
    page = form_page(customer, lang)
    assert [switch.attributes["value"] for switch in page.all("button", name="language")] == Language(
        lang
    ).others
    switch = page.one("button", name="language", value={"en": "fr", "fr": "en"}[lang])
    other = {"en": ("fr", "Français"), "fr": ("en", "English")}[lang]
    assert (switch.attributes["value"], switch.text) == other
    assert switch.attributes["lang"] == other[0]
    assert switch.attributes["form"] == "decision"


def test_switching_the_language_keeps_the_boxes_and_decides_nothing(
    customer: BrowserCustomer, recorded: LedgerTables, lang: str
) -> None:
    request_id = customer.signed_in_request(lang=lang, scope=EVERY_CLUSTER)
    other = {"en": "fr", "fr": "en"}[lang]
    response = switch_language(customer, request_id, other, "STATEMENTS", "TRANSACTIONS")
    assert response.status_code == 303
    assert response.location == f"/consent/{request_id}"
    page = check_page(customer.client.get(response.location), "form", other)
    assert checked(page) == {"STATEMENTS", "TRANSACTIONS"}
    back = switch_language(customer, request_id, lang, "TRANSACTIONS")
    page = check_page(customer.client.get(back.location), "form", lang)
    assert checked(page) == {"TRANSACTIONS"}
    assert recorded.nothing_happened


def test_the_switch_keeps_only_boxes_that_exist(customer: BrowserCustomer) -> None:
    request_id = customer.signed_in_request(scope="ACCOUNT_BASIC TRANSACTIONS")
    switch_language(customer, request_id, "fr", "INVESTMENTS", "ACCOUNT_BASIC", "<script>", "")
    page = check_page(customer.client.get(f"/consent/{request_id}"), "form", "fr")
    assert checked(page) == set()
    assert set(sections(page)) == {"ACCOUNT_BASIC", "TRANSACTIONS"}


def test_two_tabs_keep_two_languages(customer: BrowserCustomer) -> None:
    first = customer.signed_in_request(lang="en")
    second = customer.signed_in_request(lang="fr")
    check_page(customer.client.get(f"/consent/{first}"), "form", "en")
    check_page(customer.client.get(f"/consent/{second}"), "form", "fr")
    switch_language(customer, second, "en")
    switch_language(customer, first, "fr")
    check_page(customer.client.get(f"/consent/{second}"), "form", "en")
    check_page(customer.client.get(f"/consent/{first}"), "form", "fr")


@pytest.mark.parametrize("page_name", ["sign_in", "form"])
def test_a_link_switches_the_language_of_its_request_and_it_stays(
    customer: BrowserCustomer, page_name: str
) -> None:
    request_id = customer.begin()
    if page_name == "form":
        customer.sign_in(request_id)
        customer.choose_accounts(request_id)
    address = f"/{'consent' if page_name == 'form' else 'sign-in'}/{request_id}"
    check_page(customer.client.get(f"{address}?lang=fr"), page_name, "fr")
    check_page(customer.client.get(address), page_name, "fr")
    check_page(customer.client.get(f"{address}?lang=en"), page_name, "en")


def test_the_language_that_was_read_is_on_record(customer: BrowserCustomer, recorded: LedgerTables) -> None:
    request_id = customer.signed_in_request(lang="en")
    switch_language(customer, request_id, "fr")
    customer.answer(request_id, "approve")
    assert [decision["language"] for decision in recorded["decisions"]] == ["fr"]


def test_a_language_that_does_not_exist_is_no_switch_and_no_answer(
    customer: BrowserCustomer, recorded: LedgerTables
) -> None:
    request_id = customer.signed_in_request()
    response = switch_language(customer, request_id, "de", "TRANSACTIONS")
    assert response.status_code == 303
    page = check_page(customer.client.get(response.location), "form", "en")
    assert checked(page) == {"TRANSACTIONS"}
    assert recorded.nothing_happened


def test_switching_needs_the_forms_token_too(customer: BrowserCustomer, lang: str) -> None:
    request_id = customer.signed_in_request(lang=lang)
    response = customer.client.post(
        f"/consent/{request_id}", data={"language": "fr", "scope": "TRANSACTIONS"}
    )
    check_error_page(response, "form_refused", lang, status=400, assurance=texts.NOTHING_RECORDED)
    page = check_page(customer.client.get(f"/consent/{request_id}"), "form", lang)
    assert checked(page) == set()


# The policy that lets the answer leave


@pytest.mark.parametrize(
    ("changes", "form_action"),
    [
        ({}, "'self' https: http://localhost:8001"),
        (LOANS_REQUEST, "'self' https:"),
        (LOANS_APP_REQUEST, "'self'"),
    ],
    ids=["loopback", "https", "private scheme"],
)
def test_the_form_may_end_where_the_answer_goes(
    customer: BrowserCustomer, changes: dict[str, str], form_action: str
) -> None:
    request_id = customer.begin(**changes)
    sign_in = customer.client.get(f"/sign-in/{request_id}")
    assert form_action_of(sign_in) == "'self'", "a password goes nowhere else"
    customer.sign_in(request_id)
    accounts = customer.client.get(f"/consent/{request_id}/accounts")
    assert form_action_of(accounts) == form_action, "one may deny there"
    customer.choose_accounts(request_id)
    assert form_action_of(customer.client.get(f"/consent/{request_id}")) == form_action
    undecided = customer.answer(request_id, "perhaps")
    assert undecided.status_code == 400
    assert form_action_of(undecided) == form_action
    customer.answer(request_id, "deny")
    assert form_action_of(customer.client.get(f"/consent/{request_id}")) == "'self'"


def test_the_answer_goes_to_the_port_that_was_asked_for_which_the_text_does_not_name(
    register: Callable[..., ContractClient],
) -> None:
    client = register(("http://localhost:8001/callback", "http://127.0.0.1/callback"))
    customer = BrowserCustomer(client)
    request_id = customer.signed_in_request(redirect_uri="http://127.0.0.1:49152/callback")
    response = client.get(f"/consent/{request_id}")
    assert form_action_of(response) == "'self' https: http://127.0.0.1:49152"
    assert "(127.0.0.1)." in parse_page(response.text).text
    answer = customer.answer(request_id, "deny")
    assert answer.location.startswith("http://127.0.0.1:49152/callback?error=access_denied")


def test_a_policy_cannot_name_an_ipv6_address(register: Callable[..., ContractClient]) -> None:
    client = register(("http://localhost:8001/callback", "http://[::1]/callback"))
    request_id = BrowserCustomer(client).signed_in_request(redirect_uri="http://[::1]:49152/callback")
    assert form_action_of(client.get(f"/consent/{request_id}")) == "'self' https: http://*:49152"


def form_action_of(response: TestResponse) -> str:
    policy = dict(part.split(" ", 1) for part in response.headers["Content-Security-Policy"].split("; "))
    return policy["form-action"]


# When the form is not shown


def test_a_request_that_expired_leads_back_with_access_denied(
    customer: BrowserCustomer, clock: Clock, lang: str
) -> None:
    request_id = customer.signed_in_request(lang=lang, state="kept")
    clock.advance(timedelta(minutes=14, seconds=59))
    check_page(customer.client.get(f"/consent/{request_id}"), "form", lang)
    clock.advance(timedelta(seconds=1))
    page = check_error_page(
        customer.client.get(f"/consent/{request_id}"), "request_expired", lang, status=410
    )
    params = carried_params(page.one("a", id="way-back").attributes["href"])
    assert params["error"] == "access_denied"
    assert params["state"] == "kept"


@pytest.mark.parametrize("page", ["consent", "sign-in"])
def test_another_browser_does_not_find_the_request(
    customer: BrowserCustomer, app: Flask, page: str, lang: str
) -> None:
    request_id = customer.signed_in_request(lang=lang)
    other = a_browser(app)
    BrowserCustomer(other).signed_in_request(lang=lang)
    answer = check_error_page(other.get(f"/{page}/{request_id}"), "request_lost", lang, status=404)
    assert ways_out(answer) == [complaints_page(lang)]
    never_was = check_error_page(other.get(f"/{page}/never-was"), "request_lost", lang, status=404)
    assert never_was.one("main").all("p")[:3] != []


@pytest.mark.parametrize("page", ["consent", "sign-in"])
def test_a_browser_without_any_cookie_is_told_so_once_and_not_sent_around(
    customer: BrowserCustomer, app: Flask, page: str, lang: str
) -> None:
    request_id = customer.begin(lang=lang)
    response = app.test_client().get(f"/{page}/{request_id}?lang={lang}")
    answer = check_error_page(response, "cookies_blocked", lang, status=404)
    assert ways_out(answer) == [complaints_page(lang)]
    assert "Set-Cookie" not in response.headers


@pytest.mark.parametrize("page", ["consent", "sign-in"])
def test_after_redis_was_wiped_the_customer_begins_again_and_nothing_was_shared(
    customer: BrowserCustomer, redis_client: redis.Redis, recorded: LedgerTables, page: str, lang: str
) -> None:
    request_id = customer.signed_in_request(lang=lang)
    fields = hidden_fields(customer.form(request_id), f"/consent/{request_id}")
    redis_client.flushall()
    for response in (
        customer.client.get(f"/{page}/{request_id}?lang={lang}"),
        customer.client.post(f"/{page}/{request_id}?lang={lang}", data={**fields, "decision": "approve"}),
    ):
        answer = check_error_page(response, "session_over", lang, status=404)
        assert ways_out(answer) == [complaints_page(lang)]
    assert recorded.nothing_happened
    assert customer.approve() != ""


@pytest.mark.parametrize("request_id", ["x" * 500, "%00", "%FF", "..%2F..", "*", "é", "request:x", "%0d%0a"])
def test_an_address_that_names_no_request_is_a_page(customer: BrowserCustomer, request_id: str) -> None:
    customer.signed_in_request()
    assert customer.client.get(f"/consent/{request_id}").status_code == 404
    assert customer.client.post(f"/consent/{request_id}").status_code == 404


@pytest.mark.parametrize(
    "edit",
    [
        ('client_id = "dc-budget"', 'client_id = "dc-budget"\nsuspended = true'),
        ('client_id = "dc-budget"', 'client_id = "dc-somebody-else"'),
        ("http://localhost:8001/callback", "http://localhost:8001/elsewhere"),
        ('"1000" = "ACTIVE"', '"1000" = "SUSPENDED"'),
        ('"TRANSACTIONS",\n]\nneeds = ["ACCOUNT_BASIC"]', ']\nneeds = ["ACCOUNT_BASIC"]'),
    ],
    ids=[
        "suspended",
        "not registered any more",
        "redirect_uri removed",
        "not active at the bank any more",
        "a cluster removed",
    ],
)
@pytest.mark.parametrize("decision", ["approve", "deny"])
def test_what_the_registration_no_longer_allows_gets_no_form_no_redirect_and_no_code(
    customer: BrowserCustomer,
    register: Callable[..., ContractClient],
    redis_client: redis.Redis,
    recorded: LedgerTables,
    edit: tuple[str, str],
    decision: str,
    lang: str,
) -> None:
    request_id = customer.signed_in_request(lang=lang)
    fields = hidden_fields(customer.form(request_id), f"/consent/{request_id}")
    edits = [edit]
    if "TRANSACTIONS" in edit[0]:  # whose purpose goes with it
        edits.append(
            (
                next(
                    line
                    for line in DEMO_REGISTRY.read_text().splitlines()
                    if line.startswith("TRANSACTIONS = ")
                ),
                "",
            )
        )
    now = register(*edits, browser=customer.client)
    for response in (
        now.get(f"/consent/{request_id}"),
        now.get(f"/sign-in/{request_id}"),
        BrowserCustomer(now).post_answer(request_id, fields, decision),
    ):
        page = check_error_page(response, "unsafe_client", lang, status=400)
        assert ways_out(page) == []
    assert recorded.nothing_happened
    assert list(redis_client.scan_iter("code:*")) == []


def test_a_client_that_is_suspended_after_the_answer_is_not_sent_the_code_again(
    customer: BrowserCustomer, register: Callable[..., ContractClient]
) -> None:
    request_id = customer.signed_in_request()
    fields = hidden_fields(customer.form(request_id), f"/consent/{request_id}")
    assert customer.post_answer(request_id, fields, "approve").status_code == 302
    edit = ('client_id = "dc-budget"', 'client_id = "dc-budget"\nsuspended = true')
    now = BrowserCustomer(register(edit, browser=customer.client))
    check_error_page(now.post_answer(request_id, fields, "approve"), "unsafe_client", "en", status=400)


def test_a_machine_that_asks_for_the_form_is_refused_in_json(customer: BrowserCustomer) -> None:
    response = customer.client.get("/consent/nothing", headers={"Accept": "application/json"})
    assert response.status_code == 404
    assert response.json == {"error": "invalid_request", "error_description": "The request cannot go on"}
