"""An authorization request that its recipient has pushed before the browser comes (RFC 9126)."""

import hashlib
from dataclasses import dataclass, replace
from typing import Final

from app.domain.authorization import (
    KNOWN_PARAMETERS,
    AuthorizationRequest,
    check_redirect_uri,
    validate_parameters,
)
from app.domain.errors import ErrorCode, OAuthError, UnsafeRequest
from app.domain.params import Params, check_form
from app.domain.registry import Client, Registry
from app.domain.tokens import CLIENT_PARAMETERS

PUSHED_PARAMETERS: Final = tuple(
    dict.fromkeys((*KNOWN_PARAMETERS, "request", "request_uri", *CLIENT_PARAMETERS))
)

_PREFIX: Final = "urn:ietf:params:oauth:request_uri:"  # RFC 9126 2.2
_LONGEST_URI: Final = 256  # characters: a judgement, over three times our own


@dataclass(frozen=True, slots=True)
class PushedRequest:
    """A validated request that waits for its browser. `pushed_id` is no secret: it opens nothing."""

    pushed_id: str
    request: AuthorizationRequest


def request_uri_of(reference: str) -> str:
    """The `request_uri` for `reference`, which nobody can guess (RFC 9126 7.1)."""
    return _PREFIX + reference


def pushed_id_of(request_uri: str) -> str | None:
    """The hex SHA-256 of the reference in a `request_uri`; None for one that is not of our form."""
    if len(request_uri) > _LONGEST_URI or not request_uri.startswith(_PREFIX):
        return None
    return hashlib.sha256(request_uri.removeprefix(_PREFIX).encode("utf-8", "surrogateescape")).hexdigest()


def validate_pushed(
    params: Params, client: Client, registry: Registry, *, fresh_correlation_id: str
) -> AuthorizationRequest:
    """The validated request of an authenticated client. Raises OAuthError without a return address.

    The parameters are those of the authorization endpoint (RFC 9126 2.1), but no error is redirected.
    """
    check_form(params, PUSHED_PARAMETERS)
    if "request_uri" in params.values or "request" in params.values:
        raise OAuthError(ErrorCode.INVALID_REQUEST, "A pushed request has neither request nor request_uri")
    if params.single("client_id") not in (None, client.client_id):
        raise OAuthError(ErrorCode.INVALID_REQUEST, "client_id differs from the authenticated client")
    try:
        redirect_uri = check_redirect_uri(params, client)
    except UnsafeRequest as unsafe:
        raise OAuthError(unsafe.error, unsafe.description) from unsafe
    return validate_parameters(params, registry, client, redirect_uri, fresh_correlation_id)


def bind_to_key(request: AuthorizationRequest, jkt: str | None) -> AuthorizationRequest:
    """The request, whose code only the key that was proven with it may redeem (RFC 9449 10.1).

    Raises OAuthError where `dpop_jkt` names another key than the proof.
    """
    if jkt is None or jkt == request.dpop_jkt:
        return request
    if request.dpop_jkt is not None:
        raise OAuthError(ErrorCode.INVALID_DPOP_PROOF, "dpop_jkt is not the key of the DPoP proof")
    return replace(request, dpop_jkt=jkt)
