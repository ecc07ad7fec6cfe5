"""What Accord says of itself to machines: metadata (RFC 8414), public keys, its contract, health."""

from pathlib import Path
from typing import Final

from flask import Blueprint, Response, jsonify, url_for

from app.domain import pkce
from app.domain.clusters import DataCluster
from app.domain.language import Language
from app.domain.tokens import ADMIN_SCOPE
from app.stores.unavailable import StoreUnavailable
from app.web.current import services
from app.web.edge import errors

bp = Blueprint("wellknown", __name__)

HEALTH_PATHS: Final = ("/healthz", "/readyz")
"""What is answered whatever host a request names: orchestrators and balancers ask an address."""

_CACHED: Final = "public, max-age=300"
_AUTH_METHODS: Final = ["client_secret_basic", "client_secret_post"]
_CONTRACT: Final = (Path(__file__).resolve().parents[2] / "openapi.yaml").read_bytes()


@bp.get("/.well-known/oauth-authorization-server")
def metadata() -> Response:
    """RFC 8414 2, with RFC 9207 3. Lists what works, and nothing else."""
    issuer = services().settings.issuer
    response = jsonify(
        issuer=issuer,
        authorization_endpoint=issuer + url_for("authorize.authorize"),
        token_endpoint=issuer + url_for("token.token"),
        revocation_endpoint=issuer + url_for("revoke.token"),
        introspection_endpoint=issuer + url_for("introspect.token"),
        jwks_uri=issuer + url_for("wellknown.keys"),
        scopes_supported=[*DataCluster, ADMIN_SCOPE],
        response_types_supported=["code"],
        response_modes_supported=["query"],
        grant_types_supported=["authorization_code", "refresh_token", "client_credentials"],
        token_endpoint_auth_methods_supported=_AUTH_METHODS,
        revocation_endpoint_auth_methods_supported=_AUTH_METHODS,
        introspection_endpoint_auth_methods_supported=_AUTH_METHODS,
        code_challenge_methods_supported=[pkce.METHOD],
        authorization_response_iss_parameter_supported=True,
        ui_locales_supported=list(Language),
    )
    response.headers["Cache-Control"] = _CACHED
    return response


@bp.get("/.well-known/openid-configuration")
def no_openid_provider() -> Response:
    """Where a library looks that takes this for an OpenID provider; 404, and where it should look."""
    address = services().settings.issuer + url_for("wellknown.metadata")
    return errors.say_not_found(
        f"This is no OpenID provider. Its OAuth 2.0 metadata (RFC 8414) are at {address}"
    )


@bp.get("/.well-known/jwks.json")
def keys() -> Response:
    """RFC 7517 5: the public halves of the signing keys."""
    response = jsonify(services().keys.published_at(services().clock()))
    response.headers["Cache-Control"] = _CACHED
    return response


@bp.get("/openapi.yaml")
def contract() -> Response:
    """All of this server's HTTP surface, as OpenAPI 3.1 (media type: RFC 9512)."""
    response = Response(_CONTRACT, mimetype="application/yaml")
    response.headers["Cache-Control"] = _CACHED
    return response


@bp.get("/healthz")
def alive() -> Response:
    """This process answers, whatever its stores do."""
    return jsonify(status="alive")


@bp.get("/readyz")
def ready() -> Response:
    """Redis takes records, and the ledger can be read; 503 that names the one of which this is not true."""
    try:
        services().readiness.require()
    except StoreUnavailable as error:
        store = str(error).partition(":")[0]
        return errors.say_unavailable(error, f"{store} is not ready, and the log says why")
    return jsonify(status="ready")
