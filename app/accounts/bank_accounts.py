"""Asks each bank for the accounts of its customers in the way that it has registered."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from app.accounts import AccountsUnavailable
from app.accounts.sandbox import sandbox_accounts
from app.domain.account_sources import AccountsRegistration, SandboxSource
from app.domain.accounts import Account, AccountList, Unshareable
from app.domain.registry import DataProvider
from app.sign_in import Customer


class BankAccounts:
    """Every method raises AccountsUnavailable where there is no list."""

    def __init__(self, *, clock: Callable[[], datetime]) -> None:
        self._clock = clock

    def find_accounts(self, provider: DataProvider, customer: Customer) -> AccountList:
        """The list of a bank that can be asked at any time."""
        registration = provider.accounts
        if registration is None or not isinstance(registration.source, SandboxSource):
            raise AccountsUnavailable("needs_sign_in")
        accounts = sandbox_accounts(provider, customer)
        return AccountList(_withhold(accounts, registration), fetched_at=self._clock())


def _withhold(accounts: tuple[Account, ...], registration: AccountsRegistration) -> tuple[Account, ...]:
    """`accounts`, of which those in a category that the bank does not share cannot be shared."""
    return tuple(
        replace(account, unshareable=Unshareable.TYPE_NOT_SHARED)
        if account.unshareable is None and account.category in registration.withheld_categories
        else account
        for account in accounts
    )
