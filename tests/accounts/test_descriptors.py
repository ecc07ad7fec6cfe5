"""What a bank lists is read so that no entry disturbs another, and no text the page it is shown on."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.accounts import AccountsUnavailable
from app.accounts.descriptors import look_like_numbers, read_descriptors
from app.domain.account_sources import AccountsRegistration, SandboxSource
from app.domain.accounts import Account, AccountCategory, AccountList, Unshareable
from examples.bank import accounts as fdx
from examples.bank.customers import read_banks
from tests.support.builders import NOON, an_account, an_account_list
from tests.support.registrations import DEMO_REGISTRY

CHEQUING = {
    "accountId": "acc-1",
    "accountCategory": "DEPOSIT_ACCOUNT",
    "accountType": "CHECKING",
    "accountNumberDisplay": "****4821",
    "productName": "Chequing Plus",
    "nickname": "Everyday chequing",
    "status": "OPEN",
    "currency": {"currencyCode": "CAD"},
}
REGISTERED = AccountsRegistration(SandboxSource(), frozenset({AccountCategory.INSURANCE_ACCOUNT}))


def read(*entries: Any) -> AccountList:
    return read_descriptors(list(entries), REGISTERED, fetched_at=NOON)


def one(**members: Any) -> Account:
    """The account of a good entry with some members changed; None leaves one out."""
    entry = {name: value for name, value in {**CHEQUING, **members}.items() if value is not None}
    (account,) = read(entry).accounts
    return account


def test_an_account_is_what_fdx_says_of_it() -> None:
    assert one() == Account(
        account_id="acc-1",
        category=AccountCategory.DEPOSIT_ACCOUNT,
        type="CHECKING",
        name="Everyday chequing",
        product="Chequing Plus",
        last_digits="4821",
    )


def test_an_account_may_stand_under_the_name_of_its_kind() -> None:
    """So does FDX write it in a list of several kinds."""
    assert read({"depositAccount": CHEQUING}).accounts == (one(),)
    odd_ones: list[Any] = [
        {"depositAccount": 5},
        {"depositAccount": {}},
        {"anything": CHEQUING},
        {"locAccount": CHEQUING, "x": 1},
    ]
    for odd in odd_ones:
        assert (read(odd).accounts, read(odd).left_out) == ((), 1)


def test_what_the_example_bank_lists_is_understood() -> None:
    [bank] = [bank for bank in read_banks(DEMO_REGISTRY) if bank.mount == "/maple"]
    customer = bank.find_customer("maple-0001")
    assert customer is not None
    entries = [
        fdx.account(customer, each, today=NOON.date(), language="en") for each in customer.accounts.values()
    ]
    found = read(*entries)
    assert found.left_out == 0
    assert [account.account_id for account in found.accounts] == list(customer.accounts)
    assert [account.last_digits for account in found.accounts[:2]] == ["3416", "0231"]
    assert [account.account_id for account in found.unshareable] == ["acc-maple-0001-old-savings"]


@pytest.mark.parametrize(
    ("members", "name", "product"),
    [
        ({"nickname": None}, "Chequing Plus", ""),
        ({"nickname": ""}, "Chequing Plus", ""),
        ({"nickname": "\u200b\u202e"}, "Chequing Plus", ""),
        ({"nickname": 5}, "Chequing Plus", ""),
        ({"productName": None}, "Everyday chequing", ""),
        ({"nickname": None, "productName": None}, "", ""),
        ({"nickname": "a\n\tb\x00c\u202edcba\u2066e"}, "a bcdcbae", "Chequing Plus"),
        ({"nickname": "\ud800x"}, "x", "Chequing Plus"),
        ({"nickname": "n" * 256}, "n" * 79 + "…", "Chequing Plus"),
        ({"nickname": "é" * 80}, "é" * 80, "Chequing Plus"),
        ({"nickname": "<script>"}, "<script>", "Chequing Plus"),
    ],
)
def test_a_name_is_one_line_that_can_be_seen(members: dict[str, Any], name: str, product: str) -> None:
    account = one(**members)
    assert (account.name, account.product) == (name, product)


@pytest.mark.parametrize(
    ("number", "digits"),
    [
        ("4821", "4821"),
        ("4506 1234 5678 9010", "9010"),
        ("450612345678901", "8901"),
        ("CA12 0001 98ab", "98AB"),
        ("XXXXXX12", "12"),
        ("…7", "7"),
        ("••••", ""),
        ("٤٨٢١", ""),
        ("", ""),
        (4821, ""),
        (None, ""),
    ],
)
def test_of_a_number_four_digits_are_left_however_many_come(number: Any, digits: str) -> None:
    assert one(accountNumberDisplay=number).last_digits == digits


@pytest.mark.parametrize(
    ("said", "kept"), [("SAVINGS", "SAVINGS"), ("Savings", "SAVINGS"), ("a b", ""), (5, ""), (None, "")]
)
def test_a_type_is_a_word_or_none(said: Any, kept: str) -> None:
    assert one(accountType=said).type == kept


@pytest.mark.parametrize(
    ("members", "unshareable"),
    [
        ({"status": "OPEN"}, None),
        ({"status": None}, None),
        ({"status": "DELINQUENT"}, None),
        ({"status": "NEGATIVECURRENTBALANCE"}, None),
        ({"status": "PAID"}, None),
        ({"status": "PENDINGCLOSE"}, None),
        ({"status": "Open"}, None),
        ({"status": "closed"}, Unshareable.CLOSED),
        ({"status": "PendingOpen"}, Unshareable.PENDING_OPEN),
        ({"status": "CLOSED"}, Unshareable.CLOSED),
        ({"status": "PENDINGOPEN"}, Unshareable.PENDING_OPEN),
        ({"status": "RESTRICTED"}, Unshareable.RESTRICTED),
        ({"accountCategory": "INSURANCE_ACCOUNT"}, Unshareable.TYPE_NOT_SHARED),
        ({"accountCategory": "INSURANCE_ACCOUNT", "status": "CLOSED"}, Unshareable.CLOSED),
        ({"accord": {"shareable": False, "reason": "JOINT_APPROVAL"}}, Unshareable.JOINT_APPROVAL),
        ({"accord": {"shareable": False, "reason": "NO_RIGHTS"}}, Unshareable.NO_RIGHTS),
        ({"accord": {"shareable": False, "reason": "because"}}, Unshareable.OTHER),
        ({"accord": {"shareable": False, "reason": ["CLOSED"]}}, Unshareable.OTHER),
        ({"accord": {"shareable": False}}, Unshareable.OTHER),
        ({"accord": {"reason": "NO_RIGHTS"}}, Unshareable.NO_RIGHTS),
        ({"accord": {"reason": "JOINT_APPROVAL"}, "status": "CLOSED"}, Unshareable.JOINT_APPROVAL),
        ({"accord": {"reason": "because"}}, Unshareable.OTHER),
        ({"accord": {"reason": ["NO_RIGHTS"]}}, Unshareable.OTHER),
        ({"accord": {"reason": ""}}, Unshareable.OTHER),
        ({"accord": {"reason": False}}, Unshareable.OTHER),
        ({"accord": {"reason": None}}, None),
        ({"accord": {"reason": "NO_RIGHTS", "shareable": True}}, None),
        ({"accord": {"shareable": True}, "status": "CLOSED"}, None),
        ({"accord": {"shareable": True}, "accountCategory": "INSURANCE_ACCOUNT"}, None),
        ({"accord": {"joint": True}, "status": "CLOSED"}, Unshareable.CLOSED),
    ],
)
def test_whether_an_account_can_be_shared_is_the_banks_word(
    members: dict[str, Any], unshareable: Unshareable | None
) -> None:
    assert one(**members).unshareable == unshareable


def test_a_bank_may_say_whose_an_account_is() -> None:
    account = one(accord={"joint": True, "othersAreTold": True, "holder": "Zoë\u202e Roy"})
    assert (account.is_joint, account.others_are_told, account.holder) == (True, True, "Zoë Roy")
    assert one(accord={"holder": ""}).holder is None
    assert one(accord={"holder": ["Zoë"]}).holder is None


@pytest.mark.parametrize(
    "fault",
    [
        None,
        5,
        "acc-2",
        [],
        {},
        {**CHEQUING, "accountId": None},
        {**CHEQUING, "accountId": 4821},
        {**CHEQUING, "accountId": ""},
        {**CHEQUING, "accountId": "acc 2"},
        {**CHEQUING, "accountId": "é"},
        {**CHEQUING, "accountId": "x" * 257},
        {**CHEQUING, "accountId": "acc-2", "accountCategory": "CHEQUING"},
        {**CHEQUING, "accountId": "acc-2", "accountCategory": None},
        {**CHEQUING, "accountId": "acc-2", "accountCategory": ["DEPOSIT_ACCOUNT"]},
        {**CHEQUING, "accountId": "acc-2", "accord": "shareable"},
        {**CHEQUING, "accountId": "acc-2", "accord": {"shareable": "no"}},
        {**CHEQUING, "accountId": "acc-2", "accord": {"joint": 1}},
        {**CHEQUING, "accountId": "acc-2", "accord": {"shareable": None}},
        {**CHEQUING, "accountId": "acc-2", "accord": {"sharable": False}},
        {**CHEQUING, "accountId": "acc-2", "accord": {"shareable": True, "except": "TRANSACTIONS"}},
        {**CHEQUING, "accountId": "acc-2", "status": ["CLOSED"]},
        {**CHEQUING, "accountId": "acc-2", "status": 5},
        {**CHEQUING, "nickname": "The same id again"},
    ],
)
def test_an_entry_with_a_fault_is_left_out_and_counted(fault: object) -> None:
    last = {**CHEQUING, "accountId": "acc-9"}
    found = read(CHEQUING, fault, last)
    assert [account.account_id for account in found.accounts] == ["acc-1", "acc-9"]
    assert found.accounts[0].name == "Everyday chequing"
    assert found.left_out == 1


def test_a_status_that_is_null_is_one_that_is_left_out() -> None:
    found = read({**CHEQUING, "status": None})
    assert [account.unshareable for account in found.accounts] == [None]


@pytest.mark.parametrize("found", [None, {}, {"accounts": []}, "accounts", 5])
def test_what_is_no_list_is_no_list(found: object) -> None:
    with pytest.raises(AccountsUnavailable):
        read_descriptors(found, REGISTERED, fetched_at=NOON)


def test_an_empty_list_is_a_list() -> None:
    assert read() == AccountList((), fetched_at=NOON)


def test_of_very_many_accounts_as_many_are_kept_as_a_page_can_need() -> None:
    closed = [{**CHEQUING, "accountId": f"closed-{n}", "status": "CLOSED"} for n in range(300)]
    open_ones = [{**CHEQUING, "accountId": f"open-{n}"} for n in range(300)]
    found = read(*closed, *open_ones)
    assert len(found.shareable) == 200
    assert found.is_cut_short
    assert len(found.accounts) == 401
    assert found.left_out == 0


@pytest.mark.parametrize(
    ("ids", "expected"),
    [
        (["1234567", "12345678901234567890"], False),
        (["1234567", "acc-1"], False),
        (["1234567", "1234567890123456789", "acc-1"], True),
        (["123456", "acc-1", "acc-2"], False),
        ([], False),
    ],
)
def test_ids_that_could_be_numbers_are_noticed(ids: list[str], expected: bool) -> None:
    found = AccountList(tuple(an_account(account_id=each) for each in ids), fetched_at=NOON)
    assert look_like_numbers(found) == expected
    assert not look_like_numbers(an_account_list())


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(), max_size=300),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=20), inner, max_size=3),
    max_leaves=8,
)
_MEMBERS = st.dictionaries(st.sampled_from([*CHEQUING, "accord"]), _JSON, max_size=4)


@given(st.lists(_JSON | st.builds(lambda members: {**CHEQUING, **members}, _MEMBERS), max_size=6))
def test_whatever_is_in_a_list_it_is_read_or_left_out(entries: list[Any]) -> None:
    found = read(*entries)
    assert len(found.accounts) + found.left_out == len(entries)
    json.dumps([account.name for account in found.accounts]).encode("utf-8")
