"""The accounts of a customer at a bank, in the words of FDX, and what of them the customer chose to share."""

import hashlib
import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, NotRequired, TypedDict

MOST_SHAREABLE = 200
"""Accounts that a page offers at most: with their positions as values it stays below 14 kB, compressed."""
LONGEST_KEPT = timedelta(minutes=15)
"""How long a list of accounts may be used after the bank gave it: a judgement, as long as a sitting."""
LONGEST_NAME = 80  # characters: a judgement, more than a line of a page has

_ACCOUNT_ID = re.compile(r"[!-~]{1,256}", re.ASCII)
_LAST_DIGITS = re.compile(r"[0-9A-Z]{0,4}", re.ASCII)


class AccountCategory(StrEnum):
    """FDX `accountCategory`."""

    ANNUITY_ACCOUNT = "ANNUITY_ACCOUNT"
    COMMERCIAL_ACCOUNT = "COMMERCIAL_ACCOUNT"
    DEPOSIT_ACCOUNT = "DEPOSIT_ACCOUNT"
    DIGITAL_WALLET = "DIGITAL_WALLET"
    INSURANCE_ACCOUNT = "INSURANCE_ACCOUNT"
    INVESTMENT_ACCOUNT = "INVESTMENT_ACCOUNT"
    LOAN_ACCOUNT = "LOAN_ACCOUNT"
    LOC_ACCOUNT = "LOC_ACCOUNT"  # a line of credit, which credit cards are, too


_WITH_INVESTMENTS = {AccountCategory.INVESTMENT_ACCOUNT, AccountCategory.ANNUITY_ACCOUNT}


class Unshareable(StrEnum):
    """Why an account cannot be shared."""

    CLOSED = "CLOSED"
    PENDING_OPEN = "PENDING_OPEN"
    RESTRICTED = "RESTRICTED"
    JOINT_APPROVAL = "JOINT_APPROVAL"  # the other owners must first allow it
    NO_RIGHTS = "NO_RIGHTS"  # the customer may use the account, but may not decide about sharing it
    TYPE_NOT_SHARED = "TYPE_NOT_SHARED"
    OTHER = "OTHER"


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """One account as the customer is shown it. Raises ValueError for members of another form.

    `account_id` is the bank's own and opaque (FDX: no account number): it stands in no log, URL, metric or
    JWT. `type` is FDX `accountType`. `name` is what the customer calls it, else the product's name, else
    empty; `product` and `holder` tell it apart from others (`AccountList.told_apart`). With `others_are_told`
    the bank may tell the other owners that it is shared.
    """

    account_id: str
    category: AccountCategory
    type: str
    name: str
    product: str = ""
    last_digits: str = ""
    holder: str | None = None
    is_joint: bool = False
    others_are_told: bool = False
    unshareable: Unshareable | None = None

    def __post_init__(self) -> None:
        if _ACCOUNT_ID.fullmatch(self.account_id) is None:
            raise ValueError("account_id is not printable ASCII of 1 to 256 characters")
        if _LAST_DIGITS.fullmatch(self.last_digits) is None:
            raise ValueError("last_digits has more than four, or another character than digits and letters")
        if any(len(text) > LONGEST_NAME for text in (self.name, self.product, self.type, self.holder or "")):
            raise ValueError(f"has a text of more than {LONGEST_NAME} characters")

    @property
    def has_investments(self) -> bool:
        """Whether the cluster INVESTMENTS has any data about it."""
        return self.category in _WITH_INVESTMENTS


