"""The two ways a request can be refused.

They are two types so that a type checker keeps them apart: an `UnsafeRequest` never redirects, because
neither the client nor its redirect_uri has been proven (RFC 6749 4.1.2.1, RFC 9700 4.11.2).
"""

from dataclasses import dataclass
from enum import StrEnum


class ErrorCode(StrEnum):
    """The `error` values on the wire."""

    ACCESS_DENIED = "access_denied"
    INVALID_REQUEST = "invalid_request"
    INVALID_CLIENT = "invalid_client"
    INVALID_TOKEN = "invalid_token"  # noqa: S105  # RFC 6750 3.1
    INVALID_GRANT = "invalid_grant"
    INVALID_SCOPE = "invalid_scope"
    UNAUTHORIZED_CLIENT = "unauthorized_client"
    UNSUPPORTED_GRANT_TYPE = "unsupported_grant_type"
    UNSUPPORTED_RESPONSE_TYPE = "unsupported_response_type"
    UNSUPPORTED_TOKEN_TYPE = "unsupported_token_type"  # noqa: S105  # RFC 7009 2.2.1
    SERVER_ERROR = "server_error"
    TEMPORARILY_UNAVAILABLE = "temporarily_unavailable"


@dataclass(frozen=True, slots=True)
class ReturnAddress:
    """Where an answer may go: a redirect_uri that was proven, and the state to give back (None: none)."""

    redirect_uri: str
    state: str | None


class UnsafeRequest(Exception):
    """A request whose client or redirect_uri is not proven: a page, never a redirect."""

    def __init__(self, error: ErrorCode, description: str) -> None:
        super().__init__(description)
        self.error = error
        self.description = description


class UnreadableRequest(UnsafeRequest):
    """A request that was not looked into, because of its form."""


class OAuthError(Exception):
    """A refusal in RFC 6749's terms: redirected when `return_to` is proven, JSON otherwise.

    `description` is plain ASCII English that repeats nothing the caller sent. `challenge` is the value of
    WWW-Authenticate that the answer has to carry (RFC 9110 11.6.1); None for none.
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
        """The same refusal, to be delivered to `return_to`."""
        return OAuthError(self.error, self.description, return_to)
