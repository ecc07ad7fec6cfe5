"""`POST /consent/<request_id>`: one answer per request, for ever; and who may give it."""

from collections.abc import Callable, Mapping
from datetime import timedelta

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from app.stores.redis import client as redis
from tests.support import texts
from tests.support.applications import Clock, a_browser
from tests.support.builders import CALLBACK, EVERYTHING, NOON, VERIFIER
from tests.support.customer import (
    LOANS,
    LOANS_APP_CALLBACK,
    LOANS_APP_REQUEST,
    LOANS_CALLBACK,
    LOANS_REQUEST,
    BrowserCustomer,
    OpenForm,
    answer_params,
    carried_params,
    hidden_fields,
)
from tests.support.expected_pages import check_error_page, check_page, ways_out
from tests.support.ledger_tables import LedgerTables
from tests.support.page_contract import ContractClient, parse_page
from tests.support.redis_contents import texts_in

EVERY_CLUSTER = " ".join(EVERYTHING)
ISSUER = "http://localhost:8000"
APPROVED = texts.YOU_CHOSE_TO_SHARE_ON.of(recipient=texts.BUDGET_COMPASS, moment=texts.NOON)
DENIED = texts.YOU_CHOSE_NOT_TO_SHARE_ON.of(recipient=texts.BUDGET_COMPASS, moment=texts.NOON)


@pytest.fixture
def form(customer: BrowserCustomer) -> OpenForm:
    return OpenForm(customer, scope=EVERY_CLUSTER)


def check_already_answered(response: TestResponse, lang: str, said: Mapping[str, str]) -> None:
    page = check_page(response, "answered", lang)
    assert said[lang] in page.text
    assert page.all("form") == []


# Approve and deny


@pytest.mark.parametrize("provider_id", ["1000", "2000"])
def test_approve_leads_back_with_a_code_and_is_on_record(
    customer: BrowserCustomer, recorded: LedgerTables, provider_id: str, lang: str
) -> None:
    form = OpenForm(
        customer, scope=EVERY_CLUSTER, provider_id=provider_id, lang=lang, correlation_id="flow-1"
    )
    params = answer_params(form.send("approve", "TRANSACTIONS", "STATEMENTS"))
    assert params.keys() == {"code", "state", "iss"}
    assert params["state"] == "af0ifjsldkj"
    assert params["iss"] == ISSUER
    assert len(params["code"]) <= 128
    (decision,), (grant,) = recorded["decisions"], recorded["grants"]
    for row in (decision, grant):
        assert row["client_id"] == "dc-budget"
        assert row["provider_id"] == provider_id
        assert row["subject"] == {"1000": "maple-0001", "2000": "northern-0001"}[provider_id]
        assert row["granted_scope"] == "ACCOUNT_BASIC TRANSACTIONS STATEMENTS"
        assert row["correlation_id"] == "flow-1"
    assert decision["answer"] == "approve"
    assert decision["language"] == lang
    assert grant["expires_at"] == NOON + timedelta(days=365)
    assert grant["redeemed_at"] is None


def test_deny_leads_back_with_access_denied_and_grants_nothing(
    customer: BrowserCustomer, recorded: LedgerTables, redis_client: redis.Redis, lang: str
) -> None:
    form = OpenForm(customer, scope=EVERY_CLUSTER, lang=lang)
    assert answer_params(form.send("deny", "TRANSACTIONS")) == {
        "error": "access_denied",
        "error_description": "The user denied the access",
        "state": "af0ifjsldkj",
        "iss": ISSUER,
    }
    (decision,) = recorded["decisions"]
    assert decision["answer"] == "deny"
    assert decision["granted_scope"] == ""
    assert recorded["grants"] == []
    assert list(redis_client.scan_iter("code:*")) == []


def test_the_answer_keeps_the_query_that_was_registered(customer: BrowserCustomer) -> None:
    approved = OpenForm(customer, **LOANS_REQUEST).send("approve")
    assert answer_params(approved, LOANS_CALLBACK).keys() == {"code", "state", "iss"}
    denied = OpenForm(customer, **LOANS_REQUEST).send("deny")
    assert answer_params(denied, LOANS_CALLBACK)["error"] == "access_denied"


