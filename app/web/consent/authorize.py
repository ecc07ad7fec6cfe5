"""`GET /api/v1/authorize`: the authorization endpoint, where every consent begins (RFC 6749 4.1.1)."""

import uuid

import structlog
from flask import Blueprint, Response, redirect, request, url_for
from werkzeug.wrappers import Response as BaseResponse

from app.domain.authorization import AuthorizationRequest, find_correlation_id, validate_authorization
from app.domain.clusters import format_scope
from app.domain.errors import ErrorCode, OAuthError
from app.domain.language import requested_language
from app.domain.params import Params, parse_params
from app.domain.pending_request import PendingRequest
from app.stores.unavailable import StoreUnavailable
from app.web.current import browser, services
from app.web.edge import language
from app.web.edge.headers import bind_parties, set_correlation_id
from app.web.edge.limits import limit_address, limit_requests_for

bp = Blueprint("authorize", __name__)

_log = structlog.get_logger()


@bp.get("/api/v1/authorize")
def authorize() -> BaseResponse:
    """Validates and stores the request, and redirects the browser to the sign-in or to the form."""
    fresh_correlation_id = str(uuid.uuid4())
    set_correlation_id(fresh_correlation_id)
    # Set first, so that error pages have this language, too, whatever language the session has.
    language.set_language(requested_language(request.args.get("lang"), request.args.get("ui_locales")))
    params = parse_params(request.query_string)
    set_correlation_id(find_correlation_id(params) or fresh_correlation_id)
    _bind_parties(params)
    limit_address()
    asked = validate_authorization(params, services().registry, fresh_correlation_id=fresh_correlation_id)
    language.set_language(asked.language)
    if request.method == "HEAD":
        return Response(status=200)
    limit_requests_for(asked.client_id)
    pending = _begin(asked)
    _log.info(
        "asked",
        language=asked.language.value,
        requested_scope=format_scope(asked.requested_scope),
        outcome="pending",
    )
    return redirect(_first_page(pending), 302)


def _bind_parties(params: Params) -> None:
    """Adds the client and the provider to the log lines of this request, if they are registered."""
    registry = services().registry
    client_id, provider_id = params.single("client_id"), params.single("provider_id")
    bind_parties(
        client_id if client_id in registry.clients else None,
        provider_id if provider_id in registry.providers else None,
    )


def _begin(asked: AuthorizationRequest) -> PendingRequest:
    """Stores the request. Every error from here on is redirected to the recipient, whose address is valid."""
    try:
        session = browser()
        session.language = asked.language
        pending = services().flow.begin(asked, session.browser_id)
        pending = session.save_with_request(pending)
    except StoreUnavailable as error:
        _log.error("store_unavailable", store=str(error), outcome="temporarily_unavailable")
        raise OAuthError(
            ErrorCode.TEMPORARILY_UNAVAILABLE, "Try again in a moment", asked.return_to
        ) from error
    except Exception as error:
        _log.error("unexpected", exc_info=error, outcome="server_error")
        raise OAuthError(ErrorCode.SERVER_ERROR, "Something unexpected happened", asked.return_to) from error
    return pending


def _first_page(pending: PendingRequest) -> str:
    if browser().customer_of(pending.request.provider_id) is None:
        return url_for("sign_in.show_sign_in", request_id=pending.request_id)
    return url_for("consent.show_consent_form", request_id=pending.request_id)
