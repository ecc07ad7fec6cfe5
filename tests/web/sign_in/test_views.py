"""`/sign-in/<request_id>` and `/sign-out`: who is the customer?"""

import io
import re
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from app.development.embedded import EmbeddedValkey
from app.domain.registry import SandboxTrouble
from app.settings import Settings
from app.signatures import make_signer
from app.stores.redis import client as redis
from tests.support import texts
from tests.support.applications import Clock, a_browser, make_app, make_settings
from tests.support.customer import BrowserCustomer, answer_params, carried_params, hidden_fields
from tests.support.expected_pages import HEADINGS, check_error_page, check_page
from tests.support.ledger_tables import LedgerTables
from tests.support.machine_requests import admin_token, claims_of, record
from tests.support.page_contract import ContractClient, Element, parse_page
from tests.support.registrations import with_customers

PROVIDER = texts.MAPLE
CONTINUE_TO = texts.SIGN_IN_TO_CONTINUE.of(recipient=texts.BUDGET_COMPASS)
WITHOUT_SHARING = texts.GO_BACK_WITHOUT_SHARING.of(recipient=texts.BUDGET_COMPASS)


@pytest.fixture
def token_for(settings: Settings, redis_client: redis.Redis) -> Callable[..., str]:
    """Tokens for forms that no page has, in the one session that there is."""

    def sign(form: str, request_id: str) -> str:
        (session_id,) = (key.removeprefix("session:") for key in redis_client.scan_iter("session:*"))
        bound_to = f"{form} {session_id} {request_id} any"
        return f"any.{make_signer(settings.secret_keys, 'form').get_signature(bound_to).decode()}"

    return sign


def sign_in_page(customer: BrowserCustomer, request_id: str) -> Element:
    return parse_page(customer.client.get(f"/sign-in/{request_id}").text)


def summary(page: Element) -> Element:
    """What the page says on top about a form that came back; it leads to a field."""
    told = page.one("div", role="alert")
    target = told.one("a").attributes["href"].removeprefix("#")
    page.one("input", id=target)
    assert page.one("title").text.startswith(tuple(texts.ERROR_IN_TITLE.beginning.values()))
    return told


def fail(customer: BrowserCustomer, request_id: str, times: int, **who: str) -> TestResponse:
    for _ in range(times):
        response = customer.sign_in(request_id, **{"password": "wrong", **who})
    return response


# The page


def test_the_page_names_the_recipient_and_the_provider(customer: BrowserCustomer, lang: str) -> None:
    request_id = customer.begin(lang=lang)
    page = check_page(customer.client.get(f"/sign-in/{request_id}"), "sign_in", lang)
    assert page.one("title").text == f"{HEADINGS['sign_in'][lang]} – {PROVIDER[lang]}"
    assert CONTINUE_TO[lang] in page.text


def test_the_form_has_a_name_and_a_password_and_says_nothing_of_the_request(
    customer: BrowserCustomer,
) -> None:
    request_id = customer.begin(state="the-state")
    page = sign_in_page(customer, request_id)
    assert [field.attributes["name"] for field in page.all("input")] == [
        "csrf_token",
        "user_name",
        "password",
    ]
    assert page.one("input", name="password").attributes["type"] == "password"
    assert page.one("input", name="password").attributes["value"] == ""
    fillers = [field.attributes.get("autocomplete") for field in page.all("input")]
    assert fillers == [None, "username", "current-password"], "a password manager knows what goes where"
    html = re.sub(r'id="way-back" href="[^"]*"', "", customer.client.get(f"/sign-in/{request_id}").text)
    for secret in ("the-state", "dc-budget", "localhost:8001"):
        assert secret not in html


@pytest.mark.parametrize("password", [None, "not the password"])
def test_there_is_a_way_back_without_sharing_that_records_nothing(
    customer: BrowserCustomer, recorded: LedgerTables, password: str | None, lang: str
) -> None:
    request_id = customer.begin(state="kept", lang=lang)
    if password is None:
        page = sign_in_page(customer, request_id)
    else:
        page = parse_page(customer.sign_in(request_id, password=password).text)
    link = page.one("a", id="way-back")
    assert link.text == WITHOUT_SHARING[lang]
    params = carried_params(link.attributes["href"])
    assert (params["error"], params["state"]) == ("access_denied", "kept")
    assert recorded.nothing_happened


