"""`POST /api/v1/notices`: a recipient asks what has become of its consents (RFC 8936)."""

import uuid

from flask import Blueprint, Response, jsonify

from app.domain.notice_poll import parse_poll
from app.web.current import services
from app.web.edge.headers import set_correlation_id
from app.web.edge.limits import limit_polls_of
from app.web.machines.access_token import invalid_token
from app.web.machines.body import read_json
from app.web.machines.own_consent import live_token

bp = Blueprint("notices", __name__)


@bp.post("/api/v1/notices")
def poll() -> Response:
    """Needs the client's own access token (`client:admin`), and gives it its own notices alone."""
    set_correlation_id(str(uuid.uuid4()))
    live = live_token()
    if live.connection is not None:
        raise invalid_token()
    limit_polls_of(live.client_id)
    answer = services().polls.answer(live.client_id, parse_poll(read_json()))
    return jsonify(sets=answer.sets, moreAvailable=answer.has_more)
