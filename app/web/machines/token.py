"""`POST /api/v1/token`: the token endpoint (RFC 6749 3.2)."""

import uuid

from flask import Blueprint, Response, jsonify

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
from app.web.machines.credentials import authenticated_client, read_body

bp = Blueprint("token", __name__)


@bp.post("/api/v1/token")
def token() -> Response:
    """Redeems a code, refreshes an access token, or issues a client's own token (client credentials)."""
    set_correlation_id(str(uuid.uuid4()))
    params = read_body(TOKEN_PARAMETERS)
    client = authenticated_client(params)
    limit_tokens_of(client.client_id)
    token_request = validate_token_request(params)
    match token_request:
        case RedemptionRequest():
            issued = services().tokens.redeem(client, token_request)
        case RefreshRequest():
            issued = services().tokens.refresh(client, token_request)
        case AdminRequest():
            issued = services().tokens.administer(client)
    if issued.correlation_id is not None:
        set_correlation_id(issued.correlation_id)
    return _answer(issued)


def _answer(issued: TokenResponse) -> Response:
    """The successful answer as JSON, which no cache may keep (RFC 6749 5.1)."""
    members: dict[str, str | int] = {
        "access_token": issued.access_token,
        "token_type": "Bearer",
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
