"""Taking a part back: it never gives more, and with the last account everything ends."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.clusters import ACCOUNT_LEVEL, CUSTOMER_LEVEL, DataCluster, Scope
from app.domain.narrowing import Withdrawn, narrowed_by
from app.domain.resources import AccountGroup, clusters_by_account, group_accounts
from tests.support.builders import BASIC, a_grant

CONTACT = frozenset({DataCluster.CUSTOMER_CONTACT})
TRANSACTIONS = frozenset({DataCluster.TRANSACTIONS})
INVESTMENTS = frozenset({DataCluster.INVESTMENTS})

IDS = st.sampled_from(["a", "b", "c", "d", "e"])
SCOPES = st.frozensets(st.sampled_from(DataCluster))
SHARED = st.dictionaries(IDS, SCOPES.map(lambda some: (some & ACCOUNT_LEVEL) | BASIC), min_size=1)
WITHDRAWN = st.builds(Withdrawn, SCOPES, st.frozensets(IDS))


@given(SHARED, SCOPES, WITHDRAWN)
def test_of_each_account_what_was_not_taken_back_is_left_and_nothing_else(
    shared: dict[str, Scope], about_customer: Scope, withdrawn: Withdrawn
) -> None:
    about_customer &= CUSTOMER_LEVEL
    grant = a_grant(granted_scope=about_customer.union(*shared.values()), resources=group_accounts(shared))
    left = narrowed_by(grant, withdrawn)
    kept = {one: scope - withdrawn.clusters for one, scope in shared.items() if one not in withdrawn.accounts}
    if not kept or withdrawn.clusters >= BASIC:
        assert left is None
        return
    assert left is not None
    assert left.resources is not None
    assert clusters_by_account(left.resources) == kept
    assert left.granted_scope <= grant.granted_scope - withdrawn.clusters
    assert left.granted_scope & CUSTOMER_LEVEL == about_customer - withdrawn.clusters
    assert narrowed_by(left, withdrawn) == left


@given(SCOPES, WITHDRAWN)
def test_of_a_grant_for_every_account_clusters_alone_can_be_taken_back(
    granted: Scope, withdrawn: Withdrawn
) -> None:
    grant = a_grant(granted_scope=granted | BASIC)
    left = narrowed_by(grant, withdrawn)
    if withdrawn.clusters >= BASIC:
        assert left is None
        return
    assert left is not None
    assert (left.resources, left.granted_scope) == (None, grant.granted_scope - withdrawn.clusters)


GRANT = a_grant(
    granted_scope=BASIC | TRANSACTIONS | INVESTMENTS | CONTACT,
    resources=(
        AccountGroup(BASIC | TRANSACTIONS, ("chequing", "savings")),
        AccountGroup(BASIC | TRANSACTIONS | INVESTMENTS, ("tfsa",)),
    ),
)


def test_with_the_only_account_that_has_investments_investments_go() -> None:
    left = narrowed_by(GRANT, Withdrawn(accounts=frozenset({"tfsa"})))
    assert left is not None
    assert left.granted_scope == BASIC | TRANSACTIONS | CONTACT


def test_accounts_of_which_the_same_is_left_are_one_group() -> None:
    left = narrowed_by(GRANT, Withdrawn(clusters=INVESTMENTS))
    assert left is not None
    assert left.resources == (AccountGroup(BASIC | TRANSACTIONS, ("chequing", "savings", "tfsa")),)


@pytest.mark.parametrize(
    "withdrawn",
    [
        Withdrawn(clusters=BASIC),
        Withdrawn(accounts=frozenset({"chequing", "savings", "tfsa"})),
        Withdrawn(clusters=BASIC, accounts=frozenset({"chequing"})),
    ],
)
def test_without_an_account_or_its_basic_data_nothing_is_left(withdrawn: Withdrawn) -> None:
    assert narrowed_by(GRANT, withdrawn) is None


@pytest.mark.parametrize("withdrawn", [Withdrawn(), Withdrawn(accounts=frozenset({"another"}))])
def test_what_was_not_shared_takes_nothing_away(withdrawn: Withdrawn) -> None:
    assert narrowed_by(GRANT, withdrawn) == GRANT
