"""`GET /api/v1/consents` and `/api/v1/consents/<consent_id>`: the records of consents, for the recipient that
holds them, and one by one for the bank that is told of them.
"""

import re
import uuid

from flask import Blueprint, Response, jsonify, request, url_for

from app.domain.errors import ErrorCode, OAuthError
from app.stores.ledger.connections import Connection
from app.web.current import services
from app.web.edge.headers import set_correlation_id
from app.web.machines.own_consent import find_readable, live_token, record_of

bp = Blueprint("consents", __name__)

MOST_LISTED = 100  # records in one answer, some 70 kB: a judgement
_INTERACTION = "x-fapi-interaction-id"
_UUID = re.compile(r"[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}", re.ASCII)


@bp.get("/api/v1/consents")
def list_consents() -> Response:
    """The consent of the access token; with the client's own, all of its consents, the newest first.

    `next` is the address of those that are older, where there are any.
    """
    set_correlation_id(str(uuid.uuid4()))
    live = live_token()
    if live.connection is not None:
        return _answer({"consents": [record_of(live.connection)]})
    found = services().connections.page_of_client(
        live.client_id, most=MOST_LISTED + 1, older_than=_older_than(live.client_id)
    )
    answer: dict[str, object] = {"consents": [record_of(connection) for connection in found[:MOST_LISTED]]}
    if len(found) > MOST_LISTED:
        last = found[MOST_LISTED - 1].grant.consent_id
        issuer = services().settings.issuer
        answer["next"] = issuer + url_for("consents.list_consents", older_than=last)
    return _answer(answer)


@bp.get("/api/v1/consents/<uuid:consent_id>")
def show_consentrecord_of(consent_id: uuid.UUID) -> Response:
    """Needs an access token of this consent, the client's own, or the credentials of its bank's API.

    Else the consent is unknown (404).
    """
    set_correlation_id(str(uuid.uuid4()))
    connection = find_readable(str(consent_id))
    set_correlation_id(connection.grant.correlation_id)
    return _answer(record_of(connection))


def _older_than(client_id: str) -> Connection | None:
    """The last consent of the page before, which must be one of the client's. Raises OAuthError."""
    consent_id = request.args.get("older_than")
    if consent_id is None:
        return None
    connection = services().connections.find_connection(consent_id)
    if connection is None or connection.grant.client_id != client_id:
        raise OAuthError(ErrorCode.INVALID_REQUEST, "older_than must be one of this client's consents")
    return connection


def _answer(content: object) -> Response:
    """`content` as JSON, with the interaction id that was sent, if it is one (FAPI: a UUID)."""
    response = jsonify(content)
    sent = request.headers.get(_INTERACTION, "")
    if _UUID.fullmatch(sent):
        response.headers[_INTERACTION] = sent
    return response
