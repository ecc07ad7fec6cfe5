"""What a customer asks to stop, by the parameter `stop` of a page, and what of the connection is left."""

import hashlib
from dataclasses import dataclass

from app.domain.clusters import DataCluster, Scope, known_clusters
from app.domain.consent import ConsentGrant, GrantStatus
from app.domain.narrowing import Withdrawn, narrowed_by

EVERYTHING = "all"
_ACCOUNT = "account:"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stopping:
    """What would stop. `asked` is the parameter; `left` is what goes on, and None where nothing does."""

    asked: str
    grant: ConsentGrant
    withdrawn: Withdrawn
    left: ConsentGrant | None

    @property
    def clusters(self) -> Scope:
        """The clusters that end, also because only the stopped account has them."""
        return self.grant.granted_scope - (self.left.granted_scope if self.left else frozenset())

    @property
    def account_ids(self) -> frozenset[str]:
        return self.grant.account_ids - (self.left.account_ids if self.left else frozenset())

    @property
    def part(self) -> Withdrawn | None:
        """The part to withdraw; None for all of it."""
        return None if self.left is None else self.withdrawn

    @property
    def is_of_account(self) -> bool:
        """Whether one account was asked for, and not a type of data."""
        return bool(self.withdrawn.accounts)

    @property
    def ends_with_basic(self) -> bool:
        """Whether everything ends, although a single type of data was asked for."""
        return self.asked == DataCluster.ACCOUNT_BASIC and len(self.clusters) > 1


def find_stopping(grant: ConsentGrant, status: GrantStatus, asked: str | None) -> Stopping | None:
    """The part that `asked` names: `all`, a cluster, or an account. None where that is not shared now."""
    if asked is None or status is not GrantStatus.ACTIVE:
        return None
    withdrawn = _withdrawn(grant, asked)
    if withdrawn is None:
        return None
    return Stopping(asked=asked, grant=grant, withdrawn=withdrawn, left=narrowed_by(grant, withdrawn))


def account_parameter(consent_id: str, account_id: str) -> str:
    """The parameter for one account: a hash, since the id itself must be in no address, and so in no log."""
    named = hashlib.sha256(f"{consent_id}{account_id}".encode()).hexdigest()
    return f"{_ACCOUNT}{named[:16]}"


def _withdrawn(grant: ConsentGrant, asked: str) -> Withdrawn | None:
    if asked == EVERYTHING:
        return Withdrawn(clusters=grant.granted_scope)
    named = {one for one in grant.account_ids if account_parameter(grant.consent_id, one) == asked}
    if named:
        return Withdrawn(accounts=frozenset(named))
    clusters = known_clusters([asked]) & grant.granted_scope
    return Withdrawn(clusters=clusters) if clusters else None
