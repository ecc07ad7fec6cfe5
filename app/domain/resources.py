"""The resources of a consent: groups of accounts, with the clusters that are shared of each group."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from app.domain.accounts import Account, ChosenAccounts
from app.domain.clusters import ACCOUNT_LEVEL, CUSTOMER_LEVEL, DataCluster, Scope

_INVESTMENTS: Scope = frozenset({DataCluster.INVESTMENTS})


@dataclass(frozen=True, slots=True)
class AccountGroup:
    """Accounts, by their ids, of which the same `clusters` are shared.

    ACCOUNT_BASIC is required: it identifies the account. Raises ValueError without it, for clusters that are
    not about accounts, for no account, and for an account that is named twice.
    """

    clusters: Scope
    accounts: tuple[str, ...]

    def __post_init__(self) -> None:
        if not self.accounts or len(set(self.accounts)) < len(self.accounts):
            raise ValueError("a group has no account, or one twice")
        if DataCluster.ACCOUNT_BASIC not in self.clusters or not self.clusters <= ACCOUNT_LEVEL:
            raise ValueError("a group has clusters that are not about accounts, or lacks ACCOUNT_BASIC")


Resources = tuple[AccountGroup, ...]


def granted_resources(granted_scope: Scope, accounts: ChosenAccounts) -> Resources:
    """The chosen accounts with what is shared of each: INVESTMENTS only of accounts that have investments."""
    of_each = granted_scope & ACCOUNT_LEVEL
    return group_accounts(
        {
            account.account_id: of_each if account.has_investments else of_each - _INVESTMENTS
            for account in accounts.chosen
        }
    )


def applicable_scope(scope: Scope, accounts: Iterable[Account]) -> Scope:
    """`scope` without the clusters of which none of `accounts` has any data."""
    has_investments = any(account.has_investments for account in accounts)
    return scope if has_investments else scope - _INVESTMENTS


def group_accounts(clusters_of: Mapping[str, Scope]) -> Resources:
    """The groups for what is shared of each account, by its id: one group for each set of clusters."""
    groups: dict[Scope, list[str]] = {}
    for account_id, clusters in clusters_of.items():
        groups.setdefault(clusters, []).append(account_id)
    return tuple(AccountGroup(clusters, tuple(accounts)) for clusters, accounts in groups.items())


def clusters_by_account(resources: Iterable[AccountGroup]) -> dict[str, Scope]:
    """What is shared of each account, by its id."""
    return {account_id: group.clusters for group in resources for account_id in group.accounts}


def check_resources(resources: Resources, granted_scope: Scope) -> None:
    """Raises ValueError unless `resources` share what `granted_scope` says, no more and no less.

    Clusters about the customer are of no account.
    """
    if sum(len(group.accounts) for group in resources) > len(clusters_by_account(resources)):
        raise ValueError("an account is in two groups")
    about_customer = granted_scope & CUSTOMER_LEVEL
    if about_customer.union(*(group.clusters for group in resources)) != granted_scope:
        raise ValueError("what is shared of the accounts is not the granted scope")
