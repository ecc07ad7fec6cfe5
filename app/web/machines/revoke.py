"""`/api/v1/revoke`: a recipient ends a connection, by POST (RFC 7009) or by DELETE with an access token."""

import uuid

from flask import Blueprint, Response, jsonify

from app.domain.tokens import ONE_TOKEN_PARAMETERS, validate_token_parameter
from app.web.current import services
from app.web.edge.headers import set_correlation_id
from app.web.machines.access_token import invalid_token, presented_token
from app.web.machines.body import read_body
from app.web.machines.client_authentication import authenticated_client

bp = Blueprint("revoke", __name__)


@bp.delete("/api/v1/revoke")
def connection() -> Response:
    """Ends the connection of the access token. Answers 204 after the end has been recorded."""
    set_correlation_id(str(uuid.uuid4()))
    if not services().live_tokens.revoke_connection(presented_token()):
        raise invalid_token()
    response = Response(status=204)
    del response.headers["Content-Type"]  # an answer without a body has no media type
    return response


@bp.post("/api/v1/revoke")
def token() -> Response:
    """RFC 7009 2.2: answers 200 for unknown tokens as well, so that nobody can find out whose tokens exist.

    The RFC does not define the body. It is an empty object, for libraries that parse every answer as JSON.
    """
    set_correlation_id(str(uuid.uuid4()))
    params = read_body(ONE_TOKEN_PARAMETERS)
    client = authenticated_client(params)
    services().live_tokens.revoke(validate_token_parameter(params), client)
    return jsonify({})