def test_to_see_what_one_shares_nobody_asks_and_no_way_leads_back(client: ContractClient) -> None:
    page = check_page(client.get("/connections/sign-in/1000"), "sign_in", "en")
    assert page.all("a", id="way-back") == []


@pytest.mark.parametrize("provider_id", ["1000", "2000"])
@pytest.mark.parametrize("user_name", ["alex", "sam"])
def test_a_customer_who_signs_in_comes_to_the_form_of_the_same_request(
    customer: BrowserCustomer, provider_id: str, user_name: str, lang: str
) -> None:
    request_id = customer.begin(provider_id=provider_id, lang=lang)
    response = customer.sign_in(request_id, user_name)
    assert response.status_code == 303, "a form with a password (RFC 9700 4.12)"
    assert response.location.startswith(f"/consent/{request_id}")
    customer.choose_accounts(request_id)
    page = check_page(customer.client.get(f"/consent/{request_id}"), "form", lang)
    assert {"alex": "Alex Tremblay", "sam": "Sam Nguyen"}[user_name] in page.text


def test_who_is_signed_in_already_is_sent_on_to_the_form(customer: BrowserCustomer) -> None:
    request_id = customer.signed_in_request()
    response = customer.client.get(f"/sign-in/{request_id}")
    assert response.status_code == 302
    assert response.location == f"/consent/{request_id}?go=change", "with the accounts that are chosen"


def test_the_form_sends_who_is_not_signed_in_to_sign_in(customer: BrowserCustomer) -> None:
    request_id = customer.begin()
    response = customer.client.get(f"/consent/{request_id}")
    assert response.status_code == 302
    assert response.location == f"/sign-in/{request_id}"


# Failure


@pytest.mark.parametrize(
    ("user_name", "password"),
    [
        ("alex", "wrong"),
        ("alex", "MAPLE-SYRUP"),
        ("alex", " maple-syrup"),
        ("nobody", "maple-syrup"),
        ("ALEX", "maple-syrup"),
        ("", ""),
        ("alex", ""),
        ("", "maple-syrup"),
        ("alex\0", "maple-syrup"),
        ("a" * 129, "maple-syrup"),
        ("alex", "p" * 10_000),
        ("é\u202e\ud83d", "\ud83d"),
    ],
)
def test_every_failure_is_told_in_the_same_words(
    customer: BrowserCustomer, user_name: str, password: str, lang: str
) -> None:
    request_id = customer.begin(lang=lang)
    fields = hidden_fields(sign_in_page(customer, request_id), f"/sign-in/{request_id}")
    sent = {**fields, "user_name": user_name, "password": password}
    encoded = {name: value.encode("utf-8", "surrogatepass") for name, value in sent.items()}
    response = customer.client.post(f"/sign-in/{request_id}", data=encoded)
    page = check_page(response, "sign_in", lang, status=400)
    assert summary(page).text.endswith(texts.SIGN_IN_FAILED[lang])
    assert "Set-Cookie" not in response.headers


def test_after_a_failure_the_user_name_is_kept_and_the_password_never(
    customer: BrowserCustomer, lang: str
) -> None:
    response = customer.sign_in(customer.begin(lang=lang), '<b>"alex"</b>', "correct-horse")
    page = parse_page(response.text)
    assert page.one("input", name="user_name").attributes["value"] == '<b>"alex"</b>'
    assert page.one("input", name="password").attributes["value"] == ""
    assert "correct-horse" not in response.text
    for field in ("user_name", "password"):
        assert page.one("input", name=field).attributes["aria-invalid"] == "true"


def test_after_a_failure_the_same_form_signs_in(customer: BrowserCustomer) -> None:
    request_id = customer.begin()
    failed = parse_page(customer.sign_in(request_id, password="wrong").text)
    fields = {
        **hidden_fields(failed, f"/sign-in/{request_id}"),
        "user_name": "alex",
        "password": "maple-syrup",
    }
    assert customer.client.post(f"/sign-in/{request_id}", data=fields).status_code == 303


def test_a_customer_of_another_provider_is_nobody_here(
    register: Callable[..., ContractClient],
) -> None:
    client = register(
        ('user_name = "sam", password = "maple-syrup"', 'user_name = "sam", password = "other"')
    )
    customer = BrowserCustomer(client)
    assert customer.sign_in(customer.begin(), "sam", "maple-syrup").status_code == 400
    assert customer.sign_in(customer.begin(provider_id="2000"), "sam", "maple-syrup").status_code == 303


