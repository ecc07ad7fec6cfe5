"""`/api/v1/revoke`: a recipient ends a connection, with a token of it (RFC 7009, and a DELETE of our own)."""

import uuid

from flask import Blueprint, Response, jsonify

from app.domain.tokens import ONE_TOKEN_PARAMETERS, validate_token_parameter
from app.web.current import services
from app.web.edge.headers import correlate
from app.web.machines.credentials import authenticated_client, bearer_token, invalid_token, read_body

bp = Blueprint("revoke", __name__)


@bp.delete("/api/v1/revoke")
def connection() -> Response:
    """Ends the connection that the bearer token belongs to: 204 only once it is over."""
    correlate(str(uuid.uuid4()))
    if not services().tokens.revoke_connection(bearer_token()):
        raise invalid_token()
    response = Response(status=204)
    del response.headers["Content-Type"]  # an answer without a body has no type of one either
    return response


@bp.post("/api/v1/revoke")
def token() -> Response:
    """RFC 7009 2.2: 200 whether or not the token was known, so that nobody learns of another's.

    The clause leaves the body to us: an empty object, for libraries that read every answer as JSON.
    """
    correlate(str(uuid.uuid4()))
    params = read_body(ONE_TOKEN_PARAMETERS)
    client = authenticated_client(params)
    services().tokens.revoke(validate_token_parameter(params), client)
    return jsonify({})
