"""`/sign-in/<request_id>` and `/sign-out`: who is the customer?"""

from dataclasses import replace
from datetime import timedelta

import structlog
from flask import Blueprint, Response, redirect, render_template, request, url_for
from werkzeug.exceptions import NotFound
from werkzeug.wrappers import Response as BaseResponse

from app.signin import Customer
from app.signin.sandbox import SandboxSignIn
from app.stores.attempts import Allowance
from app.web import errors, language
from app.web.current import browser, services
from app.web.forms import SignInForm, SignOutForm
from app.web.pending import OpenRequest, open_request

bp = Blueprint("signin", __name__)

_log = structlog.get_logger()

# Failures in one window: of one customer from one address, of one customer from anywhere (guessing with many
# addresses), and from one address (one password tried on many customers).
_MOST_PER_CUSTOMER_AND_ADDRESS = 5
_MOST_PER_CUSTOMER = 25
_MOST_PER_ADDRESS = 100


@bp.get("/sign-in/<request_id>")
def show(request_id: str) -> BaseResponse | str:
    opened = open_request(request_id)
    opened.require_time_left()
    if opened.customer is not None:
        return redirect(url_for("consent.show", request_id=request_id), 302)
    return _page(opened)


@bp.post("/sign-in/<request_id>")
def sign_in(request_id: str) -> BaseResponse | str:
    opened = open_request(request_id)
    form = _form(opened)
    if not form.has_valid_token():
        raise errors.form_refused(request_id)
    opened.require_time_left()
    allowances = _allowances(opened, form)
    wait = services().attempts.count(allowances)
    if wait is not None:
        _log.warning("rate_limited", provider_id=opened.parties.provider.provider_id, outcome="refused")
        response = Response(_page(opened, form, wait=wait), 429)
        response.headers["Retry-After"] = str(int(wait.total_seconds()))
        return response
    customer = _find_customer(opened, form)
    if customer is None:
        _log.info("sign_in_failed", provider_id=opened.parties.provider.provider_id, outcome="refused")
        return Response(_page(opened, form, has_failed=True), 400)
    services().attempts.take_back(allowances)
    _welcome(opened, customer)
    return redirect(url_for("consent.show", request_id=request_id), 303)


@bp.post("/sign-out")
def sign_out() -> BaseResponse | str:
    """Signs out; "not you?" on a request's page comes back to that request."""
    language.use(browser().language)
    request_id = request.form.get("request_id", "")
    form = SignOutForm(session_id=browser().id, request_id=request_id)
    if not form.has_valid_token():
        raise errors.form_refused(request_id)
    if not request_id:
        browser().sign_out(keep_request=None)
        return render_template("signin/signed_out.html")
    try:
        opened = open_request(request_id)
    except errors.Problem:
        browser().sign_out(keep_request=None)  # whatever became of the request
        raise
    opened.session.sign_out(keep_request=request_id)
    _bind_to_this_browser(opened)
    return redirect(url_for("signin.show", request_id=request_id), 303)


def _welcome(opened: OpenRequest, customer: Customer) -> None:
    opened.session.sign_in(customer, opened.pending.request_id)
    if opened.pending.browser_id != opened.session.browser_id:
        _bind_to_this_browser(opened)
    _log.info("signed_in", provider_id=customer.provider_id, outcome="ok")


def _bind_to_this_browser(opened: OpenRequest) -> None:
    """Hands the one request to the person who is here now, without what somebody else had checked."""
    moved = replace(opened.pending, browser_id=opened.session.browser_id, checked_clusters=frozenset())
    services().flow.keep(moved)


def _find_customer(opened: OpenRequest, form: SignInForm) -> Customer | None:
    if not form.is_complete:
        return None
    return _sandbox().find_customer(
        opened.parties.provider, form.user_name.data or "", form.password.data or ""
    )


def _sandbox() -> SandboxSignIn:
    sandbox = services().sandbox
    if sandbox is None:
        raise NotFound
    return sandbox


def _allowances(opened: OpenRequest, form: SignInForm) -> list[Allowance]:
    customer = (opened.parties.provider.provider_id, (form.user_name.data or "").casefold())
    address = request.remote_addr or ""
    return [
        Allowance((*customer, address), _MOST_PER_CUSTOMER_AND_ADDRESS),
        Allowance(customer, _MOST_PER_CUSTOMER),
        Allowance((address,), _MOST_PER_ADDRESS),
    ]


def _form(opened: OpenRequest) -> SignInForm:
    return SignInForm(session_id=opened.session.id, request_id=opened.pending.request_id)


def _page(
    opened: OpenRequest,
    form: SignInForm | None = None,
    *,
    has_failed: bool = False,
    wait: timedelta | None = None,
) -> str:
    return render_template(
        "signin/sandbox.html",
        request_id=opened.pending.request_id,
        client=opened.parties.client,
        provider=opened.parties.provider,
        form=form or _form(opened),
        has_failed=has_failed,
        wait=wait,
    )
