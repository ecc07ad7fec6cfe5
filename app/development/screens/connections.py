"""The pages about connections: the list, one connection with its receipt, and stopping it."""

from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial

from flask import render_template

from app.development.screens import parties as fixtures
from app.development.screens.example_accounts import (
    ACCOUNTS,
    HOSTILE_ACCOUNTS,
    MANY_ACCOUNTS,
    ONE_ACCOUNT,
)
from app.development.screens.example_page import ExamplePage
from app.development.screens.parties import (
    ALEX,
    BUDGET,
    CONSENT_ID,
    EVERYTHING,
    LOANS,
    MAPLE,
    NORTHERN,
    NOW,
    PROVIDERS,
)
from app.domain.account_choice import choose
from app.domain.accounts import AccountList, ChosenAccounts
from app.domain.agreement import Agreement, make_agreement
from app.domain.clusters import DataCluster, Scope
from app.domain.consent import ConsentGrant
from app.domain.history import Actor, Event, EventKind, Reason
from app.domain.language import Bilingual, Language
from app.domain.narrowing import Withdrawn, narrowed_by
from app.domain.registry import Client, DataProvider
from app.domain.resources import granted_resources
from app.flow.consent import WaitingRequest
from app.stores.ledger.account_columns import chosen_column
from app.stores.ledger.connections import Connection
from app.web.connections.pages import choose_page, detail_page, list_page, stop_page
from app.web.connections.receipt import ShownConnection
from app.web.connections.stopping import account_parameter, find_stopping

_SOME = frozenset({DataCluster.ACCOUNT_BASIC, DataCluster.TRANSACTIONS, DataCluster.STATEMENTS})
_APPROVED_AT = NOW - timedelta(days=40)


def _event(kind: EventKind, actor: Actor, at: datetime = NOW, detail: str | None = None) -> Event:
    return Event(
        consent_id=CONSENT_ID,
        kind=kind,
        actor=actor,
        reason=Reason.USER_ACTION,
        correlation_id="correlation",
        happened_at=at,
        detail=detail,
    )


_ASKED = _event(EventKind.ASKED, Actor.CLIENT, _APPROVED_AT - timedelta(minutes=2))
_APPROVED = _event(EventKind.APPROVED, Actor.CUSTOMER, _APPROVED_AT)
_REDEEMED = _event(EventKind.REDEEMED, Actor.CLIENT, _APPROVED_AT + timedelta(seconds=4))
_BEGAN = [_ASKED, _APPROVED, _REDEEMED]
_ACCOUNT_STOPPED = [
    replace(_event(EventKind.NARROWED, actor), accounts=frozenset({account_id}))
    for actor, account_id in ((Actor.CUSTOMER, "a3"), (Actor.OPERATOR, "a5"))
]
_NARROWED = [
    _event(EventKind.NARROWED, actor, detail="INVESTMENTS CUSTOMER_PERSONAL")
    for actor in (Actor.CUSTOMER, Actor.OPERATOR)
]
_NOTIFIED = _event(EventKind.NOTIFIED, Actor.ACCORD, detail="push CONSENT_REVOKED")
_ENDINGS = {
    "stopped": _event(EventKind.WITHDRAWN, Actor.CUSTOMER),
    "ended-by-bank": _event(EventKind.WITHDRAWN, Actor.OPERATOR),
    "revoked": _event(EventKind.REVOKED, Actor.CLIENT),
    "replayed": _event(EventKind.REPLAYED, Actor.CLIENT),
    "superseded": _event(EventKind.SUPERSEDED, Actor.CUSTOMER),
    "expired": _event(EventKind.EXPIRED, Actor.ACCORD),
}


def _shown(
    client: Client | None = BUDGET,
    *,
    granted: Scope = _SOME,
    provider: DataProvider = MAPLE,
    ending: Event | None = None,
    last_used_at: datetime | None = NOW,
    agreement: Agreement | None = None,
    chosen: ChosenAccounts | None = None,
    taken_out: frozenset[str] = frozenset(),
) -> ShownConnection:
    """A connection; with `chosen`, one for these accounts, of which some were `taken_out` since."""
    resources = None if chosen is None else granted_resources(granted, chosen)
    grant = ConsentGrant(
        consent_id=CONSENT_ID,
        request_id="request",
        client_id="dc-gone" if client is None else client.client_id,
        provider_id=provider.provider_id,
        subject=ALEX.subject,
        granted_scope=granted,
        resources=resources,
        correlation_id="correlation",
        approved_at=_APPROVED_AT,
        expires_at=_APPROVED_AT + timedelta(days=365),
        redeemed_at=_APPROVED_AT,
        ended_at=None if ending is None else NOW,
    )
    if ending is not None and ending.kind is EventKind.EXPIRED:
        grant = replace(grant, expires_at=NOW)
    grant = narrowed_by(grant, Withdrawn(accounts=taken_out)) or grant
    connection = Connection(
        grant=grant,
        requested_scope=EVERYTHING,
        approved_scope=granted,
        language=Language.EN,
        screen_hash=None,
        agreement=agreement,
        accounts_column=chosen_column(chosen),
        last_used_at=last_used_at,
        narrowed_at=None,
        ending=ending,
    )
    return ShownConnection(connection, client, provider, grant.status_at(NOW))


_ACTIVE = [
    _shown(BUDGET),
    _shown(LOANS, provider=NORTHERN),
    _shown(None, provider=NORTHERN, last_used_at=None),
]
_ENDED = [_shown(ending=ending) for ending in _ENDINGS.values()]


