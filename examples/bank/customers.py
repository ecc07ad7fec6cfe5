"""The demo's banks, and who has which accounts there, as the registration file says that Accord reads, too.

Which accounts a customer has is the bank's own knowledge, asked at each call: a consent never replaces it.
"""

import tomllib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

from examples.harbour import customers as harbour


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """An account. `name` is what the customer calls it; the other words are FDX's."""

    account_id: str
    category: str
    type: str
    name: str
    product: str = ""
    last_digits: str = ""
    is_joint: bool = False
    status: str = "OPEN"

    @classmethod
    def parse(cls, entry: Mapping[str, Any]) -> Self:
        """From an entry of the registration file."""
        texts = ("account_id", "category", "type", "name", "product", "last_digits")
        unshareable = entry.get("unshareable")
        return cls(
            **{name: str(entry.get(name, "")) for name in texts},
            is_joint=bool(entry.get("joint")),
            status=unshareable if unshareable in ("CLOSED", "RESTRICTED") else "OPEN",
        )


@dataclass(frozen=True, slots=True)
class Customer:
    """A customer of one bank. `accounts` is in the bank's order."""

    subject: str
    name: str
    accounts: Mapping[str, Account]

    @classmethod
    def make(cls, subject: str, name: str, entries: Iterable[Mapping[str, Any]]) -> Self:
        accounts = [Account.parse(entry) for entry in entries]
        return cls(subject, name, {account.account_id: account for account in accounts})


@dataclass(frozen=True, slots=True)
class Bank:
    """A bank whose API is at `audience`. `find_customer` knows its customers by their `sub`."""

    provider_id: str
    audience: str
    find_customer: Callable[[str], Customer | None]

    @property
    def mount(self) -> str:
        """The path of the API, such as `/maple`."""
        return urlsplit(self.audience).path


def read_banks(registration: Path) -> list[Bank]:
    """All banks of the registration. Those that sign their customers in themselves are Harbour Trust."""
    document = tomllib.loads(registration.read_text(encoding="utf-8"))
    return [
        Bank(
            provider["provider_id"],
            provider["audience"],
            _sandbox(provider["customers"]) if provider["sign_in"] == "sandbox" else _of_harbour,
        )
        for provider in document["providers"]
    ]


def _sandbox(entries: Iterable[Mapping[str, Any]]) -> Callable[[str], Customer | None]:
    customers = {
        entry["subject"]: Customer.make(entry["subject"], entry["display_name"], entry.get("accounts", []))
        for entry in entries
    }
    return customers.get


def _of_harbour(subject: str) -> Customer | None:
    return Customer.make(subject, harbour.CUSTOMERS.get(subject, subject), harbour.accounts_of(subject))
