"""Where the list of accounts of a request is: beside the session, or at the bank."""

import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from app.development.embedded import EmbeddedValkey
from app.domain.accounts import LONGEST_KEPT, AccountList
from app.stores.redis import client as redis
from app.web.consent.account_list import AtTheBank, NoList, find_accounts
from app.web.consent.open_request import open_request
from tests.support import texts
from tests.support.applications import Clock, Logged, a_browser, make_app, make_settings
from tests.support.customer import BrowserCustomer, answer_params, hidden_fields
from tests.support.fdx_bank import ACCOUNTS, CUSTOMER_TOKEN, FdxBank, a_descriptor
from tests.support.oidc_server import TOKEN, hang, say
from tests.support.page_contract import parse_page
from tests.support.redis_contents import texts_in
from tests.support.registrations import with_accounts
from tests.support.waiting import wait_until

Serve = Callable[..., BrowserCustomer]


@pytest.fixture
def serve(
    valkey: EmbeddedValkey,
    ledger_url: str,
    signing_keys: Path,
    clock: Clock,
    tmp_path: Path,
    redis_client: redis.Redis,
) -> Serve:
    """Serves a registration, whose first bank has the accounts of the sandbox unless it is said otherwise."""

    def start(text: str = "", **changes: object) -> BrowserCustomer:
        registry = tmp_path / "registry.toml"
        registry.write_text(text or with_accounts(), encoding="utf-8")
        settings = make_settings(valkey.url, ledger_url, signing_keys, registry=registry, **changes)
        return BrowserCustomer(a_browser(make_app(settings, clock)))

    return start


@pytest.fixture
def bank(clock: Clock) -> Iterator[FdxBank]:
    with FdxBank(clock) as running:
        yield running


def at_harbour(bank: FdxBank, source: str) -> str:
    """The registration in which the third bank is `bank`, and tells its accounts in this way."""
    text = with_accounts(source.replace("ADDRESS", bank.address).replace("ISSUER", bank.issuer), of="3000")
    return text.replace("http://localhost:8002", bank.issuer)


def sign_in(customer: BrowserCustomer, bank: FdxBank, address: str) -> str:
    """Follows `address` to the bank and back; where the browser is sent then."""
    response = customer.client.get(address)
    assert response.status_code == 302, response.text
    back = urlsplit(bank.sign_in(response.location))
    answer = customer.client.get(f"{back.path}?{back.query}")
    assert answer.status_code == 303, answer.text
    return answer.location


def found_by(customer: BrowserCustomer, request_id: str) -> AccountList | AtTheBank | NoList:
    """What a page of this request finds; this one asks for nothing itself."""
    with customer.client as client:
        client.get("/openapi.yaml")
        return find_accounts(open_request(request_id))


def names_in(found: AccountList | AtTheBank | NoList) -> list[str]:
    assert isinstance(found, AccountList)
    return [account.name for account in found.accounts]


def test_a_test_customers_accounts_are_kept_when_they_sign_in(
    serve: Serve, redis_client: redis.Redis
) -> None:
    customer = serve()
    request_id = customer.signed_in_request()
    assert len(redis_client.keys("accounts:*")) == 1
    assert names_in(found_by(customer, request_id))[:3] == ["Everyday chequing", "Household", "Rainy day"]


def test_a_list_that_is_too_old_is_asked_for_again(
    serve: Serve, redis_client: redis.Redis, clock: Clock
) -> None:
    customer = serve()
    request_id = customer.signed_in_request()
    first = found_by(customer, request_id)
    clock.advance(LONGEST_KEPT - timedelta(seconds=1))
    assert found_by(customer, request_id) == first
    clock.advance(timedelta(seconds=1))
    again = found_by(customer, request_id)
    assert isinstance(first, AccountList)
    assert isinstance(again, AccountList)
    assert again.fetched_at - first.fetched_at == LONGEST_KEPT
    assert again.list_hash == first.list_hash


