"""What the example recipient reads at the bank and shows: what is shared, what is not, and a refusal in words."""

import json
import re
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from html import unescape
from threading import Thread
from typing import Any

import pytest
from werkzeug.serving import make_server

from examples.bank.app import create_app as create_banks
from examples.recipient import pages
from examples.recipient.app import create_app
from examples.recipient.bank_data import MOST_ACCOUNTS, BankApi, DataRefused, DataUnavailable
from examples.recipient.connections import Connection
from examples.recipient.oauth import Accord, Flow, Presented, Tokens, secret_basic
from examples.recipient.wording import LANGUAGES, wording
from tests.examples.stand_in import ALL, SUBJECT, StandIn, account_resource, customer_resource
from tests.support.ports import free_port
from tests.support.registrations import DEMO_REGISTRY
from tests.test_recipient import GOOD, HOME, METADATA, a_server, metadata

MONTH_AGO = (datetime.now(UTC) - timedelta(days=31)).date()
BASIC, EVERYTHING = frozenset({"ACCOUNT_BASIC"}), frozenset(ALL)
CHEQUING, CLOSED, CARD, TFSA = (
    f"acc-maple-0001-{word}" for word in ("chequing", "old-savings", "card", "tfsa")
)


@pytest.fixture
def accord() -> Iterator[StandIn]:
    with StandIn() as running:
        yield running


@pytest.fixture
def address(accord: StandIn) -> Iterator[str]:
    """The API of the example bank, as it is served over http."""
    server = make_server(
        "127.0.0.1", 0, create_banks(registration=DEMO_REGISTRY, issuer=accord.issuer), threaded=True
    )
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/maple"
    server.shutdown()
    thread.join()
    server.server_close()


def share(
    accord: StandIn, *account_ids: str, clusters: tuple[str, ...] = ALL[:6], subject: str = SUBJECT
) -> str:
    token = accord.sign(exp=2**40, sub=subject, jti=time.time_ns())
    resources = [account_resource(account_id, *clusters) for account_id in account_ids]
    resources = resources or [customer_resource(*clusters, subject=subject)]
    return accord.grant(*resources, token=token, sub=subject, scope=" ".join(clusters))


def test_what_is_shared_is_read(accord: StandIn, address: str) -> None:
    token = share(accord, CHEQUING, CARD, TFSA)
    data = BankApi(address).read(Presented(token), EVERYTHING, since=MONTH_AGO, language="en")
    assert [(account.name, account.number, account.is_owed) for account in data.accounts] == [
        ("Everyday chequing", "••3416", False), ("Travel card", "••6205", True), ("TFSA", "••1261", False),
    ]  # fmt: skip
    assert all(account.amount for account in data.accounts)
    assert data.transactions
    assert [transaction.day for transaction in data.transactions] == sorted(
        (transaction.day for transaction in data.transactions), reverse=True
    )
    assert all(transaction.day >= MONTH_AGO for transaction in data.transactions)
    assert data.spent > 1000


def test_what_is_not_shared_is_not_there(accord: StandIn, address: str) -> None:
    token = share(accord, CHEQUING, clusters=("ACCOUNT_BASIC",))
    data = BankApi(address).read(Presented(token), BASIC, since=MONTH_AGO, language="en")
    assert [account.amount for account in data.accounts] == [None]
    assert data.transactions is None


def test_an_account_that_is_closed_keeps_nothing_from_the_others(accord: StandIn, address: str) -> None:
    token = share(accord, CLOSED, CHEQUING)
    data = BankApi(address).read(Presented(token), EVERYTHING, since=MONTH_AGO, language="en")
    assert len(data.accounts) == 2
    assert {transaction.account for transaction in data.transactions or ()} == {"Everyday chequing"}


def test_many_accounts_are_all_listed_and_the_first_are_read(accord: StandIn, address: str) -> None:
    token = share(accord, subject="maple-0004")
    data = BankApi(address).read(Presented(token), EVERYTHING, since=MONTH_AGO, language="en")
    assert len(data.accounts) >= 40
    assert len({transaction.account for transaction in data.transactions or ()}) <= MOST_ACCOUNTS


