"""`POST /api/v1/par`: a recipient pushes its authorization request (RFC 9126)."""

import uuid

import structlog
from flask import Blueprint, Response, jsonify

from app.domain.params import Params
from app.domain.pushed import PUSHED_PARAMETERS, bind_to_key, validate_pushed
from app.web.current import services
from app.web.edge.headers import bind_parties, set_correlation_id
from app.web.edge.limits import limit_tokens_of
from app.web.machines.body import read_form
from app.web.machines.client_authentication import authenticating, read_caller, with_proof

bp = Blueprint("par", __name__)

_log = structlog.get_logger()


@bp.post("/api/v1/par")
def push() -> Response:
    """Validates and keeps the request. The answer says where the browser finds it (RFC 9126 2.2)."""
    set_correlation_id(str(uuid.uuid4()))
    params = read_form(PUSHED_PARAMETERS)
    with authenticating(params):
        request_uri = _push(params)
    response = jsonify(
        request_uri=request_uri, expires_in=int(services().settings.pushed_lifetime.total_seconds())
    )
    response.status_code = 201
    return response


def _push(params: Params) -> str:
    caller = read_caller(params)
    limit_tokens_of(caller.client.client_id)
    asked = validate_pushed(
        params, caller.client, services().registry, fresh_correlation_id=str(uuid.uuid4())
    )
    caller = with_proof(caller)
    asked = bind_to_key(asked, caller.jkt)
    set_correlation_id(asked.correlation_id)
    bind_parties(asked.client_id, asked.provider_id)
    request_uri = services().pushes.push(caller, asked)
    _log.info("pushed", outcome="request_uri")
    return request_uri
