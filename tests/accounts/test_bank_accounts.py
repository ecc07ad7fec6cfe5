"""Each bank is asked in its own way, in time, with its own token alone; whatever it answers, there is a list or none."""

import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from functools import partial
from types import SimpleNamespace
from typing import Any

import pytest

from app.accounts import AccountsUnavailable, bank_accounts, service_tokens
from app.accounts.bank_accounts import BankAccounts
from app.domain.account_sources import (
    AccountsRegistration,
    ClaimPlace,
    ClaimSource,
    CustomerSource,
    SandboxSource,
    ServiceSource,
)
from app.domain.accounts import AccountCategory, AccountList, Unshareable
from app.domain.registry import DataProvider, SandboxCustomer
from app.outgoing.bulkhead import Bulkhead
from app.outgoing.deadline import Deadline
from app.sign_in import BankAnswer, Customer
from tests.support.applications import Clock, Logged
from tests.support.builders import a_provider, an_account
from tests.support.fdx_bank import ACCOUNTS, CUSTOMER_TOKEN, SERVICE_TOKEN, USERINFO, FdxBank, a_descriptor
from tests.support.oidc_server import (
    TOKEN,
    Trick,
    announce_too_much,
    cut,
    drip,
    flood,
    garble,
    hang,
    hang_up,
    say,
)
from tests.support.waiting import wait_until

Source = SandboxSource | ClaimSource | CustomerSource | ServiceSource
SHORT = timedelta(seconds=0.7)
"""For a bank that hangs, so that the test is soon over."""
LONG = timedelta(seconds=10)
"""For a bank that answers: a busy machine may be slow."""
ALEX = Customer("1000", "", "alex", "Alex")


@pytest.fixture
def bank() -> Iterator[FdxBank]:
    with FdxBank() as running:
        yield running


def registered(source: Source, *withheld: AccountCategory, **changes: Any) -> DataProvider:
    return a_provider(accounts=AccountsRegistration(source, frozenset(withheld)), **changes)


def asking(clock: Clock, *, slots: int = 2, timeout: timedelta = LONG) -> BankAccounts:
    return BankAccounts({"1000": Bulkhead(slots=slots, timeout=timeout)}, clock=clock)


def an_answer(bank: FdxBank, **changes: Any) -> BankAnswer:
    values: dict[str, Any] = {
        "subject": "alex",
        "claims": {},
        "access_token": CUSTOMER_TOKEN,
        "userinfo_endpoint": f"{bank.issuer}{USERINFO}",
    }
    return BankAnswer(**{**values, **changes})


def at_sign_in(
    asked: BankAccounts, provider: DataProvider, answer: BankAnswer, timeout: timedelta = LONG
) -> AccountList | None:
    return asked.ask_at_sign_in(provider, answer, Deadline.after(timeout))


def told_of(event: str, logged: Logged) -> list[dict[str, Any]]:
    """The lines about `event` since the log was last read."""
    return [line for line in logged() if line["event"] == event]


def ids_of(found: AccountList | None) -> list[str]:
    assert found is not None
    return [account.account_id for account in found.accounts]


# As the customer


def test_a_list_is_asked_for_with_the_token_of_the_customers_own_sign_in(bank: FdxBank, clock: Clock) -> None:
    provider = registered(CustomerSource(bank.address))
    found = at_sign_in(asking(clock), provider, an_answer(bank))
    assert ids_of(found) == ["acc-1", "acc-2"]
    assert found is not None
    assert found.fetched_at == clock.now
    assert bank.authorizations == [f"Bearer {CUSTOMER_TOKEN}"]


def test_a_list_has_pages_which_are_asked_for_at_the_registered_address(bank: FdxBank, clock: Clock) -> None:
    bank.accounts, bank.page_size = [a_descriptor(f"acc-{n}") for n in range(7)], 3
    found = at_sign_in(asking(clock), registered(CustomerSource(bank.address)), an_answer(bank))
    assert ids_of(found) == [f"acc-{n}" for n in range(7)]
    assert bank.asked == [ACCOUNTS] * 3


