"""`/consent/<request_id>/accounts`: the step before the form, on which the customer chooses accounts."""

from collections.abc import Sequence
from dataclasses import replace

import structlog
from flask import Blueprint, Response, redirect, request, url_for
from werkzeug.wrappers import Response as BaseResponse

from app.domain.account_choice import is_enough
from app.domain.accounts import Account, AccountList
from app.domain.consent import Answer, ShownConsent
from app.domain.pending_request import PendingRequest
from app.flow.consent import SentAnswer
from app.sign_in import Customer
from app.web.consent.account_step import RedirectInstead, can_be_asked, list_of_accounts
from app.web.consent.accounts_form import AccountsForm
from app.web.consent.accounts_page import accounts_page, accounts_screen, no_account_page
from app.web.consent.open_request import OpenRequest, open_request
from app.web.consent.pages import page_instead
from app.web.consent.renewal import find_standing, what_is_kept
from app.web.consent.view import Banner, View
from app.web.consent.way_back import respond
from app.web.current import services
from app.web.edge import language, problems
from app.web.edge.forms import chosen_language

bp = Blueprint("accounts", __name__)

_log = structlog.get_logger()


@bp.get("/consent/<request_id>/accounts")
def show_accounts(request_id: str) -> BaseResponse | str:
    """The accounts with their boxes; or why there is nothing to choose."""
    opened = open_request(request_id)
    instead = page_instead(opened)
    if instead is not None:
        return instead
    customer = opened.customer
    if customer is None:
        return redirect(url_for("sign_in.show_sign_in", request_id=request_id), 302)
    if request.method == "HEAD":
        return Response()  # for which no bank is asked for its list of accounts
    view = View.of_address()
    try:
        listed = list_of_accounts(opened)
    except RedirectInstead as redirected:
        return redirect(redirected.address, 302)
    if listed is not None and not can_be_asked(listed, opened.parties.offer):
        _log.info("accounts_none", outcome="no_account")
        return no_account_page(opened, customer, listed)
    if listed is None or listed.has_one_choice:
        return redirect(replace(view, banner=None).address(request_id), 302)
    standing = find_standing(opened, customer)
    if view == View() and what_is_kept(opened, standing, listed) is not None:
        return redirect(view.address(request_id), 302)  # which keeps the accounts with one press
    return accounts_page(opened, customer, listed, view, None if standing is None else standing.grant)


@bp.post("/consent/<request_id>/accounts")
def choose_accounts(request_id: str) -> BaseResponse | str:
    """Keeps the choice and leads to the form; or denies, switches the language, checks many boxes at once."""
    opened = open_request(request_id)
    customer = opened.customer
    if customer is None:
        return redirect(url_for("sign_in.show_sign_in", request_id=request_id), 303)
    form = AccountsForm(opened.pending, customer)
    if not form.has_valid_token():
        raise problems.form_refused(request_id, opened.parties.provider)
    # What was read decides in which language it goes on, whatever another tab has switched to since.
    language.set_language(form.language)
    opened = replace(opened, pending=opened.pending.in_language(form.language))
    view = replace(View.of_form(), banner=None)
    if form.denies:
        return _deny(opened, customer, form)
    instead = page_instead(opened)
    if instead is not None:
        return instead
    shown = opened.accounts_shown(form.accounts_hash)
    return _list_again(opened, form, view) if shown is None else _choose(opened, form, shown, view)


def _choose(opened: OpenRequest, form: AccountsForm, listed: AccountList, view: View) -> BaseResponse:
    """Keeps what was checked in the list that the page showed. The next page compares it with a fresh one."""
    request_id, checked = opened.pending.request_id, form.checked(listed)
    switched_to = chosen_language()
    if switched_to is not None:
        replace(opened, pending=_with(opened, checked, has_chosen=False)).switch_to(switched_to)
        return redirect(view.accounts_address(request_id), 303)
    if form.checks_at_once:
        _keep(opened, form.checked_at_once(listed))
        return redirect(view.accounts_address(request_id, "accounts"), 303)
    if form.asks_for_time:  # WCAG 2.2.1
        services().flow.extend(_with(opened, checked, has_chosen=False))
        return redirect(view.accounts_address(request_id, "time-left"), 303)
    if not form.continues or not checked:
        return _bring_back(opened, checked, replace(view, banner=Banner.MISSING))
    if not is_enough(opened.parties.offer, checked):
        return _bring_back(opened, checked, replace(view, banner=Banner.INVESTMENTS))
    services().flow.keep(_with(opened, checked, has_chosen=True))
    return redirect(view.address(request_id), 303)


def _list_again(opened: OpenRequest, form: AccountsForm, view: View) -> BaseResponse:
    """Leads to the page of the accounts: which ones were checked cannot be said, since their list is gone."""
    switched_to = chosen_language()
    if switched_to is not None:
        opened.switch_to(switched_to)
    elif form.asks_for_time:
        services().flow.extend(opened.pending)
    else:
        services().flow.keep(opened.pending)
    return redirect(replace(view, banner=Banner.CHANGED).accounts_address(opened.pending.request_id), 303)


def _deny(opened: OpenRequest, customer: Customer, form: AccountsForm) -> BaseResponse | str:
    """A denial is one wherever it is made; what was checked is not recorded."""
    standing = find_standing(opened, customer)
    grant = None if standing is None else standing.grant
    sent = SentAnswer(answer=Answer.DENY, subject=customer.subject, screen_hash=form.screen_hash)
    shown = ShownConsent(accounts_screen(opened, customer, View.of_form()), grant)
    result = services().flow.answer(opened.pending, opened.parties, sent, shown)
    ask_again = View(banner=Banner.CHANGED).accounts_address(opened.pending.request_id)
    return respond(opened, result, lambda: redirect(ask_again, 303))


def _bring_back(opened: OpenRequest, checked: Sequence[Account], view: View) -> BaseResponse:
    """The same page once more, saying why."""
    _keep(opened, checked)
    return redirect(view.accounts_address(opened.pending.request_id), 303)


def _keep(opened: OpenRequest, checked: Sequence[Account]) -> None:
    """Keeps what is checked, which is no choice yet."""
    services().flow.keep(_with(opened, checked, has_chosen=False))


def _with(opened: OpenRequest, checked: Sequence[Account], *, has_chosen: bool) -> PendingRequest:
    account_ids = tuple(account.account_id for account in checked)
    return replace(opened.pending, checked_accounts=account_ids, has_chosen_accounts=has_chosen)
