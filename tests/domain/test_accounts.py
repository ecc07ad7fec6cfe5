"""Accounts: what one is, which can be shared, what a position on the page means, and what was chosen."""

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.accounts import (
    LONGEST_KEPT,
    Account,
    AccountCategory,
    AccountList,
    ChosenAccounts,
    Unshareable,
    account_document,
    parse_account,
)
from tests.support.builders import NOON, an_account, an_account_list


@pytest.mark.parametrize("account_id", ["a", "!", "~", "x" * 256, "acc-1/2?3#4"])
def test_an_account_id_is_printable_ascii_without_spaces(account_id: str) -> None:
    assert an_account(account_id=account_id).account_id == account_id


@pytest.mark.parametrize(
    "account_id", ["", " ", "a b", "a\n", "é", "\x7f", "x" * 257, "\N{FULLWIDTH DIGIT ONE}"]
)
def test_any_other_account_id_is_refused(account_id: str) -> None:
    with pytest.raises(ValueError, match="account_id"):
        an_account(account_id=account_id)


@pytest.mark.parametrize("digits", ["48215", "48 1", "a", "٤٨٢١", "••48"])
def test_more_than_four_digits_or_letters_of_a_number_cannot_be_shown(digits: str) -> None:
    with pytest.raises(ValueError, match="last_digits"):
        an_account(last_digits=digits)


@pytest.mark.parametrize("member", ["name", "product", "type", "holder"])
def test_no_text_is_longer_than_eighty_characters(member: str) -> None:
    assert getattr(an_account(**{member: "é" * 80}), member) == "é" * 80
    with pytest.raises(ValueError, match="80"):
        an_account(**{member: "é" * 81})


@pytest.mark.parametrize("category", AccountCategory)
def test_only_investments_and_annuities_have_investments(category: AccountCategory) -> None:
    expected = category.value in ("INVESTMENT_ACCOUNT", "ANNUITY_ACCOUNT")
    assert an_account(category=category).has_investments == expected


def test_a_list_tells_what_can_be_shared_from_what_cannot_in_the_order_of_the_bank() -> None:
    first, closed, last = (
        an_account(account_id="b"),
        an_account(account_id="c", unshareable=Unshareable.CLOSED),
        an_account(account_id="a"),
    )
    found = an_account_list(first, closed, last)
    assert found.shareable == (first, last)
    assert found.unshareable == (closed,)
    assert not found.is_cut_short


def test_two_hundred_accounts_can_be_chosen_from_at_most() -> None:
    closed = an_account(account_id="closed", unshareable=Unshareable.CLOSED)
    accounts = tuple(an_account(account_id=f"acc-{number}") for number in range(201))
    assert not an_account_list(closed, *accounts[:200]).is_cut_short
    found = an_account_list(closed, *accounts)
    assert found.shareable == accounts[:200]
    assert found.is_cut_short


def test_a_list_names_no_account_twice() -> None:
    with pytest.raises(ValueError, match="twice"):
        an_account_list(an_account(), an_account(name="Another name"))


def test_the_hash_of_a_list_changes_with_all_that_is_shown_and_not_with_the_time() -> None:
    one, other = an_account(account_id="a"), an_account(account_id="b")
    found = an_account_list(one, other)
    assert found.list_hash == AccountList((one, other), fetched_at=NOON + timedelta(minutes=1)).list_hash
    others = [
        an_account_list(other, one),
        an_account_list(one),
        an_account_list(one, an_account(account_id="b", name="Renamed")),
        an_account_list(one, an_account(account_id="b", unshareable=Unshareable.RESTRICTED)),
    ]
    assert len({found.list_hash, *(each.list_hash for each in others)}) == 5


@pytest.mark.parametrize(
    ("others", "product", "holder"),
    [
        ([], "", None),
        ([{"name": "Savings", "product": "Plus"}], "", None),
        ([{"product": "Plus"}], "Basic", None),
        ([{"product": "Plus", "unshareable": Unshareable.CLOSED}], "Basic", None),
        ([{}], "Basic", None),
        ([{"name": "Savings", "holder": "Sam"}], "", None),
        ([{"name": "Savings", "holder": "Zoë"}], "", "Sam"),
        ([{"name": "Savings", "holder": None}], "", None),
    ],
)
def test_of_an_account_as_much_is_kept_as_tells_it_apart(
    others: list[dict[str, Any]], product: str, holder: str | None
) -> None:
    one = an_account(account_id="one", name="Chequing", product="Basic", holder="Sam")
    like_it = {"name": "Chequing", "holder": "Sam"}
    rest = [an_account(account_id=f"a-{n}", **{**like_it, **other}) for n, other in enumerate(others)]
    found = an_account_list(one, *rest, an_account(account_id="last", name="Chequing account")).told_apart()
    assert found.accounts[0] == replace(one, product=product, holder=holder)
    assert found.told_apart() == found


def test_a_product_of_the_same_name_tells_nothing_apart() -> None:
    alike = [an_account(account_id=each, name="Savings", product="Savings") for each in "ab"]
    assert [account.product for account in an_account_list(*alike).told_apart().accounts] == ["", ""]


def test_a_list_is_fresh_for_a_quarter_of_an_hour() -> None:
    found = an_account_list()
    assert found.is_fresh_at(NOON + LONGEST_KEPT - timedelta(seconds=1))
    assert not found.is_fresh_at(NOON + LONGEST_KEPT)


@pytest.mark.parametrize(
    ("chosen", "offered", "why"),
    [
        ((), 3, "no account"),
        ((an_account(), an_account()), 3, "twice"),
        ((an_account(unshareable=Unshareable.CLOSED),), 3, "cannot be shared"),
        ((an_account(account_id="a"), an_account(account_id="b")), 1, "more accounts"),
    ],
)
def test_a_choice_is_of_accounts_that_were_offered(
    chosen: tuple[Account, ...], offered: int, why: str
) -> None:
    with pytest.raises(ValueError, match=why):
        ChosenAccounts(chosen, offered=offered, unshareable=0)


def test_a_choice_names_its_accounts() -> None:
    chosen = (an_account(account_id="b"), an_account(account_id="a"))
    assert ChosenAccounts(chosen, offered=2, unshareable=1).account_ids == {"a", "b"}


def _accounts() -> st.SearchStrategy[Account]:
    text = st.text(max_size=80)
    return st.builds(
        Account,
        account_id=st.from_regex(r"[!-~]{1,256}", fullmatch=True),
        category=st.sampled_from(AccountCategory),
        type=text,
        name=text,
        product=text,
        last_digits=st.from_regex(r"[0-9A-Z]{0,4}", fullmatch=True),
        holder=st.none() | text,
        is_joint=st.booleans(),
        others_are_told=st.booleans(),
        unshareable=st.none() | st.sampled_from(Unshareable),
    )


@given(_accounts())
def test_an_account_survives_being_written_and_read(account: Account) -> None:
    assert parse_account(json.loads(json.dumps(account_document(account)))) == account


def test_what_is_empty_is_not_written() -> None:
    assert account_document(an_account(last_digits="")) == {
        "account_id": "acc-1",
        "category": "DEPOSIT_ACCOUNT",
        "type": "CHECKING",
        "name": "Everyday chequing",
    }


@pytest.mark.parametrize(
    "change",
    [
        {"account_id": None},
        {"account_id": ""},
        {"category": "SAVINGS"},
        {"unshareable": "BECAUSE"},
        {"name": 5},
    ],
)
def test_a_document_that_is_no_account_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises((ValueError, TypeError)):
        parse_account({**account_document(an_account()), **change})