def test_the_code_is_in_no_store_in_a_form_that_could_be_replayed(
    form: OpenForm, redis_client: redis.Redis, recorded: LedgerTables
) -> None:
    code = answer_params(form.send("approve"))["code"]
    signature = code.rpartition(".")[2]
    stored = texts_in(redis_client)
    stored += [str(recorded[table]) for table in ("decisions", "grants", "events", "refresh_tokens")]
    assert not any(signature in text for text in stored)


# What is granted


@pytest.mark.parametrize(
    ("changes", "boxes", "granted"),
    [
        ({}, [], "ACCOUNT_BASIC"),
        ({}, ["TRANSACTIONS"], "ACCOUNT_BASIC TRANSACTIONS"),
        ({}, ["TRANSACTIONS", "TRANSACTIONS"], "ACCOUNT_BASIC TRANSACTIONS"),
        ({}, ["STATEMENTS", "NONSENSE", "", "transactions", "TRANSACTIONS STATEMENTS"], "ACCOUNT_BASIC"),
        (
            {"scope": EVERY_CLUSTER, "provider_id": "2000"},
            ["INVESTMENTS", "STATEMENTS"],
            "ACCOUNT_BASIC STATEMENTS",
        ),
        (LOANS_REQUEST, [], "ACCOUNT_BASIC TRANSACTIONS"),
        (LOANS_REQUEST, ["CUSTOMER_PERSONAL"], "ACCOUNT_BASIC TRANSACTIONS"),
        (LOANS_REQUEST, ["ACCOUNT_DETAILED"], "ACCOUNT_BASIC ACCOUNT_DETAILED TRANSACTIONS"),
    ],
)
def test_granted_is_what_is_needed_and_what_was_checked_of_what_was_offered(
    customer: BrowserCustomer, recorded: LedgerTables, changes: dict[str, str], boxes: list[str], granted: str
) -> None:
    assert OpenForm(customer, **changes).send("approve", *boxes).status_code == 302
    assert [grant["granted_scope"] for grant in recorded["grants"]] == [granted]


def test_where_partial_consent_is_not_allowed_all_of_it_is_granted(
    register: Callable[..., ContractClient], recorded: LedgerTables
) -> None:
    client = register(('needs = ["ACCOUNT_BASIC"]\n', 'needs = ["ACCOUNT_BASIC"]\nallow_subset = false\n'))
    form = OpenForm(
        BrowserCustomer(client), scope="ACCOUNT_BASIC TRANSACTIONS INVESTMENTS", provider_id="2000"
    )
    form.send("approve")
    assert [grant["granted_scope"] for grant in recorded["grants"]] == ["ACCOUNT_BASIC TRANSACTIONS"]


def test_fields_that_the_form_does_not_have_change_nothing(form: OpenForm, recorded: LedgerTables) -> None:
    extra = {
        "client_id": "dc-loans",
        "redirect_uri": "https://evil.example/",
        "state": "forged",
        "subject": "maple-0002",
        "provider_id": "2000",
        "granted_scope": EVERY_CLUSTER,
        "requested_scope": EVERY_CLUSTER,
        "code_challenge": "x" * 43,
        "request_id": "another",
        "lang": "fr",
        "answer": "deny",
    }
    response = form.customer.client.post(
        f"{form.address}?decision=deny&scope=STATEMENTS&redirect_uri=https://evil.example/&state=forged",
        data={**form.fields, **extra, "decision": "approve", "scope": ["TRANSACTIONS"]},
    )
    params = answer_params(response)
    assert params["state"] == "af0ifjsldkj"
    (grant,) = recorded["grants"]
    assert grant["client_id"] == "dc-budget"
    assert grant["subject"] == "maple-0001"
    assert grant["granted_scope"] == "ACCOUNT_BASIC TRANSACTIONS"
    assert form.customer.redeem(params["code"]).status_code == 200


def test_no_button_brings_the_form_back_with_the_boxes_as_they_were(
    customer: BrowserCustomer, recorded: LedgerTables, lang: str
) -> None:
    form = OpenForm(customer, scope=EVERY_CLUSTER, lang=lang)
    response = customer.client.post(form.address, data={**form.fields, "scope": "TRANSACTIONS"})
    assert response.status_code == 303, "a page that answers a POST cannot be gone back to"
    page = check_page(customer.client.get(response.location), "form", lang)
    summary = page.one("div", role="alert")
    assert texts.CHOOSE_ONE_OF_THEM[lang] in summary.text
    assert summary.one("a").attributes["href"] == f"#{page.one('div', role='group').attributes['id']}"
    assert page.one("title").text.startswith(texts.ERROR_IN_TITLE.beginning[lang])
    assert [box.attributes["value"] for box in page.all("input", checked="")] == ["TRANSACTIONS"]
    assert recorded.nothing_happened
    reopened = form.reopen()
    assert parse_page(reopened.text).all("div", role="alert") == []
    again = hidden_fields(page, form.address)
    assert customer.post_answer(form.request_id, again, "deny").status_code == 302
    check_page(customer.client.get(response.location), "answered", lang)


