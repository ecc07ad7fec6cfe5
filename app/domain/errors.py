"""The two exceptions with which a request is refused.

They are two types, so that the type checker keeps them apart: an `UnsafeRequest` never redirects, because its
client or its redirect_uri was not recognized (RFC 6749 4.1.2.1, RFC 9700 4.11.2).
"""

from dataclasses import dataclass
from enum import StrEnum


class ErrorCode(StrEnum):
    """The values of `error` in answers (RFC 6749 4.1.2.1, 5.2; RFC 6750 3.1; RFC 7009 2.2.1; RFC 9101 6;
    RFC 9449 5).
    """

    ACCESS_DENIED = "access_denied"
    INVALID_REQUEST = "invalid_request"
    INVALID_REQUEST_URI = "invalid_request_uri"
    INVALID_CLIENT = "invalid_client"
    INVALID_TOKEN = "invalid_token"  # noqa: S105  # RFC 6750 3.1
    INVALID_GRANT = "invalid_grant"
    INVALID_DPOP_PROOF = "invalid_dpop_proof"
    INVALID_SCOPE = "invalid_scope"
    UNAUTHORIZED_CLIENT = "unauthorized_client"
    UNSUPPORTED_GRANT_TYPE = "unsupported_grant_type"
    UNSUPPORTED_RESPONSE_TYPE = "unsupported_response_type"
    UNSUPPORTED_TOKEN_TYPE = "unsupported_token_type"  # noqa: S105  # RFC 7009 2.2.1
    SERVER_ERROR = "server_error"
    TEMPORARILY_UNAVAILABLE = "temporarily_unavailable"


@dataclass(frozen=True, slots=True)
class ReturnAddress:
    """Where an answer is redirected: a registered redirect_uri, and the state to repeat (None for none)."""

    redirect_uri: str
    state: str | None


class UnsafeRequest(Exception):
    """The client or its redirect_uri is not registered, so that the customer sees a page and no redirect."""

    def __init__(self, error: ErrorCode, description: str) -> None:
        super().__init__(description)
        self.error = error
        self.description = description


class UnreadableRequest(UnsafeRequest):
    """The request is malformed as a whole, so that none of its parameters was read."""


class OAuthError(Exception):
    """An error of RFC 6749: it is redirected to `return_to`, or answered as JSON where that is None.

    `description` is ASCII English and repeats nothing that the caller sent. `challenge` is the value of the
    answer's WWW-Authenticate header (RFC 9110 11.6.1); None for no such header.
    """

    def __init__(
        self,
        error: ErrorCode,
        description: str,
        return_to: ReturnAddress | None = None,
        *,
        challenge: str | None = None,
    ) -> None:
        super().__init__(description)
        self.error = error
        self.description = description
        self.return_to = return_to
        self.challenge = challenge

    def returning_to(self, return_to: ReturnAddress) -> "OAuthError":
        """The same error, to be redirected to `return_to`."""
        return OAuthError(self.error, self.description, return_to)
