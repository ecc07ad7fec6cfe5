"""The one exit for everything that goes wrong: a page for people, JSON for machines, a redirect where proven.

Every page says first whether anything was shared, then what to do, then a reference number.
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import structlog
from flask import Flask, Response, jsonify, redirect, render_template, request
from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Response as BaseResponse

from app.domain.callback import error_uri
from app.domain.errors import ErrorCode, OAuthError, UnreadableRequest, UnsafeRequest
from app.domain.language import Language
from app.domain.registry import Client, DataProvider
from app.signin import Cause
from app.stores.unavailable import StoreUnavailable
from app.web import current
from app.web.edge import language
from app.web.edge.concurrency import TURNED_AWAY

RETRY_AFTER = 10  # seconds: a store that restarts is back by then
_LATER = "Try again in a moment"

_log = structlog.get_logger()
_STATUS = {
    ErrorCode.INVALID_TOKEN: 401,
    ErrorCode.SERVER_ERROR: 500,
    ErrorCode.TEMPORARILY_UNAVAILABLE: 503,
}
_STATUS_OF_CAUSE = {
    Cause.REFUSED: 400,
    Cause.USED: 400,
    Cause.UNPROVEN: 502,
    Cause.NOT_ASKED: 502,
    Cause.BUSY: 503,
    Cause.UNAVAILABLE: 503,
}
_MACHINE_PATHS = ("/api/", "/.well-known/", "/healthz", "/readyz", "/openapi.yaml")


class Problem(Exception):
    """A page that ends a customer's request, by its template under errors/ and its status.

    `event` is what the log calls it, where that is more than a page, and `limit` which limit was reached.
    """

    def __init__(
        self,
        template: str,
        status: int,
        *,
        event: str | None = None,
        limit: str | None = None,
        retry_after: timedelta | None = None,
        **context: Any,
    ) -> None:
        super().__init__(template)
        self.template = template
        self.status = status
        self.event = event
        self.limit = {} if limit is None else {"limit": limit}
        self.retry_after = timedelta(seconds=RETRY_AFTER) if status == 503 else retry_after
        self.context = context


def request_lost() -> Problem:
    """No such request in this browser: it never was, it is gone, or it is another browser's."""
    return Problem("request_lost", 404)


def session_over() -> Problem:
    """The request may still be open, but nobody can tell whose it is."""
    return Problem("session_over", 404)


def cookies_blocked() -> Problem:
    """The browser brought no cookie at all: it blocks them, or the request was begun in another browser.

    Where its address does not say either, nothing is known of the language, and the page is in all of them.
    """
    return Problem("cookies_blocked", 404, is_language_known=language.asked_language() is not None)


def request_expired(client: Client, provider: DataProvider, way_back: str) -> Problem:
    """`way_back` is the proven redirect_uri, carrying access_denied."""
    return Problem("request_expired", 410, client=client, provider=provider, way_back=way_back)


def registration_changed() -> Problem:
    """The client or its redirect_uri is no longer registered: no link anywhere."""
    return Problem("unsafe_client", 400)


def form_refused(request_id: str, provider: DataProvider | None = None) -> Problem:
    """A form without the token of this session and request: nothing was recorded."""
    known: dict[str, Any] = {} if provider is None else {"provider": provider}
    return Problem("form_refused", 400, event="csrf_refused", request_id=request_id, **known)


def no_such_provider() -> Problem:
    """A page for a bank that nobody has registered."""
    return Problem("not_found", 404)


def sign_in_lost() -> Problem:
    """What came back from a bank belongs to no sign-in of this browser."""
    return Problem("sign_in_lost", 404)


def sign_in_failed(
    provider: DataProvider,
    cause: Cause,
    *,
    retry: str,
    client: Client | None,
    way_back: str | None,
    in_languages: Mapping[Language, str],
) -> Problem:
    """Nobody signed in at the provider; `retry` leads to its sign-in again, for the same purpose.

    `client` and `way_back`, the proven redirect_uri carrying access_denied: who asks, if somebody does.
    """
    return Problem(
        "sign_in_failed",
        _STATUS_OF_CAUSE[cause],
        provider=provider,
        cause=cause,
        retry=retry,
        client=client,
        way_back=way_back,
        page_in_languages=in_languages,
    )


def too_many(limit: str, wait: timedelta) -> Problem:
    """The limit of this name is reached for now; nothing was begun, and nothing was looked at."""
    return Problem("too_many", 429, event="rate_limited", limit=limit, retry_after=wait, wait=wait)


def connection_unknown() -> Problem:
    """No such connection for whoever is signed in here: another customer's looks the same."""
    return Problem("connection_unknown", 404)


def stop_refused(consent_id: str, provider: DataProvider) -> Problem:
    """A form to stop sharing without the token of this session: nothing changed."""
    return Problem("stop_refused", 400, event="csrf_refused", consent_id=consent_id, provider=provider)


def not_stopped(consent_id: str) -> Problem:
    """It could not be recorded that sharing stops, and nobody is told that it did."""
    return Problem("not_stopped", 503, consent_id=consent_id)


