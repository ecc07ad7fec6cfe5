"""The example bank's API and Accord as they are served: what a customer decides is what the API gives, at once."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import requests
from werkzeug.test import Client, TestResponse

from app.development.embedded import EmbeddedValkey
from app.stores.key_rotation import revoke_signing_key
from app.web.connections.stopping import account_parameter
from examples.bank.app import create_app
from examples.bank.customers import read_banks
from tests.support.builders import a_query
from tests.support.customer import hidden_fields
from tests.support.page_contract import parse_page
from tests.support.registrations import DEMO_REGISTRY, with_accounts
from tests.support.running_accord import PATIENCE, RunningAccord, ServedForm, redeem_at, sign_in

CHEQUING, CARD, OF_SAM = "acc-maple-0001-chequing", "acc-maple-0001-card", "acc-maple-0002-chequing"
SCOPE = "ACCOUNT_BASIC ACCOUNT_DETAILED TRANSACTIONS"


@pytest.fixture(scope="module")
def accord(
    valkey: EmbeddedValkey, empty_ledger: Path, signing_keys: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningAccord]:
    folder = tmp_path_factory.mktemp("accord")
    ledger = folder / "ledger.sqlite3"
    ledger.write_bytes(empty_ledger.read_bytes())
    own_keys = folder / "signing_keys.json"
    own_keys.touch(mode=0o600)
    own_keys.write_bytes(signing_keys.read_bytes())
    with RunningAccord(
        folder / "accord.log",
        redis_url=valkey.url,
        ledger_url=f"sqlite:///{ledger}",
        signing_keys=own_keys,
        ACCORD_STORE_TIMEOUT="2",
    ) as running:
        yield running


class Clock:
    """The bank's clock, which may be ahead of the machine's."""

    def __init__(self) -> None:
        self.ahead = timedelta(0)

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.ahead


@pytest.fixture(scope="module")
def bank(accord: RunningAccord) -> Client:
    return Client(create_app(registration=DEMO_REGISTRY, issuer=accord.issuer))


@pytest.fixture
def accord_with_accounts(
    valkey: EmbeddedValkey, ledger_url: str, signing_keys: Path, tmp_path: Path
) -> Iterator[RunningAccord]:
    """One whose first bank lists its customers' accounts."""
    registry = tmp_path / "registry.toml"
    registry.write_text(with_accounts(), encoding="utf-8")
    with RunningAccord(
        tmp_path / "accord.log",
        redis_url=valkey.url,
        ledger_url=ledger_url,
        signing_keys=signing_keys,
        ACCORD_REGISTRY=str(registry),
        ACCORD_STORE_TIMEOUT="2",
    ) as running:
        yield running


def ask(bank: Client, access_token: str, path: str) -> TestResponse:
    return bank.get(path, headers={"Authorization": f"Bearer {access_token}"})


def outcome(response: TestResponse) -> tuple[int, str | None]:
    return response.status_code, response.get_json().get("code")


def connect(accord: RunningAccord, *boxes: str, user_name: str = "alex") -> dict[str, str]:
    """A whole consent: the answer of the token endpoint."""
    with requests.Session() as browser:
        answer = ServedForm(accord, browser, user_name=user_name, scope=SCOPE).send("approve", *boxes)
    code = answer.headers["Location"].partition("code=")[2].partition("&")[0]
    tokens: dict[str, str] = redeem_at(accord, code).json()
    return tokens


def stop_in_another_browser(accord: RunningAccord, consent_id: str, what: str = "all") -> None:
    with requests.Session() as browser:
        sign_in = f"{accord.address}/connections/sign-in/1000"
        page = parse_page(browser.get(sign_in, timeout=PATIENCE).text)
        [form] = [form for form in page.all("form") if form.all("input", name="password")]
        hidden = {
            field.attributes["name"]: field.attributes["value"] for field in form.all("input", type="hidden")
        }
        who = {"user_name": "alex", "password": "maple-syrup"}
        browser.post(sign_in, data={**hidden, **who}, timeout=PATIENCE).raise_for_status()
        address = f"/connections/{consent_id}"
        page = parse_page(browser.get(f"{accord.address}{address}?stop={what}", timeout=PATIENCE).text)
        fields = {**hidden_fields(page, address), "stop": what}
        browser.post(accord.address + address, data=fields, timeout=PATIENCE).raise_for_status()


