"""`POST /api/v1/introspect` (RFC 7662): whether a token works now, and its claims."""

import uuid

from flask import Blueprint, Response, jsonify

from app.domain.tokens import ONE_TOKEN_PARAMETERS, validate_token_parameter
from app.web.current import services
from app.web.edge.headers import set_correlation_id
from app.web.machines.body import read_body
from app.web.machines.client_authentication import authenticated_asker

bp = Blueprint("introspect", __name__)


@bp.post("/api/v1/introspect")
def token() -> Response:
    """A resource server introspects the tokens for its audience, and a client its own tokens."""
    set_correlation_id(str(uuid.uuid4()))
    params = read_body(ONE_TOKEN_PARAMETERS)
    asker = authenticated_asker(params)
    return jsonify(services().live_tokens.introspect(validate_token_parameter(params), asker))