@pytest.mark.parametrize(
    "decision",
    ["", "Approve", "APPROVE", "yes", texts.SHARE_MY_DATA["en"], texts.SHARE_MY_DATA["fr"], "approve "],
)
def test_what_no_button_says_is_refused_by_the_form_with_the_boxes_as_they_were(
    customer: BrowserCustomer, recorded: LedgerTables, decision: str, lang: str
) -> None:
    form = OpenForm(customer, scope=EVERY_CLUSTER, lang=lang)
    page = check_page(form.send(decision, "TRANSACTIONS"), "form", lang, status=400)
    assert page.one("div", role="alert").text != ""
    assert [box.attributes["value"] for box in page.all("input", checked="")] == ["TRANSACTIONS"]
    assert recorded.nothing_happened
    again = hidden_fields(page, form.address)
    assert customer.post_answer(form.request_id, again, "deny").status_code == 302


@pytest.mark.parametrize("decisions", [["approve", "deny"], ["deny", "approve"], ["approve", "approve"]])
def test_two_answers_at_once_are_none(form: OpenForm, recorded: LedgerTables, decisions: list[str]) -> None:
    response = form.customer.client.post(form.address, data={**form.fields, "decision": decisions})
    check_page(response, "form", "en", status=400)
    assert recorded.nothing_happened


# Who may answer


@pytest.mark.parametrize("decision", ["approve", "deny"])
@pytest.mark.parametrize(
    "whose", ["nobody's", "not even a field", "junk", "another request's", "another session's"]
)
def test_a_form_that_is_not_of_this_session_and_request_records_nothing(
    form: OpenForm, app: Flask, recorded: LedgerTables, whose: str, decision: str
) -> None:
    attacker = OpenForm(BrowserCustomer(a_browser(app)), scope=EVERY_CLUSTER)
    fields = {
        "nobody's": {"csrf_token": ""},
        "not even a field": {},
        "junk": {"csrf_token": "é\0" + "x" * 1000},
        "another request's": OpenForm(form.customer, scope=EVERY_CLUSTER).fields,
        "another session's": attacker.fields,
    }[whose]
    response = form.customer.post_answer(form.request_id, fields, decision)
    page = check_error_page(response, "form_refused", "en", status=400, assurance=texts.NOTHING_RECORDED)
    bank = ["https://maple.example/help", "https://maple.example/complaints"]
    assert ways_out(page) == [form.address, *bank]
    assert recorded.nothing_happened
    assert form.send("approve").status_code == 302, "the real form still works"


def test_a_refused_form_is_told_in_the_customers_language(customer: BrowserCustomer, lang: str) -> None:
    form = OpenForm(customer, lang=lang)
    response = customer.post_answer(form.request_id, {}, "approve")
    check_error_page(response, "form_refused", lang, status=400, assurance=texts.NOTHING_RECORDED)


def test_a_form_from_before_sign_in_is_refused(customer: BrowserCustomer, recorded: LedgerTables) -> None:
    request_id = customer.begin()
    page = parse_page(customer.client.get(f"/sign-in/{request_id}").text)
    before = hidden_fields(page, f"/sign-in/{request_id}")
    customer.sign_in(request_id)
    assert customer.post_answer(request_id, before, "approve").status_code == 400
    assert recorded.nothing_happened


@pytest.mark.parametrize("whose", ["the victim's token", "the attacker's own token"])
def test_another_browser_cannot_answer(
    form: OpenForm, app: Flask, recorded: LedgerTables, whose: str
) -> None:
    attacker = OpenForm(BrowserCustomer(a_browser(app)), scope=EVERY_CLUSTER)
    fields = form.fields if "victim" in whose else attacker.fields
    response = attacker.customer.post_answer(form.request_id, fields, "approve")
    check_error_page(response, "request_lost", "en", status=404)
    without_cookie = BrowserCustomer(a_browser(app)).post_answer(form.request_id, form.fields, "approve")
    check_error_page(without_cookie, "cookies_blocked", "en", status=404)
    assert recorded.nothing_happened


