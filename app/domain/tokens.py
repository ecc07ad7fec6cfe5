"""The rules of tokens: who asks (RFC 6749 2.3), for what (4.1.3, 4.4, 6), what a token says (RFC 9068)."""

import hashlib
import hmac
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from app.domain.authorization import Params, check_form
from app.domain.clusters import Scope, format_scope, parse_scope
from app.domain.errors import ErrorCode, OAuthError
from app.domain.registry import Client, Registry, ResourceServer

LONGEST_PARAMETER = 4096
ADMIN_SCOPE = "client:admin"

# What is known at the token endpoint, and where somebody revokes a token or asks about one.
TOKEN_PARAMETERS = (
    "grant_type",
    "code",
    "redirect_uri",
    "code_verifier",
    "refresh_token",
    "scope",
    "client_id",
    "client_secret",
)
ONE_TOKEN_PARAMETERS = ("token", "token_type_hint", "client_id", "client_secret")

_NOBODY = hashlib.sha256(b"nobody").hexdigest()


@dataclass(frozen=True, slots=True)
class ClientCredentials:
    """What a client authenticates with, by whichever of the two methods."""

    client_id: str
    client_secret: str


@dataclass(frozen=True, slots=True)
class RedemptionRequest:
    """`grant_type=authorization_code` (RFC 6749 4.1.3)."""

    code: str
    redirect_uri: str
    code_verifier: str | None


@dataclass(frozen=True, slots=True)
class RefreshRequest:
    """`grant_type=refresh_token` (RFC 6749 6). No `scope` means all that was granted."""

    refresh_token: str
    scope: Scope | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenResponse:
    """A successful answer (RFC 6749 5.1). `expires_in` is in whole seconds.

    `consent_id` is the consent that the token is for; None for a client's own.
    """

    access_token: str
    expires_in: int
    scope: str
    correlation_id: str | None
    refresh_token: str | None = None
    consent_id: str | None = None


@dataclass(frozen=True, slots=True)
class AdminRequest:
    """`grant_type=client_credentials` (RFC 6749 4.4), for `client:admin` and nothing else."""


def hash_secret(secret: str) -> str:
    """The hex SHA-256 of a client secret or refresh token: enough for 128 random bits, and fast."""
    return hashlib.sha256(secret.encode("utf-8", "surrogateescape")).hexdigest()


class SecretUsed(StrEnum):
    """Which of the two secrets that a party may have while one is being replaced."""

    CURRENT = "current"
    PREVIOUS = "previous"


def authenticate_client(
    credentials: ClientCredentials | None, registry: Registry, *, now: datetime
) -> tuple[Client, SecretUsed]:
    """The client that `credentials` belong to, and by which secret. Raises OAuthError `invalid_client`.

    An unknown client and a wrong secret take the same way and the same time (RFC 6749 5.2).
    """
    if credentials is None:
        raise OAuthError(ErrorCode.INVALID_CLIENT, "Client authentication failed")
    client = registry.find_client(credentials.client_id)
    used = _secret_used(credentials, client, now)
    if used is None or client is None:
        raise OAuthError(ErrorCode.INVALID_CLIENT, "Client authentication failed")
    return client, used


def authenticate_asker(
    credentials: ClientCredentials | None, registry: Registry, *, now: datetime
) -> tuple[Client | ResourceServer, SecretUsed]:
    """Who introspects: a client, or a registered resource server (RFC 7662 2.1). Raises OAuthError."""
    server = None if credentials is None else registry.resource_servers.get(credentials.client_id)
    if credentials is None or server is None:
        return authenticate_client(credentials, registry, now=now)
    used = _secret_used(credentials, server, now)
    if used is None:
        raise OAuthError(ErrorCode.INVALID_CLIENT, "Client authentication failed")
    return server, used


def _secret_used(
    credentials: ClientCredentials, registered: Client | ResourceServer | None, now: datetime
) -> SecretUsed | None:
    """None for a wrong one. Both are compared, whatever comes of the first: time tells nothing."""
    previous = None if registered is None else registered.previous_secret
    presented = hash_secret(credentials.client_secret)
    is_current = hmac.compare_digest(presented, _NOBODY if registered is None else registered.secret_hash)
    is_previous = hmac.compare_digest(presented, _NOBODY if previous is None else previous.secret_hash)
    if is_current:
        return SecretUsed.CURRENT
    return SecretUsed.PREVIOUS if is_previous and previous is not None and now < previous.until else None


