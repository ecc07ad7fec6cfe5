"""Narrows a consent: what is left of it when the customer withdraws a part."""

from dataclasses import dataclass, replace

from app.domain.clusters import CUSTOMER_LEVEL, DataCluster, Scope
from app.domain.consent import ConsentGrant
from app.domain.resources import clusters_by_account, group_accounts


@dataclass(frozen=True, slots=True)
class Withdrawn:
    """What is withdrawn: `clusters`, for every account and the customer, and `accounts`, by their ids."""

    clusters: Scope = frozenset()
    accounts: frozenset[str] = frozenset()


def narrowed_by(grant: ConsentGrant, withdrawn: Withdrawn) -> ConsentGrant | None:
    """`grant` without what was `withdrawn`; None where nothing is left, so that the consent ends.

    The consent ends when ACCOUNT_BASIC is withdrawn, because every scope requires it, or with its last
    account, because ACCOUNT_BASIC must be about an account. A grant that names no accounts is for every
    account, so no account can be taken out of it.
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
