"""The form in every state, and what stands in its place after the answer."""

import re
from dataclasses import replace
from datetime import timedelta
from functools import partial

from flask import render_template

from app.development.screens import parties as fixtures
from app.development.screens.example_accounts import (
    ACCOUNTS,
    HOSTILE_ACCOUNTS,
    MANY_ACCOUNTS,
    ONE_ACCOUNT,
    TWO_ACCOUNTS,
)
from app.development.screens.example_page import ExamplePage
from app.development.screens.parties import ALEX, BUDGET, CONSENT_ID, EVERYTHING, MAPLE, NOW, REQUEST_ID
from app.domain.account_choice import choose
from app.domain.accounts import Account, AccountList
from app.domain.callback import success_uri
from app.domain.clusters import CUSTOMER_LEVEL, DataCluster, Scope, in_order
from app.domain.consent import Answer, ConsentGrant, make_decision
from app.domain.evidence import Screen
from app.domain.registry import Client, DataProvider
from app.sign_in import Customer
from app.web.consent.account_step import AccountsOnForm
from app.web.consent.accounts_page import (
    WhichAccounts,
    account_list_html,
    accounts_with_placeholders,
)
from app.web.consent.form_text import Shared, WhatIsAsked, form_with_placeholders
from app.web.consent.view import Banner, RepeatView, View
from app.web.edge import language
from app.web.text.account_words import account_lines
from app.web.text.form_cache import CachedForm
from app.web.text.template_filters import clock_time, long_date

_BASIC = DataCluster.ACCOUNT_BASIC
_DETAILED = DataCluster.ACCOUNT_DETAILED
_TRANSACTIONS = DataCluster.TRANSACTIONS
_STATEMENTS = DataCluster.STATEMENTS
_THREE = frozenset({_BASIC, _DETAILED, _TRANSACTIONS})
_LOGO = re.compile(r'src="[^"]*/logos/[^"]*"')


def _form(
    client: Client = BUDGET,
    *,
    requested: Scope = EVERYTHING,
    provider: DataProvider = MAPLE,
    customer: Customer = ALEX,
    checked: Scope = frozenset(),
    shared: Scope | None = None,
    left: timedelta = timedelta(minutes=14),
    host: str = "budget.example",
    banner: Banner | None = None,
    repeat: RepeatView | None = None,
    accounts: AccountsOnForm = AccountsOnForm(),  # noqa: B008  # a value
) -> str:
    who = fixtures.parties(client, requested=requested, provider=provider)
    view = View(repeat, banner)
    asked = WhatIsAsked(
        client_id=client.client_id,
        provider_id=provider.provider_id,
        language=language.current_language(),
        offer=accounts.offer(who.offer),
        absent=accounts.absent(who.offer),
        names_accounts=accounts.chosen is not None,
        shared=None if shared is None else Shared(scope=shared, until=long_date(NOW + timedelta(days=200))),
        ends_on=long_date(NOW + client.consent_duration),
        callback_host=host,
        checked=checked,
        view=view,
        names_customer=bool(customer.display_name),
    )
    values = {
        "request_id": REQUEST_ID,
        "customer": customer.display_name,
        "sign_out_token": "",
        "decision_token": "",
        "chosen_accounts": accounts.fact(REQUEST_ID, view),
        **_time_values(left),
    }
    return CachedForm(form_with_placeholders(asked, who), Screen("", asked.language, "")).fill(values)


def _time_values(left: timedelta) -> dict[str, str]:
    return {
        "expires_at": (NOW + left).isoformat(),
        "seconds_left": str(int(left.total_seconds())),
        "clock_time": clock_time(NOW + left),
    }


