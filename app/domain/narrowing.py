"""What is left of a consent when a part of it is taken back."""

from dataclasses import dataclass, replace

from app.domain.clusters import CUSTOMER_LEVEL, DataCluster, Scope
from app.domain.consent import ConsentGrant
from app.domain.resources import clusters_by_account, group_accounts


@dataclass(frozen=True, slots=True)
class Withdrawn:
    """What is taken back: `clusters` of every account and of the customer, and `accounts` by their ids."""

    clusters: Scope = frozenset()
    accounts: frozenset[str] = frozenset()


def narrowed_by(grant: ConsentGrant, withdrawn: Withdrawn) -> ConsentGrant | None:
    """`grant` without what was `withdrawn`; None where nothing is left, so that the consent ends.

    Nothing is left without ACCOUNT_BASIC, which every scope needs, and none without an account: it has no
    other place. A grant from before accounts were chosen is for every account, so that none can be taken out.
    """
    left = grant.granted_scope - withdrawn.clusters
    if DataCluster.ACCOUNT_BASIC not in left:
        return None
    if grant.resources is None:
        return replace(grant, granted_scope=left)
    of_accounts = {
        account_id: clusters - withdrawn.clusters
        for account_id, clusters in clusters_by_account(grant.resources).items()
        if account_id not in withdrawn.accounts
    }
    if not of_accounts:
        return None
    resources = group_accounts(of_accounts)
    granted_scope = (left & CUSTOMER_LEVEL).union(*of_accounts.values())
    return replace(grant, granted_scope=granted_scope, resources=resources)
