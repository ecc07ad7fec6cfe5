"""What a customer can choose, and what follows from the choice."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.account_choice import (
    AccountKind,
    accounts_at,
    accounts_named,
    accounts_to_keep,
    choose,
    is_enough,
    kind_of,
    offer_for,
)
from app.domain.accounts import AccountCategory, AccountList, Unshareable
from app.domain.clusters import DataCluster
from app.domain.consent import ConsentOffer
from app.domain.resources import AccountGroup
from tests.support.builders import EVERYTHING, NOON, a_grant, an_account

BASIC = frozenset({DataCluster.ACCOUNT_BASIC})
INVESTMENTS = frozenset({DataCluster.INVESTMENTS})
CHEQUING, SAVINGS = an_account(account_id="a-1"), an_account(account_id="a-2", name="Savings")
CLOSED = an_account(account_id="a-3", unshareable=Unshareable.CLOSED)
TFSA = an_account(account_id="a-4", category=AccountCategory.INVESTMENT_ACCOUNT, type="TFSA")
LISTED = AccountList((CHEQUING, CLOSED, SAVINGS, TFSA), NOON)
OFFER = ConsentOffer(needed=BASIC, optional=frozenset(EVERYTHING) - BASIC, unavailable=frozenset())


@pytest.mark.parametrize(
    ("category", "type_", "kind"),
    [
        ("DEPOSIT_ACCOUNT", "SAVINGS", AccountKind.DEPOSIT),
        ("LOC_ACCOUNT", "CREDITCARD", AccountKind.CARD),
        ("LOC_ACCOUNT", "HOMELINEOFCREDIT", AccountKind.LOAN),
        ("LOAN_ACCOUNT", "MORTGAGE", AccountKind.LOAN),
        ("ANNUITY_ACCOUNT", "ANNUITY", AccountKind.INVESTMENT),
        ("INSURANCE_ACCOUNT", "WHOLELIFE", AccountKind.OTHER),
    ],
)
def test_accounts_are_listed_by_kind(category: str, type_: str, kind: AccountKind) -> None:
    assert kind_of(an_account(category=AccountCategory(category), type=type_)) is kind


@pytest.mark.parametrize("category", AccountCategory)
def test_every_category_has_a_kind(category: AccountCategory) -> None:
    assert kind_of(an_account(category=category)) in AccountKind


def test_a_position_counts_only_what_can_be_shared() -> None:
    assert accounts_at(LISTED, ["1", "1", "0"]) == (CHEQUING, SAVINGS)


@given(st.lists(st.text(max_size=8)))
def test_whatever_is_sent_only_accounts_with_a_box_are_chosen(positions: list[str]) -> None:
    found = accounts_at(LISTED, positions)
    assert [str(LISTED.shareable.index(account)) for account in found] == sorted(
        {position for position in positions if position in {"0", "1", "2"}}
    )


def test_what_is_no_longer_there_is_not_found_by_its_name() -> None:
    assert accounts_named(LISTED, ["a-2", "a-9", "a-3", "a-1"]) == (CHEQUING, SAVINGS)


def test_a_choice_says_how_much_there_was_to_choose_from() -> None:
    chosen = choose(LISTED, (TFSA,))
    assert (chosen.account_ids, chosen.offered, chosen.unshareable) == (frozenset({"a-4"}), 3, 1)


def test_what_no_account_has_is_not_offered() -> None:
    assert offer_for(OFFER, (CHEQUING,)) == replace(OFFER, optional=OFFER.optional - INVESTMENTS)
    assert offer_for(OFFER, (CHEQUING, TFSA)) == OFFER


def test_what_the_recipient_needs_must_be_there() -> None:
    needs = replace(OFFER, needed=BASIC | INVESTMENTS, optional=OFFER.optional - INVESTMENTS)
    assert not is_enough(needs, (CHEQUING, SAVINGS))
    assert is_enough(needs, (CHEQUING, TFSA))
    assert is_enough(OFFER, (CHEQUING,))


def test_a_renewal_keeps_the_accounts_that_are_still_there_and_no_others() -> None:
    def grant_of(*account_ids: str) -> tuple[AccountGroup, ...]:
        return (AccountGroup(BASIC, account_ids),)

    grant = a_grant(granted_scope=BASIC)
    assert accounts_to_keep(LISTED, replace(grant, resources=grant_of("a-2", "a-1"))) == (CHEQUING, SAVINGS)
    assert accounts_to_keep(LISTED, replace(grant, resources=grant_of("a-1", "a-3"))) is None
    assert accounts_to_keep(LISTED, replace(grant, resources=None)) is None