def test_what_is_not_a_form_signs_nobody_in(customer: BrowserCustomer) -> None:
    request_id = customer.begin()
    token = hidden_fields(sign_in_page(customer, request_id), f"/sign-in/{request_id}")
    client, address = customer.client, f"/sign-in/{request_id}"
    right = {"user_name": "alex", "password": "maple-syrup"}
    as_json = client.post(address, json={**token, **right})
    check_error_page(as_json, "form_refused", "en", status=400, assurance=texts.NOTHING_RECORDED)
    for body in (b"[1, 2]", b"5", b"{", b'"'):
        response = client.post(address, data=body, content_type="application/json")
        check_error_page(response, "form_refused", "en", status=400, assurance=texts.NOTHING_RECORDED)
    files = {name: (io.BytesIO(value.encode()), "file") for name, value in right.items()}
    check_page(client.post(address, data={**token, **files}), "sign_in", "en", status=400)


def test_a_form_that_is_too_large_is_a_page(customer: BrowserCustomer, lang: str) -> None:
    request_id = customer.begin(lang=lang)
    response = customer.client.post(f"/sign-in/{request_id}?lang={lang}", data={"password": "p" * 70_000})
    check_error_page(response, "bad_request", lang, status=413)


# Guessing


def test_after_five_failures_even_the_right_password_has_to_wait(
    customer: BrowserCustomer, lang: str
) -> None:
    request_id = customer.begin(lang=lang)
    assert fail(customer, request_id, 5).status_code == 400
    response = customer.sign_in(request_id)
    page = check_page(response, "sign_in", lang, status=429)
    assert summary(page).text.endswith(texts.TOO_MANY_TRIES.of(time="5 minutes")[lang])
    assert 295 <= int(response.headers["Retry-After"]) <= 300
    assert page.one("input", name="user_name").attributes["value"] == "alex"


def test_the_wait_is_said_in_the_words_that_fit_it(
    customer: BrowserCustomer, redis_client: redis.Redis, lang: str
) -> None:
    request_id = customer.begin(lang=lang)
    fail(customer, request_id, 5)
    for key in redis_client.scan_iter("attempts:*"):
        redis_client.expire(key, 40)
    response = customer.sign_in(request_id)
    assert 35 <= int(response.headers["Retry-After"]) <= 40
    said = texts.TOO_MANY_TRIES.of(time={"en": "40 seconds", "fr": "40 secondes"})
    assert summary(parse_page(response.text)).text.endswith(said[lang])


def test_after_the_wait_the_right_password_signs_in(
    customer: BrowserCustomer, redis_client: redis.Redis
) -> None:
    request_id = customer.begin()
    fail(customer, request_id, 6)
    for key in redis_client.scan_iter("attempts:*"):
        assert 0 < redis_client.ttl(key) <= 300
        redis_client.delete(key)
    assert customer.sign_in(request_id).status_code == 303


def test_another_customer_at_the_same_address_is_not_slowed(customer: BrowserCustomer) -> None:
    request_id = customer.begin()
    assert fail(customer, request_id, 6).status_code == 429
    assert customer.sign_in(request_id, "sam").status_code == 303


def test_the_same_customer_at_the_other_provider_is_not_slowed(customer: BrowserCustomer) -> None:
    assert fail(customer, customer.begin(), 6).status_code == 429
    assert customer.sign_in(customer.begin(provider_id="2000")).status_code == 303


@pytest.mark.parametrize(
    "how", ["another request", "another browser", "another spelling", "a forwarded address"]
)
def test_guessing_cannot_be_spread(customer: BrowserCustomer, how: str) -> None:
    request_id = customer.begin()
    fail(customer, request_id, 5)
    user_name = "alex"
    if how == "another request":
        request_id = customer.begin()
    elif how == "another browser":
        customer.client.delete_cookie("accord")
        request_id = customer.begin()
    elif how == "another spelling":
        user_name = "Alex"
    fields = hidden_fields(sign_in_page(customer, request_id), f"/sign-in/{request_id}")
    response = customer.client.post(
        f"/sign-in/{request_id}",
        data={**fields, "user_name": user_name, "password": "maple-syrup"},
        headers={"X-Forwarded-For": "192.0.2.9", "Forwarded": "for=192.0.2.9"} if "forwarded" in how else {},
    )
    assert response.status_code == 429


