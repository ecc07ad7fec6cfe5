"""Reads the proof of a key in a request to a machine endpoint (DPoP, RFC 9449)."""

import structlog
from flask import request

from app.domain.dpop import Proof, check_proof
from app.domain.errors import ErrorCode, OAuthError
from app.domain.jws import JwtRefused
from app.public_keys import import_public_key
from app.web.current import services

_log = structlog.get_logger()


def read_proof(*, access_token: str | None = None) -> Proof | None:
    """The proof in the request, for this endpoint; None without a DPoP header. Raises OAuthError.

    The address of the endpoint is made of the issuer and the path, and never of Host or a forwarded header:
    it is the one that recipients know, whatever proxy is in front of this server.
    """
    values = request.headers.getlist("DPoP")
    if not values:
        return None
    try:
        return check_proof(
            values,
            method=request.method,
            target=services().settings.issuer + request.path,
            now=services().clock(),
            import_key=import_public_key,
            access_token=access_token,
        )
    except JwtRefused as refused:
        _log.info("proof_refused", reason=refused.reason, outcome="invalid_dpop_proof")
        raise OAuthError(ErrorCode.INVALID_DPOP_PROOF, "The DPoP proof is not valid") from None
