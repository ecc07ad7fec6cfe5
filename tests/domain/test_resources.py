"""What is shared of which account: all that was granted of what there is, and never more."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.accounts import Account, AccountCategory, ChosenAccounts
from app.domain.clusters import ACCOUNT_LEVEL, CUSTOMER_LEVEL, DataCluster, Scope
from app.domain.consent import Answer, ConsentDecision, ConsentGrant, make_decision, make_grant, make_offer
from app.domain.resources import AccountGroup, clusters_by_account, group_accounts
from tests.support.builders import (
    BASIC,
    EVERYTHING,
    NOON,
    YEAR,
    a_client,
    a_grant,
    a_pending_request,
    a_provider,
    a_request,
    an_account,
    chosen,
)

CONTACT = frozenset({DataCluster.CUSTOMER_CONTACT})
TRANSACTIONS = frozenset({DataCluster.TRANSACTIONS})
INVESTMENTS = frozenset({DataCluster.INVESTMENTS})
CHEQUING = an_account()
SAVINGS = an_account(account_id="acc-2", type="SAVINGS")
TFSA = an_account(account_id="acc-3", type="TFSA", category=AccountCategory.INVESTMENT_ACCOUNT)

SCOPES = st.frozensets(st.sampled_from(DataCluster))
ACCOUNTS = st.dictionaries(
    st.text("abc123", min_size=1, max_size=3), st.sampled_from(AccountCategory), min_size=1, max_size=8
).map(lambda found: [an_account(account_id=key, category=category) for key, category in found.items()])


def approved(
    accounts: ChosenAccounts | None, *, requested: Scope = EVERYTHING, checked: Scope = EVERYTHING
) -> tuple[ConsentDecision, ConsentGrant]:
    """The approval of a request in which `requested` has a box each, and its grant."""
    decision = make_decision(
        a_pending_request(request=a_request(requested_scope=requested | BASIC)),
        make_offer(requested | BASIC, a_client(), a_provider()),
        Answer.APPROVE,
        checked=checked,
        subject="maple-0001",
        consent_id="consent-1",
        now=NOON,
        accounts=accounts,
    )
    return decision, make_grant(decision, ends_at=NOON + YEAR)


@given(ACCOUNTS, SCOPES, SCOPES)
def test_of_each_chosen_account_what_was_granted_is_shared_and_of_no_other_anything(
    accounts: list[Account], requested: Scope, checked: Scope
) -> None:
    decision, grant = approved(chosen(*accounts), requested=requested, checked=checked)
    assert grant.resources is not None
    assert decision.granted_scope == grant.granted_scope <= (requested & checked) | BASIC
    shared = clusters_by_account(grant.resources)
    assert shared.keys() == {account.account_id for account in accounts}
    for account in accounts:
        not_there = frozenset() if account.has_investments else INVESTMENTS
        assert shared[account.account_id] == (grant.granted_scope & ACCOUNT_LEVEL) - not_there
    about_customer = grant.granted_scope & CUSTOMER_LEVEL
    assert about_customer == (requested & checked) & CUSTOMER_LEVEL


@given(ACCOUNTS, SCOPES)
def test_equal_clusters_are_one_group(accounts: list[Account], checked: Scope) -> None:
    _, grant = approved(chosen(*accounts), checked=checked)
    assert grant.resources is not None
    assert len({group.clusters for group in grant.resources}) == len(grant.resources) <= 2


def test_investments_are_shared_of_the_accounts_that_have_any() -> None:
    _, grant = approved(chosen(CHEQUING, TFSA, SAVINGS), requested=INVESTMENTS | TRANSACTIONS | CONTACT)
    assert grant.granted_scope == BASIC | INVESTMENTS | TRANSACTIONS | CONTACT
    assert grant.resources == (
        AccountGroup(BASIC | TRANSACTIONS, ("acc-1", "acc-2")),
        AccountGroup(BASIC | TRANSACTIONS | INVESTMENTS, ("acc-3",)),
    )


def test_what_no_chosen_account_has_is_not_granted() -> None:
    decision, grant = approved(chosen(CHEQUING, SAVINGS))
    assert decision.requested_scope == EVERYTHING
    assert decision.granted_scope == grant.granted_scope == EVERYTHING - INVESTMENTS


def test_without_a_list_of_accounts_a_grant_is_for_all_of_them() -> None:
    decision, grant = approved(None)
    assert (decision.accounts, grant.resources, grant.granted_scope) == (None, None, EVERYTHING)


def test_a_denial_is_for_no_account() -> None:
    pending, offer = a_pending_request(), make_offer(EVERYTHING, a_client(), a_provider())
    decision = make_decision(
        pending,
        offer,
        Answer.DENY,
        checked=EVERYTHING,
        subject="maple-0001",
        consent_id="consent-1",
        now=NOON,
        accounts=chosen(CHEQUING),
    )
    assert decision.accounts is None


GROUP = AccountGroup(BASIC | TRANSACTIONS, ("acc-1",))


@pytest.mark.parametrize(
    ("granted_scope", "resources"),
    [
        (BASIC, (GROUP,)),
        (BASIC | TRANSACTIONS | INVESTMENTS, (GROUP,)),
        (BASIC | CONTACT, ()),
        (BASIC, ()),
        (BASIC | TRANSACTIONS, (GROUP, AccountGroup(BASIC, ("acc-2", "acc-1")))),
    ],
    ids=["more than granted", "less than granted", "about the customer alone", "no account", "in two groups"],
)
def test_a_grant_of_which_the_accounts_say_something_else_cannot_exist(
    granted_scope: Scope, resources: Any
) -> None:
    with pytest.raises(ValueError, match="account"):
        a_grant(granted_scope=granted_scope, resources=resources)
    assert a_grant(granted_scope=BASIC | TRANSACTIONS | CONTACT, resources=(GROUP,)).resources == (GROUP,)


@pytest.mark.parametrize(
    ("clusters", "accounts"),
    [
        (BASIC, ()),
        (BASIC, ("acc-1", "acc-1")),
        (TRANSACTIONS, ("acc-1",)),
        (frozenset(), ("acc-1",)),
        (BASIC | CONTACT, ("acc-1",)),
    ],
)
def test_a_group_has_accounts_and_says_at_least_which_they_are(
    clusters: Scope, accounts: tuple[str, ...]
) -> None:
    with pytest.raises(ValueError, match="group"):
        AccountGroup(clusters, accounts)


@given(
    st.dictionaries(
        st.text("abc", min_size=1, max_size=2), SCOPES.map(lambda some: some - CUSTOMER_LEVEL | BASIC)
    )
)
def test_groups_say_of_each_account_what_was_said_of_it(shared: dict[str, Scope]) -> None:
    assert clusters_by_account(group_accounts(shared)) == shared
