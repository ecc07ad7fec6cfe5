"""`GET /api/v1/authorize`: the authorization endpoint, where every consent begins (RFC 6749 4.1.1)."""

import uuid
from dataclasses import replace

import structlog
from flask import Blueprint, Response, redirect, request, url_for
from werkzeug.wrappers import Response as BaseResponse

from app.domain.authorization import AuthorizationRequest, find_correlation_id, validate_authorization
from app.domain.clusters import format_scope
from app.domain.errors import ErrorCode, OAuthError, UnsafeRequest
from app.domain.language import requested_language
from app.domain.params import Params, parse_params
from app.domain.pending_request import PendingRequest
from app.flow.consent import Parties
from app.stores.unavailable import StoreUnavailable
from app.web.consent.open_request import OpenRequest
from app.web.current import browser, services
from app.web.edge import language, problems
from app.web.edge.errors import log_store_unavailable
from app.web.edge.headers import bind_parties, set_correlation_id
from app.web.edge.limits import limit_address, limit_requests_for

bp = Blueprint("authorize", __name__)

_log = structlog.get_logger()


@bp.get("/api/v1/authorize")
def authorize() -> BaseResponse:
    """Validates and stores the request, and leads the browser to the sign-in, the accounts or the form."""
    fresh_correlation_id = str(uuid.uuid4())
    set_correlation_id(fresh_correlation_id)
    # Set first, so that error pages have this language, too, whatever language the session has.
    language.set_language(requested_language(request.args.get("lang"), request.args.get("ui_locales")))
    params = parse_params(request.query_string)
    set_correlation_id(find_correlation_id(params) or fresh_correlation_id)
    _bind_registered_parties(params)
    limit_address()
    asked, pushed_id = _asked(params, fresh_correlation_id)
    parties = _parties(asked)
    language.set_language(asked.language)
    if request.method == "HEAD":
        return Response(status=200)
    limit_requests_for(asked.client_id)
    pending = _begin(asked, pushed_id)
    _log.info(
        "asked",
        language=asked.language.value,
        requested_scope=format_scope(asked.requested_scope),
        outcome="pending",
    )
    return redirect(_first_page(OpenRequest(pending, parties, browser())), 302)


def _asked(params: Params, fresh_correlation_id: str) -> tuple[AuthorizationRequest, str | None]:
    """The request, and its pushed_id where the browser brought only a reference to it."""
    if "request_uri" in params.values:
        return _pushed(params)
    registry = services().registry
    return validate_authorization(params, registry, fresh_correlation_id=fresh_correlation_id), None


def _pushed(params: Params) -> tuple[AuthorizationRequest, str]:
    """RFC 9126 4: what was pushed. Of all other parameters of the address only the language counts.

    Whatever is wrong, the page is the same, and nothing redirects: nothing is proven yet.
    """
    client_id, request_uri = params.single("client_id"), params.single("request_uri")
    found = None
    if client_id is not None and request_uri is not None:
        found = services().pushes.find(request_uri, client_id)
    if found is None:
        raise UnsafeRequest(ErrorCode.INVALID_REQUEST_URI, "request_uri is unknown, expired or used")
    asked, chosen = found.request, language.query_language()
    set_correlation_id(asked.correlation_id)
    bind_parties(asked.client_id, asked.provider_id)
    return (asked if chosen is None else replace(asked, language=chosen)), found.pushed_id


def _parties(asked: AuthorizationRequest) -> Parties:
    """Who it is between. What was pushed may not be allowed any more by now, or its bank may be away."""
    parties = services().flow.parties(asked)
    if parties is None:
        raise problems.registration_changed()
    if parties.provider.is_left_out:
        raise OAuthError(
            ErrorCode.TEMPORARILY_UNAVAILABLE, "The provider cannot be reached now", asked.return_to
        )
    return parties


def _bind_registered_parties(params: Params) -> None:
    """Adds the client and the provider to the log lines of this request, if they are registered."""
    registry = services().registry
    client_id, provider_id = params.single("client_id"), params.single("provider_id")
    bind_parties(
        client_id if client_id in registry.clients else None,
        provider_id if provider_id in registry.providers else None,
    )


def _begin(asked: AuthorizationRequest, pushed_id: str | None) -> PendingRequest:
    """Stores the request. Every error from here on is redirected to the recipient, whose address is valid."""
    try:
        session = browser()
        session.language = asked.language
        pending = services().flow.begin(asked, session.browser_id, pushed_id=pushed_id)
        pending = session.save_with_request(pending)
    except StoreUnavailable as error:
        log_store_unavailable(error, outcome="temporarily_unavailable")
        raise OAuthError(
            ErrorCode.TEMPORARILY_UNAVAILABLE, "Try again in a moment", asked.return_to
        ) from error
    except Exception as error:
        _log.error("unexpected", exc_info=error, outcome="server_error")
        raise OAuthError(ErrorCode.SERVER_ERROR, "Something unexpected happened", asked.return_to) from error
    return pending


def _first_page(opened: OpenRequest) -> str:
    if opened.customer is None:
        return url_for("sign_in.show_sign_in", request_id=opened.pending.request_id)
    return opened.first_address