def test_a_customer_who_stops_in_another_browser_is_obeyed_with_the_next_call(
    accord: RunningAccord, bank: Client
) -> None:
    tokens = connect(accord, "ACCOUNT_DETAILED", "TRANSACTIONS")
    path = f"/maple/accounts/{CHEQUING}/transactions"
    assert ask(bank, tokens["access_token"], path).get_json()["transactions"]
    assert outcome(ask(bank, tokens["access_token"], f"/maple/accounts/{CHEQUING}/statements")) == (
        401,
        "602",
    )
    stop_in_another_browser(accord, tokens["consent_id"])
    refused = ask(bank, tokens["access_token"], path)
    assert outcome(refused) == (401, "602")
    assert refused.headers["WWW-Authenticate"] == 'Bearer error="invalid_token"'


def test_one_type_of_data_that_is_stopped_ends_with_the_next_call(
    accord: RunningAccord, bank: Client
) -> None:
    tokens = connect(accord, "ACCOUNT_DETAILED", "TRANSACTIONS")
    path = f"/maple/accounts/{CHEQUING}/transactions"
    assert ask(bank, tokens["access_token"], path).status_code == 200
    stop_in_another_browser(accord, tokens["consent_id"], "TRANSACTIONS")
    refused = ask(bank, tokens["access_token"], path)
    assert outcome(refused) == (401, "602")
    assert "insufficient_scope" in refused.headers["WWW-Authenticate"]
    assert ask(bank, tokens["access_token"], f"/maple/accounts/{CHEQUING}").status_code == 200


def test_what_was_not_chosen_is_not_given(accord: RunningAccord, bank: Client) -> None:
    tokens = connect(accord, user_name="sam")
    listed = ask(bank, tokens["access_token"], "/maple/accounts").get_json()["accounts"]
    assert [account["accountId"] for wrapped in listed for account in wrapped.values()] == [OF_SAM]
    for path in (f"/maple/accounts/{OF_SAM}", f"/maple/accounts/{OF_SAM}/transactions"):
        assert outcome(ask(bank, tokens["access_token"], path)) == (401, "602")
    assert outcome(ask(bank, tokens["access_token"], "/maple/customers/current")) == (401, "602")


def test_history_goes_as_far_back_as_the_customer_read(accord: RunningAccord, bank: Client) -> None:
    """The recipient is registered for 24 months: 730 days, which the form and the receipt say, too."""
    token = connect(accord, "TRANSACTIONS")["access_token"]
    path = f"/maple/accounts/{CHEQUING}/transactions"
    assert outcome(ask(bank, token, f"{path}?startTime=2001-01-01")) == (400, "703")
    days = [
        each["postedTimestamp"] for each in ask(bank, token, f"{path}?limit=500").get_json()["transactions"]
    ]
    assert len(days) > 300


def test_another_banks_api_and_what_is_no_token_are_refused(accord: RunningAccord, bank: Client) -> None:
    token = connect(accord, "TRANSACTIONS")["access_token"]
    for path, sent in (
        ("/northern/accounts", token),
        ("/maple/accounts", token[:-3]),
        ("/maple/accounts", "x"),
    ):
        assert outcome(ask(bank, sent, path)) == (401, "602")


def test_after_a_key_has_become_known_its_tokens_open_nothing_and_new_ones_open_what_they_did(
    accord: RunningAccord,
) -> None:
    clock = Clock()
    bank = Client(create_app(registration=DEMO_REGISTRY, issuer=accord.issuer, clock=clock))
    old = connect(accord, "TRANSACTIONS")["access_token"]
    path = f"/maple/accounts/{CHEQUING}/transactions"
    assert ask(bank, old, path).status_code == 200
    keys = Path(accord.environment["ACCORD_SIGNING_KEYS"])
    [exposed] = {key["kid"] for key in json.loads(keys.read_text())["keys"]}
    revoke_signing_key(keys, exposed, now=datetime.now(UTC))
    new = connect(accord, "TRANSACTIONS")["access_token"]
    assert outcome(ask(bank, old, path)) == (401, "602")
    clock.ahead = timedelta(seconds=10)  # by then the bank asks for keys that it does not know
    assert ask(bank, new, path).status_code == 200
    assert outcome(ask(bank, old, path)) == (401, "602")


# Accounts that were chosen