def _accounts(
    listed: AccountList = ACCOUNTS,
    *,
    client: Client = BUDGET,
    provider: DataProvider = MAPLE,
    checked: tuple[Account, ...] = (),
    standing: ConsentGrant | None = None,
    requested: Scope = EVERYTHING,
    banner: Banner | None = None,
) -> str:
    who = fixtures.parties(client, requested=requested, provider=provider)
    asked = WhichAccounts(
        client_id=client.client_id,
        provider_id=provider.provider_id,
        language=language.current_language(),
        view=View(None, banner),
        names_customer=True,
        asks_about_the_person=bool(requested & CUSTOMER_LEVEL),
    )
    values = {
        "request_id": REQUEST_ID,
        "customer": ALEX.display_name,
        "sign_out_token": "",
        "accounts_token": "",
        "account_list": account_list_html(who, listed, checked, standing),
        **_time_values(timedelta(minutes=14)),
    }
    return CachedForm(accounts_with_placeholders(asked, who), Screen("", asked.language, "")).fill(values)


def _no_account(*, lacks_investments: bool = False) -> str:
    return render_template(
        "consent/no_account.html",
        client=BUDGET,
        provider=MAPLE,
        request_id=REQUEST_ID,
        customer=ALEX.display_name,
        names_customer=True,
        sign_out_token="",
        lacks_investments=lacks_investments,
        unshareable=account_lines(ACCOUNTS.unshareable),
        way_back="https://budget.example/callback?error=access_denied",
    )


def _without_its_pictures() -> str:
    """The form as a browser shows it that was given something else in their place."""
    return _LOGO.sub('src="/dev/screens"', _form())


def _answered(answer: Answer) -> str:
    who = fixtures.parties(BUDGET)
    decision = make_decision(
        fixtures.pending(BUDGET),
        who.offer,
        answer,
        checked=frozenset({_TRANSACTIONS}),
        subject=ALEX.subject,
        consent_id=CONSENT_ID,
        now=NOW,
    )
    return render_template(
        "consent/answered.html",
        client=BUDGET,
        provider=MAPLE,
        decision=decision,
        granted=in_order(decision.granted_scope),
    )


def _continue(*, was_approved: bool) -> str:
    to = replace(fixtures.pending(BUDGET).request, redirect_uri="com.budget.app:/callback").return_to
    return render_template(
        "consent/continue.html",
        client=BUDGET,
        provider=MAPLE,
        answered_at=f"/consent/{REQUEST_ID}",
        fields=[("csrf_token", "")],
        location=success_uri(to, code="code", issuer="https://consent.example"),
        was_approved=was_approved,
    )


_CHOSEN = ACCOUNTS.shareable[:3]