@dataclass(frozen=True, slots=True)
class AccountList:
    """The list that a bank gave of one customer's accounts, in the bank's order.

    No `account_id` occurs twice. `left_out` counts the bank's entries that could not be understood.
    """

    accounts: tuple[Account, ...]
    fetched_at: datetime
    left_out: int = 0

    def __post_init__(self) -> None:
        if len({account.account_id for account in self.accounts}) < len(self.accounts):
            raise ValueError("names an account twice")

    @property
    def shareable(self) -> tuple[Account, ...]:
        """The accounts that a page offers. A position on the page is an index into these."""
        return self._all_shareable()[:MOST_SHAREABLE]

    @property
    def unshareable(self) -> tuple[Account, ...]:
        return tuple(account for account in self.accounts if account.unshareable is not None)

    @property
    def is_cut_short(self) -> bool:
        """Whether more accounts could be shared than `shareable` has."""
        return len(self._all_shareable()) > MOST_SHAREABLE

    @property
    def has_one_choice(self) -> bool:
        """Whether a single account can be shared, so that nobody is asked which."""
        return len(self.shareable) == 1

    @property
    def list_hash(self) -> str:
        """The hash of all that a page shows: with equal hashes, positions mean the same accounts."""
        return hash_of(self.accounts)

    def is_fresh_at(self, now: datetime) -> bool:
        return now - self.fetched_at < LONGEST_KEPT

    def told_apart(self) -> "AccountList":
        """The list with no more of each account than tells it apart from the others.

        That is its product where another has the same name, and its holder where there are two or more. It is
        done once, for the whole list: whatever part of it is shown or recorded later says the same.
        """
        names = Counter(account.name for account in self.accounts)
        has_holders = len({account.holder for account in self.accounts if account.holder}) > 1
        accounts = tuple(
            replace(
                account,
                product=account.product
                if names[account.name] > 1 and account.product != account.name
                else "",
                holder=account.holder if has_holders else None,
            )
            for account in self.accounts
        )
        return replace(self, accounts=accounts)

    def _all_shareable(self) -> tuple[Account, ...]:
        return tuple(account for account in self.accounts if account.unshareable is None)


@dataclass(frozen=True, slots=True)
class ChosenAccounts:
    """The accounts that the customer chose, as they were shown: a part of the decision.

    `offered` is how many could be chosen, `unshareable` how many were shown that could not. Raises ValueError
    for no account, for one that cannot be shared, and for one that is chosen twice.
    """

    chosen: tuple[Account, ...]
    offered: int
    unshareable: int

    def __post_init__(self) -> None:
        if not self.chosen:
            raise ValueError("no account is chosen")
        if any(account.unshareable is not None for account in self.chosen):
            raise ValueError("an account is chosen that cannot be shared")
        if len(self.account_ids) < len(self.chosen):
            raise ValueError("an account is chosen twice")
        if len(self.chosen) > self.offered:
            raise ValueError("more accounts are chosen than were offered")

    @property
    def account_ids(self) -> frozenset[str]:
        return frozenset(account.account_id for account in self.chosen)


def hash_of(accounts: Iterable[Account]) -> str:
    """The hex SHA-256 of `accounts` as they are shown, in their order."""
    shown = json.dumps([account_document(account) for account in accounts])
    return hashlib.sha256(shown.encode()).hexdigest()


class AccountDocument(TypedDict):
    """An account as JSON, without the members that are empty or false."""

    account_id: str
    category: str
    type: str
    name: str
    product: NotRequired[str]
    last_digits: NotRequired[str]
    holder: NotRequired[str]
    is_joint: NotRequired[bool]
    others_are_told: NotRequired[bool]
    unshareable: NotRequired[str]


def account_document(account: Account) -> AccountDocument:
    """`account` for JSON, which `parse_account` reads."""
    document: AccountDocument = {
        "account_id": account.account_id,
        "category": account.category.value,
        "type": account.type,
        "name": account.name,
    }
    if account.product:
        document["product"] = account.product
    if account.last_digits:
        document["last_digits"] = account.last_digits
    if account.holder is not None:
        document["holder"] = account.holder
    if account.is_joint:
        document["is_joint"] = True
    if account.others_are_told:
        document["others_are_told"] = True
    if account.unshareable is not None:
        document["unshareable"] = account.unshareable.value
    return document


def parse_account(document: Mapping[str, Any]) -> Account:
    """The account of an AccountDocument. Raises KeyError, TypeError or ValueError where it is none."""
    unshareable = document.get("unshareable")
    return Account(
        account_id=document["account_id"],
        category=AccountCategory(document["category"]),
        type=document["type"],
        name=document["name"],
        product=document.get("product", ""),
        last_digits=document.get("last_digits", ""),
        holder=document.get("holder"),
        is_joint=document.get("is_joint", False),
        others_are_told=document.get("others_are_told", False),
        unshareable=None if unshareable is None else Unshareable(unshareable),
    )
