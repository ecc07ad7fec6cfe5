"""What Accord says of itself to machines: metadata (RFC 8414), public keys, health."""

from flask import Blueprint, Response, jsonify, url_for

from app.domain import pkce
from app.domain.clusters import DataCluster
from app.domain.language import Language
from app.web.current import services

bp = Blueprint("wellknown", __name__)

_CACHED = "public, max-age=300"


@bp.get("/.well-known/oauth-authorization-server")
def metadata() -> Response:
    """RFC 8414 2, with RFC 9207 3. Lists what works, and nothing else."""
    issuer = services().settings.issuer
    response = jsonify(
        issuer=issuer,
        authorization_endpoint=issuer + url_for("authorize.authorize"),
        token_endpoint=issuer + url_for("token.token"),
        jwks_uri=issuer + url_for("wellknown.keys"),
        scopes_supported=list(DataCluster),
        response_types_supported=["code"],
        response_modes_supported=["query"],
        grant_types_supported=["authorization_code", "refresh_token"],
        token_endpoint_auth_methods_supported=["client_secret_basic", "client_secret_post"],
        code_challenge_methods_supported=[pkce.METHOD],
        authorization_response_iss_parameter_supported=True,
        ui_locales_supported=list(Language),
    )
    response.headers["Cache-Control"] = _CACHED
    return response


@bp.get("/.well-known/jwks.json")
def keys() -> Response:
    """RFC 7517 5: the public halves of the signing keys."""
    response = jsonify(services().keys.public)
    response.headers["Cache-Control"] = _CACHED
    return response


@bp.get("/healthz")
def alive() -> Response:
    """This process answers, whatever its stores do."""
    return jsonify(status="alive")


@bp.get("/readyz")
def ready() -> Response:
    """Redis and the ledger answer; 503 while one of them does not."""
    services().check_ready()
    return jsonify(status="ready")
