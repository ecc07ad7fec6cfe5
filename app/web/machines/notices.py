"""`POST /api/v1/notices`: a recipient or a bank asks what has become of its consents (RFC 8936)."""

import uuid

from flask import Blueprint, Response, jsonify

from app.domain.notice_poll import parse_poll
from app.domain.notice_registration import receiver_of_bank
from app.web.current import services
from app.web.edge.headers import set_correlation_id
from app.web.edge.limits import limit_polls_of
from app.web.machines.access_token import invalid_token
from app.web.machines.body import read_json
from app.web.machines.client_authentication import authenticated_bank, has_basic_credentials
from app.web.machines.own_consent import live_token

bp = Blueprint("notices", __name__)


@bp.post("/api/v1/notices")
def poll() -> Response:
    """Gives whoever asks its own notices alone.

    A recipient needs its own access token (`client:admin`), a bank the credentials of its API.
    """
    set_correlation_id(str(uuid.uuid4()))
    receiver = _receiver()
    limit_polls_of(receiver)
    answer = services().polls.answer(receiver, parse_poll(read_json()))
    return jsonify(sets=answer.sets, moreAvailable=answer.has_more)


def _receiver() -> str:
    if has_basic_credentials():
        return receiver_of_bank(authenticated_bank().provider_id)
    live = live_token()
    if live.connection is not None:
        raise invalid_token()
    return live.client_id