def test_a_trusted_proxy_says_whose_address_it_is(
    valkey: EmbeddedValkey, redis_client: redis.Redis, ledger_url: str, signing_keys: Path, clock: Clock
) -> None:
    settings = make_settings(valkey.url, ledger_url, signing_keys, trusted_proxies="127.0.0.1")
    client = a_browser(make_app(settings, clock))
    customer = BrowserCustomer(client)
    request_id = customer.begin()

    def status_from(forwarded_for: str, password: str) -> int:
        fields = hidden_fields(sign_in_page(customer, request_id), f"/sign-in/{request_id}")
        return client.post(
            f"/sign-in/{request_id}",
            data={**fields, "user_name": "alex", "password": password},
            headers={"X-Forwarded-For": forwarded_for},
        ).status_code

    # Only the last address is the proxy's word; those before it are the customer's.
    assert [status_from(f"192.0.2.{i}, 192.0.2.1", "wrong") for i in range(6)] == [400] * 5 + [429]
    assert status_from("192.0.2.2", "maple-syrup") == 303


def test_signing_in_is_not_counted_as_a_failure(customer: BrowserCustomer) -> None:
    for _ in range(8):
        customer.client.delete_cookie("accord")
        assert customer.sign_in(customer.begin()).status_code == 303


# "Not you?"


def sign_out(customer: BrowserCustomer, request_id: str) -> TestResponse:
    """What the button beside "Signed in as" does."""
    return customer.client.post("/sign-out", data=hidden_fields(customer.form(request_id), "/sign-out"))


def checked_boxes(page: Element) -> set[str]:
    return {
        box.attributes["value"] for box in page.all("input", type="checkbox") if "checked" in box.attributes
    }


def test_not_you_signs_out_and_returns_to_the_same_request_with_no_box_checked(
    customer: BrowserCustomer, lang: str
) -> None:
    request_id = customer.signed_in_request(lang=lang)
    fields = hidden_fields(customer.form(request_id), f"/consent/{request_id}")
    switched = {**fields, "language": lang, "scope": "TRANSACTIONS"}
    customer.client.post(f"/consent/{request_id}", data=switched)
    assert checked_boxes(customer.form(request_id)) == {"TRANSACTIONS"}

    response = sign_out(customer, request_id)
    assert response.status_code == 303
    assert response.location == f"/sign-in/{request_id}"
    check_page(customer.client.get(response.location), "sign_in", lang)
    assert customer.client.get(f"/consent/{request_id}").location == f"/sign-in/{request_id}"

    customer.sign_in(request_id, "sam")
    page = check_page(customer.client.get(f"/consent/{request_id}"), "form", lang)
    assert "Sam Nguyen" in page.text
    assert "Alex Tremblay" not in page.text
    assert checked_boxes(page) == set()


def test_who_signs_in_later_cannot_send_the_first_persons_form(
    customer: BrowserCustomer, recorded: LedgerTables
) -> None:
    request_id = customer.signed_in_request()
    fields = hidden_fields(customer.form(request_id), f"/consent/{request_id}")
    sign_out(customer, request_id)
    refused_between = customer.post_answer(request_id, fields, "approve")
    customer.sign_in(request_id, "sam")
    refused = customer.post_answer(request_id, fields, "approve")
    assert (refused_between.status_code, refused_between.location) == (303, f"/sign-in/{request_id}")
    check_error_page(refused, "form_refused", "en", status=400, assurance=texts.NOTHING_RECORDED)
    assert recorded.nothing_happened


@pytest.mark.parametrize("signs_out", [True, False])
def test_who_signs_in_later_cannot_open_the_first_persons_other_request(
    customer: BrowserCustomer, token_for: Callable[..., str], signs_out: bool
) -> None:
    """Without signing out: no page offers that, and it is safe all the same."""
    request_id = customer.signed_in_request()
    others = customer.begin()
    if signs_out:
        sign_out(customer, request_id)
        customer.sign_in(request_id, "sam")
    else:
        token = token_for("SignInForm", request_id)
        as_sam = {"csrf_token": token, "user_name": "sam", "password": "maple-syrup"}
        assert customer.client.post(f"/sign-in/{request_id}", data=as_sam).status_code == 303
    assert "Sam Nguyen" in customer.form(request_id).text
    for address in (f"/consent/{others}", f"/sign-in/{others}"):
        check_page(customer.client.get(address), "request_lost", "en", status=404)