def check_token_params(params: Params, known: Collection[str]) -> None:
    """RFC 6749 3.2, and that no parameter is too long. For every endpoint at which a client authenticates."""
    check_form(params, known)
    if any(len(params.single(name) or "") > LONGEST_PARAMETER for name in known):
        raise OAuthError(ErrorCode.INVALID_REQUEST, "A parameter is too long")


def validate_token_request(params: Params) -> RedemptionRequest | RefreshRequest | AdminRequest:
    """What an authenticated client asks for. Raises OAuthError."""
    grant_type = params.single("grant_type")
    if grant_type is None:
        raise OAuthError(ErrorCode.INVALID_REQUEST, "grant_type is missing")
    if grant_type == "authorization_code":
        return RedemptionRequest(
            code=_required(params, "code"),
            redirect_uri=_required(params, "redirect_uri"),
            code_verifier=params.single("code_verifier"),
        )
    if grant_type == "refresh_token":
        return RefreshRequest(_required(params, "refresh_token"), _refresh_scope(params))
    if grant_type == "client_credentials":
        if params.single("scope") != ADMIN_SCOPE:  # never by default: who forgot something else gets no token
            raise OAuthError(ErrorCode.INVALID_SCOPE, "scope must be client:admin")
        return AdminRequest()
    raise OAuthError(ErrorCode.UNSUPPORTED_GRANT_TYPE, "grant_type is not supported")


def validate_token_parameter(params: Params) -> str:
    """The token that a client revokes or asks about (RFC 7009 2.1, RFC 7662 2.1). Raises OAuthError.

    A `token_type_hint` is only a hint: a token is looked for in every way, whatever it says.
    """
    return _required(params, "token")


def narrowed_scope(granted: Scope, asked: Scope | None) -> Scope:
    """The scope of a refreshed token: what is granted now of what is asked for, all of it without a scope.

    What is asked for beyond that is left out (RFC 6749 3.3): the customer may have shared less than was
    asked for, or have stopped sharing some of it since. Raises OAuthError where nothing is left.
    """
    narrowed = granted if asked is None else granted & asked
    if not narrowed:
        raise OAuthError(ErrorCode.INVALID_SCOPE, "Nothing that scope names is granted now")
    return narrowed


def access_token_lifetime(lifetime: timedelta, *, now: datetime, grant_expires_at: datetime) -> timedelta:
    """How long a token issued at `now` lives: never past the end of its grant."""
    return min(lifetime, grant_expires_at - now)


def access_token_claims(
    *,
    issuer: str,
    audience: str,
    subject: str,
    client_id: str,
    consent_id: str,
    scope: Scope,
    token_id: str,
    now: datetime,
    lifetime: timedelta,
) -> dict[str, str | int]:
    """The claims of an access token for a consent (RFC 9068 2.2); times are seconds since the epoch."""
    issued_at = int(now.timestamp())
    return {
        "iss": issuer,
        "aud": audience,
        "sub": subject,
        "client_id": client_id,
        "scope": format_scope(scope),
        "consent_id": consent_id,
        "iat": issued_at,
        "exp": issued_at + int(lifetime.total_seconds()),
        "jti": token_id,
    }


def admin_token_claims(
    *, issuer: str, client_id: str, token_id: str, now: datetime, lifetime: timedelta
) -> dict[str, str | int]:
    """The claims of a client's own access token: its audience is this server, its subject the client."""
    issued_at = int(now.timestamp())
    return {
        "iss": issuer,
        "aud": issuer,
        "sub": client_id,
        "client_id": client_id,
        "scope": ADMIN_SCOPE,
        "iat": issued_at,
        "exp": issued_at + int(lifetime.total_seconds()),
        "jti": token_id,
    }


def _required(params: Params, name: str) -> str:
    value = params.single(name)
    if value is None:
        raise OAuthError(ErrorCode.INVALID_REQUEST, f"{name} is missing")
    return value


def _refresh_scope(params: Params) -> Scope | None:
    text = params.single("scope")
    if text is None:
        return None
    try:
        return parse_scope(text)
    except ValueError:
        raise OAuthError(ErrorCode.INVALID_SCOPE, "scope names an unknown data cluster") from None
