"""Which accounts a customer can choose, and what follows from the choice for the clusters."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from enum import StrEnum

from app.domain.accounts import Account, AccountCategory, AccountList, ChosenAccounts
from app.domain.consent import ConsentGrant, ConsentOffer
from app.domain.resources import applicable_scope, clusters_by_account


class AccountKind(StrEnum):
    """The groups in which accounts are listed, in their order on the page."""

    DEPOSIT = "deposit"
    CARD = "card"
    LOAN = "loan"
    INVESTMENT = "investment"
    OTHER = "other"


_KINDS = {
    AccountCategory.DEPOSIT_ACCOUNT: AccountKind.DEPOSIT,
    AccountCategory.DIGITAL_WALLET: AccountKind.DEPOSIT,
    AccountCategory.COMMERCIAL_ACCOUNT: AccountKind.DEPOSIT,
    AccountCategory.LOAN_ACCOUNT: AccountKind.LOAN,
    AccountCategory.INVESTMENT_ACCOUNT: AccountKind.INVESTMENT,
    AccountCategory.ANNUITY_ACCOUNT: AccountKind.INVESTMENT,
    AccountCategory.INSURANCE_ACCOUNT: AccountKind.OTHER,
}
_CARD_TYPES = {"CREDITCARD", "CHARGE"}  # FDX counts cards among the lines of credit


def kind_of(account: Account) -> AccountKind:
    """The group in which `account` is listed."""
    if account.category is AccountCategory.LOC_ACCOUNT:
        return AccountKind.CARD if account.type in _CARD_TYPES else AccountKind.LOAN
    return _KINDS[account.category]


def offer_for(offer: ConsentOffer, accounts: Sequence[Account]) -> ConsentOffer:
    """The `offer` without boxes for what none of `accounts` has."""
    return replace(
        offer,
        needed=applicable_scope(offer.needed, accounts),
        optional=applicable_scope(offer.optional, accounts),
    )


def is_enough(offer: ConsentOffer, accounts: Sequence[Account]) -> bool:
    """Whether `accounts` have everything that the recipient cannot work without."""
    return applicable_scope(offer.needed, accounts) == offer.needed


def accounts_at(listed: AccountList, positions: Iterable[str]) -> tuple[Account, ...]:
    """The accounts at `positions` in the list that the customer was shown, in the order of that list.

    A position is that of a box. Positions that are unknown or repeated do not count.
    """
    wanted = set(positions)
    return tuple(account for index, account in enumerate(listed.shareable) if str(index) in wanted)


def accounts_named(listed: AccountList, account_ids: Iterable[str]) -> tuple[Account, ...]:
    """Those of `account_ids` that can still be shared, in the order of the list."""
    wanted = set(account_ids)
    return tuple(account for account in listed.shareable if account.account_id in wanted)


def choose(listed: AccountList, accounts: tuple[Account, ...]) -> ChosenAccounts:
    """The choice of `accounts` from what was `listed`."""
    return ChosenAccounts(accounts, offered=len(listed.shareable), unshareable=len(listed.unshareable))


def accounts_to_keep(listed: AccountList, grant: ConsentGrant) -> tuple[Account, ...] | None:
    """The accounts of `grant`, which a renewal keeps; None where one of them can no longer be shared.

    A grant from before accounts were chosen has all of them, also those that will be opened later: it cannot
    be kept as it is.
    """
    if grant.resources is None:
        return None
    shared = clusters_by_account(grant.resources)
    kept = accounts_named(listed, shared)
    return kept if len(kept) == len(shared) else None