def test_a_form_from_before_signing_out_is_refused(form: OpenForm, recorded: LedgerTables) -> None:
    page = form.customer.form(form.request_id)
    form.customer.client.post("/sign-out", data=hidden_fields(page, "/sign-out"))
    response = form.send("approve")
    assert (response.status_code, response.location) == (303, f"/sign-in/{form.request_id}")
    assert recorded.nothing_happened
    form.customer.sign_in(form.request_id)
    response = form.send("approve")
    check_error_page(response, "form_refused", "en", status=400, assurance=texts.NOTHING_RECORDED)
    assert recorded.nothing_happened


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_loading_a_page_decides_nothing(form: OpenForm, recorded: LedgerTables, method: str) -> None:
    token = form.fields["csrf_token"]
    for query in ("", f"?decision=approve&csrf_token={token}", "?decision=deny&scope=TRANSACTIONS"):
        response = form.customer.client.open(form.address + query, method=method)
        assert response.status_code == 200
    assert recorded.nothing_happened


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "OPTIONS"])
def test_no_other_method_decides(form: OpenForm, recorded: LedgerTables, method: str) -> None:
    data = {**form.fields, "decision": "approve"}
    response = form.customer.client.open(form.address, method=method, data=data)
    check_error_page(response, "not_allowed", "en", status=405)
    assert response.headers["Allow"] == "GET, HEAD, POST"
    assert recorded.nothing_happened


@pytest.mark.parametrize("body", [b"[1, 2]", b"5", b"{", b'{"decision": "approve"}', b"null"])
def test_a_body_that_is_no_form_decides_nothing(form: OpenForm, recorded: LedgerTables, body: bytes) -> None:
    response = form.customer.client.post(form.address, data=body, content_type="application/json")
    check_error_page(response, "form_refused", "en", status=400, assurance=texts.NOTHING_RECORDED)
    assert recorded.nothing_happened


def test_two_copies_of_the_form_both_work(form: OpenForm) -> None:
    form.reopen()
    assert form.send("approve").status_code == 302


def test_no_page_has_a_token_twice_so_that_sizes_of_compressed_pages_tell_nothing(
    customer: BrowserCustomer,
) -> None:
    customer.approve("TRANSACTIONS")
    [consent_id] = customer.connections()
    seen = []
    for address in 3 * [
        f"/consent/{customer.signed_in_request()}",
        "/connections",
        f"/connections/{consent_id}?stop=all",
    ]:
        fields = parse_page(customer.client.get(address).text).all("input", name="csrf_token")
        assert fields, address
        seen += [field.attributes["value"].rpartition(".")[2] for field in fields]
    assert len(set(seen)) == len(seen)


# Two tabs


def test_two_tabs_of_one_client_finish_in_reverse(app: Flask) -> None:
    customer = BrowserCustomer(a_browser(app))
    first, second = customer.begin(state="first"), customer.begin(state="second")
    customer.sign_in(second)
    for request_id, state in ((second, "second"), (first, "first")):
        params = answer_params(customer.answer(request_id, "approve"))
        assert params["state"] == state
        assert customer.redeem(params["code"]).status_code == 200


def test_each_tab_of_two_is_decided_on_its_own(customer: BrowserCustomer, recorded: LedgerTables) -> None:
    first, second = OpenForm(customer), OpenForm(customer)
    assert "error" in answer_params(second.send("deny"))
    assert "code" in answer_params(first.send("approve"))
    assert sorted(row["answer"] for row in recorded["decisions"]) == ["approve", "deny"]


def test_a_new_connection_supersedes_the_old_one(customer: BrowserCustomer, recorded: LedgerTables) -> None:
    OpenForm(customer).send("approve")
    OpenForm(customer).send("approve", "TRANSACTIONS")
    standing = [grant["granted_scope"] for grant in recorded["grants"] if grant["ended_at"] is None]
    assert standing == ["ACCOUNT_BASIC TRANSACTIONS"]
    assert len(recorded["grants"]) == 2


# Answered once, for ever