def test_a_list_that_redis_has_forgotten_is_asked_for_again(serve: Serve, redis_client: redis.Redis) -> None:
    customer = serve()
    request_id = customer.signed_in_request()
    first = found_by(customer, request_id)
    redis_client.delete(*redis_client.keys("accounts:*"))
    assert found_by(customer, request_id) == first
    assert len(redis_client.keys("accounts:*")) == 1


def test_signing_out_forgets_the_list(serve: Serve, redis_client: redis.Redis) -> None:
    customer = serve()
    customer.signed_in_request()
    page = parse_page(customer.client.get("/connections").text)
    customer.client.post("/sign-out", data=hidden_fields(page, "/sign-out"))
    assert redis_client.keys("accounts:*") == []


def test_who_signs_in_to_see_connections_is_asked_for_no_accounts(
    serve: Serve, redis_client: redis.Redis
) -> None:
    customer = serve()
    address = "/connections/sign-in/1000"
    page = parse_page(customer.client.get(address).text)
    fields = {**hidden_fields(page, address), "user_name": "alex", "password": "maple-syrup"}
    assert customer.client.post(address, data=fields).status_code == 303
    assert redis_client.keys("accounts:*") == []


# Lists that come with the sign-in at a bank

CUSTOMER = '{ from = "fdx", as = "customer", address = "ADDRESS", scopes = ["accounts", "openid"] }'
USERINFO_CLAIM = '{ from = "claim", claim = "accounts", where = "userinfo" }'
ID_TOKEN_CLAIM = '{ from = "claim", claim = "accounts", where = "id_token" }'


@pytest.mark.parametrize("source", [CUSTOMER, USERINFO_CLAIM, ID_TOKEN_CLAIM])
def test_a_list_comes_with_the_sign_in_and_is_asked_for_once(
    serve: Serve, bank: FdxBank, source: str
) -> None:
    bank.claims = {"accounts": bank.accounts}
    customer = serve(at_harbour(bank, source))
    request_id = customer.begin(provider_id="3000")
    assert sign_in(customer, bank, f"/sign-in/{request_id}") == f"/consent/{request_id}/accounts"
    asked = len(bank.asked)
    for _ in range(2):
        assert names_in(found_by(customer, request_id)) == ["Account acc-1", "Account acc-2"]
    assert len(bank.asked) == asked


def test_the_right_to_the_accounts_is_asked_for_where_they_are_needed(serve: Serve, bank: FdxBank) -> None:
    customer = serve(at_harbour(bank, CUSTOMER))
    leaving = customer.client.get(f"/sign-in/{customer.begin(provider_id='3000')}").location
    assert parse_qs(urlsplit(leaving).query)["scope"] == ["openid profile accounts"]
    leaving = customer.client.get("/connections/sign-in/3000").location
    assert parse_qs(urlsplit(leaving).query)["scope"] == ["openid profile"]
    back = urlsplit(bank.sign_in(leaving))
    assert customer.client.get(f"{back.path}?{back.query}").status_code == 303
    assert bank.count(ACCOUNTS) == 0


def test_the_token_of_the_sign_in_is_kept_nowhere(
    serve: Serve, bank: FdxBank, redis_client: redis.Redis, logged: Logged
) -> None:
    customer = serve(at_harbour(bank, CUSTOMER))
    sign_in(customer, bank, f"/sign-in/{customer.begin(provider_id='3000')}")
    assert bank.authorizations == [f"Bearer {CUSTOMER_TOKEN}"]
    assert any("acc-1" in text for text in texts_in(redis_client))
    assert not any(CUSTOMER_TOKEN in text for text in texts_in(redis_client))
    lines = logged()
    assert [line["outcome"] for line in lines if line["event"] == "accounts_listed"] == ["ok"]
    assert CUSTOMER_TOKEN not in str(lines)
    assert "acc-1" not in str(lines)


def test_what_the_bank_logs_is_found_by_the_flow_that_it_is_of(
    serve: Serve, bank: FdxBank, logged: Logged
) -> None:
    customer = serve(at_harbour(bank, CUSTOMER))
    sign_in(customer, bank, f"/sign-in/{customer.begin(provider_id='3000')}")
    ids = {line["event"]: line.get("correlation_id") for line in logged()}
    assert ids["accounts_listed"] == ids["signed_in"] is not None


