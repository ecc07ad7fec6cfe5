"""Describes the difference between two registrations in words, for `flask registry diff`."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields
from datetime import timedelta
from enum import StrEnum
from typing import Any

from app.domain.language import Bilingual
from app.domain.notice_registration import NoticesRegistration
from app.domain.registry import DataProvider, Registry

# Fields whose values are never printed; only the fact that they change.
_SECRETS = {
    "secret_hash": "secret changes: the one before it is wrong at once, unless it is the previous_secret",
    "previous_secret": "previous secret changes",
    "sandbox_customers": "test customers change",
}
_WHAT_IT_MEANS = {
    "is_suspended": {
        True: "is suspended: nobody can consent, and its tokens fail",
        False: "is not suspended any more",
    },
    "is_left_out": {True: "is left out: nobody can sign in", False: "is not left out any more"},
    "pkce_required": {
        True: "must use PKCE: requests without it are refused",
        False: "need not use PKCE any more",
    },
    "allow_subset": {False: "takes all of its data or nothing", True: "takes a part of its data, too"},
}


def changes_between(old: Registry, new: Registry) -> list[str]:
    """One line for each change: the party, the field, the old and the new value (no values of secrets)."""
    kinds = (
        (
            "provider",
            old.providers,
            new.providers,
            "its customers can neither consent nor see what they share",
        ),
        ("recipient", old.clients, new.clients, "its requests are refused and its tokens fail"),
        (
            "resource server",
            old.resource_servers,
            new.resource_servers,
            "it cannot ask about tokens any more",
        ),
    )
    return [line for kind in kinds for line in _changes_of(*kind)]


def _changes_of(kind: str, old: Mapping[str, Any], new: Mapping[str, Any], loss: str) -> Iterator[str]:
    for name in sorted({*old, *new}):
        if name not in new:
            yield f"{kind} {name}: is gone: {loss}"
        elif name not in old:
            yield f"{kind} {name}: is new"
        else:
            yield from (f"{kind} {name}: {change}" for change in _field_changes(old[name], new[name]))


def _field_changes(old: Any, new: Any) -> Iterator[str]:
    for field in fields(old):
        before, after = getattr(old, field.name), getattr(new, field.name)
        if before == after:
            continue
        if field.name in _SECRETS:
            yield _SECRETS[field.name]
        elif field.name in _WHAT_IT_MEANS:
            yield _WHAT_IT_MEANS[field.name][after]
        elif field.name == "oidc":
            yield from _sign_in_changes(before, after)
        elif field.name == "notices":
            yield from _notices_changes(before, after, is_bank=isinstance(old, DataProvider))
        elif field.name == "accounts":
            yield from _accounts_changes(before, after)
        else:
            yield f"{field.name} {_from_to(before, after)}"


def _sign_in_changes(before: Any, after: Any) -> Iterator[str]:
    if before is None or after is None:
        yield "signs in at its own server now" if before is None else "signs in at the sandbox now"
        return
    for field in fields(before):
        old, new = getattr(before, field.name), getattr(after, field.name)
        if old != new and field.name == "client_secret":
            yield "our secret at its server changes"
        elif old != new:
            yield f"oidc.{field.name} {_from_to(old, new)}"


def _accounts_changes(before: Any, after: Any) -> Iterator[str]:
    if before is None or after is None:
        yield (
            "customers choose their accounts now"
            if before is None
            else "customers share all accounts now, and choose none"
        )
        return
    if before.source != after.source:
        yield "its accounts are asked for in another way"
    old, new = before.withheld_categories, after.withheld_categories
    if old != new:
        yield f"accounts.withheld_categories {_from_to(old, new)}"


def _notices_changes(
    old: NoticesRegistration | None, new: NoticesRegistration | None, *, is_bank: bool
) -> Iterator[str]:
    """A recipient that registers nothing is told as by default; a bank is not."""
    if is_bank and new is None:
        yield "is not told any more what becomes of its customers' consents"
        return
    if is_bank and old is None:
        yield "is told now what becomes of its customers' consents"
    unregistered = NoticesRegistration(events=frozenset()) if is_bank else NoticesRegistration()
    before, after = old or unregistered, new or unregistered
    if before.address != after.address:
        yield f"notices.address {_from_to(before.address, after.address)}"
    if before.events != after.events:
        yield f"notices.events {_from_to(before.events, after.events)}"


def _from_to(before: Any, after: Any) -> str:
    if isinstance(before, frozenset) and isinstance(after, frozenset):
        more, less = _listed(after - before), _listed(before - after)
        return "; ".join([*([f"gains {more}"] if more else []), *([f"loses {less}"] if less else [])])
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        names = [name for name in sorted({*before, *after}) if before.get(name) != after.get(name)]
        return "; ".join(
            f"{name}: {_said(before.get(name))} becomes {_said(after.get(name))}" for name in names
        )
    return f"{_said(before)} becomes {_said(after)}"


def _listed(items: Iterable[object]) -> str:
    return ", ".join(sorted(_said(item) for item in items))


def _said(value: object) -> str:
    match value:
        case None:
            return "nothing"
        case StrEnum():
            return value.value
        case Bilingual():
            return f'"{value.en}" / "{value.fr}"'
        case timedelta():
            return f"{value.days} days"
        case tuple():
            return " ".join(map(str, value)) or "nothing"
    return str(value)