def share_accounts(accord: RunningAccord, *account_ids: str) -> dict[str, str]:
    """A consent for transactions of these accounts of Alex's alone: the answer of the token endpoint."""
    [maple] = [bank for bank in read_banks(DEMO_REGISTRY) if bank.mount == "/maple"]
    alex = maple.find_customer("maple-0001")
    assert alex is not None
    shareable = [account.account_id for account in alex.accounts.values() if account.status == "OPEN"]
    with requests.Session() as browser:
        begun = browser.get(f"{accord.address}/api/v1/authorize?{a_query(scope=SCOPE)}", timeout=PATIENCE)
        request_id = begun.url.rpartition("/")[2]
        sign_in(accord, browser, request_id)
        address = f"{accord.address}/consent/{request_id}"
        page = parse_page(browser.get(f"{address}/accounts", timeout=PATIENCE).text)
        positions = [str(shareable.index(account_id)) for account_id in account_ids]
        fields = hidden_fields(page, f"/consent/{request_id}/accounts")
        form = browser.post(
            f"{address}/accounts", data={**fields, "account": positions, "go": "next"}, timeout=PATIENCE
        )
        fields = hidden_fields(parse_page(form.text), f"/consent/{request_id}")
        answer = {**fields, "decision": "approve", "scope": ["TRANSACTIONS"]}
        sent = browser.post(address, data=answer, timeout=PATIENCE, allow_redirects=False)
    code = sent.headers["Location"].partition("code=")[2].partition("&")[0]
    tokens: dict[str, str] = redeem_at(accord, code).json()
    return tokens


def test_of_the_accounts_of_a_customer_those_that_they_chose_are_open(
    accord_with_accounts: RunningAccord,
) -> None:
    bank = Client(create_app(registration=DEMO_REGISTRY, issuer=accord_with_accounts.issuer))
    token = share_accounts(accord_with_accounts, CHEQUING, CARD)["access_token"]
    listed = ask(bank, token, "/maple/accounts").get_json()
    assert [account["accountId"] for wrapped in listed["accounts"] for account in wrapped.values()] == [
        CHEQUING,
        CARD,
    ]
    assert listed["page"] == {"totalElements": 2}
    for account_id in (CHEQUING, CARD):
        assert ask(bank, token, f"/maple/accounts/{account_id}/transactions").status_code == 200
    others = [f"acc-maple-0001-{word}" for word in ("joint", "savings", "mortgage", "tfsa")]
    answers = {
        ask(bank, token, f"/maple/accounts/{other}/transactions").data
        for other in [*others, OF_SAM, "nobody"]
    }
    assert answers == {b'{"code": "701", "message": "Account not found"}'}


def test_one_account_that_is_stopped_is_as_unknown_as_any_other_with_the_next_call(
    accord_with_accounts: RunningAccord,
) -> None:
    bank = Client(create_app(registration=DEMO_REGISTRY, issuer=accord_with_accounts.issuer))
    tokens = share_accounts(accord_with_accounts, CHEQUING, CARD)
    stopped, kept = (f"/maple/accounts/{account_id}/transactions" for account_id in (CARD, CHEQUING))
    assert ask(bank, tokens["access_token"], stopped).status_code == 200
    stop_in_another_browser(
        accord_with_accounts, tokens["consent_id"], account_parameter(tokens["consent_id"], CARD)
    )
    unknown = ask(bank, tokens["access_token"], "/maple/accounts/nobody/transactions")
    refused = ask(bank, tokens["access_token"], stopped)
    assert (outcome(refused), refused.data) == ((404, "701"), unknown.data)
    assert ask(bank, tokens["access_token"], kept).status_code == 200
    [left] = ask(bank, tokens["access_token"], "/maple/accounts").get_json()["accounts"]
    assert left["depositAccount"]["accountId"] == CHEQUING


def test_a_recipients_own_token_and_a_refresh_token_open_nothing(accord: RunningAccord, bank: Client) -> None:
    tokens = connect(accord, "TRANSACTIONS")
    own = requests.post(
        f"{accord.address}/api/v1/token",
        data={"grant_type": "client_credentials", "scope": "client:admin"},
        auth=("dc-budget", "budget-demo-secret"),
        timeout=PATIENCE,
    ).json()["access_token"]
    for sent in (own, tokens["refresh_token"]):
        assert outcome(ask(bank, sent, "/maple/accounts")) == (401, "602")