@pytest.mark.parametrize("source", [CUSTOMER, ID_TOKEN_CLAIM])
def test_a_list_that_is_gone_or_old_sends_the_browser_through_the_banks_sign_in(
    serve: Serve, bank: FdxBank, redis_client: redis.Redis, clock: Clock, source: str
) -> None:
    bank.claims = {"accounts": bank.accounts}
    customer = serve(at_harbour(bank, source), request_lifetime=2 * LONGEST_KEPT)
    request_id = customer.begin(provider_id="3000")
    sign_in(customer, bank, f"/sign-in/{request_id}")
    redis_client.delete(*redis_client.keys("accounts:*"))
    found = found_by(customer, request_id)
    assert found == AtTheBank(f"/sign-in/{request_id}?at=accounts")
    leaving = customer.client.get(found.address)
    # The bank's own session may answer.
    assert not {"prompt", "max_age"} & parse_qs(urlsplit(leaving.location).query).keys()
    assert sign_in(customer, bank, found.address) == f"/consent/{request_id}/accounts"
    assert names_in(found_by(customer, request_id)) == ["Account acc-1", "Account acc-2"]
    # With a list, the same address leads on.
    assert customer.client.get(found.address).location == f"/consent/{request_id}/accounts"
    # Once for each list. Whoever does not come back with one may try again as often as they like.
    clock.advance(LONGEST_KEPT)
    assert found_by(customer, request_id) == found
    assert found_by(customer, request_id) == NoList(found.address)
    assert sign_in(customer, bank, found.address) == f"/consent/{request_id}/accounts"
    assert names_in(found_by(customer, request_id)) == ["Account acc-1", "Account acc-2"]
    # Another request has an attempt of its own.
    other_id = customer.begin(provider_id="3000")
    redis_client.delete(*redis_client.keys("accounts:*"))
    assert found_by(customer, other_id) == AtTheBank(f"/sign-in/{other_id}?at=accounts")


def test_who_signs_in_without_a_list_is_signed_in_and_the_bank_is_not_asked_again_by_itself(
    serve: Serve, bank: FdxBank
) -> None:
    customer = serve(at_harbour(bank, CUSTOMER))
    bank.tricks[ACCOUNTS] = say("500 Internal Server Error", b"{}")
    request_id = customer.begin(provider_id="3000")
    assert sign_in(customer, bank, f"/sign-in/{request_id}") == f"/consent/{request_id}"
    retry = f"/sign-in/{request_id}?at=accounts"
    assert found_by(customer, request_id) == NoList(retry)
    assert sign_in(customer, bank, retry) == f"/consent/{request_id}"
    assert found_by(customer, request_id) == NoList(retry)
    assert bank.count(ACCOUNTS) == 2
    bank.tricks.clear()
    sign_in(customer, bank, retry)
    assert names_in(found_by(customer, request_id)) == ["Account acc-1", "Account acc-2"]


def test_a_list_that_nobody_foresaw_ends_no_sign_in(serve: Serve, bank: FdxBank) -> None:
    customer = serve(at_harbour(bank, CUSTOMER))
    bank.tricks[ACCOUNTS] = say("200 OK", b'{"accounts": [], "page": {"nextOffset": "\\ud800"}}')
    request_id = customer.begin(provider_id="3000")
    assert sign_in(customer, bank, f"/sign-in/{request_id}") == f"/consent/{request_id}/accounts"


def test_accounts_that_hang_leave_time_to_sign_in_without(serve: Serve, bank: FdxBank) -> None:
    customer = serve(at_harbour(bank, CUSTOMER))
    bank.tricks[ACCOUNTS] = hang
    request_id = customer.begin(provider_id="3000")
    assert sign_in(customer, bank, f"/sign-in/{request_id}") == f"/consent/{request_id}"
    assert isinstance(found_by(customer, request_id), NoList)


