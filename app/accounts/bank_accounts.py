"""Asks each bank for the accounts of its customers, in the way that it has registered."""

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta

import structlog

from app.accounts import AccountsUnavailable
from app.accounts.claims import claimed_accounts
from app.accounts.descriptors import look_like_numbers, read_descriptors
from app.accounts.fdx import fetch_descriptors
from app.accounts.sandbox import sandbox_accounts
from app.accounts.service_tokens import ServiceTokens
from app.domain.account_sources import (
    AccountsRegistration,
    ClaimSource,
    CustomerSource,
    ServiceSource,
)
from app.domain.accounts import Account, AccountList, Unshareable
from app.domain.registry import DataProvider
from app.outgoing import CallFailed
from app.outgoing.bulkhead import Bulkhead
from app.outgoing.deadline import Deadline
from app.sign_in import BankAnswer, Cause, Customer, SignInFailed

_log = structlog.get_logger()

_BETWEEN_WARNINGS = timedelta(hours=1)

# What is left of a sign-in's time when its accounts have not come: enough to sign the customer in without.
_RESERVE = timedelta(milliseconds=100)


class BankAccounts:
    """Asks banks for accounts. `bulkheads` has one for each provider_id, which its sign-ins use as well."""

    def __init__(self, bulkheads: Mapping[str, Bulkhead], *, clock: Callable[[], datetime]) -> None:
        self._bulkheads = bulkheads
        self._clock = clock
        self._tokens = ServiceTokens()
        self._warned_at: dict[str, datetime] = {}

    def find_accounts(self, provider: DataProvider, customer: Customer) -> AccountList:
        """The list of a bank that can be asked at any time. Raises AccountsUnavailable."""
        registration = provider.accounts
        source = None if registration is None else registration.source
        if registration is None or registration.needs_sign_in:
            raise AccountsUnavailable("needs_sign_in")
        if isinstance(source, ServiceSource):
            return self._measured(
                provider, lambda: self._ask_service(provider, registration, source, customer)
            )
        accounts = sandbox_accounts(provider, customer)
        return AccountList(_withhold(accounts, registration), fetched_at=self._clock()).told_apart()

    def ask_at_sign_in(
        self, provider: DataProvider, answer: BankAnswer, deadline: Deadline
    ) -> AccountList | None:
        """The list that the bank gives with a sign-in; None where it gives none.

        It is fetched within the slot and the deadline of that sign-in, and the access token is used for
        nothing else. A failure here does not fail the sign-in.
        """
        registration = provider.accounts
        if registration is None or not registration.needs_sign_in:
            return None
        try:
            return self._measured(
                provider, lambda: self._ask_as_customer(provider, registration, answer, deadline)
            )
        except AccountsUnavailable:
            return None

    def _ask_as_customer(
        self,
        provider: DataProvider,
        registration: AccountsRegistration,
        answer: BankAnswer,
        deadline: Deadline,
    ) -> AccountList:
        in_time = deadline.earlier_by(_RESERVE)
        match registration.source:
            case ClaimSource() as source:
                found = claimed_accounts(source, answer, deadline=in_time)
            case CustomerSource(address=address):
                if answer.access_token is None:
                    raise AccountsUnavailable("no_token")
                found = self._fetch(provider, address, answer.access_token, in_time)
            case _:
                raise AccountsUnavailable("needs_no_sign_in")
        return self._read(provider, registration, found)

    def _ask_service(
        self,
        provider: DataProvider,
        registration: AccountsRegistration,
        source: ServiceSource,
        customer: Customer,
    ) -> AccountList:
        try:
            address = source.address_for(customer.subject)
        except ValueError as error:
            raise AccountsUnavailable("subject") from error
        if provider.is_left_out:
            raise AccountsUnavailable("left_out")

        def ask(deadline: Deadline) -> list[object]:
            token = self._tokens.token_for(provider.provider_id, source, deadline=deadline)
            try:
                return self._fetch(provider, address, token, deadline)
            except CallFailed as failure:
                if failure.detail == "status_401":
                    self._tokens.forget(provider.provider_id)
                raise

        found = self._bulkheads[provider.provider_id].wait_for(ask)
        return self._read(provider, registration, found)

    def _fetch(
        self, provider: DataProvider, address: str, access_token: str, deadline: Deadline
    ) -> list[object]:
        found, are_all = fetch_descriptors(address, access_token, deadline=deadline)
        if not are_all:
            _log.warning("accounts_not_all_read", provider_id=provider.provider_id)
        return found

    def _read(self, provider: DataProvider, registration: AccountsRegistration, found: object) -> AccountList:
        accounts = read_descriptors(found, registration, fetched_at=self._clock())
        if accounts.left_out:
            _log.warning("accounts_left_out", provider_id=provider.provider_id, entries=accounts.left_out)
        if look_like_numbers(accounts):
            self._warn_of_numbers(provider)
        return accounts.told_apart()

    def _warn_of_numbers(self, provider: DataProvider) -> None:
        """Warns at most once an hour, in this process, of a bank whose ids look like numbers of accounts."""
        now = self._clock()
        before = self._warned_at.get(provider.provider_id)
        if before is None or now - before >= _BETWEEN_WARNINGS:
            self._warned_at[provider.provider_id] = now
            _log.warning("accounts_look_like_numbers", provider_id=provider.provider_id)

    def _measured(self, provider: DataProvider, ask: Callable[[], AccountList]) -> AccountList:
        """What `ask` returns, with a line in the log, which the metrics count. Raises AccountsUnavailable."""
        began = time.monotonic()
        try:
            found = ask()
        except Exception as failure:  # whatever it sends, a list ends no sign-in (ADR 31)
            is_busy = isinstance(failure, CallFailed) and failure.is_busy
            if isinstance(failure, AccountsUnavailable | CallFailed | SignInFailed):
                said = {"reason": failure.detail}
            else:  # nobody foresaw it: its kind says what it was, and no text of it, which may be the bank's
                said = {"reason": "unreadable", "error": type(failure).__name__}
            _log.warning(
                "accounts_unavailable",
                provider_id=provider.provider_id,
                **said,
                outcome=Cause.BUSY.value if is_busy else Cause.UNAVAILABLE.value,
                seconds=round(time.monotonic() - began, 3),
            )
            raise AccountsUnavailable(said["reason"]) from failure
        _log.info(
            "accounts_listed",
            provider_id=provider.provider_id,
            outcome="ok",
            seconds=round(time.monotonic() - began, 3),
        )
        return found


def _withhold(accounts: tuple[Account, ...], registration: AccountsRegistration) -> tuple[Account, ...]:
    """`accounts`, of which those in a category that the bank does not share cannot be shared."""
    return tuple(
        replace(account, unshareable=Unshareable.TYPE_NOT_SHARED)
        if account.unshareable is None and account.category in registration.withheld_categories
        else account
        for account in accounts
    )
