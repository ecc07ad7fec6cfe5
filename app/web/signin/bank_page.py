"""To the bank's own sign-in and back, and the pages on the way."""

import re

import structlog
from flask import Response, redirect, render_template, request
from werkzeug.wrappers import Response as BaseResponse

from app.domain.language import Language
from app.domain.params import Params, parse_params
from app.domain.sign_in import PendingSignIn
from app.signin import Cause, Customer, SignInFailed
from app.web.current import browser, services
from app.web.edge import errors, language
from app.web.edge.limits import limit_address
from app.web.signin import purpose
from app.web.signin.purpose import Purpose

_log = structlog.get_logger()

_STATE = re.compile(r"[A-Za-z0-9_-]{43}", re.ASCII)
_ANSWER = ("code", "error", "iss")


def show_failure_again(asked: Purpose) -> None:
    """Raises Problem where the address is that of a page about a failure, in another language."""
    cause = request.args.get("failed")
    if cause in set(Cause):
        raise _problem(asked, Cause(cause))


def failed(asked: Purpose, failure: SignInFailed) -> errors.Problem:
    """The page that says why nobody has signed in; noted in the log."""
    _log.warning(
        "sign_in_failed",
        provider_id=asked.provider.provider_id,
        reason=failure.detail,
        outcome=failure.cause.value,
    )
    return _problem(asked, failure.cause)


def go_to_bank(asked: Purpose) -> BaseResponse | str:
    """To the bank at once; or to a page that leads there, for somebody who has just signed out.

    Browsers would stop a redirect to the bank that follows the form of signing out (form-action), and whoever
    comes next should not be signed in as whoever was there before without having asked for it.
    """
    provider_id = asked.provider.provider_id
    has_left = asked.session.has_left(provider_id)
    if has_left and request.args.get("at") != "bank":
        return render_template(
            "signin/bank.html",
            provider=asked.provider,
            client=asked.client,
            address=asked.address(at="bank"),
            way_back=asked.way_back,
        )
    try:
        departure = services().bank_sign_in.begin(
            asked.provider,
            browser_id=asked.session.browser_id,
            request_id=asked.request_id,
            language=language.language(),
            must_ask_again=has_left,
        )
    except SignInFailed as failure:
        raise failed(asked, failure) from failure
    services().sign_ins.save(departure.pending)
    return redirect(departure.url, 302)


def come_back(provider_id: str) -> BaseResponse:
    """From the bank: signs in who it says has signed in, if it proves that. Works once, and not for HEAD."""
    if request.method == "HEAD":
        return Response()
    limit_address()  # before a seat at the bank is taken, or a line is written
    params = parse_params(request.query_string)
    pending = _own_pending(params, provider_id)
    asked = purpose.of(pending)
    asked.require_time_left()
    try:
        customer = _finish(asked, pending, params)
    except SignInFailed as failure:
        raise failed(asked, failure) from failure
    asked.welcome(customer)
    return redirect(asked.next_address, 303)


def _own_pending(params: Params, provider_id: str) -> PendingSignIn:
    """The sign-in that this very browser began at this very bank.

    Raises Problem for any other (RFC 9700 4.7). What came to another bank's address is another bank's answer,
    which the one that the sign-in is at must never be brought (4.4.2).
    """
    session = browser()
    if session.is_known:
        language.use(language.asked_language() or session.language)
    state = params.single("state") or ""
    is_possible = session.is_known and _STATE.fullmatch(state)
    pending = services().sign_ins.find(state) if is_possible else None
    if pending is None or pending.browser_id != session.browser_id:
        _log.warning("sign_in_failed", reason="not_of_this_browser", outcome="refused")
        raise errors.sign_in_lost()
    if pending.provider_id != provider_id:
        _log.warning(
            "sign_in_failed",
            provider_id=pending.provider_id,
            reason="callback_of_another",
            outcome=Cause.UNPROVEN.value,
        )
        raise errors.sign_in_lost()
    return pending


def _finish(asked: Purpose, pending: PendingSignIn, params: Params) -> Customer:
    if asked.provider.oidc is None or asked.provider.issuer != pending.issuer:
        raise SignInFailed(Cause.UNAVAILABLE, "not_registered")  # or otherwise since it was begun
    if not services().sign_ins.use(pending.state):
        raise SignInFailed(Cause.USED, "used")
    if any(params.is_repeated(name) or not params.is_text(name) for name in _ANSWER):
        raise SignInFailed(Cause.UNPROVEN, "unreadable")
    answer = {name: value for name in _ANSWER if (value := params.single(name)) is not None}
    customer = services().bank_sign_in.finish(asked.provider, pending, answer)
    # Whoever else's subjects the ledger knows under this provider: they may be other people's.
    if not services().issuers.accept(asked.provider, now=services().clock()):
        raise SignInFailed(Cause.UNAVAILABLE, "issuer_changed")
    return customer


def _problem(asked: Purpose, cause: Cause) -> errors.Problem:
    """A page that says why, and that can be read in another language without asking the bank again."""
    return errors.sign_in_failed(
        asked.provider,
        cause,
        retry=asked.address(at="bank"),
        client=asked.client,
        way_back=asked.way_back,
        in_languages={spoken: asked.address(failed=cause, lang=spoken) for spoken in Language},
    )
