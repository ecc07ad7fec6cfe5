"""The authorization request (RFC 6749 4.1.1) and the rules that make one.

Each rule is one function, named after the parameter that it checks, and `validate_authorization` applies them
in their order. The result is frozen: nothing after it reads the query again.
"""

import re
from dataclasses import dataclass

from app.domain import pkce
from app.domain.clusters import DataCluster, Scope, parse_scope
from app.domain.errors import ErrorCode, OAuthError, ReturnAddress, UnsafeRequest
from app.domain.language import Language, requested_language
from app.domain.params import Params, check_form, is_text
from app.domain.registry import Client, DataProvider, Registry, Status

LONGEST_STATE = 2048  # characters, as docs/connecting.md promises: an authorization URL has at most 8 kB

KNOWN_PARAMETERS = (
    "client_id",
    "redirect_uri",
    "state",
    "response_type",
    "scope",
    "provider_id",
    "correlation_id",
    "lang",
    "ui_locales",
    "code_challenge",
    "code_challenge_method",
    "dpop_jkt",
)

_CORRELATION_ID = re.compile(r"[A-Za-z0-9._-]{1,128}", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthorizationRequest:
    """An authorization request that has passed every check. Only `validate_parameters` makes one.

    `dpop_jkt` is the thumbprint of the key that the code is bound to (RFC 9449 10); None for no key.
    """

    client_id: str
    redirect_uri: str
    state: str | None
    requested_scope: Scope
    provider_id: str
    correlation_id: str
    language: Language
    code_challenge: str | None
    dpop_jkt: str | None = None

    @property
    def return_to(self) -> ReturnAddress:
        return ReturnAddress(self.redirect_uri, self.state)


def validate_authorization(
    params: Params, registry: Registry, *, fresh_correlation_id: str
) -> AuthorizationRequest:
    """The validated request, or an exception for the first fault in `params` (RFC 6749 4.1.2.1).

    Raises UnsafeRequest, which is shown on a page, for a fault in client_id or redirect_uri. These two are
    checked first; for a fault after them raises OAuthError, with the address to redirect the error to.
    """
    client = check_client_id(params, registry)
    redirect_uri = check_redirect_uri(params, client)
    state = params.single("state")
    returnable = state is not None and _is_state(state)
    try:
        check_may_come_unpushed(client)
        return validate_parameters(params, registry, client, redirect_uri, fresh_correlation_id)
    except OAuthError as error:
        raise error.returning_to(ReturnAddress(redirect_uri, state if returnable else None)) from None


def validate_parameters(
    params: Params, registry: Registry, client: Client, redirect_uri: str, fresh_correlation_id: str
) -> AuthorizationRequest:
    """The validated request of a `client` whose `redirect_uri` is good. Raises OAuthError."""
    check_form(params, KNOWN_PARAMETERS)
    state = check_state(params, client)
    check_response_type(params)
    requested_scope = check_scope(params, client)
    provider = check_provider_id(params, registry, client)
    check_registration(client, provider)
    check_provider_is_there(provider)
    check_provider_serves(client, provider, requested_scope)
    code_challenge = check_code_challenge(params, client)
    correlation_id = check_correlation_id(params)
    return AuthorizationRequest(
        client_id=client.client_id,
        redirect_uri=redirect_uri,
        state=state,
        requested_scope=requested_scope,
        provider_id=provider.provider_id,
        correlation_id=correlation_id or fresh_correlation_id,
        language=requested_language(params.single("lang"), params.single("ui_locales")),
        code_challenge=code_challenge,
        dpop_jkt=check_dpop_jkt(params),
    )


def is_still_allowed(request: AuthorizationRequest, client: Client, provider: DataProvider) -> bool:
    """Whether the registrations, which may have changed since `request` was validated, still accept it."""
    return (
        client.accepts_redirect_uri(request.redirect_uri)
        and client.status_with(provider.provider_id) is Status.ACTIVE
        and request.requested_scope <= client.clusters
        and request.requested_scope & client.needed_clusters <= provider.clusters
        and (request.code_challenge is not None or not client.must_use_pkce)
    )


def check_client_id(params: Params, registry: Registry) -> Client:
    """RFC 6749 2.2 and 4.1.2.1: for an unknown client the customer sees a page, and nothing redirects."""
    client_id = params.single("client_id")
    if client_id is None:
        raise UnsafeRequest(ErrorCode.INVALID_CLIENT, "client_id is missing or repeated")
    client = registry.find_client(client_id)
    if client is None:
        raise UnsafeRequest(ErrorCode.INVALID_CLIENT, "client_id is not registered")
    return client


def check_redirect_uri(params: Params, client: Client) -> str:
    """RFC 9700 2.1: redirect_uri must equal a registered one, character by character."""
    redirect_uri = params.single("redirect_uri")
    if redirect_uri is None:
        raise UnsafeRequest(ErrorCode.INVALID_REQUEST, "redirect_uri is missing or repeated")
    if not client.accepts_redirect_uri(redirect_uri):
        raise UnsafeRequest(ErrorCode.INVALID_REQUEST, "redirect_uri is not registered for this client")
    return redirect_uri


def check_may_come_unpushed(client: Client) -> None:
    """FAPI 2.0 Security Profile 5.3.2.2-3: a client with that profile pushes every request (RFC 9126 6)."""
    if client.is_fapi:
        raise OAuthError(ErrorCode.INVALID_REQUEST, "This client must push its requests (RFC 9126)")


def check_state(params: Params, client: Client) -> str | None:
    """RFC 6749 4.1.1: returns the state unchanged. Accord requires one, although the RFC does not.

    A recipient of FAPI 2.0 may leave it out: PKCE, which it must use, binds the answer to its browser, too.
    """
    state = params.single("state")
    if state is None and client.is_fapi:
        return None
    if state is None:
        raise OAuthError(ErrorCode.INVALID_REQUEST, "state is missing")
    if not _is_state(state):
        raise OAuthError(ErrorCode.INVALID_REQUEST, "state is too long")
    return state


def check_response_type(params: Params) -> None:
    """RFC 6749 3.1.1: response_type is `code` and nothing else."""
    response_type = params.single("response_type")
    if response_type is None:
        raise OAuthError(ErrorCode.INVALID_REQUEST, "response_type is missing")
    if response_type != "code":
        raise OAuthError(ErrorCode.UNSUPPORTED_RESPONSE_TYPE, "response_type must be code")


def check_scope(params: Params, client: Client) -> Scope:
    """RFC 6749 3.3: the scope names known data clusters, all of which the recipient is registered for."""
    text = params.single("scope")
    if text is None:
        raise OAuthError(ErrorCode.INVALID_SCOPE, "scope is missing")
    try:
        requested_scope = parse_scope(text)
    except ValueError:
        raise OAuthError(ErrorCode.INVALID_SCOPE, "scope names an unknown data cluster") from None
    if DataCluster.ACCOUNT_BASIC not in requested_scope:
        raise OAuthError(ErrorCode.INVALID_SCOPE, "scope must contain ACCOUNT_BASIC")
    if not requested_scope <= client.clusters:
        raise OAuthError(ErrorCode.INVALID_SCOPE, "scope goes beyond the registration of this client")
    return requested_scope


def check_provider_is_there(provider: DataProvider) -> None:
    """RFC 6749 4.1.2.1: temporarily_unavailable while the provider's sign-in cannot be used."""
    if provider.is_left_out:
        raise OAuthError(ErrorCode.TEMPORARILY_UNAVAILABLE, "The provider cannot be reached now")


def check_provider_id(params: Params, registry: Registry, client: Client) -> DataProvider:
    """The bank that the request names; the default one where a recipient of FAPI 2.0 names none."""
    provider_id = params.single("provider_id")
    if provider_id is None and client.is_fapi:
        provider_id = client.default_provider
    if provider_id is None:
        raise OAuthError(ErrorCode.INVALID_REQUEST, "provider_id is missing")
    provider = registry.find_provider(provider_id)
    if provider is None:
        raise OAuthError(ErrorCode.INVALID_REQUEST, "provider_id is not registered")
    return provider


def check_registration(client: Client, provider: DataProvider) -> None:
    if client.status_with(provider.provider_id) is not Status.ACTIVE:
        raise OAuthError(ErrorCode.UNAUTHORIZED_CLIENT, "This client is not active with this provider")


def check_provider_serves(client: Client, provider: DataProvider, requested_scope: Scope) -> None:
    """The provider must serve every requested cluster that the recipient has registered as needed."""
    indispensable = requested_scope & client.needed_clusters
    if not indispensable <= provider.clusters:
        raise OAuthError(ErrorCode.INVALID_SCOPE, "This provider does not serve a cluster that is needed")


def check_code_challenge(params: Params, client: Client) -> str | None:
    """RFC 7636 4.3 and 4.4.1: only S256. The method `plain`, also the default of the RFC, is refused."""
    challenge = params.single("code_challenge")
    method = params.single("code_challenge_method")
    if challenge is None and method is None:
        if client.must_use_pkce:
            raise OAuthError(ErrorCode.INVALID_REQUEST, "code_challenge is required for this client")
        return None
    if challenge is None or not pkce.is_challenge(challenge):
        raise OAuthError(ErrorCode.INVALID_REQUEST, "code_challenge must be 43 characters of base64url")
    if method != pkce.METHOD:
        raise OAuthError(ErrorCode.INVALID_REQUEST, "code_challenge_method must be S256")
    return challenge


def check_dpop_jkt(params: Params) -> str | None:
    """RFC 9449 10: the SHA-256 thumbprint of the key that the code is bound to."""
    thumbprint = params.single("dpop_jkt")
    if thumbprint is not None and not pkce.is_challenge(thumbprint):  # the same form: a SHA-256 in base64url
        raise OAuthError(ErrorCode.INVALID_REQUEST, "dpop_jkt must be 43 characters of base64url")
    return thumbprint


def check_correlation_id(params: Params) -> str | None:
    correlation_id = find_correlation_id(params)
    if correlation_id is None and "correlation_id" in params.values:
        raise OAuthError(ErrorCode.INVALID_REQUEST, "correlation_id must be 1 to 128 of A-Z a-z 0-9 . _ -")
    return correlation_id


def find_correlation_id(params: Params) -> str | None:
    """The correlation id that was sent, if it is safe to copy into a header and into a log; else None."""
    correlation_id = params.single("correlation_id")
    return correlation_id if correlation_id and _CORRELATION_ID.fullmatch(correlation_id) else None


def _is_state(text: str) -> bool:
    return len(text) <= LONGEST_STATE and is_text(text)