@pytest.mark.parametrize("decision", ["approve", "deny"])
def test_the_same_answer_again_gets_the_same_redirect(
    form: OpenForm, recorded: LedgerTables, clock: Clock, decision: str
) -> None:
    first = form.send(decision, "TRANSACTIONS")
    clock.advance(timedelta(seconds=59))
    again = form.send(decision, "TRANSACTIONS")
    assert again.status_code == 302
    assert again.location == first.location
    assert len(recorded["decisions"]) == 1


@pytest.mark.parametrize("decision", ["approve", "deny"])
def test_the_same_answer_a_moment_after_the_deadline_gets_the_same_redirect(
    form: OpenForm, clock: Clock, decision: str
) -> None:
    clock.advance(timedelta(minutes=14, seconds=59))
    first = form.send(decision)
    clock.advance(timedelta(seconds=2))
    again = form.send(decision)
    assert again.status_code == 302
    assert again.location == first.location


@pytest.mark.parametrize("decision", ["approve", "deny"])
def test_the_same_answer_after_the_codes_life_is_already_answered(
    customer: BrowserCustomer, clock: Clock, decision: str, lang: str
) -> None:
    form = OpenForm(customer, lang=lang)
    form.send(decision)
    clock.advance(timedelta(seconds=61))
    check_already_answered(form.send(decision), lang, APPROVED if decision == "approve" else DENIED)


@pytest.mark.parametrize(("first", "then"), [("approve", "deny"), ("deny", "approve")])
def test_a_different_answer_is_already_answered_and_the_first_stands(
    customer: BrowserCustomer, recorded: LedgerTables, first: str, then: str, lang: str
) -> None:
    form = OpenForm(customer, lang=lang)
    answer = form.send(first)
    check_already_answered(form.send(then), lang, APPROVED if first == "approve" else DENIED)
    assert [decision["answer"] for decision in recorded["decisions"]] == [first]
    assert form.send(first).location == answer.location


def test_other_boxes_are_a_different_answer(form: OpenForm, recorded: LedgerTables) -> None:
    form.send("approve", "TRANSACTIONS")
    check_already_answered(form.send("approve", "TRANSACTIONS", "STATEMENTS"), "en", APPROVED)
    check_already_answered(form.send("approve"), "en", APPROVED)
    assert [grant["granted_scope"] for grant in recorded["grants"]] == ["ACCOUNT_BASIC TRANSACTIONS"]


def test_approving_again_after_the_code_was_redeemed_is_already_answered(
    form: OpenForm, recorded: LedgerTables
) -> None:
    code = answer_params(form.send("approve"))["code"]
    assert form.customer.redeem(code).status_code == 200
    check_already_answered(form.send("approve"), "en", APPROVED)
    (grant,) = recorded["grants"]
    assert grant["ended_at"] is None, "a click is no replay of the code"


@pytest.mark.parametrize("first", ["approve", "deny"])
@pytest.mark.parametrize("later", [timedelta(0), timedelta(minutes=3), timedelta(minutes=20)])
def test_back_after_deciding_shows_what_was_answered_and_when(
    customer: BrowserCustomer, clock: Clock, first: str, later: timedelta, lang: str
) -> None:
    form = OpenForm(customer, lang=lang)
    form.send(first, "TRANSACTIONS")
    clock.advance(later)
    response = form.reopen()
    check_already_answered(response, lang, APPROVED if first == "approve" else DENIED)
    items = [item.text for item in parse_page(response.text).one("main").all("li")]
    assert (texts.TRANSACTIONS[lang] in items) == (first == "approve")


def test_what_was_answered_does_not_show_the_code_again(form: OpenForm) -> None:
    code = answer_params(form.send("approve"))["code"]
    assert code not in form.reopen().text
    away = [way for way in ways_out(parse_page(form.reopen().text)) if not way.startswith("/")]
    assert away == ["https://budget.example", "https://maple.example/complaints"]


@pytest.mark.parametrize("decision", ["", "approve"])
def test_an_answered_form_sent_without_an_answer_or_in_another_language_shows_the_answer(
    form: OpenForm, decision: str
) -> None:
    form.send("deny")
    check_already_answered(form.send(decision), "en", DENIED)
    switched = form.customer.client.post(form.address, data={**form.fields, "language": "fr"})
    check_already_answered(form.customer.client.get(switched.location), "fr", DENIED)


def test_the_page_switches_language(form: OpenForm) -> None:
    form.send("approve")
    switch = parse_page(form.reopen().text).one("a", hreflang="fr").attributes["href"]
    check_already_answered(form.customer.client.get(switch), "fr", APPROVED)