def test_of_two_hundred_pages_four_are_read(bank: FdxBank, clock: Clock, logged: Logged) -> None:
    bank.accounts, bank.page_size = [a_descriptor(f"acc-{n}") for n in range(200)], 1
    found = at_sign_in(asking(clock), registered(CustomerSource(bank.address)), an_answer(bank))
    assert ids_of(found) == ["acc-0", "acc-1", "acc-2", "acc-3"]
    assert told_of("accounts_not_all_read", logged)[0]["provider_id"] == "1000"


def test_a_next_page_somewhere_else_is_asked_for_here(bank: FdxBank, clock: Clock) -> None:
    with FdxBank() as other:
        elsewhere = f'{{"accounts": [], "page": {{"nextOffset": "0&x=1#{other.issuer}"}}}}'
        bank.tricks[ACCOUNTS] = say("200 OK", elsewhere.encode())
        found = at_sign_in(asking(clock), registered(CustomerSource(bank.address)), an_answer(bank))
        assert ids_of(found) == []
        assert bank.asked == [ACCOUNTS] * 4
        assert other.asked == []


def test_without_a_token_that_can_be_sent_nothing_is_asked(
    bank: FdxBank, clock: Clock, logged: Logged
) -> None:
    provider = registered(CustomerSource(bank.address))
    assert at_sign_in(asking(clock), provider, an_answer(bank, access_token=None)) is None
    assert bank.asked == []
    assert told_of("accounts_unavailable", logged)[0]["reason"] == "no_token"


def test_a_token_that_is_no_header_is_sent_to_nobody(bank: FdxBank, clock: Clock) -> None:
    provider = registered(CustomerSource(bank.address))
    for token in ("a\r\nX-More: 1", "é€"):
        assert at_sign_in(asking(clock), provider, an_answer(bank, access_token=token)) is None
    assert bank.authorizations == []


# Claims


def test_a_list_can_be_a_claim_of_the_id_token(bank: FdxBank, clock: Clock) -> None:
    provider = registered(ClaimSource("accounts", ClaimPlace.ID_TOKEN))
    answer = an_answer(bank, claims={"sub": "alex", "accounts": [a_descriptor("acc-7")]})
    assert ids_of(at_sign_in(asking(clock), provider, answer)) == ["acc-7"]
    assert bank.asked == []


def test_or_of_the_userinfo_endpoint(bank: FdxBank, clock: Clock) -> None:
    provider = registered(ClaimSource("accounts", ClaimPlace.USERINFO))
    assert ids_of(at_sign_in(asking(clock), provider, an_answer(bank))) == ["acc-1", "acc-2"]
    assert bank.asked == [USERINFO]


@pytest.mark.parametrize(
    ("answer", "userinfo", "reason"),
    [
        ({}, {"sub": "sam"}, "userinfo_of_another"),
        ({}, {"sub": None}, "userinfo_of_another"),
        ({}, {"accounts": {"acc-1": {}}}, "no_list"),
        ({}, {"accounts": None}, "no_list"),
        ({"userinfo_endpoint": None}, {}, "no_userinfo"),
        ({"access_token": None}, {}, "no_userinfo"),
        ({"access_token": "another"}, {}, "status_401"),
    ],
)
def test_a_claim_that_is_not_this_customers_list_is_none(
    bank: FdxBank, clock: Clock, logged: Logged, answer: Any, userinfo: Any, reason: str
) -> None:
    bank.userinfo = userinfo
    provider = registered(ClaimSource("accounts", ClaimPlace.USERINFO))
    assert at_sign_in(asking(clock), provider, an_answer(bank, **answer)) is None
    assert told_of("accounts_unavailable", logged)[0]["reason"] == reason


def test_an_id_token_without_the_claim_has_no_list(bank: FdxBank, clock: Clock) -> None:
    provider = registered(ClaimSource("accounts", ClaimPlace.ID_TOKEN))
    assert at_sign_in(asking(clock), provider, an_answer(bank)) is None


# As a service


def test_a_service_asks_with_a_token_of_its_own_about_one_subject(bank: FdxBank, clock: Clock) -> None:
    provider = registered(bank.service(scopes=("accounts", "names")))
    customer = Customer("1000", "", "a/../b ?", "Alex")
    assert ids_of(asking(clock).find_accounts(provider, customer)) == ["acc-1", "acc-2"]
    assert bank.subjects == ["a/../b ?"]
    assert bank.scopes == ["accounts names"]
    assert bank.authorizations == [f"Bearer {SERVICE_TOKEN}"]


