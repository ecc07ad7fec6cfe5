"""`GET /api/v1/consents/<consent_id>`: the record of a consent, for the recipient that holds it."""

import uuid

from flask import Blueprint, Response, jsonify
from werkzeug.exceptions import NotFound

from app.domain.agreement import effective_agreement
from app.domain.fdx import consent_grant
from app.stores.ledger.connections import Connection
from app.web.current import services
from app.web.edge.headers import set_correlation_id
from app.web.machines.access_token import bearer_token, invalid_token

bp = Blueprint("consents", __name__)


@bp.get("/api/v1/consents/<uuid:consent_id>")
def show_consent_record(consent_id: uuid.UUID) -> Response:
    """Needs an access token of this consent, or the client's own; else the consent is unknown (404)."""
    set_correlation_id(str(uuid.uuid4()))
    connection = _find(bearer_token(), str(consent_id))
    grant = connection.grant
    set_correlation_id(grant.correlation_id)
    registry = services().registry
    record = consent_grant(
        grant,
        agreement=effective_agreement(
            connection.agreement,
            registry.clients.get(grant.client_id),
            registry.find_provider(grant.provider_id),
        ),
        narrowed_at=connection.narrowed_at,
        ending=connection.ending,
        now=services().clock(),
    )
    return jsonify(record)


def _find(access_token: str, consent_id: str) -> Connection:
    live = services().tokens.find_live(access_token)
    if live is None:
        raise invalid_token()
    connection = live.connection or services().connections.find_connection(consent_id)
    if connection is None or connection.grant.consent_id != consent_id:
        raise NotFound
    if connection.grant.client_id != live.client_id:
        raise NotFound
    return connection
