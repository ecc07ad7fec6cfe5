"""`/api/v1/revoke`: a recipient ends a connection, with a token of it (RFC 7009, and a DELETE of our own)."""

import uuid

from flask import Blueprint, Response

from app.domain.tokens import validate_token_parameter
from app.web.credentials import authenticated_client, bearer_token, invalid_token, read_body
from app.web.current import services
from app.web.headers import correlate

bp = Blueprint("revoke", __name__)


@bp.delete("/api/v1/revoke")
def connection() -> Response:
    """Ends the connection that the bearer token belongs to: 204 only once it is over."""
    correlate(str(uuid.uuid4()))
    if not services().tokens.revoke_connection(bearer_token()):
        raise invalid_token()
    return _nothing(204)


@bp.post("/api/v1/revoke")
def token() -> Response:
    """RFC 7009 2.2: 200 whether or not the token was known, so that nobody learns of another's."""
    correlate(str(uuid.uuid4()))
    params = read_body()
    client = authenticated_client(params)
    services().tokens.revoke(validate_token_parameter(params), client)
    return _nothing(200)


def _nothing(status: int) -> Response:
    """An answer without a body has no type of one either."""
    response = Response(status=status)
    del response.headers["Content-Type"]
    return response