@pytest.mark.parametrize("subject", ["", ".", ".."])
def test_a_subject_that_would_lead_elsewhere_is_not_asked_about(
    bank: FdxBank, clock: Clock, subject: str
) -> None:
    with pytest.raises(AccountsUnavailable, match="subject"):
        asking(clock).find_accounts(registered(bank.service()), Customer("1000", "", subject, "Alex"))
    assert bank.asked == []


@pytest.mark.parametrize(
    ("expires_in", "asked"),
    [
        (300, 1),
        (29, 2),
        (None, 2),
        ("300", 2),
        (True, 2),
        (-300, 2),
        (10**400, 1),
        (-(10**400), 2),
        (float("inf"), 2),
        (float("nan"), 2),
    ],
    ids=range(10),
)
def test_a_services_token_is_kept_until_half_a_minute_before_its_end(
    bank: FdxBank, clock: Clock, expires_in: Any, asked: int
) -> None:
    bank.service_token = {"expires_in": expires_in}
    accounts, provider = asking(clock), registered(bank.service())
    for _ in range(2):
        accounts.find_accounts(provider, ALEX)
    assert bank.count(TOKEN) == asked


@pytest.mark.parametrize("expires_in", [86_400, 10**9, 10**400], ids=range(3))
def test_a_services_token_is_kept_for_a_day_at_most(
    bank: FdxBank, clock: Clock, monkeypatch: pytest.MonkeyPatch, expires_in: int
) -> None:
    bank.service_token = {"expires_in": expires_in}
    accounts, provider = asking(clock), registered(bank.service())
    for hours, asked in ((0, 1), (23, 1), (24, 2)):
        now = time.monotonic() + hours * 3600
        monkeypatch.setattr(service_tokens, "time", SimpleNamespace(monotonic=partial(float, now)))
        accounts.find_accounts(provider, ALEX)
        assert bank.count(TOKEN) == asked


def test_a_services_token_that_the_bank_refuses_is_replaced_the_next_time(
    bank: FdxBank, clock: Clock
) -> None:
    bank.service_token = {"access_token": "revoked"}
    accounts, provider = asking(clock), registered(bank.service())
    with pytest.raises(AccountsUnavailable, match="status_401"):
        accounts.find_accounts(provider, ALEX)
    bank.service_token = {}
    assert ids_of(accounts.find_accounts(provider, ALEX)) == ["acc-1", "acc-2"]


@pytest.mark.parametrize(
    ("token", "reason"),
    [
        ({"access_token": None}, "no_token"),
        ({"access_token": ["a"]}, "no_token"),
        ({"token_type": "DPoP"}, "no_token"),
        ({"error": "invalid_scope"}, "token_invalid_scope"),
    ],
)
def test_without_a_services_token_there_is_no_list(
    bank: FdxBank, clock: Clock, token: dict[str, Any], reason: str
) -> None:
    bank.service_token = token
    with pytest.raises(AccountsUnavailable, match=f"^{reason}$"):
        asking(clock).find_accounts(registered(bank.service()), ALEX)
    assert bank.authorizations == []


def test_a_service_with_a_wrong_secret_gets_nothing(bank: FdxBank, clock: Clock) -> None:
    with pytest.raises(AccountsUnavailable, match="token_invalid_client"):
        asking(clock).find_accounts(registered(bank.service(client_secret="wrong")), ALEX)


def test_a_bank_that_is_left_out_is_not_asked(bank: FdxBank, clock: Clock) -> None:
    with pytest.raises(AccountsUnavailable, match="left_out"):
        asking(clock).find_accounts(registered(bank.service(), is_left_out=True), ALEX)
    assert bank.asked == []


def test_a_list_that_comes_with_a_sign_in_is_not_to_be_had_without(bank: FdxBank, clock: Clock) -> None:
    for provider in (registered(CustomerSource(bank.address)), a_provider()):
        with pytest.raises(AccountsUnavailable, match="needs_sign_in"):
            asking(clock).find_accounts(provider, ALEX)
    assert at_sign_in(asking(clock), registered(bank.service()), an_answer(bank)) is None
    assert bank.asked == []


# The sandbox