# Too late


def test_an_answer_after_the_deadline_is_not_recorded_and_leads_back(
    customer: BrowserCustomer, recorded: LedgerTables, clock: Clock, lang: str
) -> None:
    form = OpenForm(customer, lang=lang, state="kept")
    clock.advance(timedelta(minutes=15))
    for decision in ("approve", "deny", "neither"):
        page = check_error_page(form.send(decision), "request_expired", lang, status=410)
        params = carried_params(page.one("a", id="way-back").attributes["href"])
        assert params == {
            "error": "access_denied",
            "error_description": "The user denied the access",
            "state": "kept",
            "iss": ISSUER,
        }
    assert recorded.nothing_happened


def test_an_hour_after_the_deadline_not_even_the_way_back_is_known(
    form: OpenForm, redis_client: redis.Redis
) -> None:
    assert redis_client.ttl(f"request:{form.request_id}") <= 75 * 60
    redis_client.delete(f"request:{form.request_id}")
    check_error_page(form.send("approve"), "request_lost", "en", status=404)


# An app on the device


def test_an_app_is_reached_through_a_page_with_a_link(customer: BrowserCustomer, lang: str) -> None:
    form = OpenForm(customer, **LOANS_APP_REQUEST, lang=lang)
    response = form.send("approve")
    page = check_page(response, "continue", lang)
    link = page.one("a", id="continue")
    assert link.text == texts.CONTINUE[lang]
    params = carried_params(link.attributes["href"], LOANS_APP_CALLBACK)
    assert params.keys() == {"code", "state", "iss"}
    assert "Location" not in response.headers
    assert "Refresh" not in response.headers
    assert response.headers["Cache-Control"] == "no-store"
    again = check_page(form.send("approve"), "continue", lang)
    assert again.one("a", id="continue").attributes["href"] == link.attributes["href"]
    other = {"en": "fr", "fr": "en"}[lang]
    (switch,) = [one for one in page.all("form") if one.attributes["action"].endswith(f"lang={other}")]
    fields = {field.attributes["name"]: field.attributes["value"] for field in switch.all("input")}
    switched = form.customer.client.post(switch.attributes["action"], data=fields)
    there = check_page(switched, "continue", other)
    assert there.one("a", id="continue").attributes["href"] == link.attributes["href"]
    tokens = customer.redeem(
        params["code"], client=LOANS, redirect_uri=LOANS_APP_CALLBACK, code_verifier=VERIFIER
    )
    assert tokens.status_code == 200


def test_an_app_is_told_of_a_denial_through_such_a_page_too(customer: BrowserCustomer, lang: str) -> None:
    form = OpenForm(customer, **LOANS_APP_REQUEST, lang=lang)
    page = check_page(form.send("deny"), "continue", lang)
    params = carried_params(page.one("a", id="continue").attributes["href"], LOANS_APP_CALLBACK)
    assert params["error"] == "access_denied"
    assert params["state"] == "af0ifjsldkj"
    assert texts.YOU_CHOSE_NOT_TO_SHARE.of(recipient=texts.PRAIRIE_LOANS)[lang] in page.text


def test_an_app_whose_request_expired_has_its_way_back(customer: BrowserCustomer, clock: Clock) -> None:
    form = OpenForm(customer, **LOANS_APP_REQUEST)
    clock.advance(timedelta(minutes=15))
    page = check_error_page(form.send("approve"), "request_expired", "en", status=410)
    way_back = page.one("a", id="way-back").attributes["href"]
    assert carried_params(way_back, LOANS_APP_CALLBACK)["error"] == "access_denied"


# No automatic approval


def test_nobody_is_approved_without_a_click_however_often_they_approved(
    customer: BrowserCustomer, recorded: LedgerTables
) -> None:
    OpenForm(customer).send("approve")
    request_id = customer.begin()
    check_page(customer.client.get(f"/consent/{request_id}"), "renewal", "en")
    asked_silently = customer.client.get(
        f"/api/v1/authorize?client_id=dc-budget&redirect_uri={CALLBACK}&state=s&response_type=code"
        "&scope=ACCOUNT_BASIC&provider_id=1000&prompt=none"
    )
    assert asked_silently.location.startswith("/consent/")
    assert len(recorded["decisions"]) == 1
