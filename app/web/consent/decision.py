"""`POST /consent/<request_id>`: the customer's answer."""

from dataclasses import replace

from flask import Blueprint, Response, redirect, url_for
from werkzeug.wrappers import Response as BaseResponse

from app.domain.consent import Answer
from app.domain.pending_request import PendingRequest
from app.flow.consent import SentAnswer
from app.sign_in import Customer
from app.web.consent.account_step import AccountsOnForm, Elsewhere
from app.web.consent.open_request import OpenRequest, open_request
from app.web.consent.pages import (
    ShownNow,
    consent_page,
    page_instead,
    shown_now,
)
from app.web.consent.view import Notice, View, Way
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
        return _show_again(chosen, View(Way.CHANGE))
    if form.answer is None or form.asks_for_time or form.checks_at_once:
        return page_instead(opened) or _without_an_answer(opened, customer, form, view)
    return _answer(opened, customer, form, form.answer, view)


def _without_an_answer(
    opened: OpenRequest, customer: Customer, form: DecisionForm, view: View
) -> BaseResponse:
    """What another button than the two answers does; where none was pressed, the form asks for an answer.

    What no button says was sent by no browser, and is refused.
    """
    if form.checks_at_once:
        chosen = replace(opened.pending, checked_clusters=form.checked_at_once(opened.parties.offer.optional))
        services().flow.keep(chosen)
        return _show_again(chosen, view, "hint")
    if form.asks_for_time:  # WCAG 2.2.1
        services().flow.extend(opened.pending)
        return _show_again(opened.pending, view, "time-left")
    if form.is_malformed:
        return Response(consent_page(opened, customer, replace(view, notice=Notice.MISSING)), 400)
    return _bring_back(opened, view, Notice.MISSING)


def _show_again(chosen: PendingRequest, view: View, anchor: str | None = None) -> BaseResponse:
    """The form once more, by a redirect: nothing of ours is in a cache, so nobody can go back to a page that
    answers a POST.
    """
    return redirect(view.address(chosen.request_id, anchor), 303)


def _bring_back(opened: OpenRequest, view: View, notice: Notice) -> BaseResponse:
    """The form once more, with its boxes, saying why."""
    services().flow.keep(opened.pending)
    return _show_again(opened.pending, replace(view, notice=notice))


def _answer(
    opened: OpenRequest, customer: Customer, form: DecisionForm, answer: Answer, view: View
) -> BaseResponse | str:
    try:
        now = shown_now(opened, customer, view, may_ask=answer is Answer.APPROVE)
    except Elsewhere as elsewhere:
        return _answer_without_accounts(opened, customer, form, answer, view, elsewhere)
    opened = replace(opened, parties=replace(opened.parties, offer=now.offer))
    notice = _reason_to_ask_again(form, view, now) if answer is Answer.APPROVE else None
    if notice is not None and _is_first(opened):
        return _bring_back(opened, view, notice)
    sent = SentAnswer(
        answer=answer,
        subject=customer.subject,
        screen_hash=form.screen_hash,
        checked=form.checked,
        accounts=now.accounts.chosen,
    )
    result = services().flow.answer(opened.pending, opened.parties, sent, now.consent)
    return respond(opened, result, lambda: _bring_back(opened, view, Notice.CHANGED))


def _answer_without_accounts(
    opened: OpenRequest,
    customer: Customer,
    form: DecisionForm,
    answer: Answer,
    view: View,
    elsewhere: Elsewhere,
) -> BaseResponse | str:
    """What happens to an answer while the accounts are not at hand.

    A first approval leads to where they are; a denial waits for nobody, nor does the same answer again.
    """
    recorded = services().flow.find_answer(opened.pending)
    lead_on = redirect(elsewhere.address, 303)
    if recorded is None and answer is Answer.APPROVE:
        opened.require_time_left()
        services().flow.keep(opened.pending)
        return lead_on
    answered_for = AccountsOnForm(None if recorded is None else recorded.accounts)
    checked = form.checked
    if recorded is not None and view.way is Way.RENEW and recorded.screen_hash == form.screen_hash:
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


def _reason_to_ask_again(form: DecisionForm, view: View, now: ShownNow) -> Notice | None:
    """The reason why an approval is not taken for what the customer means; None where it is."""
    if form.accounts_hash != now.accounts.accounts_hash:
        return Notice.CHANGED
    has_boxes = now.consent.keeps is None and now.offer.optional
    if has_boxes and view.notice is not Notice.UNCHECKED and not form.checked & now.offer.optional:
        return Notice.UNCHECKED  # it may be an oversight, about which the customer is asked once
    return None


def _is_first(opened: OpenRequest) -> bool:
    """Whether the request still waits for its first answer."""
    flow = services().flow
    return flow.find_answer(opened.pending) is None and not flow.is_expired(opened.pending)