def test_another_customer_of_the_same_browser_gets_their_own_list(
    serve: Serve, bank: FdxBank, redis_client: redis.Redis
) -> None:
    customer = serve(at_harbour(bank, CUSTOMER))
    request_id = customer.begin(provider_id="3000")
    sign_in(customer, bank, f"/sign-in/{request_id}")
    redis_client.delete(*redis_client.keys("accounts:*"))
    found_by(customer, request_id)
    bank.customer = {"sub": "sam", "name": "Sam Nguyen"}
    bank.accounts = [a_descriptor("of-sam")]
    sign_in(customer, bank, f"/sign-in/{request_id}?at=accounts")
    assert names_in(found_by(customer, request_id)) == ["Account of-sam"]
    assert not any("acc-1" in text for text in texts_in(redis_client))


SERVICE = (
    '{ from = "fdx", as = "service", address = "ISSUER/customers/{subject}/accounts", '
    'token_address = "ISSUER/token", client_id = "accord", demo_client_secret = "harbour-demo-secret" }'
)


def test_a_service_is_asked_when_a_page_needs_the_list(
    serve: Serve, bank: FdxBank, redis_client: redis.Redis, clock: Clock
) -> None:
    customer = serve(at_harbour(bank, SERVICE))
    request_id = customer.begin(provider_id="3000")
    sign_in(customer, bank, f"/sign-in/{request_id}")
    assert bank.subjects == []
    bank.tricks["/customers/alex/accounts"] = say("503 Service Unavailable", b"{}")
    assert found_by(customer, request_id) == NoList(None)
    bank.tricks.clear()
    for _ in range(2):
        assert names_in(found_by(customer, request_id)) == ["Account acc-1", "Account acc-2"]
    assert bank.subjects == ["alex", "alex"]
    clock.advance(LONGEST_KEPT)
    assert names_in(found_by(customer, request_id)) == ["Account acc-1", "Account acc-2"]
    assert bank.subjects == ["alex", "alex", "alex"]


@pytest.mark.parametrize("page", ["", "/accounts"])
@pytest.mark.parametrize("source", [SERVICE, CUSTOMER])
def test_a_head_request_asks_no_bank_for_a_list(
    serve: Serve, bank: FdxBank, redis_client: redis.Redis, source: str, page: str
) -> None:
    customer = serve(at_harbour(bank, source))
    request_id = customer.begin(provider_id="3000")
    sign_in(customer, bank, f"/sign-in/{request_id}")
    for key in redis_client.keys("accounts:*"):
        redis_client.delete(key)
    asked = len(bank.asked)
    for _ in range(2):
        assert customer.client.head(f"/consent/{request_id}{page}").status_code == 200
    assert len(bank.asked) == asked
    # Nor is anything noted: the page itself asks, as if nothing had been.
    response = customer.client.get(f"/consent/{request_id}{page}")
    assert response.status_code == (302 if source == CUSTOMER or not page else 200)


def test_while_one_banks_accounts_hang_few_wait_for_them_and_nobody_else_notices(
    serve: Serve, bank: FdxBank
) -> None:
    customer = serve(at_harbour(bank, CUSTOMER), bank_timeout=timedelta(seconds=5), bank_waiting=1)
    bank.tricks[ACCOUNTS] = hang
    request_id = customer.begin(provider_id="3000")
    waiting = threading.Thread(target=sign_in, args=(customer, bank, f"/sign-in/{request_id}"))
    waiting.start()
    wait_until(lambda: bank.count(ACCOUNTS) == 1)
    began = time.monotonic()
    app = customer.client.application
    second = BrowserCustomer(a_browser(app))
    back = urlsplit(bank.sign_in(second.client.get(f"/sign-in/{second.begin(provider_id='3000')}").location))
    assert second.client.get(f"{back.path}?{back.query}").status_code == 503
    another = BrowserCustomer(a_browser(app))
    assert another.sign_in(another.begin(provider_id="2000")).status_code == 303
    assert time.monotonic() - began < 2, "nobody waited for the bank"
    assert bank.count(TOKEN) == 1
    bank.closing.set()
    waiting.join()


