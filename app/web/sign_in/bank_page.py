"""Signing in at the bank's own OpenID Connect server: the redirect to it, the callback, and their pages."""

import re

import structlog
from flask import Response, redirect, render_template, request
from werkzeug.wrappers import Response as BaseResponse

from app.domain.language import Language
from app.domain.params import Params, parse_params
from app.domain.sign_in import PendingSignIn
from app.sign_in import Cause, SignedIn, SignInFailed
from app.web.current import browser, services
from app.web.edge import language, problems
from app.web.edge.limits import limit_address
from app.web.sign_in.purpose import SignInPurpose, purpose_of, purpose_to_answer

_log = structlog.get_logger()

_STATE = re.compile(r"[A-Za-z0-9_-]{43}", re.ASCII)
_ANSWER = ("code", "error", "iss")


def show_failure_again(purpose: SignInPurpose) -> None:
    """Raises Problem for the address of a failure page, which the language switch leads to (`failed=`)."""
    cause = request.args.get("failed")
    if cause in set(Cause):
        raise _problem(purpose, Cause(cause))


def log_failure(purpose: SignInPurpose, failure: SignInFailed) -> problems.Problem:
    """Logs why signing in has failed, and returns the page that says so."""
    _log.warning(
        "sign_in_failed",
        provider_id=purpose.provider.provider_id,
        reason=failure.detail,
        outcome=failure.cause.value,
    )
    return _problem(purpose, failure.cause)


def redirect_to_bank(purpose: SignInPurpose) -> BaseResponse | str:
    """Redirects to the bank. After signing out there is a page with a link to the bank instead.

    Browsers refuse a redirect to the bank as the answer to the sign-out form (form-action). Without the page,
    the next person at the browser could also be signed in as the one before, without having asked for it.
    """
    provider_id = purpose.provider.provider_id
    has_left = purpose.session.has_signed_out(provider_id)
    if has_left and request.args.get("at") != "bank":
        return render_template(
            "sign_in/bank.html",
            provider=purpose.provider,
            client=purpose.client,
            address=purpose.address(at="bank"),
            way_back=purpose.way_back,
        )
    try:
        departure = services().bank_sign_in.begin(
            purpose.provider,
            browser_id=purpose.session.browser_id,
            request_id=purpose.request_id,
            language=language.current_language(),
            must_ask_again=has_left,
        )
    except SignInFailed as failure:
        raise log_failure(purpose, failure) from failure
    services().sign_ins.save(departure.pending)
    return redirect(departure.url, 302)


def finish_sign_in(provider_id: str) -> BaseResponse:
    """The bank's callback: signs in the customer whom a valid answer names. An answer works once."""
    if request.method == "HEAD":
        return Response()
    limit_address()  # before a slot of the bank's bulkhead is taken, or an event is logged
    params = parse_params(request.query_string)
    pending = _own_pending(params, provider_id)
    purpose = purpose_of(pending)
    purpose.require_time_left()
    try:
        signed_in = _finish(purpose, pending, params)
    except SignInFailed as failure:
        raise log_failure(purpose, failure) from failure
    purpose.welcome(signed_in.customer, signed_in.accounts)
    return redirect(purpose.next_address, 303)


def _own_pending(params: Params, provider_id: str) -> PendingSignIn:
    """The sign-in that `state` names, if this browser began it at the bank of this callback address.

    Raises Problem for another browser's sign-in (RFC 9700 4.7), and for an answer at another bank's callback
    address: a code of one bank must never be sent to another bank (mix-up attack, RFC 9700 4.4.2).
    """
    session = browser()
    if session.is_known:
        language.set_language(language.query_language() or session.language)
    if params.single("state") is None and params.single("error") is not None:
        _show_only_open_sign_in(provider_id)
    state = params.single("state") or ""
    is_possible = session.is_known and _STATE.fullmatch(state)
    pending = services().sign_ins.find_sign_in(state) if is_possible else None
    if pending is None or pending.browser_id != session.browser_id:
        _log.warning("sign_in_failed", reason="not_of_this_browser", outcome="refused")
        raise problems.sign_in_lost()
    if pending.provider_id != provider_id:
        _log.warning(
            "sign_in_failed",
            provider_id=pending.provider_id,
            reason="callback_of_another",
            outcome=Cause.UNPROVEN.value,
        )
        raise problems.sign_in_lost()
    return pending


def _show_only_open_sign_in(provider_id: str) -> None:
    """Raises Problem with the way back to the one sign-in that this browser can have begun at the bank.

    A bank may send an error without `state`, although it should not (RFC 6749 4.1.2.1). Whoever made the
    browser come here, the page decides nothing: it offers what the browser had begun. Of several, none is
    chosen.
    """
    session = browser()
    if not session.is_known or session.customer_of(provider_id) is not None:
        return
    waiting = [
        each.pending.request_id
        for each in services().flow.waiting_requests(session.browser_id)
        if each.pending.request.provider_id == provider_id
    ]
    if len(waiting) == 1:
        raise log_failure(purpose_to_answer(waiting[0]), SignInFailed(Cause.REFUSED, "without_state"))


def _finish(purpose: SignInPurpose, pending: PendingSignIn, params: Params) -> SignedIn:
    if purpose.provider.oidc is None or purpose.provider.issuer != pending.issuer:
        raise SignInFailed(Cause.UNAVAILABLE, "not_registered")  # the registration has changed meanwhile
    if not services().sign_ins.use(pending.state):
        raise SignInFailed(Cause.USED, "used")
    if any(params.is_repeated(name) or not params.is_text(name) for name in _ANSWER):
        raise SignInFailed(Cause.UNPROVEN, "unreadable")
    answer = {name: value for name in _ANSWER if (value := params.single(name)) is not None}
    signed_in = services().bank_sign_in.finish(purpose.provider, pending, answer)
    # The subjects in the ledger may be from another issuer, where they can name other people (docs/adr/0021).
    if not services().issuers.accept(purpose.provider, now=services().clock()):
        raise SignInFailed(Cause.UNAVAILABLE, "issuer_changed")
    return signed_in


def _problem(purpose: SignInPurpose, cause: Cause) -> problems.Problem:
    """The failure page. Its language switch does not lead to the bank again."""
    return problems.sign_in_failed(
        purpose.provider,
        cause,
        retry=purpose.address(at="bank"),
        client=purpose.client,
        way_back=purpose.way_back,
        in_languages={spoken: purpose.address(failed=cause, lang=spoken) for spoken in Language},
    )