def test_who_signs_in_later_does_not_see_what_the_first_person_answered(customer: BrowserCustomer) -> None:
    request_id = customer.signed_in_request()
    page = customer.form(request_id)
    customer.answer(request_id, "approve", "TRANSACTIONS")
    customer.client.post("/sign-out", data=hidden_fields(page, "/sign-out"))
    check_page(customer.client.get(f"/consent/{request_id}"), "request_lost", "en", status=404)
    customer.sign_in(request_id, "sam")
    check_page(customer.client.get(f"/consent/{request_id}"), "request_lost", "en", status=404)


def test_the_first_person_is_signed_out_at_every_provider(customer: BrowserCustomer) -> None:
    elsewhere = customer.signed_in_request(provider_id="2000")
    sign_out(customer, customer.signed_in_request())
    check_page(customer.client.get(f"/consent/{elsewhere}"), "request_lost", "en", status=404)
    another = customer.begin(provider_id="2000")
    assert customer.client.get(f"/consent/{another}").location == f"/sign-in/{another}"


def test_signing_out_works_when_the_request_is_gone(
    customer: BrowserCustomer, redis_client: redis.Redis, lang: str
) -> None:
    request_id = customer.signed_in_request(lang=lang)
    page = customer.form(request_id)
    redis_client.delete(f"request:{request_id}")
    response = customer.client.post("/sign-out", data=hidden_fields(page, "/sign-out"))
    check_error_page(response, "request_lost", lang, status=404)
    again = customer.client.get(f"/consent/{customer.begin()}")
    assert again.location.startswith("/sign-in/")


def test_signing_out_from_no_request_says_so(
    customer: BrowserCustomer, token_for: Callable[..., str], lang: str
) -> None:
    customer.signed_in_request(lang=lang)
    token = token_for("SignOutForm", "")
    check_page(customer.client.post("/sign-out", data={"csrf_token": token}), "signed_out", lang)
    assert customer.client.get(f"/consent/{customer.begin()}").location.startswith("/sign-in/")


@pytest.mark.parametrize("whose", ["nobody's", "another request's", "another session's"])
def test_nobody_is_signed_out_by_a_form_that_is_not_theirs(
    customer: BrowserCustomer, app: Flask, whose: str, lang: str
) -> None:
    request_id = customer.signed_in_request(lang=lang)
    token = ""
    if whose == "another request's":
        token = hidden_fields(customer.form(customer.begin(lang=lang)), "/sign-out")["csrf_token"]
    elif whose == "another session's":
        attacker = BrowserCustomer(a_browser(app))
        token = hidden_fields(attacker.form(attacker.signed_in_request()), "/sign-out")["csrf_token"]
    response = customer.client.post("/sign-out", data={"request_id": request_id, "csrf_token": token})
    check_error_page(response, "form_refused", lang, status=400, assurance=texts.NOTHING_RECORDED)
    check_page(customer.client.get(f"/consent/{request_id}"), "form", lang)


def test_a_form_of_one_kind_is_not_taken_for_another(customer: BrowserCustomer) -> None:
    request_id = customer.signed_in_request()
    page = customer.form(request_id)
    to_sign_out = hidden_fields(page, "/sign-out")
    to_decide = hidden_fields(page, f"/consent/{request_id}")
    assert to_sign_out["csrf_token"] != to_decide["csrf_token"]
    for address, fields in (
        ("/sign-out", {**to_decide, "request_id": request_id}),
        (f"/consent/{request_id}", {**to_sign_out, "decision": "approve"}),
        (f"/sign-in/{request_id}", {**to_sign_out, "user_name": "sam", "password": "maple-syrup"}),
    ):
        response = customer.client.post(address, data=fields)
        check_error_page(response, "form_refused", "en", status=400, assurance=texts.NOTHING_RECORDED)


def test_a_link_signs_nobody_out(customer: BrowserCustomer) -> None:
    request_id = customer.signed_in_request()
    check_page(customer.client.get(f"/sign-out?request_id={request_id}"), "not_allowed", "en", status=405)
    check_page(customer.client.get(f"/consent/{request_id}"), "form", "en")


# Forms that are not of this session and request


