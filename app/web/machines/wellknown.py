"""Public documents for machines: metadata (RFC 8414), keys (RFC 7517), OpenAPI; and the health checks."""

from pathlib import Path
from typing import Final

from flask import Blueprint, Response, jsonify, url_for

from app.domain import pkce
from app.domain.clusters import DataCluster
from app.domain.jws import ALGORITHMS
from app.domain.language import Language
from app.domain.tokens import ADMIN_SCOPE
from app.stores.unavailable import StoreUnavailable
from app.web.current import services
from app.web.edge import errors

bp = Blueprint("wellknown", __name__)

HEALTH_PATHS: Final = ("/healthz", "/readyz")
"""The paths that accept any Host header, since load balancers send a machine's address in it."""

_CACHED: Final = (
    "public, max-age=300"  # a judgement: half of the ten minutes that a new key is published first
)
_AUTH_METHODS: Final = ["client_secret_basic", "client_secret_post", "private_key_jwt"]
_CONTRACT: Final = (Path(__file__).resolve().parents[2] / "openapi.yaml").read_bytes()


@bp.get("/.well-known/oauth-authorization-server")
def metadata() -> Response:
    """The metadata of RFC 8414 2 and RFC 9207 3."""
    issuer = services().settings.issuer
    response = jsonify(
        issuer=issuer,
        authorization_endpoint=issuer + url_for("authorize.authorize"),
        token_endpoint=issuer + url_for("token.token"),
        pushed_authorization_request_endpoint=issuer + url_for("par.push"),
        require_pushed_authorization_requests=False,  # for all: docs/adr/0033
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
        token_endpoint_auth_signing_alg_values_supported=ALGORITHMS,
        revocation_endpoint_auth_signing_alg_values_supported=ALGORITHMS,
        introspection_endpoint_auth_signing_alg_values_supported=ALGORITHMS,
        dpop_signing_alg_values_supported=ALGORITHMS,
        code_challenge_methods_supported=[pkce.METHOD],
        authorization_response_iss_parameter_supported=True,
        ui_locales_supported=list(Language),
    )
    response.headers["Cache-Control"] = _CACHED
    return response


@bp.get("/.well-known/openid-configuration")
def no_openid_provider() -> Response:
    """Answers 404, and names the right address, to a library that takes Accord for an OpenID provider."""
    address = services().settings.issuer + url_for("wellknown.metadata")
    return errors.not_found_response(
        f"This is no OpenID provider. Its OAuth 2.0 metadata (RFC 8414) are at {address}"
    )


@bp.get("/.well-known/jwks.json")
def keys() -> Response:
    """The public signing keys as a JWK Set (RFC 7517 5)."""
    response = jsonify(services().keys.published_at(services().clock()))
    response.headers["Cache-Control"] = _CACHED
    return response


@bp.get("/openapi.yaml")
def contract() -> Response:
    """The description of all endpoints in OpenAPI 3.1 (media type: RFC 9512)."""
    response = Response(_CONTRACT, mimetype="application/yaml")
    response.headers["Cache-Control"] = _CACHED
    return response


@bp.get("/healthz")
def alive() -> Response:
    """The liveness check: this process answers. It does not use the stores."""
    return jsonify(status="alive")


@bp.get("/readyz")
def ready() -> Response:
    """The readiness check: Redis can be written, and the ledger read. 503 names the store that fails."""
    try:
        services().readiness.require()
    except StoreUnavailable as error:
        store = str(error).partition(":")[0]
        return errors.unavailable_response(error, f"{store} is not ready, and the log says why")
    return jsonify(status="ready")
