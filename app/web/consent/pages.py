"""What the consent form says, and the pages that stand in its place after the answer."""

from dataclasses import dataclass, replace

from flask import render_template

from app.domain.accounts import AccountList
from app.domain.callback import display_host
from app.domain.clusters import in_order
from app.domain.consent import (
    ConsentDecision,
    ConsentOffer,
    ShownConsent,
    StandingConsent,
)
from app.sign_in import Customer
from app.web.consent.account_step import AccountsOnForm, accounts_chosen, list_at_hand, list_of_accounts
from app.web.consent.cached_page import cached_page, time_values
from app.web.consent.form_text import Shared, WhatIsAsked, form_with_placeholders
from app.web.consent.open_request import OpenRequest
from app.web.consent.renewal import find_standing, what_is_kept
from app.web.consent.view import RepeatView, View
from app.web.current import services
from app.web.edge import problems
from app.web.edge.forms import DecisionForm, SignOutForm
from app.web.edge.headers import allow_answer_to_leave
from app.web.text.form_cache import CachedForm
from app.web.text.template_filters import long_date


def consent_page(opened: OpenRequest, customer: Customer, view: View) -> str:
    """The form, with a banner on top when it came back; or what is shared now, where nothing new is asked.

    Raises RedirectInstead where accounts have yet to be chosen, and Problem (503) where the bank lists none.
    """
    if view.repeat is None:
        view = replace(view, repeat=RepeatView.RENEW)
    prepared = _prepared(opened, customer, view, list_of_accounts(opened))
    allow_answer_to_leave(opened.pending.request.redirect_uri)
    return prepared.page.fill(_values(opened, customer, prepared))


@dataclass(frozen=True, slots=True)
class ShownNow:
    """What the page says now, which an answer is compared with, and what an approval of it would share."""

    consent: ShownConsent
    accounts: AccountsOnForm
    offer: ConsentOffer


def shown_now(opened: OpenRequest, customer: Customer, view: View, *, may_ask: bool) -> ShownNow:
    """What that page says now, in the language of the request; the boxes do not change it.

    `may_ask` says whether the bank may be asked for its list of accounts. Raises RedirectInstead where the
    page cannot be shown, since accounts have yet to be chosen or to be listed again.
    """
    unchecked = replace(opened, pending=replace(opened.pending, checked_clusters=frozenset()))
    prepared = _prepared(unchecked, customer, view, list_at_hand(opened, view, may_ask=may_ask))
    standing = None if prepared.standing is None else prepared.standing.grant
    keeps = standing.granted_scope if standing is not None and prepared.is_renewal else None
    consent = ShownConsent(prepared.page.screen, standing, keeps)
    return ShownNow(consent, prepared.accounts, prepared.accounts.offer(opened.parties.offer))


@dataclass(frozen=True, slots=True)
class _Prepared:
    """The page for everybody who is asked the same, and the connection that an approval would replace."""

    page: CachedForm
    standing: StandingConsent | None
    view: View
    accounts: AccountsOnForm

    @property
    def is_renewal(self) -> bool:
        return self.view.repeat is RepeatView.RENEW


def _prepared(opened: OpenRequest, customer: Customer, view: View, listed: AccountList | None) -> _Prepared:
    pending, parties = opened.pending, opened.parties
    standing = find_standing(opened, customer)
    kept = what_is_kept(opened, standing, listed)
    if kept is None:
        view = replace(view, repeat=None)
    accounts = kept if kept is not None and view.repeat is RepeatView.RENEW else None
    if accounts is None:
        accounts = accounts_chosen(opened, listed, view)
    asked = WhatIsAsked(
        client_id=parties.client.client_id,
        provider_id=parties.provider.provider_id,
        language=pending.language,
        offer=accounts.offer(parties.offer),
        absent=accounts.absent(parties.offer),
        names_accounts=accounts.chosen is not None,
        shared=None if standing is None else Shared.of(standing.grant),
        ends_on=long_date(pending.consent_ends_at),
        callback_host=display_host(pending.request.redirect_uri),
        checked=pending.checked_clusters,
        view=view,
        names_customer=bool(customer.display_name),
    )
    page = cached_page(asked, asked.language, lambda: form_with_placeholders(asked, parties))
    return _Prepared(page, standing, view, accounts)


def _values(opened: OpenRequest, customer: Customer, prepared: _Prepared) -> dict[str, str]:
    """What stands in the placeholders of the form."""
    request_id, accounts = opened.pending.request_id, prepared.accounts
    token = DecisionForm(opened.pending, customer).token(prepared.page.screen, accounts.accounts_hash)
    return {
        "request_id": request_id,
        "customer": customer.display_name,
        "sign_out_token": SignOutForm.token(session_id=opened.session.id, request_id=request_id),
        "decision_token": token,
        "chosen_accounts": accounts.fact(request_id, prepared.view),
        **time_values(opened.pending),
    }


def page_instead(opened: OpenRequest) -> str | None:
    """The page instead of the form, once the request has its answer; None while it is open.

    Raises Problem (410) when it has expired without one.
    """
    decision = services().flow.find_answer(opened.pending)
    if decision is not None:
        return answered_page(opened, decision)
    opened.require_time_left()
    return None


def answered_page(opened: OpenRequest, decision: ConsentDecision) -> str:
    """What was answered, and when. Raises Problem (404) for anybody but the customer who answered."""
    customer = opened.customer
    if customer is None or customer.subject != decision.subject:
        raise problems.request_lost()
    return render_template(
        "consent/answered.html",
        client=opened.parties.client,
        provider=opened.parties.provider,
        decision=decision,
        granted=in_order(decision.granted_scope),
    )
