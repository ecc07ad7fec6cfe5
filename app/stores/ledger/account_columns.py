"""The columns about accounts, as JSON: the chosen ones, what is shared of each, and which were taken out.

They are null where the bank lists no accounts, and in rows from before accounts were chosen: such a grant is
for every account.
"""

import json
from collections.abc import Iterable
from typing import Any

from app.domain.accounts import ChosenAccounts, account_document, parse_account
from app.domain.clusters import Scope, format_scope, parse_scope
from app.domain.resources import Resources, group_accounts


def chosen_column(accounts: ChosenAccounts | None) -> str | None:
    """The accounts as they were shown, and how many could and could not be chosen."""
    if accounts is None:
        return None
    chosen = [account_document(account) for account in accounts.chosen]
    return _as_json({"chosen": chosen, "offered": accounts.offered, "unshareable": accounts.unshareable})


def chosen_from(column: str | None) -> ChosenAccounts | None:
    if column is None:
        return None
    record = json.loads(column)
    return ChosenAccounts(
        tuple(parse_account(document) for document in record["chosen"]),
        offered=record["offered"],
        unshareable=record["unshareable"],
    )


def resources_column(resources: Resources | None) -> str | None:
    if resources is None:
        return None
    return _as_json(
        [{"clusters": format_scope(group.clusters), "accounts": list(group.accounts)} for group in resources]
    )


def resources_from(column: str | None, granted_scope: Scope) -> Resources | None:
    """What is shared of each account, limited to `granted_scope`.

    The limit matters where a process of a version before this column has narrowed the scope alone.
    """
    if column is None:
        return None
    clusters_of: dict[str, Scope] = {}
    for group in json.loads(column):
        clusters_of |= dict.fromkeys(group["accounts"], parse_scope(group["clusters"]) & granted_scope)
    return group_accounts(clusters_of)


def account_ids_column(account_ids: Iterable[str]) -> str | None:
    """The accounts that an event took out; null for none."""
    return _as_json(sorted(account_ids)) if account_ids else None


def account_ids_from(column: str | None) -> frozenset[str]:
    return frozenset() if column is None else frozenset(json.loads(column))


def _as_json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
