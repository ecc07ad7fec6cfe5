"""`POST /api/v1/token` (RFC 6749 3.2): for machines, without session or cookie."""

import binascii
import json
import uuid
from base64 import b64decode
from typing import Any
from urllib.parse import unquote_to_bytes

import structlog
from flask import Blueprint, Response, g, jsonify, request

from app.domain.authorization import Params, parse_params
from app.domain.errors import ErrorCode, OAuthError, UnreadableRequest
from app.domain.registry import Client
from app.domain.tokens import (
    AdminRequest,
    ClientCredentials,
    RedemptionRequest,
    RefreshRequest,
    TokenResponse,
    authenticate_client,
    check_token_params,
    validate_token_request,
)
from app.web.current import services
from app.web.headers import correlate

bp = Blueprint("token", __name__)

_log = structlog.get_logger()


@bp.post("/api/v1/token")
def token() -> Response:
    """Redeems a code or a refresh token."""
    correlate(str(uuid.uuid4()))
    params = _body()
    check_token_params(params)
    client = _authenticate(params)
    asked = validate_token_request(params)
    match asked:
        case RedemptionRequest():
            issued = services().tokens.redeem(client, asked)
        case RefreshRequest():
            issued = services().tokens.refresh(client, asked)
        case AdminRequest():
            issued = services().tokens.administer(client)
    if issued.correlation_id is not None:
        correlate(issued.correlation_id)
    return _answer(issued)


def _authenticate(params: Params) -> Client:
    """RFC 6749 2.3: by Basic or in the body, never in the query, never by both."""
    if {"client_id", "client_secret"} & request.args.keys():
        raise OAuthError(ErrorCode.INVALID_REQUEST, "Client credentials do not belong in the query")
    header = request.headers.get("Authorization")
    client_id, client_secret = params.single("client_id"), params.single("client_secret")
    if header is None:
        return authenticate_client(_credentials(client_id, client_secret), services().registry)
    g.used_basic = True
    if client_secret is not None:
        raise OAuthError(ErrorCode.INVALID_REQUEST, "Use one method of client authentication")
    credentials = _basic(header)
    if credentials is not None and client_id not in (None, credentials.client_id):
        raise OAuthError(ErrorCode.INVALID_REQUEST, "client_id differs from the authenticated client")
    return authenticate_client(credentials, services().registry)


def _credentials(client_id: str | None, client_secret: str | None) -> ClientCredentials | None:
    if client_id is None or client_secret is None:
        return None
    return ClientCredentials(client_id, client_secret)


def _basic(header: str) -> ClientCredentials | None:
    """The credentials of a Basic header, each form-urlencoded within it (RFC 6749 2.3.1)."""
    scheme, _, encoded = header.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        name, colon, secret = b64decode(encoded.strip(), validate=True).partition(b":")
        if not colon:
            return None
        return ClientCredentials(_form_decoded(name), _form_decoded(secret))
    except (binascii.Error, ValueError):
        return None


def _form_decoded(text: bytes) -> str:
    return unquote_to_bytes(text.replace(b"+", b" ")).decode("utf-8")


def _body() -> Params:
    """The parameters of a form body, or of the JSON object that may stand in its place."""
    if request.mimetype == "application/json":
        return _json_params(request.get_data())
    if request.mimetype != "application/x-www-form-urlencoded":
        raise OAuthError(ErrorCode.INVALID_REQUEST, "The body must be a form or JSON")
    try:
        return parse_params(request.get_data())
    except UnreadableRequest as error:
        raise OAuthError(error.error, error.description) from error


def _json_params(body: bytes) -> Params:
    try:
        members: list[tuple[str, Any]] = json.loads(body, object_pairs_hook=_Members)
    except (ValueError, RecursionError) as error:
        raise OAuthError(ErrorCode.INVALID_REQUEST, "The body is not JSON") from error
    if not isinstance(members, _Members):
        raise OAuthError(ErrorCode.INVALID_REQUEST, "The body is not a JSON object")
    if not all(isinstance(value, str) or value is None for _, value in members):
        raise OAuthError(ErrorCode.INVALID_REQUEST, "The values must be strings")
    return Params.of((name, value) for name, value in members if value)


class _Members(list[tuple[str, Any]]):
    """The members of a JSON object, repeats included."""


def _answer(issued: TokenResponse) -> Response:
    """RFC 6749 5.1."""
    members: dict[str, str | int] = {
        "access_token": issued.access_token,
        "token_type": "Bearer",
        "expires_in": issued.expires_in,
        "scope": issued.scope,
    }
    if issued.refresh_token is not None:
        members["refresh_token"] = issued.refresh_token
    response = jsonify(members)
    response.headers["Cache-Control"] = "no-store"
    response.headers["Pragma"] = "no-cache"
    return response