@pytest.mark.parametrize("whose", ["nobody's", "another request's", "another session's"])
def test_nobody_is_signed_in_by_a_form_that_is_not_theirs(
    customer: BrowserCustomer, app: Flask, whose: str, lang: str
) -> None:
    """Signing a customer in as somebody else would let them share that person's data, unawares."""
    request_id = customer.begin(lang=lang)
    token = ""
    if whose == "another request's":
        other = customer.begin(lang=lang)
        token = hidden_fields(sign_in_page(customer, other), f"/sign-in/{other}")["csrf_token"]
    elif whose == "another session's":
        attacker = BrowserCustomer(a_browser(app))
        other = attacker.begin()
        token = hidden_fields(sign_in_page(attacker, other), f"/sign-in/{other}")["csrf_token"]
    response = customer.client.post(
        f"/sign-in/{request_id}", data={"csrf_token": token, "user_name": "sam", "password": "maple-syrup"}
    )
    page = check_error_page(response, "form_refused", lang, status=400, assurance=texts.NOTHING_RECORDED)
    assert page.one("a", id="way-back").attributes["href"] == f"/consent/{request_id}"
    assert customer.client.get(f"/consent/{request_id}").location == f"/sign-in/{request_id}"


def test_two_copies_of_the_sign_in_page_both_work(customer: BrowserCustomer) -> None:
    request_id = customer.begin()
    first = hidden_fields(sign_in_page(customer, request_id), f"/sign-in/{request_id}")
    sign_in_page(customer, request_id)
    response = customer.client.post(
        f"/sign-in/{request_id}", data={**first, "user_name": "alex", "password": "maple-syrup"}
    )
    assert response.status_code == 303


def test_a_request_that_was_answered_is_not_told_as_expired(
    customer: BrowserCustomer, clock: Clock, lang: str
) -> None:
    request_id = customer.signed_in_request(lang=lang)
    fields = hidden_fields(customer.form(request_id), "/sign-out")
    customer.answer(request_id, "approve")
    clock.advance(timedelta(minutes=15))
    customer.client.post("/sign-out", data=fields)
    check_page(customer.client.get(f"/sign-in/{request_id}"), "sign_in", lang)
    response = customer.sign_in(request_id)
    check_page(customer.client.get(response.location), "answered", lang)


def test_an_expired_request_signs_nobody_in(customer: BrowserCustomer, clock: Clock, lang: str) -> None:
    request_id = customer.begin(lang=lang)
    fields = hidden_fields(sign_in_page(customer, request_id), f"/sign-in/{request_id}")
    clock.advance(timedelta(minutes=15))
    response = customer.client.post(
        f"/sign-in/{request_id}", data={**fields, "user_name": "alex", "password": "maple-syrup"}
    )
    check_error_page(response, "request_expired", lang, status=410)
    check_error_page(customer.client.get(f"/sign-in/{request_id}"), "request_expired", lang, status=410)


@pytest.mark.parametrize("locale", ["", "C", "xx_XX"])
def test_a_form_needs_no_language_in_the_environment_of_the_process(
    customer: BrowserCustomer, monkeypatch: pytest.MonkeyPatch, locale: str
) -> None:
    for name in ("LANGUAGE", "LC_ALL", "LC_MESSAGES", "LANG"):
        monkeypatch.setenv(name, locale)
    assert customer.sign_in(customer.begin()).status_code == 303


# The other language


@pytest.mark.parametrize("way", ["request", "connections"])
def test_the_switch_keeps_what_was_typed_but_for_the_password(
    client: ContractClient, way: str, lang: str
) -> None:
    customer = BrowserCustomer(client)
    address = f"/sign-in/{customer.begin(lang=lang)}"
    if way == "connections":
        address = "/connections/sign-in/1000"
        client.get(f"{address}?lang={lang}")
    page = parse_page(client.get(address).text)
    other = {"en": "fr", "fr": "en"}[lang]
    switch = page.one("button", name="language")
    assert switch.attributes["value"] == switch.attributes["lang"] == other
    assert switch.attributes["form"] == page.one("form").attributes["id"]
    assert "formnovalidate" in switch.attributes
    typed = {**hidden_fields(page, address), "user_name": "alex", "password": "maple-syrup"}
    switched = check_page(client.post(address, data={**typed, "language": other}), "sign_in", other)
    assert switched.one("input", id="user_name").attributes["value"] == "alex"
    assert switched.one("input", id="password").attributes["value"] == ""
    assert switched.all("div", role="alert") == []
    check_page(client.get(address), "sign_in", other)
    again = {**hidden_fields(switched, address), "user_name": "alex", "password": "maple-syrup"}
    assert client.post(address, data=again).status_code == 303