def _list(*shown: ShownConnection, banks: int = 1, is_first: bool = True) -> str:
    customers = [replace(ALEX, provider_id=provider_id) for provider_id in list(PROVIDERS)[:banks]]
    return list_page(
        active=[one for one in shown if one.is_active],
        ended=[one for one in shown if not one.is_active],
        is_first=is_first,
        customers=customers,
        providers=PROVIDERS,
        session_id=None,
    )


def _waiting() -> str:
    waiting = WaitingRequest(fixtures.pending(LOANS), fixtures.parties(LOANS))
    return detail_page(_shown(), _BEGAN, waiting=waiting)


def _detail(name: str | None = None, *, client: Client | None = BUDGET) -> str:
    ending = None if name is None else _ENDINGS[name]
    history = [*_BEGAN, *([] if ending is None else [ending])]
    if name == "ended-by-bank":
        history.append(_NOTIFIED)
    return detail_page(_shown(client, ending=ending), history, is_telling=name == "stopped")


def _renamed() -> str:
    """A connection whose recipient has changed its name since, and is suspended."""
    today = replace(BUDGET, name=Bilingual("Budget Pilot", "Pilote Budget"), is_suspended=True)
    return detail_page(_shown(today, agreement=make_agreement(BUDGET, MAPLE)), _BEGAN)


def _narrowed() -> str:
    return detail_page(_shown(), [*_BEGAN, *_NARROWED])


def _choice(listed: AccountList) -> ChosenAccounts:
    return choose(listed, listed.shareable)


def _of_accounts(listed: AccountList, *, taken_out: frozenset[str] = frozenset()) -> str:
    history = [*_BEGAN, *(_ACCOUNT_STOPPED if taken_out else [])]
    return detail_page(_shown(chosen=_choice(listed), taken_out=taken_out), history)


def _stop(asked: str, *, client: Client = BUDGET, listed: AccountList | None = None) -> str:
    shown = _shown(client, chosen=None if listed is None else _choice(listed))
    stopping = find_stopping(shown.grant, shown.status, asked)
    if stopping is None:
        raise ValueError(f"{asked} is not shared")
    return stop_page(shown, stopping, session_id=None)


SCREENS = [
    ExamplePage(
        "complaints",
        "Where a complaint goes",
        lambda: render_template("connections/complaints.html", providers=list(PROVIDERS.values())),
    ),
    ExamplePage("connections-choose", "Nobody is signed in", lambda: choose_page(PROVIDERS.values())),
    ExamplePage("connections-none", "Nothing is shared", _list),
    ExamplePage("connections-one", "One connection", partial(_list, _ACTIVE[0])),
    ExamplePage(
        "connections-accounts",
        "From some accounts, from one, and from all of them",
        partial(
            _list,
            _shown(chosen=_choice(ACCOUNTS)),
            _shown(LOANS, chosen=_choice(ONE_ACCOUNT)),
            _shown(chosen=_choice(MANY_ACCOUNTS)),
            _ACTIVE[1],
        ),
    ),
    ExamplePage("connections-ended", "Nothing is shared any more", partial(_list, *_ENDED[:2])),
    ExamplePage(
        "connections-several",
        "Several, at two banks; one recipient is no longer registered",
        partial(_list, *_ACTIVE, *_ENDED, banks=2),
    ),
    ExamplePage(
        "connections-hostile",
        "With a recipient of a hostile name",
        partial(_list, _shown(fixtures.HOSTILE)),
    ),
    ExamplePage("connection", "A connection and its receipt", _detail),
    ExamplePage("connection-waiting", "While another request waits for an answer", _waiting),
    ExamplePage("connection-narrowed", "Part of it was stopped", _narrowed),
    ExamplePage("connection-accounts", "From several accounts", partial(_of_accounts, ACCOUNTS)),
    ExamplePage("connection-one-account", "From one account", partial(_of_accounts, ONE_ACCOUNT)),
    ExamplePage("connection-many-accounts", "From forty accounts", partial(_of_accounts, MANY_ACCOUNTS)),
    ExamplePage(
        "connection-hostile-accounts",
        "From accounts with hostile names",
        partial(_of_accounts, HOSTILE_ACCOUNTS),
    ),
    ExamplePage(
        "connection-accounts-stopped",
        "Two of its accounts were stopped",
        partial(_of_accounts, ACCOUNTS, taken_out=frozenset({"a3", "a5"})),
    ),
    ExamplePage("connection-renamed", "The recipient has another name since, and is suspended", _renamed),
    ExamplePage("connection-hostile", "With a hostile name", partial(_detail, client=fixtures.HOSTILE)),
    ExamplePage("connection-gone", "The recipient is gone", partial(_detail, client=None)),
    *(ExamplePage(f"connection-{name}", f"It ended: {name}", partial(_detail, name)) for name in _ENDINGS),
    ExamplePage("stop", "Stopping everything", partial(_stop, "all")),
    ExamplePage(
        "stop-one",
        "Stopping one type",
        partial(_stop, "TRANSACTIONS"),
    ),
    ExamplePage(
        "stop-needed",
        "Stopping one that is needed",
        partial(_stop, "TRANSACTIONS", client=LOANS),
    ),
    ExamplePage("stop-basic", "Stopping the basic data", partial(_stop, "ACCOUNT_BASIC")),
    ExamplePage(
        "stop-account",
        "Stopping one account",
        partial(_stop, account_parameter(CONSENT_ID, "a2"), listed=ACCOUNTS),
    ),
    ExamplePage(
        "stop-last-account",
        "Stopping the last account",
        partial(_stop, account_parameter(CONSENT_ID, "a1"), listed=ONE_ACCOUNT),
    ),
]
