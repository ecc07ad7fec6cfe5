"""The form in every state, and what stands in its place after the answer."""

import re
from dataclasses import replace
from datetime import timedelta
from functools import partial

from flask import render_template

from app.development.screens import parties as fixtures
from app.development.screens.parties import ALEX, BUDGET, CONSENT_ID, EVERYTHING, MAPLE, NOW, REQUEST_ID
from app.development.screens.screen import Screen
from app.domain.callback import success_uri
from app.domain.clusters import DataCluster, Scope, in_order
from app.domain.consent import Answer, make_decision
from app.domain.evidence import Screen as Shown
from app.domain.registry import Client, DataProvider
from app.sign_in import Customer
from app.web.consent.pages import Shared, WhatIsAsked, form_with_placeholders
from app.web.consent.view import Notice, View, Way
from app.web.edge import language
from app.web.text.form_cache import CachedForm
from app.web.text.template_filters import clock_time, long_date

_BASIC = DataCluster.ACCOUNT_BASIC
_DETAILED = DataCluster.ACCOUNT_DETAILED
_TRANSACTIONS = DataCluster.TRANSACTIONS
_STATEMENTS = DataCluster.STATEMENTS
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
    notice: Notice | None = None,
    way: Way | None = None,
) -> str:
    who = fixtures.parties(client, requested=requested, provider=provider)
    asked = WhatIsAsked(
        client_id=client.client_id,
        provider_id=provider.provider_id,
        language=language.current_language(),
        offer=who.offer,
        shared=None if shared is None else Shared(scope=shared, until=long_date(NOW + timedelta(days=200))),
        ends_on=long_date(NOW + client.consent_duration),
        callback_host=host,
        checked=checked,
        view=View(way, notice),
        names_customer=bool(customer.display_name),
    )
    values = {
        "request_id": REQUEST_ID,
        "customer": customer.display_name,
        "sign_out_token": "",
        "decision_token": "",
        "expires_at": (NOW + left).isoformat(),
        "seconds_left": str(int(left.total_seconds())),
        "clock_time": clock_time(NOW + left),
    }
    return CachedForm(form_with_placeholders(asked, who), Shown("", asked.language, "")).fill(values)


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
        request_id=REQUEST_ID,
        fields=[("csrf_token", "")],
        location=success_uri(to, code="code", issuer="https://consent.example"),
        was_approved=was_approved,
    )


SCREENS = [
    Screen("form", "The form, asked for everything", _form),
    Screen(
        "form-three",
        "Asked for three types of data",
        partial(_form, requested=frozenset({_BASIC, _DETAILED, _TRANSACTIONS})),
    ),
    Screen("form-checked", "Boxes checked", partial(_form, checked=frozenset({_TRANSACTIONS, _STATEMENTS}))),
    Screen("form-unchecked", "No box was checked", partial(_form, notice=Notice.UNCHECKED)),
    Screen(
        "form-renewal",
        "A repeat request that asks for nothing new",
        partial(_form, shared=frozenset({_BASIC, _TRANSACTIONS, _STATEMENTS}), way=Way.RENEW),
    ),
    Screen("form-undecided", "It came back without an answer", partial(_form, notice=Notice.MISSING)),
    Screen(
        "form-changed", "It came back since what is asked has changed", partial(_form, notice=Notice.CHANGED)
    ),
    Screen("form-running-out", "One minute is left", partial(_form, left=timedelta(seconds=50))),
    Screen("form-run-out", "The time ran out while it was read", partial(_form, left=timedelta(0))),
    Screen(
        "form-repeat",
        "A repeat request: new, shared now, no longer asked",
        partial(
            _form,
            requested=frozenset({_BASIC, _TRANSACTIONS, _STATEMENTS}),
            shared=frozenset({_BASIC, _TRANSACTIONS, DataCluster.CUSTOMER_CONTACT}),
        ),
    ),
    Screen("form-merged", "Basic within detailed; a purpose of its own", partial(_form, fixtures.LOANS)),
    Screen("form-needs-all", "Everything is needed", partial(_form, fixtures.NEEDS_EVERYTHING)),
    Screen("form-all-or-nothing", "All or nothing", partial(_form, fixtures.ALL_OR_NOTHING)),
    Screen("form-one", "One type of data only", partial(_form, requested=frozenset({_BASIC}))),
    Screen("form-unavailable", "Not available at this bank", partial(_form, provider=fixtures.NORTHERN)),
    Screen("form-agent", "Through an agent", partial(_form, fixtures.THROUGH_AN_AGENT)),
    Screen("form-no-purpose", "No purpose, no logo", partial(_form, fixtures.WITHOUT_PURPOSE)),
    Screen("form-long-purpose", "A purpose of 1,000 characters", partial(_form, fixtures.LONG_PURPOSE)),
    Screen(
        "form-hostile",
        "Names of 256 characters, with markup and other scripts",
        partial(_form, fixtures.HOSTILE, host="xn--bdget-kva." + "long-" * 20 + "name.example"),
    ),
    Screen("form-plain-bank", "A bank without a logo", partial(_form, provider=fixtures.PLAIN)),
    Screen("form-broken-logos", "Logos that cannot be shown", _without_its_pictures),
    Screen("form-nameless", "A customer without a name", partial(_form, customer=fixtures.NAMELESS)),
    Screen("answered-approve", "Already answered: yes", partial(_answered, Answer.APPROVE)),
    Screen("answered-deny", "Already answered: no", partial(_answered, Answer.DENY)),
    Screen("continue-approve", "On to an app, after yes", partial(_continue, was_approved=True)),
    Screen("continue-deny", "On to an app, after no", partial(_continue, was_approved=False)),
]
