"""A pushed request in its browser: what counts, who may open it, and that it has one answer."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from app.domain.codes import LONGEST_FAPI_CODE
from app.settings import Settings
from app.stores.redis import client as redis
from tests.support.applications import Clock, Logged, a_browser, make_app
from tests.support.builders import CALLBACK, CHALLENGE, a_query
from tests.support.customer import BrowserCustomer, carried_params, hidden_fields
from tests.support.expected_pages import check_error_page, check_page
from tests.support.fapi import FAPI, ISSUER, FapiRecipient, a_key, second_recipient
from tests.support.ledger_tables import LedgerTables
from tests.support.page_contract import ContractClient

Serve = Callable[..., ContractClient]


@pytest.fixture
def fapi(client: ContractClient, clock: Clock) -> FapiRecipient:
    return FapiRecipient(client, clock)


def elsewhere(fapi: FapiRecipient) -> FapiRecipient:
    """The same recipient, and another browser."""
    return FapiRecipient(a_browser(fapi.client.application), fapi.clock)


def check_unknown(client: ContractClient, address: str, lang: str = "en") -> None:
    """One page for all that is wrong with it, from which nothing leads anywhere."""
    response = client.get(f"{address}&lang={lang}")
    check_error_page(response, "request_lost", lang, status=400)
    assert "Location" not in response.headers


@pytest.mark.parametrize("decision", ["approve", "deny"])
def test_the_answer_has_the_state_and_the_issuer_and_is_a_303(fapi: FapiRecipient, decision: str) -> None:
    response = fapi.answer(decision)
    assert response.status_code == 303
    params = carried_params(response.location)
    expected = {"code"} if decision == "approve" else {"error", "error_description"}
    assert params.keys() == {"state", "iss", *expected}
    assert (params["state"], params["iss"]) == ("af0ifjsldkj", ISSUER)


def test_without_state_none_comes_back_whatever_the_address_says(fapi: FapiRecipient) -> None:
    address = fapi.pushed(state=None)
    params = carried_params(fapi.answer("approve", address=f"{address}&state=outside").location)
    assert params.keys() == {"code", "iss"}


def test_what_was_pushed_counts_and_not_what_the_address_says(
    fapi: FapiRecipient, recorded: LedgerTables
) -> None:
    query = {
        "redirect_uri": "https://evil.example",
        "scope": "ACCOUNT_BASIC INVESTMENTS",
        "state": "another",
        "response_type": "token",
        "provider_id": "2000",
        "code_challenge": "short",
    }
    response = fapi.push()
    address = fapi.address_of(response.get_json()["request_uri"], **query)
    params = carried_params(fapi.answer("approve", address=address).location)
    assert params["state"] == "af0ifjsldkj"
    (decision,) = recorded.rows("decisions")
    assert (decision["provider_id"], decision["requested_scope"]) == ("1000", "ACCOUNT_BASIC TRANSACTIONS")


@pytest.mark.parametrize("lang", ["en", "fr"])
@pytest.mark.parametrize(
    "request_uri",
    [
        "",
        "urn:ietf:params:oauth:request_uri:",
        "urn:ietf:params:oauth:request_uri:unknown",
        "urn:ietf:params:oauth:request_uri:" + "a" * 300,
        "https://evil.example/request.jwt",
        "\udcff",
    ],
    ids=["none", "empty", "unknown", "long", "foreign", "no text"],
)
def test_what_was_never_pushed_is_a_page(fapi: FapiRecipient, request_uri: str, lang: str) -> None:
    if request_uri:
        encoded = request_uri.encode("utf-8", "surrogateescape").hex()
        percent = "".join(f"%{encoded[at : at + 2]}" for at in range(0, len(encoded), 2))
        check_unknown(fapi.client, f"/api/v1/authorize?client_id={FAPI}&request_uri={percent}", lang)
    else:
        response = fapi.client.get(f"/api/v1/authorize?client_id={FAPI}&request_uri=&lang={lang}")
        check_error_page(response, "unsafe_redirect", lang, status=400)


def test_a_request_uri_that_is_repeated_is_unknown(fapi: FapiRecipient) -> None:
    address = fapi.pushed()
    check_unknown(fapi.client, f"{address}&{address.partition('&')[2]}")
    check_unknown(fapi.client, f"{address}&client_id=dc-budget")


def test_another_recipients_is_unknown(register: Serve, clock: Clock) -> None:
    client = register(second_recipient(a_key()))
    address = FapiRecipient(client, clock).pushed()
    check_unknown(client, address.replace(f"client_id={FAPI}", "client_id=dc-fapi-2"))
    check_unknown(client, address.replace(f"client_id={FAPI}", "client_id=dc-budget"))
    check_unknown(client, address.replace(f"client_id={FAPI}", "client_id=dc-nobody"))
    assert client.get(address).status_code == 302, "it was not used up by any of them"


def test_it_may_be_opened_again_until_it_is_answered(fapi: FapiRecipient) -> None:
    address = fapi.pushed()
    for _ in range(3):
        assert fapi.client.get(address).location.startswith("/sign-in/")
    assert fapi.client.head(address).status_code == 200
    assert "code" in carried_params(fapi.answer("approve", address=address).location)


@pytest.mark.parametrize("decision", ["approve", "deny"])
def test_once_it_is_answered_it_cannot_be_opened(
    fapi: FapiRecipient, decision: str, redis_client: redis.Redis
) -> None:
    address = fapi.pushed()
    fapi.answer(decision, address=address)
    assert list(redis_client.scan_iter("pushed:*")) == []
    check_unknown(fapi.client, address)


@pytest.mark.parametrize(
    ("first", "second"), [("approve", "approve"), ("approve", "deny"), ("deny", "approve")]
)
def test_of_two_browsers_the_first_answer_counts(
    fapi: FapiRecipient, first: str, second: str, recorded: LedgerTables
) -> None:
    """The ledger decides it, whatever Redis still has: both opened it before either answered."""
    address = fapi.pushed()
    late = elsewhere(fapi)
    opened = late.client.get(address)
    customer = BrowserCustomer(late.client)
    request_id = opened.location.rpartition("/")[2]
    customer.sign_in(request_id)
    form = customer.form(request_id)
    fapi.answer(first, address=address)
    fields = hidden_fields(form, f"/consent/{request_id}")
    answer = late.client.post(
        f"/consent/{request_id}", data={**fields, "decision": second, "scope": "TRANSACTIONS"}
    )
    check_page(answer, "answered", "en", status=200)
    assert [row["answer"] for row in recorded.rows("decisions")] == [first]
    check_page(late.client.get(f"/consent/{request_id}"), "answered", "en", status=200)


def test_a_stranger_who_opens_it_too_learns_nothing(fapi: FapiRecipient, recorded: LedgerTables) -> None:
    address = fapi.pushed()
    stranger = elsewhere(fapi)
    request_id = stranger.client.get(address).location.rpartition("/")[2]
    BrowserCustomer(stranger.client).sign_in(request_id, user_name="sam")
    fapi.answer("approve", address=address)
    check_error_page(stranger.client.get(f"/consent/{request_id}"), "request_lost", "en", status=404)
    assert len(recorded.rows("decisions")) == 1


def test_the_time_to_arrive_is_not_the_time_to_answer(fapi: FapiRecipient) -> None:
    address = fapi.pushed()
    request_id = fapi.client.get(address).location.rpartition("/")[2]
    fapi.clock.advance(timedelta(minutes=14))
    customer = BrowserCustomer(fapi.client)
    customer.sign_in(request_id)
    assert "code" in carried_params(customer.answer(request_id, "approve").location)


def test_who_must_push_is_sent_back_unpushed(fapi: FapiRecipient) -> None:
    """Security Profile 5.3.2.2-3."""
    query = a_query(client_id=FAPI, code_challenge=CHALLENGE, code_challenge_method="S256")
    params = carried_params(fapi.client.get(f"/api/v1/authorize?{query}").location)
    assert (params["error"], params["state"], params["iss"]) == ("invalid_request", "af0ifjsldkj", ISSUER)
    unproven = a_query(client_id=FAPI, redirect_uri="https://evil.example")
    check_error_page(fapi.client.get(f"/api/v1/authorize?{unproven}"), "unsafe_redirect", "en", status=400)


def test_a_registration_that_ended_meanwhile_is_a_page(fapi: FapiRecipient, register: Serve) -> None:
    address = fapi.pushed()
    for edit in (
        ('default_provider = "1000"\n', 'default_provider = "1000"\nsuspended = true\n'),
        (
            f'redirect_uris = ["{CALLBACK}", "http://127.0.0.1/callback"]',
            'redirect_uris = ["https://a.example/"]',
        ),
    ):
        check_error_page(register(edit).get(address), "unsafe_client", "en", status=400)


def test_a_code_of_this_profile_lives_a_minute_whatever_the_setting(
    fapi: FapiRecipient, redis_client: redis.Redis, settings: Settings
) -> None:
    longer = settings.model_copy(update={"code_lifetime": timedelta(minutes=5)})
    patient = FapiRecipient(a_browser(make_app(longer, fapi.clock)), fapi.clock)
    patient.code()
    (key,) = redis_client.scan_iter("code:*")
    assert 50_000 < int(redis_client.pttl(key)) <= LONGEST_FAPI_CODE.total_seconds() * 1000


@pytest.mark.parametrize(("seconds", "status"), [(59, 200), (60, 400)])
def test_a_code_works_for_less_than_a_minute(fapi: FapiRecipient, seconds: int, status: int) -> None:
    code = fapi.code()
    fapi.clock.advance(timedelta(seconds=seconds))
    assert fapi.redeem(code).status_code == status


def test_the_log_has_nothing_that_opens_it(fapi: FapiRecipient, logged: Logged) -> None:
    address = fapi.pushed()
    fapi.answer("approve", address=address)
    assert address.rpartition("%3A")[2] not in str(logged())