SCREENS = [
    ExamplePage(
        "accounts",
        "The accounts, before the form",
        partial(_accounts, requested=_THREE),
    ),
    ExamplePage("accounts-forty", "Forty accounts, two of them joint", partial(_accounts, MANY_ACCOUNTS)),
    ExamplePage("accounts-two", "Two accounts of one kind", partial(_accounts, TWO_ACCOUNTS)),
    ExamplePage(
        "accounts-missing",
        "None was checked",
        partial(_accounts, banner=Banner.MISSING, requested=_THREE),
    ),
    ExamplePage(
        "accounts-changed", "The list has changed", partial(_accounts, checked=_CHOSEN, banner=Banner.CHANGED)
    ),
    ExamplePage(
        "accounts-investments",
        "The recipient needs investments",
        partial(_accounts, checked=_CHOSEN, banner=Banner.INVESTMENTS),
    ),
    ExamplePage(
        "accounts-hostile",
        "Long names, other scripts, markup",
        partial(_accounts, HOSTILE_ACCOUNTS),
    ),
    ExamplePage("accounts-none", "No account can be shared", _no_account),
    ExamplePage(
        "accounts-no-investments",
        "None has what is needed",
        partial(_no_account, lacks_investments=True),
    ),
    ExamplePage("form", "The form, asked for everything", _form),
    ExamplePage(
        "form-accounts",
        "The form after three accounts were chosen",
        partial(_form, requested=_THREE, accounts=AccountsOnForm(choose(ACCOUNTS, _CHOSEN))),
    ),
    ExamplePage(
        "form-many-accounts",
        "The form for twenty accounts, none of which has investments",
        partial(_form, accounts=AccountsOnForm(choose(MANY_ACCOUNTS, MANY_ACCOUNTS.shareable[:20]))),
    ),
    ExamplePage(
        "form-one-account",
        "The form for the only account",
        partial(_form, requested=_THREE, accounts=AccountsOnForm(choose(ONE_ACCOUNT, ONE_ACCOUNT.shareable))),
    ),
    ExamplePage(
        "form-three",
        "Asked for three types of data",
        partial(_form, requested=_THREE),
    ),
    ExamplePage(
        "form-checked", "Boxes checked", partial(_form, checked=frozenset({_TRANSACTIONS, _STATEMENTS}))
    ),
    ExamplePage("form-unchecked", "No box was checked", partial(_form, banner=Banner.UNCHECKED)),
    ExamplePage(
        "form-renewal",
        "A repeat request that asks for nothing new",
        partial(_form, shared=frozenset({_BASIC, _TRANSACTIONS, _STATEMENTS}), repeat=RepeatView.RENEW),
    ),
    ExamplePage("form-undecided", "It came back without an answer", partial(_form, banner=Banner.MISSING)),
    ExamplePage(
        "form-changed", "It came back since what is asked has changed", partial(_form, banner=Banner.CHANGED)
    ),
    ExamplePage("form-running-out", "One minute is left", partial(_form, left=timedelta(seconds=50))),
    ExamplePage("form-run-out", "The time ran out while it was read", partial(_form, left=timedelta(0))),
    ExamplePage(
        "form-repeat",
        "A repeat request: new, shared now, no longer asked",
        partial(
            _form,
            requested=frozenset({_BASIC, _TRANSACTIONS, _STATEMENTS}),
            shared=frozenset({_BASIC, _TRANSACTIONS, DataCluster.CUSTOMER_CONTACT}),
        ),
    ),
    ExamplePage("form-merged", "Basic within detailed; a purpose of its own", partial(_form, fixtures.LOANS)),
    ExamplePage("form-needs-all", "Everything is needed", partial(_form, fixtures.NEEDS_EVERYTHING)),
    ExamplePage("form-all-or-nothing", "All or nothing", partial(_form, fixtures.ALL_OR_NOTHING)),
    ExamplePage("form-one", "One type of data only", partial(_form, requested=frozenset({_BASIC}))),
    ExamplePage("form-unavailable", "Not available at this bank", partial(_form, provider=fixtures.NORTHERN)),
    ExamplePage("form-agent", "Through an agent", partial(_form, fixtures.THROUGH_AN_AGENT)),
    ExamplePage("form-no-purpose", "No purpose, no logo", partial(_form, fixtures.WITHOUT_PURPOSE)),
    ExamplePage("form-long-purpose", "A purpose of 1,000 characters", partial(_form, fixtures.LONG_PURPOSE)),
    ExamplePage(
        "form-hostile",
        "Names of 256 characters, with markup and other scripts",
        partial(_form, fixtures.HOSTILE, host="xn--bdget-kva." + "long-" * 20 + "name.example"),
    ),
    ExamplePage("form-plain-bank", "A bank without a logo", partial(_form, provider=fixtures.PLAIN)),
    ExamplePage("form-broken-logos", "Logos that cannot be shown", _without_its_pictures),
    ExamplePage("form-nameless", "A customer without a name", partial(_form, customer=fixtures.NAMELESS)),
    ExamplePage("answered-approve", "Already answered: yes", partial(_answered, Answer.APPROVE)),
    ExamplePage("answered-deny", "Already answered: no", partial(_answered, Answer.DENY)),
    ExamplePage("continue-approve", "On to an app, after yes", partial(_continue, was_approved=True)),
    ExamplePage("continue-deny", "On to an app, after no", partial(_continue, was_approved=False)),
]
