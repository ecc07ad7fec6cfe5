"""`/sign-in/…` and `/sign-out`, and `/connections/sign-in/<provider_id>` for customers without a request."""

from flask import Blueprint, Response, redirect, render_template, request, url_for
from werkzeug.exceptions import NotFound
from werkzeug.wrappers import Response as BaseResponse

from app.sign_in import SignInFailed
from app.web.consent.open_request import open_request
from app.web.current import browser, customers, services
from app.web.edge import language, problems, pseudo_locale
from app.web.edge.forms import SignOutForm, chosen_language
from app.web.edge.limits import limit_address
from app.web.sign_in import bank_page
from app.web.sign_in.purpose import (
    SignInPurpose,
    bind_to_this_browser,
    purpose_to_answer,
    purpose_to_see_connections,
)
from app.web.sign_in.sandbox_page import check_password, sandbox_page, sign_in_form

bp = Blueprint("sign_in", __name__)


@bp.get("/sign-in/<request_id>")
def show_sign_in(request_id: str) -> BaseResponse | str:
    return _sign_in_page(purpose_to_answer(request_id))


@bp.post("/sign-in/<request_id>")
def sign_in(request_id: str) -> BaseResponse:
    return _handle_form(purpose_to_answer(request_id))


@bp.get("/connections/sign-in/<provider_id>")
def show_sign_in_for_connections(provider_id: str) -> BaseResponse | str:
    return _sign_in_page(purpose_to_see_connections(provider_id))


@bp.post("/connections/sign-in/<provider_id>")
def sign_in_for_connections(provider_id: str) -> BaseResponse:
    return _handle_form(purpose_to_see_connections(provider_id))


@bp.get("/sign-in/callback/<provider_id>")
def come_back(provider_id: str) -> BaseResponse:
    """The callback of a bank's server (OpenID Connect Core 1.0, 3.1.2.5). Each bank has its own address."""
    return bank_page.finish_sign_in(provider_id)


@bp.post("/sign-out")
def sign_out() -> BaseResponse | str:
    """Signs out. From the page of a request ("not you?") it leads to the sign-in for that request."""
    language.set_language(browser().language)
    request_id = request.form.get("request_id", "")
    form = SignOutForm(session_id=browser().id, request_id=request_id)
    if not form.has_valid_token():
        raise problems.form_refused(request_id)
    if not request_id:
        banks = [services().registry.providers[customer.provider_id] for customer in customers()]
        browser().sign_out()
        return render_template("sign_in/signed_out.html", banks=banks)
    try:
        opened = open_request(request_id)
    except problems.Problem:
        browser().sign_out()  # even where the request is lost or expired
        raise
    opened.session.sign_out()
    bind_to_this_browser(opened)
    return redirect(url_for("sign_in.show_sign_in", request_id=request_id), 303)


def _sign_in_page(purpose: SignInPurpose) -> BaseResponse | str:
    """Shows the sign-in, or redirects to the next page when the customer is signed in already."""
    purpose.require_time_left()
    if purpose.customer is not None and not (request.args.get("at") == "accounts" and purpose.lacks_accounts):
        return redirect(purpose.next_address, 302)
    if request.method == "HEAD":
        return Response()
    limit_address()
    purpose.remember_browser()
    bank_page.show_failure_again(purpose)
    return sandbox_page(purpose) if purpose.provider.oidc is None else bank_page.redirect_to_bank(purpose)


def _handle_form(purpose: SignInPurpose) -> BaseResponse:
    """Handles the form of the sandbox. For a bank with its own server it does not exist (404)."""
    if purpose.provider.oidc is not None:
        raise NotFound
    form = sign_in_form(purpose)
    if not form.has_valid_token():
        raise problems.form_refused(purpose.request_id or "", purpose.provider)
    purpose.require_time_left()
    switched_to = chosen_language()
    if switched_to is not None:
        purpose.switch_to(switched_to)
        pseudo_locale.set_view(None)
        return Response(sandbox_page(purpose, form))
    try:
        return check_password(purpose, form)
    except SignInFailed as failure:
        raise bank_page.log_failure(purpose, failure) from failure