def test_a_refusal_has_the_banks_code(accord: StandIn, address: str) -> None:
    with pytest.raises(DataRefused) as raised:
        BankApi(address).read(Presented("x"), EVERYTHING, since=MONTH_AGO, language="en")
    assert raised.value.code == "602"
    token = share(accord, CHEQUING, clusters=("ACCOUNT_BASIC",))
    with pytest.raises(DataRefused, match="602"):
        BankApi(address).read(Presented(token), BASIC | {"TRANSACTIONS"}, since=MONTH_AGO, language="en")


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (200, b""), (200, b"[]"), (200, b"{}"), (200, b'{"accounts": 5}'), (200, b'{"accounts": [5]}'),
        (200, b'{"accounts": [{"accountId": "a"}]}'), (200, b'{"accounts": [{}]}'), (302, b"{}"), (401, b"{}"),
        (401, b"<html>"), (500, b"{}"), (503, b'{"code": "503"}'),
    ],
)  # fmt: skip
def test_an_api_that_says_something_else_is_no_crash(status: int, body: bytes) -> None:
    with (
        a_server({"/accounts?resultType=lightweight": (status, body)}) as strange,
        pytest.raises(DataUnavailable),
    ):
        BankApi(strange).read(Presented("x"), BASIC, since=MONTH_AGO, language="en")


def test_an_api_that_nobody_answers_is_no_crash() -> None:
    nobody = BankApi(f"http://127.0.0.1:{free_port()}")
    with pytest.raises(DataUnavailable):
        nobody.read(Presented("x"), EVERYTHING, since=MONTH_AGO, language="en")


def test_pages_end(accord: StandIn) -> None:
    page = {
        "page": {"nextOffset": "1"},
        "accounts": [{"accountId": "a", "accountCategory": "DEPOSIT_ACCOUNT", "productName": "p"}],
    }
    first = "/accounts?resultType=lightweight"
    answers = {path: (200, json.dumps(page).encode()) for path in (first, f"{first}&offset=1")}
    asked: list[str] = []
    with a_server(answers, asked) as endless:
        data = BankApi(endless).read(Presented("x"), BASIC, since=MONTH_AGO, language="en")
    assert len(asked) == 10
    assert [account.account_id for account in data.accounts] == ["a"]


# The page


class Customer:
    """A browser at the recipient, with a connection whose access token is `token`."""

    def __init__(
        self, bank: str, token: str, scope: str, *, issuer: str = "http://127.0.0.1:1", expires_in: int = 300
    ) -> None:
        recipient = create_app()
        recipient.extensions["banks"] = {"1000": BankApi(bank)}
        credentials = secret_basic("dc-budget", "budget-demo-secret")
        recipient.extensions["accord"] = Accord(issuer, "dc-budget", credentials, f"{HOME}/callback")
        flow = Flow("the-state", "the-verifier", "1000", " ".join(pages.ASKED), "the-correlation-id")
        tokens = Tokens(token, "refresh-token", scope, 300, int(time.time()) + expires_in)
        recipient.extensions["connections"].keep("c", Connection(flow, "code", tokens, {}))
        self.client = recipient.test_client()
        self.connections = recipient.extensions["connections"]
        with self.client.session_transaction(base_url=HOME) as session:
            session["connection"] = "c"

    def page(self, lang: str) -> str:
        return self.client.get(f"/connection?lang={lang}", base_url=HOME).text

    @property
    def connection(self) -> Connection:
        found = self.connections.find("c")
        assert isinstance(found, Connection)
        return found


def for_people(page: str) -> str:
    """The text of a page as it opens."""
    unfolded = re.sub(r"<details.*?</details>", "", page, flags=re.DOTALL)
    return " ".join(unescape(re.sub(r"<[^>]*>", " ", unfolded)).replace("\u00a0", " ").split())


def words(lang: str, key: str, bank: str = "") -> str:
    return wording(lang, key, bank=bank).replace("\u00a0", " ")


