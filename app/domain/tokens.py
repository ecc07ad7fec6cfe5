"""The rules of the token endpoint: client authentication (RFC 6749 2.3), requests (4.1.3, 4.4, 6), claims
of access tokens (RFC 9068).
"""

import hashlib
import hmac
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from app.domain.clusters import Scope, format_scope, parse_scope
from app.domain.errors import ErrorCode, OAuthError
from app.domain.params import Params, check_form
from app.domain.registry import Client, Registry, ResourceServer

LONGEST_PARAMETER = 4096  # characters: a judgement, several times the length of our own access tokens
ADMIN_SCOPE = "client:admin"

CLIENT_PARAMETERS = ("client_id", "client_secret", "client_assertion", "client_assertion_type")
"""How a client says who it is, at every endpoint that asks (RFC 6749 2.3.1, RFC 7521 4.2)."""

# The parameters of the token endpoint, and those of revocation and introspection. All others are ignored.
TOKEN_PARAMETERS = (
    "grant_type",
    "code",
    "redirect_uri",
    "code_verifier",
    "refresh_token",
    "scope",
    *CLIENT_PARAMETERS,
)
ONE_TOKEN_PARAMETERS = ("token", "token_type_hint", *CLIENT_PARAMETERS)

_NOBODY = hashlib.sha256(b"nobody").hexdigest()


@dataclass(frozen=True, slots=True)
class ClientCredentials:
    """The identifier and the secret of a client, by either of the two methods of RFC 6749 2.3.1."""

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
    """`grant_type=refresh_token` (RFC 6749 6). `scope` is None where the client asks for all of the grant."""

    refresh_token: str
    scope: Scope | None


class TokenType(StrEnum):
    """How an access token is presented (RFC 6750, RFC 9449 5)."""

    BEARER = "Bearer"
    DPOP = "DPoP"

    @classmethod
    def of(cls, jkt: str | None) -> "TokenType":
        """The type of a token that is bound to the key `jkt`, or to none."""
        return cls.BEARER if jkt is None else cls.DPOP


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenResponse:
    """A successful answer of the token endpoint (RFC 6749 5.1). `expires_in` is in whole seconds.

    `consent_id` is the consent that the token is for; None for a client's own token (`client:admin`).
    """

    access_token: str
    expires_in: int
    scope: str
    correlation_id: str | None
    refresh_token: str | None = None
    consent_id: str | None = None
    token_type: TokenType = TokenType.BEARER


@dataclass(frozen=True, slots=True)
class AdminRequest:
    """`grant_type=client_credentials` (RFC 6749 4.4), for `client:admin` and nothing else."""


def hash_secret(secret: str) -> str:
    """The hex SHA-256 of a client secret or a refresh token.

    A slow password hash is not needed: these have at least 128 random bits, so that nobody can guess them.
    """
    return hashlib.sha256(secret.encode("utf-8", "surrogateescape")).hexdigest()


class SecretUsed(StrEnum):
    """Which secret a client used: while one is being replaced, it may have two."""

    CURRENT = "current"
    PREVIOUS = "previous"


def authenticate_client(
    credentials: ClientCredentials | None, registry: Registry, *, now: datetime
) -> tuple[Client, SecretUsed]:
    """The client that `credentials` belong to, and which secret it used. Raises OAuthError `invalid_client`.

    An unknown client and a wrong secret get the same answer after the same time (RFC 6749 5.2).
    """
    if credentials is None:
        raise OAuthError(ErrorCode.INVALID_CLIENT, "Client authentication failed")
    client = registry.find_client(credentials.client_id)
    used = _secret_used(credentials, client, now)
    if used is None or client is None:
        raise OAuthError(ErrorCode.INVALID_CLIENT, "Client authentication failed")
    return client, used


def authenticate_caller(
    credentials: ClientCredentials | None, registry: Registry, *, now: datetime
) -> tuple[Client | ResourceServer, SecretUsed]:
    """The client or the resource server that introspects a token (RFC 7662 2.1). Raises OAuthError."""
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
    """Which secret was presented; None for a wrong one. Both are always compared, for a constant time."""
    current = None if registered is None else registered.secret_hash
    previous = None if registered is None else registered.previous_secret
    presented = hash_secret(credentials.client_secret)
    is_current = hmac.compare_digest(presented, current or _NOBODY)
    is_previous = hmac.compare_digest(presented, _NOBODY if previous is None else previous.secret_hash)
    if is_current and current is not None:
        return SecretUsed.CURRENT
    return SecretUsed.PREVIOUS if is_previous and previous is not None and now < previous.until else None


def check_token_params(params: Params, known: Collection[str]) -> None:
    """RFC 6749 3.2, and a limit on the length of each `known` parameter. Raises OAuthError.

    It applies to every endpoint at which a client authenticates.
    """
    check_form(params, known)
    if any(len(params.single(name) or "") > LONGEST_PARAMETER for name in known):
        raise OAuthError(ErrorCode.INVALID_REQUEST, "A parameter is too long")


def validate_token_request(params: Params) -> RedemptionRequest | RefreshRequest | AdminRequest:
    """The token request of an authenticated client, by its grant_type. Raises OAuthError."""
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
        if params.single("scope") != ADMIN_SCOPE:  # no default: a client that forgot another parameter fails
            raise OAuthError(ErrorCode.INVALID_SCOPE, "scope must be client:admin")
        return AdminRequest()
    raise OAuthError(ErrorCode.UNSUPPORTED_GRANT_TYPE, "grant_type is not supported")


def validate_token_parameter(params: Params) -> str:
    """The token that a client revokes or introspects (RFC 7009 2.1, RFC 7662 2.1). Raises OAuthError.

    A `token_type_hint` is not used, which both RFCs allow: tokens of every type are searched.
    """
    return _required(params, "token")


def narrowed_scope(granted: Scope, requested: Scope | None) -> Scope:
    """The scope of a refreshed token: the `requested` clusters that are granted now; None requests them all.

    Requested clusters that are not granted are left out (RFC 6749 3.3, docs/adr/0019): the customer may have
    granted less than was requested, or withdrawn a part since. Raises OAuthError where nothing is left.
    """
    narrowed = granted if requested is None else granted & requested
    if not narrowed:
        raise OAuthError(ErrorCode.INVALID_SCOPE, "Nothing that scope names is granted now")
    return narrowed


def access_token_lifetime(lifetime: timedelta, *, now: datetime, grant_expires_at: datetime) -> timedelta:
    """The lifetime of a token that is issued at `now`: it never outlives its grant."""
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
        "fdxConsentId": consent_id,
        "iat": issued_at,
        "exp": issued_at + int(lifetime.total_seconds()),
        "jti": token_id,
    }


def admin_token_claims(
    *, issuer: str, client_id: str, token_id: str, now: datetime, lifetime: timedelta
) -> dict[str, str | int]:
    """The claims of a client's own access token (RFC 9068 2.2): `aud` is this server, `sub` the client."""
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