def test_the_enter_key_signs_in_and_does_not_switch(client: ContractClient) -> None:
    customer = BrowserCustomer(client)
    page = sign_in_page(customer, customer.begin())
    first = page.all("button", type="submit")[0]
    assert "name" not in first.attributes
    assert first.attributes["form"] == page.one("form").attributes["id"]


# Test customers for whom something goes wrong


def test_a_customer_whom_the_bank_turns_away_reads_so_and_can_go_back_to_the_recipient(
    customer: BrowserCustomer, recorded: LedgerTables, lang: str
) -> None:
    request_id = customer.begin(lang=lang)
    response = customer.sign_in(request_id, user_name="denied")
    page = check_error_page(response, "not_signed_in", lang, status=400)
    way_back = page.one("a", id="way-back").attributes["href"]
    assert carried_params(way_back)["error"] == "access_denied"
    other = {"en": "fr", "fr": "en"}[lang]
    again = customer.client.get(page.one("a", hreflang=other).attributes["href"])
    check_error_page(again, "not_signed_in", other, status=400)
    assert customer.client.get(f"/consent/{request_id}").location == f"/sign-in/{request_id}"
    assert recorded["decisions"] == []


def test_the_form_says_what_goes_wrong_for_whom(customer: BrowserCustomer, lang: str) -> None:
    page = parse_page(customer.client.get(f"/sign-in/{customer.begin(lang=lang)}").text)
    names = [item.text.partition(",")[0].strip("\u2068\u2069 ") for item in page.all("li")]
    assert names == ["alex", *SandboxTrouble]
    troubled = {item.text.partition(",")[0]: item.text for item in page.all("li") if "(" in item.text}
    assert len(troubled) == len(SandboxTrouble)


@pytest.mark.parametrize("with_troubles", [True, False])
def test_however_many_test_customers_there_are_five_are_named(
    valkey: EmbeddedValkey,
    ledger_url: str,
    signing_keys: Path,
    clock: Clock,
    tmp_path: Path,
    lang: str,
    with_troubles: bool,
) -> None:
    text = with_customers({f"load-{number:03}": f"load-{number:03}" for number in range(100)})
    if not with_troubles:
        text = re.sub(r', trouble = "\w+"', "", text)
    registry = tmp_path / "registry.toml"
    registry.write_text(text, encoding="utf-8")
    app = make_app(make_settings(valkey.url, ledger_url, signing_keys, registry=registry), clock)
    crowded = BrowserCustomer(a_browser(app))
    page = sign_in_page(crowded, crowded.begin(lang=lang))
    named = [item.text.partition(",")[0] for item in page.all("li")]
    others = ["denied", "slow", "brief", "ended"] if with_troubles else [f"load-00{n}" for n in range(1, 5)]
    assert named == ["load-000", *others]
    assert crowded.sign_in(crowded.begin(), user_name="load-099").status_code == 303


def test_a_consent_of_a_minute_ends_after_a_minute(customer: BrowserCustomer, clock: Clock) -> None:
    request_id = customer.begin()
    customer.sign_in(request_id, user_name="brief")
    clock.advance(timedelta(seconds=20))
    code = answer_params(customer.answer(request_id, "approve"))["code"]
    tokens = customer.redeem(code).get_json()
    assert tokens["expires_in"] == 40
    clock.advance(timedelta(seconds=39))
    assert customer.refresh(tokens["refresh_token"]).get_json()["expires_in"] == 1
    clock.advance(timedelta(seconds=1))
    assert customer.refresh(tokens["refresh_token"]).get_json()["error"] == "invalid_grant"
    own = admin_token(customer.client)
    found = record(customer.client, claims_of(tokens["access_token"])["consent_id"], own).get_json()
    assert found["status"] == "EXPIRED"


def test_a_consent_of_a_minute_is_not_given_after_it(customer: BrowserCustomer, clock: Clock) -> None:
    request_id = customer.begin()
    customer.sign_in(request_id, user_name="brief")
    clock.advance(timedelta(minutes=1))
    assert customer.client.get(f"/consent/{request_id}").status_code == 410
