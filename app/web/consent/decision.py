"""`POST /consent/<request_id>`: the customer's answer."""

from dataclasses import replace

from flask import Blueprint, Response, redirect, url_for
from werkzeug.wrappers import Response as BaseResponse

from app.domain.consent import Answer
from app.domain.pending_request import PendingRequest
from app.flow.consent import SentAnswer
from app.sign_in import Customer
from app.web.consent.account_step import AccountsOnForm, RedirectInstead
from app.web.consent.open_request import OpenRequest, open_request
from app.web.consent.pages import (
    ShownNow,
    consent_page,
    page_instead,
    shown_now,
)
from app.web.consent.view import Banner, RepeatView, View
from app.web.consent.way_back import respond
from app.web.current import services
from app.web.edge import language, problems
from app.web.edge.forms import DecisionForm, chosen_language

bp = Blueprint("decision", __name__)


@bp.post("/consent/<request_id>")
def decide(request_id: str) -> BaseResponse | str:
    """Records the answer and sends the browser back; or switches the language and keeps the boxes."""
    opened = open_request(request_id)
    customer = opened.customer
    if customer is None:
        return redirect(url_for("sign_in.show_sign_in", request_id=request_id), 303)
    form = DecisionForm(opened.pending, customer)
    if not form.has_valid_token():
        raise problems.form_refused(request_id, opened.parties.provider)
    # What was read decides in which language it goes on, whatever another tab has switched to since.
    language.set_language(form.language)
    chosen = replace(opened.pending, checked_clusters=form.checked, language=form.language)
    opened = replace(opened, pending=chosen)
    view = View.of_form()
    switched_to = chosen_language()
    if switched_to is not None:
        opened.switch_to(switched_to)
        return _show_again(chosen, view)
    if form.asks_to_change:
        services().flow.keep(chosen)
        return _show_again(chosen, View(RepeatView.CHANGE))
    if form.answer is None or form.asks_for_time or form.checks_at_once:
        return page_instead(opened) or _without_an_answer(opened, customer, form, view)
    return _answer(opened, customer, form, form.answer, view)


def _without_an_answer(
    opened: OpenRequest, customer: Customer, form: DecisionForm, view: View
) -> BaseResponse:
    """Handles every button but the two answers. Without a button, the form comes back and asks for an answer.

    An answer that no button sends is refused (400).
    """
    if form.checks_at_once:
        chosen = replace(opened.pending, checked_clusters=form.checked_at_once(opened.parties.offer.optional))
        services().flow.keep(chosen)
        return _show_again(chosen, view, "hint")
    if form.asks_for_time:  # WCAG 2.2.1
        services().flow.extend(opened.pending)
        return _show_again(opened.pending, view, "time-left")
    if form.is_malformed:
        return Response(consent_page(opened, customer, replace(view, banner=Banner.MISSING)), 400)
    return _bring_back(opened, view, Banner.MISSING)


def _show_again(chosen: PendingRequest, view: View, anchor: str | None = None) -> BaseResponse:
    """Redirects to the form.

    It is not rendered here: no page of ours is in a cache, so a browser cannot go back to one that answers a
    POST.
    """
    return redirect(view.address(chosen.request_id, anchor), 303)


def _bring_back(opened: OpenRequest, view: View, banner: Banner) -> BaseResponse:
    """Keeps the boxes, and redirects to the form, which says why it came back."""
    services().flow.keep(opened.pending)
    return _show_again(opened.pending, replace(view, banner=banner))


def _answer(
    opened: OpenRequest, customer: Customer, form: DecisionForm, answer: Answer, view: View
) -> BaseResponse | str:
    try:
        now = shown_now(opened, customer, view, may_ask=answer is Answer.APPROVE)
    except RedirectInstead as instead:
        return _answer_without_accounts(opened, customer, form, answer, view, instead)
    opened = replace(opened, parties=replace(opened.parties, offer=now.offer))
    banner = _reason_to_ask_again(form, view, now) if answer is Answer.APPROVE else None
    if banner is not None and _is_first(opened):
        return _bring_back(opened, view, banner)
    sent = SentAnswer(
        answer=answer,
        subject=customer.subject,
        screen_hash=form.screen_hash,
        checked=form.checked,
        accounts=now.accounts.chosen,
    )
    result = services().flow.answer(opened.pending, opened.parties, sent, now.consent)
    return respond(opened, result, lambda: _bring_back(opened, view, Banner.CHANGED))


def _answer_without_accounts(
    opened: OpenRequest,
    customer: Customer,
    form: DecisionForm,
    answer: Answer,
    view: View,
    instead: RedirectInstead,
) -> BaseResponse | str:
    """Handles an answer while there is no list of accounts.

    A first approval is redirected to where the list comes from. A denial needs no list, and neither does the
    same answer again.
    """
    recorded = services().flow.find_answer(opened.pending)
    lead_on = redirect(instead.address, 303)
    if recorded is None and answer is Answer.APPROVE:
        opened.require_time_left()
        services().flow.keep(opened.pending)
        return lead_on
    answered_for = AccountsOnForm(None if recorded is None else recorded.accounts)
    checked = form.checked
    if recorded is not None and view.repeat is RepeatView.RENEW and recorded.screen_hash == form.screen_hash:
        checked = recorded.granted_scope  # this page had no boxes: it named what an approval of it shares
    sent = SentAnswer(
        answer=answer,
        subject=customer.subject,
        screen_hash=form.screen_hash,
        checked=checked,
        accounts=answered_for.chosen if answered_for.accounts_hash == form.accounts_hash else None,
    )
    result = services().flow.answer(opened.pending, opened.parties, sent, None)
    return respond(opened, result, lambda: lead_on)


def _reason_to_ask_again(form: DecisionForm, view: View, now: ShownNow) -> Banner | None:
    """The reason to ask again before an approval is recorded; None without one."""
    if form.accounts_hash != now.accounts.accounts_hash:
        return Banner.CHANGED
    has_boxes = now.consent.keeps is None and now.offer.optional
    if has_boxes and view.banner is not Banner.UNCHECKED and not form.checked & now.offer.optional:
        return Banner.UNCHECKED  # it may be an oversight, about which the customer is asked once
    return None


def _is_first(opened: OpenRequest) -> bool:
    """Whether the request still waits for its first answer."""
    flow = services().flow
    return flow.find_answer(opened.pending) is None and not flow.is_expired(opened.pending)