def prefers_json() -> bool:
    """Whether the caller is a machine: it prefers JSON, or asks where only machines ask."""
    if request.path.startswith("/api/v1/authorize") or not request.path.startswith(_MACHINE_PATHS):
        accepted = request.accept_mimetypes
        return accepted["application/json"] > accepted["text/html"]
    return True


def init_app(app: Flask) -> None:
    app.before_request(_turn_away)
    app.register_error_handler(UnsafeRequest, _refuse_unsafe)
    app.register_error_handler(OAuthError, _refuse_oauth)
    app.register_error_handler(Problem, _show_problem)
    app.register_error_handler(StoreUnavailable, say_unavailable)
    app.register_error_handler(HTTPException, _show_http_error)
    app.register_error_handler(Exception, _show_unexpected)


def _turn_away() -> Response | None:
    """Whoever comes when too many wait already is told so at once, before anything is asked of a store."""
    if TURNED_AWAY not in request.environ:
        return None
    _log.warning("turned_away", endpoint=request.endpoint, outcome="503")
    return _unavailable()


def _refuse_unsafe(error: UnsafeRequest) -> Response:
    """RFC 6749 4.1.2.1: the customer is told, and nobody is redirected."""
    _log.info("refused", error=error.error.value, description=error.description, outcome="page")
    return _answer(_unsafe_page(error), 400, error.error, error.description)


def _unsafe_page(error: UnsafeRequest) -> str:
    if isinstance(error, UnreadableRequest):
        return "bad_request"
    return "unsafe_client" if error.error is ErrorCode.INVALID_CLIENT else "unsafe_redirect"


def _refuse_oauth(error: OAuthError) -> BaseResponse:
    _log.info(
        "refused",
        error=error.error.value,
        description=error.description,
        endpoint=request.endpoint,
        outcome="json" if error.return_to is None else "redirect",
    )
    if error.return_to is not None:
        issuer = current.services().settings.issuer
        location = error_uri(error.return_to, error=error.error, description=error.description, issuer=issuer)
        return redirect(location, 302)
    response = _json(error.error, error.description, _STATUS.get(error.error, 400))
    if error.challenge is not None:
        response.status_code = 401
        response.headers["WWW-Authenticate"] = error.challenge
    if error.error is ErrorCode.TEMPORARILY_UNAVAILABLE:
        response.headers["Retry-After"] = str(RETRY_AFTER)
    return response


def _show_problem(problem: Problem) -> Response:
    if problem.event is not None:
        _log.warning(problem.event, **problem.limit, outcome="refused")
    if problem.status != 429:  # which has said so
        _log.info("problem", page=problem.template, outcome=str(problem.status))
    is_for_now = problem.retry_after is not None
    error = ErrorCode.TEMPORARILY_UNAVAILABLE if is_for_now else ErrorCode.INVALID_REQUEST
    response = _answer(problem.template, problem.status, error, "The request cannot go on", **problem.context)
    if problem.retry_after is not None:
        response.headers["Retry-After"] = str(int(problem.retry_after.total_seconds()))
    return response


def say_unavailable(error: StoreUnavailable, description: str = _LATER) -> Response:
    """`description` is for machines; why the store failed is in the log alone."""
    _log.error("store_unavailable", store=str(error), endpoint=request.endpoint, outcome="503")
    return _unavailable(description)


def say_not_found(description: str) -> Response:
    """For a machine that looks for something that does not exist here: what does."""
    return _json(ErrorCode.INVALID_REQUEST, description, 404)


def _unavailable(description: str = _LATER) -> Response:
    response = _answer("unavailable", 503, ErrorCode.TEMPORARILY_UNAVAILABLE, description)
    response.headers["Retry-After"] = str(RETRY_AFTER)
    return response


def _show_http_error(error: HTTPException) -> BaseResponse:
    status = error.code or 500
    if 300 <= status < 400:
        return error.get_response()
    templates = {404: "not_found", 405: "not_allowed"}
    template = templates.get(status, "bad_request" if status < 500 else "unexpected")
    response = _answer(template, status, _code_for(status), "The request cannot be answered")
    allowed = getattr(error, "valid_methods", None)
    if allowed:
        response.headers["Allow"] = ", ".join(sorted(allowed))
    return response


def _show_unexpected(error: Exception) -> Response:
    _log.error("unexpected", exc_info=error, outcome="500")
    return _answer("unexpected", 500, ErrorCode.SERVER_ERROR, "Something unexpected happened")


def _code_for(status: int) -> ErrorCode:
    return ErrorCode.SERVER_ERROR if status >= 500 else ErrorCode.INVALID_REQUEST


def _answer(template: str, status: int, error: ErrorCode, description: str, **context: Any) -> Response:
    if prefers_json():
        return _json(error, description, status)
    page = render_template(f"errors/{template}.html", **context)
    return Response(page, status)


def _json(error: ErrorCode, description: str, status: int) -> Response:
    response = jsonify(error=error, error_description=description)
    response.status_code = status
    return response
