"""An answer in JSON, reduced to what was granted, by the allow-list of fields.toml."""

import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from examples.bank.guard import Decision

MOST_KEPT = 1_000  # kinds of objects, of which an API has some dozens
FIELDS = Path(__file__).with_name("fields.toml")
# FDX writes an account in a list, or alone, as a member of one of these names.
_WRAPPERS = {
    "annuityAccount", "commercialAccount", "depositAccount", "digitalWallet", "insuranceAccount",
    "investmentAccount", "loanAccount", "locAccount",
}  # fmt: skip


class NotAllowed(Exception):
    """The answer is about something else than was decided, or has not the shape of FDX."""


class FieldFilter:
    """The filter for one allow-list, such as `tomllib` reads from fields.toml."""

    def __init__(self, lists: Mapping[str, Mapping[str, list[str]]]) -> None:
        self._lists = {
            name: {cluster: frozenset(fields) for cluster, fields in by_cluster.items()}
            for name, by_cluster in lists.items()
        }
        self._numbers: dict[tuple[str, ...], tuple[str, ...]] = {}

    @classmethod
    def read(cls, path: Path = FIELDS) -> "FieldFilter":
        return cls(tomllib.loads(path.read_text(encoding="utf-8")))

    def allowed(self, name: str, clusters: frozenset[str]) -> frozenset[str]:
        """The members that the clusters open, in the list of this name."""
        by_cluster = self._lists[name]
        return frozenset().union(*(by_cluster[cluster] for cluster in clusters if cluster in by_cluster))

    def reduce(self, answer: Any, decision: Decision) -> Any:
        """What of `answer`, parsed JSON, may be sent; `answer` is used up. Raises NotAllowed."""
        reductions: dict[str, Callable[[Any, Decision], Any]] = {
            "accounts": self._accounts,
            "account": self._account,
            "contact": self._contact,
            "customer": lambda customer, found: self._only(customer, "customer", found.clusters),
            "whole": lambda whole, _: self._without_numbers(whole),
            "payment-networks": lambda whole, _: whole,
        }
        return reductions[decision.fields](answer, decision)

    def _accounts(self, answer: Any, decision: Decision) -> Any:
        if not isinstance(answer, dict) or not isinstance(answer.get("accounts"), list):
            raise NotAllowed
        accounts = [
            self._account(account, decision)
            for account in answer["accounts"]
            if decision.clusters_of(_inner(account).get("accountId")) is not None
        ]
        page = {"page": self._without_numbers(answer["page"])} if "page" in answer else {}
        return {**page, "accounts": accounts}

    def _account(self, answer: Any, decision: Decision) -> Any:
        inner = _inner(answer)
        clusters = decision.clusters_of(inner.get("accountId"))
        if clusters is None:
            raise NotAllowed
        reduced = self._only(inner, "account", clusters)
        return reduced if inner is answer else {next(iter(answer)): reduced}

    def _contact(self, answer: Any, decision: Decision) -> Any:
        contact = self._only(answer, "contact", decision.clusters)
        holders = contact.get("holders", [])
        if not isinstance(holders, list):
            raise NotAllowed
        if holders:
            contact["holders"] = [self._holder(holder, decision) for holder in answer["holders"]]
        return contact

    def _holder(self, holder: Any, decision: Decision) -> Any:
        """Of others than the customer the name is told: they have not agreed to anything."""
        if isinstance(holder, dict) and holder.get("customerId") == decision.subject:
            return self._only(holder, "holder", decision.clusters)
        return self._only(holder, "other_holder", frozenset({"names"}))

    def _only(self, members: Any, name: str, clusters: frozenset[str]) -> dict[str, Any]:
        if not isinstance(members, dict):
            raise NotAllowed
        allowed = self.allowed(name, clusters)
        return {key: self._without_numbers(value) for key, value in members.items() if key in allowed}

    def _without_numbers(self, value: Any) -> Any:
        """`value` itself, with every account number taken out of it, however deep."""
        if isinstance(value, dict):
            for key in self._numbers_among(tuple(value)):
                del value[key]
        elif not isinstance(value, list):
            return value
        for inner in value.values() if isinstance(value, dict) else value:
            if isinstance(inner, (dict, list)):
                self._without_numbers(inner)
        return value

    def _numbers_among(self, keys: tuple[str, ...]) -> tuple[str, ...]:
        """Those that name account numbers. Objects of one kind have the same keys, so that this is kept."""
        found = self._numbers.get(keys)
        if found is None:
            listed = self._lists["account_numbers"]
            is_kept, is_dropped = listed["kept"].__contains__, listed["dropped"].__contains__
            found = tuple(
                key for key in keys if is_dropped(key) or (key.endswith("Number") and not is_kept(key))
            )
            if len(self._numbers) < MOST_KEPT:
                self._numbers[keys] = found
        return found


def _inner(account: Any) -> dict[str, Any]:
    """The members of an account, which stand alone or as the only member of an object. Raises NotAllowed."""
    if isinstance(account, dict) and len(account) == 1 and account.keys() <= _WRAPPERS:
        account = next(iter(account.values()))
    if not isinstance(account, dict):
        raise NotAllowed
    return account
