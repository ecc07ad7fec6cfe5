"""Reads the access token of a request to a machine endpoint: a bearer token (RFC 6750), or one that is bound
to a key, with its proof (RFC 9449 7).

Every endpoint that takes an access token gets it here.
"""

from flask import request

from app.domain.caller import PresentedToken
from app.domain.errors import ErrorCode, OAuthError
from app.domain.jws import ALGORITHMS
from app.web.current import services
from app.web.machines.proof import read_proof

_BEARER = 'Bearer realm="accord"'
_DPOP = f'DPoP algs="{" ".join(ALGORITHMS)}"'
_NOT_ALIVE = "The access token is missing, expired, revoked or unknown"


def presented_token() -> PresentedToken:
    """The token in the Authorization header; no other place is allowed (RFC 6750 2.1).

    A proof that comes with it is used up. Raises OAuthError, StoreUnavailable.
    """
    if "access_token" in request.args or "access_token" in request.form:
        raise OAuthError(ErrorCode.INVALID_REQUEST, "The token belongs in the Authorization header")
    scheme, token = _scheme_and_token()
    if scheme == "bearer":
        return PresentedToken(token)
    if scheme == "dpop":
        return PresentedToken(token, _proven_key(token))
    raise OAuthError(
        ErrorCode.INVALID_TOKEN, _NOT_ALIVE, challenge=_BEARER
    )  # RFC 6750 3: without an error code


def invalid_token() -> OAuthError:
    """RFC 6750 3.1, RFC 9449 7.1: the token is unknown, expired, revoked, malformed, or bound to another key.

    The answer does not say which.
    """
    scheme, _ = _scheme_and_token()
    return _refusal(ErrorCode.INVALID_TOKEN, _NOT_ALIVE, _DPOP if scheme == "dpop" else _BEARER)


def _proven_key(token: str) -> str:
    """The thumbprint of the key that the request proves to hold, for this token."""
    try:
        proof = read_proof(access_token=token)
        if proof is not None:
            services().once.spend([proof.use], now=services().clock())
    except OAuthError as error:
        raise _refusal(error.error, error.description, _DPOP) from None
    if proof is None:
        raise _refusal(ErrorCode.INVALID_DPOP_PROOF, "The DPoP proof is not valid", _DPOP)
    return proof.jkt


def _scheme_and_token() -> tuple[str, str]:
    """The scheme in lower case (RFC 9110 11.1), and what follows it."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    return scheme.lower(), token.strip(" ")


def _refusal(error: ErrorCode, description: str, scheme: str) -> OAuthError:
    challenge = f'{scheme}, error="{error}", error_description="{description}"'
    return OAuthError(error, description, challenge=challenge)
