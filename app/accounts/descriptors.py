"""Reads the accounts that a bank lists (FDX AccountDescriptor), and believes no text in it to be harmless.

Beside what FDX defines, a bank may say in the member `accord` of an account what FDX has no words for:
`shareable`, `reason` (a word of `Unshareable`), `joint`, `othersAreTold` and `holder`. Where it cannot be
understood the account is left out, since it may have said "not this one" (ADR 31).
"""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from itertools import islice
from typing import Any

from app.accounts import AccountsUnavailable
from app.domain.account_sources import AccountsRegistration
from app.domain.accounts import (
    LONGEST_NAME,
    MOST_SHAREABLE,
    Account,
    AccountCategory,
    AccountList,
    Unshareable,
)
from app.domain.display_text import printable_line

_STATUS = {
    "CLOSED": Unshareable.CLOSED,
    "PENDINGOPEN": Unshareable.PENDING_OPEN,
    "RESTRICTED": Unshareable.RESTRICTED,
}
_EXTENSION = {"shareable", "reason", "joint", "othersAreTold", "holder"}
# FDX writes an account of a list as the only member of an object, under the name of its kind.
_KINDS = {
    "annuityAccount", "commercialAccount", "depositAccount", "digitalWallet", "insuranceAccount",
    "investmentAccount", "loanAccount", "locAccount",
}  # fmt: skip
_TYPE = re.compile(r"[A-Za-z0-9_]{1,40}", re.ASCII)
_NUMBER = re.compile(r"[0-9]{7,19}", re.ASCII)  # of an account or a card
_NO_DIGIT = re.compile(r"[^0-9A-Za-z]", re.ASCII)


def read_descriptors(
    found: object, registration: AccountsRegistration, *, fetched_at: datetime
) -> AccountList:
    """The accounts in a list of AccountDescriptors; an entry with a fault is left out, and counted.

    Of those that can be shared it has one more than a page offers, so that it is known that there are more.
    Raises AccountsUnavailable where `found` is no list.
    """
    if not isinstance(found, list):
        raise AccountsUnavailable("no_list")
    accounts: dict[str, Account] = {}
    left_out = 0
    for entry in found:
        account = _find_account(entry, registration)
        if account is None or account.account_id in accounts:
            left_out += 1
        else:
            accounts[account.account_id] = account
    return AccountList(_few_enough(list(accounts.values())), fetched_at=fetched_at, left_out=left_out)


def look_like_numbers(accounts: AccountList) -> bool:
    """Whether more than half of the ids could be numbers of accounts, which FDX forbids."""
    ids = [account.account_id for account in accounts.accounts]
    return sum(_NUMBER.fullmatch(account_id) is not None for account_id in ids) * 2 > len(ids)


def _find_account(entry: object, registration: AccountsRegistration) -> Account | None:
    """The account; None for an entry that cannot be relied on."""
    if isinstance(entry, dict) and len(entry) == 1 and entry.keys() <= _KINDS:
        (entry,) = entry.values()
    extension = entry.get("accord", {}) if isinstance(entry, dict) else None
    if not isinstance(entry, dict) or not isinstance(extension, dict) or extension.keys() - _EXTENSION:
        return None
    try:
        return _account(entry, extension, registration)
    except (KeyError, TypeError, ValueError):
        return None


def _account(
    entry: Mapping[str, Any], extension: Mapping[str, Any], registration: AccountsRegistration
) -> Account:
    """Raises KeyError, TypeError or ValueError for a member without which there is no account."""
    category = AccountCategory(entry["accountCategory"])
    name, product = _text(entry.get("nickname")), _text(entry.get("productName"))
    account_type = entry.get("accountType")
    is_word = isinstance(account_type, str) and _TYPE.fullmatch(account_type) is not None
    return Account(
        account_id=entry["accountId"],
        category=category,
        type=str(account_type).upper() if is_word else "",
        name=name or product,
        product=product if name else "",
        last_digits=_last_digits(entry.get("accountNumberDisplay")),
        holder=_text(extension.get("holder")) or None,
        is_joint=_flag(extension, "joint"),
        others_are_told=_flag(extension, "othersAreTold"),
        unshareable=_obstacle(entry, extension, category, registration),
    )


def _obstacle(
    entry: Mapping[str, Any],
    extension: Mapping[str, Any],
    category: AccountCategory,
    registration: AccountsRegistration,
) -> Unshareable | None:
    """Why the account cannot be shared: what the bank says of this account comes before what follows.

    A reason says so without `shareable`, too. Raises TypeError for what cannot be understood.
    """
    if _flag(extension, "shareable"):
        return None
    reason = extension.get("reason")
    if "shareable" in extension or reason is not None:
        is_known = isinstance(reason, str) and reason in set(Unshareable)
        return Unshareable(str(reason)) if is_known else Unshareable.OTHER
    status = entry.get("status")
    if status is None:  # some programs write null for what they leave out
        status = "OPEN"
    if not isinstance(status, str):
        raise TypeError
    by_category = Unshareable.TYPE_NOT_SHARED if category in registration.withheld_categories else None
    return _STATUS.get(status.upper(), by_category)


def _flag(extension: Mapping[str, Any], name: str) -> bool:
    """Raises TypeError for what is neither true nor false: it may have been meant as either."""
    value = extension.get(name, False)
    if not isinstance(value, bool):
        raise TypeError
    return value


def _text(value: object) -> str:
    """What can be seen of a text, on one line of LONGEST_NAME characters at most; empty where it is none."""
    if not isinstance(value, str):
        return ""
    # A surrogate alone is no character, and could not be written to Redis.
    seen = printable_line(value.encode("utf-8", "ignore").decode("utf-8"))
    return seen if len(seen) <= LONGEST_NAME else seen[: LONGEST_NAME - 1] + "…"


def _last_digits(value: object) -> str:
    """The last four digits or letters of a number, whatever the bank sends of it, without its mask."""
    if not isinstance(value, str):
        return ""
    return _NO_DIGIT.sub("", value)[-4:].upper().lstrip("X")


def _few_enough(accounts: Sequence[Account]) -> tuple[Account, ...]:
    """The first accounts that can be shared, and the first that cannot, in the bank's order."""
    can = islice((account for account in accounts if account.unshareable is None), MOST_SHAREABLE + 1)
    cannot = islice((account for account in accounts if account.unshareable is not None), MOST_SHAREABLE)
    shown = {account.account_id for account in (*can, *cannot)}
    return tuple(account for account in accounts if account.account_id in shown)
