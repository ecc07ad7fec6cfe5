"""Reads the access token of a request to a machine endpoint (RFC 6750)."""

from flask import request

from app.domain.errors import ErrorCode, OAuthError

_BEARER = 'Bearer realm="accord"'


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