def test_a_test_customer_has_the_accounts_of_the_registration_less_what_the_bank_withholds(
    clock: Clock,
) -> None:
    loan = an_account(account_id="loan", category=AccountCategory.LOAN_ACCOUNT)
    closed = an_account(
        account_id="old", category=AccountCategory.LOAN_ACCOUNT, unshareable=Unshareable.CLOSED
    )
    alex = SandboxCustomer(
        user_name="alex",
        password="p",
        subject="alex",
        display_name="A",
        accounts=(an_account(), loan, closed),
    )
    provider = registered(SandboxSource(), AccountCategory.LOAN_ACCOUNT, sandbox_customers=(alex,))
    found = asking(clock).find_accounts(provider, ALEX)
    assert [account.unshareable for account in found.accounts] == [
        None,
        Unshareable.TYPE_NOT_SHARED,
        Unshareable.CLOSED,
    ]
    nobody = asking(clock).find_accounts(provider, Customer("1000", "", "sam", "Sam"))
    assert nobody.accounts == ()


# Banks that misbehave


TRICKS = {
    "hangs": hang,
    "drips": drip,
    "is cut off": cut,
    "hangs up": hang_up,
    "never stops": flood,
    "announces too much": announce_too_much,
    "speaks something else": garble,
    "has 5 MB": say("200 OK", b'{"accounts": [], "x": "' + b"x" * 5_000_000 + b'"}'),
    "is a page": say("200 OK", b"<html>", "Content-Type: text/html"),
    "is a list": say("200 OK", b"[]"),
    "is nested too deeply": say("200 OK", b"[" * 100_000),
    "has no list": say("200 OK", b'{"accounts": {}}'),
    "is an error": say("500 Internal Server Error", b'{"accounts": []}'),
    "knows no token": say("401 Unauthorized", b'{"accounts": []}'),
    "lets nobody in": say("403 Forbidden", b'{"accounts": []}'),
    "sends us elsewhere": say("302 Found", b"", "Location: http://localhost:1/"),
}


@pytest.mark.parametrize("trick", TRICKS.values(), ids=TRICKS)
def test_whatever_the_bank_does_there_is_no_list_in_time(
    bank: FdxBank, clock: Clock, logged: Logged, trick: Trick
) -> None:
    bank.tricks[ACCOUNTS] = bank.tricks["/customers/alex/accounts"] = trick
    began = time.monotonic()
    accounts, as_customer = asking(clock, timeout=SHORT), registered(CustomerSource(bank.address))
    assert at_sign_in(accounts, as_customer, an_answer(bank), SHORT) is None
    with pytest.raises(AccountsUnavailable):
        accounts.find_accounts(registered(bank.service()), ALEX)
    assert time.monotonic() - began < 5
    assert [line["outcome"] for line in told_of("accounts_unavailable", logged)] == ["unavailable"] * 2


@pytest.mark.parametrize(
    ("offset", "asked"),
    [
        ('"\\ud800"', 1),
        ('"1\\udfff"', 1),
        ('""', 1),
        ("true", 1),
        ("1e999", 1),
        ("NaN", 1),
        ('{"a": 1}', 1),
        ("[" * 500 + "]" * 500, 1),
        ("1" * 400, 4),
        ("-1", 4),
        ('"\\u0000 é&#"', 4),
    ],
)
def test_an_offset_that_cannot_be_sent_is_none(bank: FdxBank, clock: Clock, offset: str, asked: int) -> None:
    page = f'{{"accounts": [], "page": {{"nextOffset": {offset}}}}}'
    bank.tricks[ACCOUNTS] = say("200 OK", page.encode())
    found = at_sign_in(asking(clock), registered(CustomerSource(bank.address)), an_answer(bank))
    assert ids_of(found) == []
    assert bank.asked == [ACCOUNTS] * asked


HOSTILE: list[Any] = [10**400, float("inf"), float("nan"), "\ud800", "\udfff\x00", [[[{}]]], {"\ud800": 1}]


@pytest.mark.parametrize("value", HOSTILE, ids=range(len(HOSTILE)))
@pytest.mark.parametrize("member", [*a_descriptor(), "accord"])
def test_whatever_a_member_is_the_other_accounts_are_listed(
    bank: FdxBank, clock: Clock, member: str, value: Any
) -> None:
    bank.accounts = [a_descriptor("acc-1", **{member: value}), a_descriptor("acc-2")]
    found = at_sign_in(asking(clock), registered(CustomerSource(bank.address)), an_answer(bank))
    assert ids_of(found)[-1] == "acc-2"


