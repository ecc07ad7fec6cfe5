"""`/api/v1/consents/<consent_id>/revocation`: a recipient ends a consent, and reads how it ended (FDX)."""

import uuid

from flask import Blueprint, Response, jsonify
from werkzeug.exceptions import Conflict

from app.domain.revocation import parse_revocation
from app.web.current import services
from app.web.edge.headers import set_correlation_id
from app.web.machines.body import read_json
from app.web.machines.own_consent import find_own, live_token, record_of

bp = Blueprint("revocation", __name__)


@bp.put("/api/v1/consents/<uuid:consent_id>/revocation")
def revoke(consent_id: uuid.UUID) -> Response:
    """Answers 204 after the end has been recorded, and 409 where the consent had ended before."""
    set_correlation_id(str(uuid.uuid4()))
    live = live_token()
    connection = find_own(live, str(consent_id))
    set_correlation_id(connection.grant.correlation_id)
    reason = parse_revocation(read_json())
    if not services().live_tokens.revoke_consent(live, str(consent_id), reason):
        raise Conflict
    response = Response(status=204)
    del response.headers["Content-Type"]  # an answer without a body has no media type
    return response


@bp.get("/api/v1/consents/<uuid:consent_id>/revocation")
def show(consent_id: uuid.UUID) -> Response:
    """How the consent was ended before its time: one revocation, or none."""
    set_correlation_id(str(uuid.uuid4()))
    connection = find_own(live_token(), str(consent_id))
    set_correlation_id(connection.grant.correlation_id)
    revocation = record_of(connection).get("revocation")
    return jsonify(revocations=[] if revocation is None else [revocation])
