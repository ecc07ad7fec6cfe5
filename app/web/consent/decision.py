"""`POST /consent/<request_id>`: the customer's answer."""

from dataclasses import replace

from flask import Blueprint, Response, redirect, url_for
from werkzeug.wrappers import Response as BaseResponse

from app.domain.callback import has_private_scheme, success_uri
from app.domain.consent import Answer
from app.domain.pending_request import PendingRequest
from app.flow.consent import AlreadyAnswered, Approved, Changed, Denied, Expired
from app.sign_in import Customer
from app.web.consent.open_request import OpenRequest, open_request
from app.web.consent.pages import (
    answered_page,
    consent_page,
    continue_page,
    page_instead,
    shown_consent,
)
from app.web.consent.view import Notice, View, Way
from app.web.current import services
from app.web.edge import errors, language, pseudo_locale
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
        raise errors.form_refused(request_id, opened.parties.provider)
    # What was read decides in which language it goes on, whatever another tab has switched to since.
    language.set_language(form.language)
    chosen = replace(opened.pending, checked_clusters=form.checked, language=form.language)
    opened = replace(opened, pending=chosen)
    view = View.of_form()
    switched_to = chosen_language()
    if switched_to is not None:
        services().flow.keep(chosen.in_language(switched_to))
        opened.session.remember_language(switched_to)
        pseudo_locale.set_view(None)
        return _show_again(chosen, view)
    if form.asks_to_change:
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
    shown = shown_consent(opened, customer, view)
    if answer is Answer.APPROVE and shown.keeps is None and _may_be_an_oversight(opened, form, view):
        return _bring_back(opened, view, Notice.UNCHECKED)
    result = services().flow.answer(
        opened.pending,
        opened.parties,
        answer,
        checked=form.checked,
        subject=customer.subject,
        screen_hash=form.screen_hash,
        shown=shown,
    )
    match result:
        case Approved(_, code):
            return _send_back(opened, Answer.APPROVE, _code_uri(opened, code))
        case Denied():
            return _send_back(opened, Answer.DENY, opened.denied_uri)
        case AlreadyAnswered(decision):
            return answered_page(opened, decision)
        case Changed():
            return _bring_back(opened, view, Notice.CHANGED)
        case Expired():
            raise opened.expiry_problem()


def _may_be_an_oversight(opened: OpenRequest, form: DecisionForm, view: View) -> bool:
    """Whether an approval checks none of the boxes, about which the customer is asked once."""
    optional = opened.parties.offer.optional
    if view.notice is Notice.UNCHECKED or not optional or form.checked & optional:
        return False
    flow = services().flow
    return flow.find_answer(opened.pending.request_id) is None and not flow.is_expired(opened.pending)


def _code_uri(opened: OpenRequest, code: str) -> str:
    return success_uri(opened.pending.request.return_to, code=code, issuer=services().settings.issuer)


def _send_back(opened: OpenRequest, answer: Answer, location: str) -> BaseResponse | str:
    """The redirect that the specification asks for: 302, after a POST too."""
    if has_private_scheme(location):
        # Its switch sends the same answer, and the language in the address.
        language.set_language(language.query_language() or language.current_language())
        return continue_page(opened, location, was_approved=answer is Answer.APPROVE)
    return redirect(location, 302)