@pytest.mark.parametrize("error", [OverflowError("marked"), UnicodeError("marked"), RecursionError("marked")])
def test_what_nobody_foresaw_is_no_list_and_its_kind_is_logged(
    bank: FdxBank, clock: Clock, logged: Logged, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(bank_accounts, "read_descriptors", fail)
    assert at_sign_in(asking(clock), registered(CustomerSource(bank.address)), an_answer(bank)) is None
    with pytest.raises(AccountsUnavailable, match=r"^unreadable$"):
        asking(clock).find_accounts(registered(bank.service()), ALEX)
    lines = told_of("accounts_unavailable", logged)
    said = [(line["reason"], line["error"], line["outcome"]) for line in lines]
    assert said == [("unreadable", type(error).__name__, "unavailable")] * 2
    assert "marked" not in str(lines)


def test_the_content_type_of_somebody_else_does_not_matter(bank: FdxBank, clock: Clock) -> None:
    bank.tricks[ACCOUNTS] = say("200 OK", b'{"accounts": []}', "Content-Type: application/vnd.bank+json")
    found = at_sign_in(asking(clock), registered(CustomerSource(bank.address)), an_answer(bank))
    assert ids_of(found) == []


def test_a_call_for_accounts_takes_a_slot_of_that_banks_bulkhead(bank: FdxBank, clock: Clock) -> None:
    accounts = asking(clock, slots=1, timeout=timedelta(seconds=5))
    bank.tricks["/customers/alex/accounts"] = hang
    provider, outcome = registered(bank.service()), []

    def ask() -> None:
        with pytest.raises(AccountsUnavailable) as raised:
            accounts.find_accounts(provider, ALEX)
        outcome.append(raised.value.detail)

    first = threading.Thread(target=ask)
    first.start()
    wait_until(lambda: bank.count("/customers/alex/accounts") == 1)
    began = time.monotonic()
    ask()
    assert outcome == ["no_slot"]
    assert time.monotonic() - began < 2
    bank.closing.set()
    first.join()


# What is logged


def test_entries_with_a_fault_are_counted_in_the_log(bank: FdxBank, clock: Clock, logged: Logged) -> None:
    bank.accounts = [a_descriptor(), a_descriptor(), None, a_descriptor("acc 2")]
    found = at_sign_in(asking(clock), registered(CustomerSource(bank.address)), an_answer(bank))
    assert ids_of(found) == ["acc-1"]
    assert told_of("accounts_left_out", logged)[0]["entries"] == 3


def test_ids_that_look_like_numbers_are_told_at_most_once_an_hour(
    bank: FdxBank, clock: Clock, logged: Logged
) -> None:
    bank.accounts = [a_descriptor("4506123456789010"), a_descriptor("00123456789")]
    accounts, provider = asking(clock), registered(bank.service())
    for _ in range(2):
        accounts.find_accounts(provider, ALEX)
    clock.advance(timedelta(minutes=59))
    accounts.find_accounts(provider, ALEX)
    assert len(told_of("accounts_look_like_numbers", logged)) == 1
    clock.advance(timedelta(minutes=1))
    accounts.find_accounts(provider, ALEX)
    assert len(told_of("accounts_look_like_numbers", logged)) == 1


def test_no_account_and_no_token_is_in_a_log(bank: FdxBank, clock: Clock, logged: Logged) -> None:
    bank.accounts = [a_descriptor("marked-id", nickname="marked name"), {"accountId": "marked-fault"}]
    accounts = asking(clock)
    at_sign_in(accounts, registered(CustomerSource(bank.address)), an_answer(bank))
    accounts.find_accounts(registered(bank.service()), Customer("1000", "", "marked-subject", "Alex"))
    bank.tricks[ACCOUNTS] = say("500 marked", b"marked")
    at_sign_in(accounts, registered(CustomerSource(bank.address)), an_answer(bank))
    lines = logged()
    assert {line["event"] for line in lines} == {
        "accounts_left_out",
        "accounts_listed",
        "accounts_unavailable",
    }
    assert "marked" not in str(lines)
