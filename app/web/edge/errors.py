"""Turns every exception into an answer: a page for people, JSON for machines, or a redirect to the recipient.

Nothing redirects before the redirect_uri has been checked. Each error page says first whether anything was
shared, then what the customer can do, and then a reference number.
"""

from typing import Any

import structlog
from flask import Flask, Response, jsonify, redirect, render_template, request
from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Response as BaseResponse

from app.domain.callback import error_uri
from app.domain.errors import ErrorCode, OAuthError, UnreadableRequest, UnsafeRequest
from app.stores.unavailable import StoreUnavailable
from app.web import current
from app.web.edge.concurrency import TURNED_AWAY
from app.web.edge.problems import RETRY_AFTER, Problem

_LATER = "Try again in a moment"

_log = structlog.get_logger()
_STATUS = {
    ErrorCode.INVALID_TOKEN: 401,
    ErrorCode.SERVER_ERROR: 500,
    ErrorCode.TEMPORARILY_UNAVAILABLE: 503,
}
_MACHINE_PATHS = ("/api/", "/.well-known/", "/healthz", "/readyz", "/openapi.yaml")


def prefers_json() -> bool:
    """Whether to answer with JSON: at an endpoint for machines, or where Accept prefers JSON to HTML."""
    if request.path.startswith("/api/v1/authorize") or not request.path.startswith(_MACHINE_PATHS):
        accepted = request.accept_mimetypes
        return accepted["application/json"] > accepted["text/html"]
    return True


def init_app(app: Flask) -> None:
    app.before_request(_turn_away)
    app.register_error_handler(UnsafeRequest, _refuse_unsafe)
    app.register_error_handler(OAuthError, _refuse_oauth)
    app.register_error_handler(Problem, _show_problem)
    app.register_error_handler(StoreUnavailable, unavailable_response)
    app.register_error_handler(HTTPException, _show_http_error)
    app.register_error_handler(Exception, _show_unexpected)


def _turn_away() -> Response | None:
    """Answers 503 when the queue is full, before the request uses any store."""
    if TURNED_AWAY not in request.environ:
        return None
    _log.warning("turned_away", endpoint=request.endpoint, outcome="503")
    return _unavailable()


def _refuse_unsafe(error: UnsafeRequest) -> Response:
    """RFC 6749 4.1.2.1: shows the error to the customer, and does not redirect."""
    _log.info("refused", error=error.error.value, description=error.description, outcome="page")
    return _answer(_unsafe_page(error), 400, error.error, error.description)


def _unsafe_page(error: UnsafeRequest) -> str:
    if isinstance(error, UnreadableRequest):
        return "bad_request"
    if error.error is ErrorCode.INVALID_REQUEST_URI:
        return "request_lost"
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
    if problem.status != 429:  # for which `rate_limited` has just been logged
        _log.info("problem", page=problem.template, outcome=str(problem.status))
    is_for_now = problem.retry_after is not None
    error = ErrorCode.TEMPORARILY_UNAVAILABLE if is_for_now else ErrorCode.INVALID_REQUEST
    response = _answer(problem.template, problem.status, error, "The request cannot go on", **problem.context)
    if problem.retry_after is not None:
        response.headers["Retry-After"] = str(int(problem.retry_after.total_seconds()))
    return response


def unavailable_response(error: StoreUnavailable, description: str = _LATER) -> Response:
    """Answers 503. `description` is for machines; the reason of the failure is only in the log."""
    log_store_unavailable(error, outcome="503")
    return _unavailable(description)


def log_store_unavailable(error: StoreUnavailable, *, outcome: str) -> None:
    """Logs which store failed and why; `outcome` is how the request is answered."""
    _log.error("store_unavailable", store=str(error), endpoint=request.endpoint, outcome=outcome)


def not_found_response(description: str) -> Response:
    """Answers 404 with JSON; `description` says what exists instead."""
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
    return Response(error_page(template, **context), status)


def error_page(template: str, **context: Any) -> str:
    """The page of this name, with the number that finds its log lines."""
    return render_template(f"errors/{template}.html", reference=current.reference(), **context)


def _json(error: ErrorCode, description: str, status: int) -> Response:
    response = jsonify(error=error, error_description=description)
    response.status_code = status
    return response