@pytest.fixture(params=LANGUAGES)
def lang(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@contextmanager
def accord_that_refreshes(answer: tuple[int, Mapping[str, Any]]) -> Iterator[str]:
    answers = {"/token": (answer[0], json.dumps(answer[1]).encode())}
    with a_server(answers) as issuer:
        answers[METADATA] = (200, metadata(issuer))
        yield issuer


def test_the_page_shows_accounts_balances_and_this_month(accord: StandIn, address: str, lang: str) -> None:
    customer = Customer(address, share(accord, CHEQUING, CARD), " ".join(pages.ASKED))
    said = for_people(customer.page(lang))
    assert "Everyday chequing ••3416" in said
    assert "Travel card" in said
    assert {"en": "$", "fr": " $"}[lang] in said
    assert words(lang, "data.owed") in said
    assert words(lang, "data.not_shared") not in said
    assert words(lang, "data.month") in said
    assert not re.search(r"[A-Za-z]_[A-Za-z]|token|jeton|UTC|acc-maple|602", said)


def test_the_page_says_what_is_not_shared(accord: StandIn, address: str, lang: str) -> None:
    token = share(accord, CHEQUING, clusters=("ACCOUNT_BASIC",))
    said = for_people(Customer(address, token, "ACCOUNT_BASIC").page(lang))
    assert "Everyday chequing" in said
    assert words(lang, "data.not_shared") in said
    assert words(lang, "data.transactions_not_shared") in said
    assert words(lang, "connection.no_month") in said


def test_after_a_stop_the_page_says_in_words_what_the_bank_answered(
    accord: StandIn, address: str, lang: str
) -> None:
    token = share(accord, CHEQUING)
    with accord_that_refreshes((400, {"error": "invalid_grant"})) as issuer:
        customer = Customer(address, token, " ".join(pages.ASKED), issuer=issuer)
        assert "Everyday chequing" in customer.page(lang)
        accord.answers[token] = {"active": False}
        page = customer.page(lang)
    bank = wording(lang, "provider.1000")
    said = for_people(page)
    assert words(lang, "connection.refused", bank=bank) in said
    assert words(lang, "connection.over") in said
    assert "Everyday chequing" not in page
    assert "602" not in said
    assert 'data-code="602"' in page, "developers read the code"
    assert customer.connection.ended


def test_a_token_that_is_old_is_refreshed_and_less_is_shown_where_less_is_shared(
    accord: StandIn, address: str, lang: str
) -> None:
    fresh = share(accord, CHEQUING, clusters=("ACCOUNT_BASIC",))
    answer = {**GOOD, "access_token": fresh, "scope": "ACCOUNT_BASIC"}
    with accord_that_refreshes((200, answer)) as issuer:
        for old, expires_in in (("expired", -1), ("narrowed", 300)):
            customer = Customer(address, old, " ".join(pages.ASKED), issuer=issuer, expires_in=expires_in)
            said = for_people(customer.page(lang))
            assert "Everyday chequing" in said
            assert words(lang, "data.transactions_not_shared") in said
            assert (customer.connection.tokens.access_token, customer.connection.refused) == (fresh, "")
            assert not customer.connection.ended


def test_a_bank_that_refuses_a_fresh_token_ends_nothing(address: str, lang: str) -> None:
    with accord_that_refreshes((200, {**GOOD, "access_token": "refused as well"})) as issuer:
        customer = Customer(address, "x", " ".join(pages.ASKED), issuer=issuer)
        said = for_people(customer.page(lang))
    assert words(lang, "data.refused", bank=wording(lang, "provider.1000")) in said
    assert not customer.connection.ended


@pytest.mark.parametrize("expires_in", [300, -1])
def test_while_nobody_answers_nothing_ends(lang: str, expires_in: int) -> None:
    nobody = f"http://127.0.0.1:{free_port()}"
    customer = Customer(nobody, "x", " ".join(pages.ASKED), issuer=nobody, expires_in=expires_in)
    assert words(lang, "data.unreachable", bank=wording(lang, "provider.1000")) in for_people(
        customer.page(lang)
    )
    assert not customer.connection.ended
