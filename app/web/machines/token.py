"""`POST /api/v1/token`: the token endpoint (RFC 6749 3.2)."""

import uuid

from flask import Blueprint, Response, jsonify

from app.domain.params import Params
from app.domain.tokens import (
    TOKEN_PARAMETERS,
    AdminRequest,
    RedemptionRequest,
    RefreshRequest,
    TokenResponse,
    validate_token_request,
)
from app.web.current import services
from app.web.edge.headers import set_correlation_id
from app.web.edge.limits import limit_tokens_of
from app.web.machines.body import read_body
from app.web.machines.client_authentication import authenticating, read_caller, with_proof

bp = Blueprint("token", __name__)


@bp.post("/api/v1/token")
def token() -> Response:
    """Redeems a code, refreshes an access token, or issues a client's own token (client credentials)."""
    set_correlation_id(str(uuid.uuid4()))
    params = read_body(TOKEN_PARAMETERS)
    with authenticating(params):
        issued = _issue(params)
    if issued.correlation_id is not None:
        set_correlation_id(issued.correlation_id)
    return _answer(issued)


def _issue(params: Params) -> TokenResponse:
    caller = with_proof(read_caller(params))
    caller.require_key_for_profile()  # before the code is spent: with a proof it works afterwards
    limit_tokens_of(caller.client.client_id)
    token_request = validate_token_request(params)
    match token_request:
        case RedemptionRequest():
            return services().tokens.redeem(caller, token_request)
        case RefreshRequest():
            return services().tokens.refresh(caller, token_request)
        case AdminRequest():
            return services().tokens.administer(caller)


def _answer(issued: TokenResponse) -> Response:
    """The successful answer as JSON, which no cache may keep (RFC 6749 5.1)."""
    members: dict[str, str | int] = {
        "access_token": issued.access_token,
        "token_type": issued.token_type,
        "expires_in": issued.expires_in,
        "scope": issued.scope,
    }
    if issued.refresh_token is not None:
        members["refresh_token"] = issued.refresh_token
    if issued.consent_id is not None:
        members["consent_id"] = issued.consent_id
    response = jsonify(members)
    response.headers["Cache-Control"] = "no-store"
    response.headers["Pragma"] = "no-cache"
    return response