@pytest.mark.parametrize("source", [SERVICE, CUSTOMER])
def test_a_denial_waits_for_no_bank(serve: Serve, bank: FdxBank, clock: Clock, source: str) -> None:
    customer = serve(at_harbour(bank, source), request_lifetime=2 * LONGEST_KEPT)
    request_id = customer.begin(provider_id="3000")
    sign_in(customer, bank, f"/sign-in/{request_id}")
    form = customer.form(request_id)
    clock.advance(LONGEST_KEPT)
    asked = len(bank.asked)
    response = customer.post_answer(request_id, hidden_fields(form, f"/consent/{request_id}"), "deny")
    assert answer_params(response)["error"] == "access_denied"
    assert len(bank.asked) == asked


def test_the_same_renewal_again_gets_the_same_code_where_the_list_is_gone(
    serve: Serve, bank: FdxBank, redis_client: redis.Redis
) -> None:
    customer = serve(at_harbour(bank, CUSTOMER))
    request_id = customer.begin(provider_id="3000")
    sign_in(customer, bank, f"/sign-in/{request_id}")
    answer_params(customer.answer(request_id, "approve", "TRANSACTIONS"))
    request_id = customer.begin(provider_id="3000")
    address = f"/consent/{request_id}"
    fields = hidden_fields(parse_page(customer.client.get(address).text), address)
    assert fields["repeat"] == "renew"
    code = answer_params(customer.post_answer(request_id, fields, "approve"))["code"]
    redis_client.delete(*redis_client.keys("accounts:*"))
    assert answer_params(customer.post_answer(request_id, fields, "approve"))["code"] == code
    other = customer.post_answer(request_id, fields, "deny")
    assert (other.status_code, texts.ALREADY_ANSWERED["en"] in other.text) == (200, True)


def test_who_needs_the_banks_sign_in_for_a_list_gets_more_time_without_one(
    serve: Serve, bank: FdxBank, clock: Clock
) -> None:
    customer = serve(at_harbour(bank, CUSTOMER), request_lifetime=LONGEST_KEPT + timedelta(minutes=1))
    request_id = customer.begin(provider_id="3000")
    sign_in(customer, bank, f"/sign-in/{request_id}")
    address = f"/consent/{request_id}/accounts"
    fields = hidden_fields(parse_page(customer.client.get(address).text), address)
    clock.advance(LONGEST_KEPT)
    response = customer.client.post(address, data={**fields, "account": "1", "extend": "yes"})
    assert (response.status_code, response.location) == (303, f"{address}#time-left")
    clock.advance(timedelta(minutes=2))
    led = customer.client.get(address)
    assert led.location == f"/sign-in/{request_id}?at=accounts"
    page = parse_page(customer.client.get(sign_in(customer, bank, led.location)).text)
    (box,) = page.all("input", type="checkbox", name="account", checked="")
    assert box.attributes["value"] == "1", "what was checked stays"


@pytest.mark.parametrize("source", [CUSTOMER, USERINFO_CLAIM])
def test_whoever_chose_from_a_list_that_is_too_old_goes_on_after_the_banks_sign_in(
    serve: Serve, bank: FdxBank, clock: Clock, source: str
) -> None:
    bank.claims = {"accounts": bank.accounts}
    customer = serve(at_harbour(bank, source), request_lifetime=2 * LONGEST_KEPT)
    request_id = customer.begin(provider_id="3000")
    sign_in(customer, bank, f"/sign-in/{request_id}")
    address = f"/consent/{request_id}/accounts"
    fields = hidden_fields(parse_page(customer.client.get(address).text), address)
    clock.advance(LONGEST_KEPT)
    response = customer.client.post(address, data={**fields, "account": "1", "go": "next"})
    assert (response.status_code, response.location) == (303, f"/consent/{request_id}")
    led = customer.client.get(response.location)
    assert led.location == f"/sign-in/{request_id}?at=accounts", "nothing is shared from an old list"
    form = parse_page(customer.client.get(sign_in(customer, bank, led.location)).text)
    named = form.one("div", id="chosen-accounts").text
    assert "Account acc-2" in named
    assert "Account acc-1" not in named
