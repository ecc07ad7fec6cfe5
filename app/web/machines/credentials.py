"""Reads the credentials and the parameters of a request to a machine endpoint.

These are client authentication (RFC 6749 2.3), bearer tokens (RFC 6750), and the body. Credentials in a query
are refused, since queries are written to logs.
"""

import binascii
import json
from base64 import b64decode
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import unquote_to_bytes

from flask import request

from app.domain.errors import ErrorCode, OAuthError, UnreadableRequest
from app.domain.params import MOST_PARAMETERS, Params, parse_params
from app.domain.registry import Client, ResourceServer
from app.domain.tokens import ClientCredentials, authenticate_caller, authenticate_client, check_token_params
from app.web.current import services
from app.web.edge.headers import bind_parties, bind_secret_used
from app.web.edge.limits import wrong_secrets_counted

_BEARER = 'Bearer realm="accord"'
_NEVER_IN_A_QUERY = {"client_id", "client_secret", "access_token", "refresh_token", "token", "code"}


def read_body(known: Collection[str]) -> Params:
    """The parameters of the body, which is a form, or a JSON object with strings. Raises OAuthError.

    Only the `known` parameters are checked (RFC 6749 3.2).
    """
    is_json = request.mimetype == "application/json"
    params = _json_params(request.get_data(), known) if is_json else _form_params()
    check_token_params(params, known)
    return params


def client_credentials(params: Params) -> ClientCredentials | None:
    """RFC 6749 2.3: credentials in a Basic header or in the body, not in both. Raises OAuthError."""
    credentials = _client_credentials(params)
    if credentials is not None and credentials.client_id in services().registry.clients:
        bind_parties(credentials.client_id, None)
    return credentials


def authenticated_client(params: Params) -> Client:
    """The client that calls.

    Raises OAuthError, Problem (429) after too many wrong secrets, StoreUnavailable.
    """
    credentials = client_credentials(params)
    with wrong_secrets_counted(), _challenged(is_wanted="Authorization" in request.headers):
        client, used = authenticate_client(credentials, services().registry, now=services().clock())
    bind_secret_used(used)
    return client


def authenticated_caller(params: Params) -> Client | ResourceServer:
    """The client or resource server that introspects. Raises what `authenticated_client` does."""
    credentials = client_credentials(params)
    with wrong_secrets_counted(), _challenged(is_wanted=True):  # RFC 7662 2.3
        caller, used = authenticate_caller(credentials, services().registry, now=services().clock())
    bind_secret_used(used)
    return caller


def _client_credentials(params: Params) -> ClientCredentials | None:
    if _NEVER_IN_A_QUERY & request.args.keys():
        raise OAuthError(ErrorCode.INVALID_REQUEST, "Credentials do not belong in the query")
    header = request.headers.get("Authorization")
    client_id, client_secret = params.single("client_id"), params.single("client_secret")
    if header is None:
        if client_id is None or client_secret is None:
            return None
        return ClientCredentials(client_id, client_secret)
    if client_secret is not None:
        raise OAuthError(ErrorCode.INVALID_REQUEST, "Use one method of client authentication")
    credentials = _basic(header)
    if credentials is not None and client_id not in (None, credentials.client_id):
        raise OAuthError(ErrorCode.INVALID_REQUEST, "client_id differs from the authenticated client")
    return credentials


def bearer_token() -> str:
    """The token in the Authorization header (RFC 6750 2.1); no other place is allowed. Raises OAuthError."""
    if "access_token" in request.args or "access_token" in request.form:
        raise OAuthError(ErrorCode.INVALID_REQUEST, "The token belongs in the Authorization header")
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer":
        raise _missing_token()
    return token.strip(" ")


def invalid_token() -> OAuthError:
    """RFC 6750 3.1: the token is unknown, expired, revoked or malformed. The answer does not say which."""
    error = _missing_token()
    error.challenge = f'{_BEARER}, error="{error.error}", error_description="{error.description}"'
    return error


def _missing_token() -> OAuthError:
    """RFC 6750 3: a request without a token gets a challenge without an error code."""
    return OAuthError(
        ErrorCode.INVALID_TOKEN,
        "The access token is missing, expired, revoked or unknown",
        challenge=_BEARER,
    )


@contextmanager
def _challenged(*, is_wanted: bool) -> Iterator[None]:
    """Adds WWW-Authenticate to an `invalid_client` error in the block, if it `is_wanted` (RFC 6749 5.2)."""
    try:
        yield
    except OAuthError as error:
        if error.error is ErrorCode.INVALID_CLIENT and is_wanted:
            error.challenge = 'Basic realm="token"'
        raise


def _basic(header: str) -> ClientCredentials | None:
    """The credentials of a Basic header, which are form-urlencoded (RFC 6749 2.3.1); None if malformed."""
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


def _form_params() -> Params:
    if request.mimetype != "application/x-www-form-urlencoded":
        raise OAuthError(ErrorCode.INVALID_REQUEST, "The body must be a form or JSON")
    try:
        return parse_params(request.get_data())
    except UnreadableRequest as error:
        raise OAuthError(error.error, error.description) from error


def _json_params(body: bytes, known: Collection[str]) -> Params:
    try:
        # int() refuses numbers with thousands of digits, which may be values of unknown parameters.
        members: list[tuple[str, Any]] = json.loads(
            body.decode("utf-8"), object_pairs_hook=_Members, parse_int=float
        )
    except (ValueError, RecursionError) as error:
        raise OAuthError(ErrorCode.INVALID_REQUEST, "The body is not JSON") from error
    if not isinstance(members, _Members):
        raise OAuthError(ErrorCode.INVALID_REQUEST, "The body is not a JSON object")
    if len(members) > MOST_PARAMETERS:
        raise OAuthError(ErrorCode.INVALID_REQUEST, "The request has too many parameters")
    found = [(name, value) for name, value in members if name in known and value is not None]
    if not all(isinstance(value, str) for _, value in found):
        raise OAuthError(ErrorCode.INVALID_REQUEST, "The values must be strings")
    return Params.from_pairs((name, value) for name, value in found if value)


class _Members(list[tuple[str, Any]]):
    """The members of a JSON object, with repeated names."""
