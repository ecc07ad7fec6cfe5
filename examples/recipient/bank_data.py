"""What a bank's API gives of the customer's data (FDX Core): accounts, balances, this month's transactions.

It is read when a page shows it, and kept nowhere.
"""

import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any
from urllib.parse import quote

import requests
from requests.auth import AuthBase

TIMEOUT = (3, 5)  # seconds to connect, seconds to wait for an answer
MOST_PAGES = 10
MOST_ACCOUNTS = 10  # of which the transactions are read: a call each
MOUNTS = {"1000": "/maple", "2000": "/northern", "3000": "/harbour"}
# Where FDX writes what an account holds, and what is owed on it.
_HELD = ("availableBalance", "currentBalance", "currentValue")
_OWED = ("currentBalance", "principalBalance")
_WITH_DEBT = ("LOC_ACCOUNT", "LOAN_ACCOUNT")


class DataRefused(Exception):
    """The bank does not give this. `code` is FDX's: 602 where the customer does not share it, or no more."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class DataUnavailable(Exception):
    """The bank's API does not answer, or not with what FDX says."""


@dataclass(frozen=True, slots=True)
class Account:
    """An account as the page shows it. `amount` is in dollars; None where balances are not shared."""

    account_id: str
    name: str
    number: str
    amount: float | None
    is_owed: bool


@dataclass(frozen=True, slots=True)
class Transaction:
    """Something that happened in an account. What comes in has a positive amount."""

    day: date
    description: str
    account: str
    amount: float


@dataclass(frozen=True, slots=True)
class BankData:
    """`transactions` are this month's, the newest first; None where they are not shared."""

    accounts: tuple[Account, ...]
    transactions: tuple[Transaction, ...] | None

    @property
    def spent(self) -> float:
        return -sum(transaction.amount for transaction in self.transactions or () if transaction.amount < 0)


@dataclass(frozen=True, slots=True)
class BankApi:
    """The API of one bank. Its methods raise DataRefused and DataUnavailable only."""

    address: str

    def read(self, token: AuthBase, granted: frozenset[str], *, since: date, language: str) -> BankData:
        """What of the granted clusters the page shows; transactions from the day `since` on."""
        with requests.Session() as session:
            session.trust_env = False  # a proxy or .netrc meant for something else stays out of it
            session.auth = token
            session.headers.update(
                {
                    "Accept": "application/json",
                    "Accept-Language": f"{language}-CA",
                    "FDX-API-Actor-Type": "USER",
                    "x-fapi-interaction-id": str(uuid.uuid4()),
                }
            )
            try:
                return self._read(session, granted, since)
            except requests.RequestException as error:
                raise DataUnavailable from error
            except (AttributeError, KeyError, TypeError, ValueError) as error:  # not the JSON it should be
                raise DataUnavailable from error

    def _read(self, session: requests.Session, granted: frozenset[str], since: date) -> BankData:
        found = {account["accountId"]: account for account in self._accounts(session, "lightweight")}
        if granted & {"ACCOUNT_DETAILED", "INVESTMENTS"}:
            found.update({account["accountId"]: account for account in self._accounts(session, "details")})
        accounts = tuple(_account(account) for account in found.values())
        if "TRANSACTIONS" not in granted:
            return BankData(accounts, None)
        transactions: list[Transaction] = []
        for account in accounts[:MOST_ACCOUNTS]:
            path = f"/accounts/{quote(account.account_id, safe='')}/transactions"
            try:
                entries = list(self._pages(session, path, "transactions", startTime=since.isoformat()))
            except DataRefused as refused:
                if refused.code == "602":
                    raise
                continue  # closed, or of a kind that has none
            transactions += [_transaction(entry, account.name) for entry in entries]
        transactions.sort(key=lambda transaction: transaction.day, reverse=True)
        return BankData(accounts, tuple(transactions))

    def _accounts(self, session: requests.Session, kind: str) -> Iterator[dict[str, Any]]:
        for account in self._pages(session, "/accounts", "accounts", resultType=kind):
            # FDX may write {"depositAccount": {…}}, or the account alone.
            [alone] = [account] if "accountId" in account else account.values()
            yield alone

    def _pages(
        self, session: requests.Session, path: str, name: str, **params: str
    ) -> Iterator[dict[str, Any]]:
        for _ in range(MOST_PAGES):
            response = session.get(self.address + path, params=params, timeout=TIMEOUT, allow_redirects=False)
            answer = response.json()
            if 400 <= response.status_code < 500:
                raise DataRefused(str(answer["code"])[:10])
            response.raise_for_status()
            yield from answer[name]
            offset = answer.get("page", {}).get("nextOffset")
            if not offset:
                return
            params["offset"] = str(offset)


def _account(entry: Mapping[str, Any]) -> Account:
    is_owed = entry["accountCategory"] in _WITH_DEBT
    amounts = [entry[name] for name in (_OWED if is_owed else _HELD) if name in entry]
    return Account(
        str(entry["accountId"]),
        str(entry.get("nickname") or entry["productName"]),
        str(entry.get("accountNumberDisplay", "")),
        float(amounts[0]) if amounts else None,
        is_owed,
    )


def _transaction(entry: Mapping[str, Any], account: str) -> Transaction:
    amount = float(entry["amount"])
    return Transaction(
        date.fromisoformat(entry["postedTimestamp"][:10]),
        str(entry["description"]),
        account,
        -amount if entry["debitCreditMemo"] == "DEBIT" else amount,
    )
