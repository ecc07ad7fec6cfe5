"""The authorization request (RFC 6749 4.1.1) and the rules that make one.

One rule, one function named after the parameter it guards; `validate_authorization` is the order in
which they apply. What comes out is frozen and is never looked up in the query again.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from urllib.parse import parse_qsl

from app.domain import pkce
from app.domain.clusters import DataCluster, Scope, parse_scope
from app.domain.errors import ErrorCode, OAuthError, ReturnAddress, UnreadableRequest, UnsafeRequest
from app.domain.language import Language, requested_language
from app.domain.registry import Client, DataProvider, Registry, Status

LONGEST_STATE = 2048  # characters, as docs/connecting.md promises; an authorization URL is 8 kB at most
MOST_PARAMETERS = 100  # of one request: libraries send some ten
EXTENSIONS = 10  # of the time to answer: WCAG 2.2.1 wants ten at least

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
)

_CORRELATION_ID = re.compile(r"[A-Za-z0-9._-]{1,128}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Params:
    """A query or a body, decoded: every value of every parameter, in order.

    Empty values are absent (RFC 6749 3.1). A byte that is not UTF-8 is kept as a lone surrogate, so that it
    equals nothing that is registered.
    """

    values: Mapping[str, tuple[str, ...]]

    @classmethod
    def of(cls, pairs: Iterable[tuple[str, str]]) -> "Params":
        """The parameters that `pairs` name, in order."""
        values: dict[str, tuple[str, ...]] = {}
        for name, value in pairs:
            values[name] = (*values.get(name, ()), value)
        return cls(values)

    def single(self, name: str) -> str | None:
        """The one value of `name`; None when it is absent or repeated."""
        values = self.values.get(name, ())
        return values[0] if len(values) == 1 else None

    def is_repeated(self, name: str) -> bool:
        return len(self.values.get(name, ())) > 1

    def is_text(self, name: str) -> bool:
        """Whether every value of `name` was valid UTF-8 without a NUL."""
        return all(_is_text(value) for value in self.values.get(name, ()))


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthorizationRequest:
    """A request in which everything has been proven. Only `validate_authorization` makes one."""

    client_id: str
    redirect_uri: str
    state: str
    requested_scope: Scope
    provider_id: str
    correlation_id: str
    language: Language
    code_challenge: str | None

    @property
    def return_to(self) -> ReturnAddress:
        return ReturnAddress(self.redirect_uri, self.state)


@dataclass(frozen=True, slots=True, kw_only=True)
class PendingRequest:
    """A request that waits for its answer in one browser.

    `consent_ends_at` is when a consent would end that an approval gives: decided once, so that the page, the
    grant and the tokens cannot differ in it, however late the answer comes. `language` and `checked_clusters`
    are what the customer has chosen on the form so far.
    """

    request_id: str
    browser_id: str
    request: AuthorizationRequest
    begun_at: datetime
    expires_at: datetime
    consent_ends_at: datetime
    language: Language
    checked_clusters: Scope = frozenset()

    def is_expired_at(self, now: datetime) -> bool:
        return now >= self.expires_at

    def in_language(self, language: Language) -> "PendingRequest":
        return replace(self, language=language)

    def ending_at(self, moment: datetime) -> "PendingRequest":
        """For a consent that ends at `moment`; it is not answered later than that."""
        return replace(self, consent_ends_at=moment, expires_at=min(self.expires_at, moment))

    def extended_at(self, now: datetime, lifetime: timedelta) -> "PendingRequest":
        """With another `lifetime` from `now` on, ten times at the least and no longer (WCAG 2.2.1)."""
        latest = self.begun_at + (1 + EXTENSIONS) * lifetime
        return replace(self, expires_at=max(self.expires_at, min(now + lifetime, latest)))


def parse_params(query: bytes) -> Params:
    """The parameters of a raw query string. Raises UnreadableRequest when no client sends that many."""
    try:
        pairs = parse_qsl(
            query.decode("utf-8", "surrogateescape"),
            keep_blank_values=False,
            encoding="utf-8",
            errors="surrogateescape",
            max_num_fields=MOST_PARAMETERS,
        )
    except ValueError as error:
        raise UnreadableRequest(ErrorCode.INVALID_REQUEST, "The request has too many parameters") from error
    return Params.of(pairs)


def validate_authorization(
    params: Params, registry: Registry, *, fresh_correlation_id: str
) -> AuthorizationRequest:
    """The request that `params` makes, or the first fault in it.

    Raises UnsafeRequest until the client and its redirect_uri are proven, and OAuthError with the address
    to return to from then on (RFC 6749 4.1.2.1).
    """
    client = check_client_id(params, registry)
    redirect_uri = check_redirect_uri(params, client)
    state = params.single("state")
    returnable = state is not None and _is_state(state)
    try:
        return _validate_proven(params, registry, client, redirect_uri, fresh_correlation_id)
    except OAuthError as error:
        raise error.returning_to(ReturnAddress(redirect_uri, state if returnable else None)) from None


def _validate_proven(
    params: Params, registry: Registry, client: Client, redirect_uri: str, fresh_correlation_id: str
) -> AuthorizationRequest:
    check_form(params, KNOWN_PARAMETERS)
    state = check_state(params)
    check_response_type(params)
    requested_scope = check_scope(params, client)
    provider = check_provider_id(params, registry)
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
    )


def is_still_allowed(request: AuthorizationRequest, client: Client, provider: DataProvider) -> bool:
    """Whether the registrations, which may have changed since `request` began, would accept it now."""
    return (
        client.accepts_redirect_uri(request.redirect_uri)
        and client.status_with(provider.provider_id) is Status.ACTIVE
        and request.requested_scope <= client.clusters
        and request.requested_scope & client.needed_clusters <= provider.clusters
        and (request.code_challenge is not None or not client.pkce_required)
    )


def check_client_id(params: Params, registry: Registry) -> Client:
    """RFC 6749 2.2 and 4.1.2.1: an unknown client is told to the customer, not to an address it chose."""
    client_id = params.single("client_id")
    if client_id is None:
        raise UnsafeRequest(ErrorCode.INVALID_CLIENT, "client_id is missing or repeated")
    client = registry.find_client(client_id)
    if client is None:
        raise UnsafeRequest(ErrorCode.INVALID_CLIENT, "client_id is not registered")
    return client


def check_redirect_uri(params: Params, client: Client) -> str:
    """RFC 9700 2.1: exact comparison, nothing more helpful than that."""
    redirect_uri = params.single("redirect_uri")
    if redirect_uri is None:
        raise UnsafeRequest(ErrorCode.INVALID_REQUEST, "redirect_uri is missing or repeated")
    if not client.accepts_redirect_uri(redirect_uri):
        raise UnsafeRequest(ErrorCode.INVALID_REQUEST, "redirect_uri is not registered for this client")
    return redirect_uri


def check_form(params: Params, known: Iterable[str]) -> None:
    """RFC 6749 3.1, 3.2: a parameter that is known appears at most once; malformed text is refused, never
    repaired. What is not known is ignored, whatever it is.
    """
    if any(params.is_repeated(name) for name in known):
        raise OAuthError(ErrorCode.INVALID_REQUEST, "A parameter is repeated")
    if not all(params.is_text(name) for name in known):
        raise OAuthError(ErrorCode.INVALID_REQUEST, "A parameter is not valid UTF-8 text")


def check_state(params: Params) -> str:
    """RFC 6749 4.1.1, required here; returned unchanged."""
    state = params.single("state")
    if state is None:
        raise OAuthError(ErrorCode.INVALID_REQUEST, "state is missing")
    if not _is_state(state):
        raise OAuthError(ErrorCode.INVALID_REQUEST, "state is too long")
    return state


def check_response_type(params: Params) -> None:
    """RFC 6749 3.1.1."""
    response_type = params.single("response_type")
    if response_type is None:
        raise OAuthError(ErrorCode.INVALID_REQUEST, "response_type is missing")
    if response_type != "code":
        raise OAuthError(ErrorCode.UNSUPPORTED_RESPONSE_TYPE, "response_type must be code")


def check_scope(params: Params, client: Client) -> Scope:
    """RFC 6749 3.3, within what the recipient's registration allows."""
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
    """RFC 6749 4.1.2.1: nobody can sign in there now, and the recipient may send its customer later."""
    if provider.is_left_out:
        raise OAuthError(ErrorCode.TEMPORARILY_UNAVAILABLE, "The provider cannot be reached now")


def check_provider_id(params: Params, registry: Registry) -> DataProvider:
    provider_id = params.single("provider_id")
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
    """A cluster that the recipient cannot work without must be one that the provider has."""
    indispensable = requested_scope & client.needed_clusters
    if not indispensable <= provider.clusters:
        raise OAuthError(ErrorCode.INVALID_SCOPE, "This provider does not serve a cluster that is needed")


def check_code_challenge(params: Params, client: Client) -> str | None:
    """RFC 7636 4.3 and 4.4.1; `plain`, which is also what an absent method means, is refused."""
    challenge = params.single("code_challenge")
    method = params.single("code_challenge_method")
    if challenge is None and method is None:
        if client.pkce_required:
            raise OAuthError(ErrorCode.INVALID_REQUEST, "code_challenge is required for this client")
        return None
    if challenge is None or not pkce.is_challenge(challenge):
        raise OAuthError(ErrorCode.INVALID_REQUEST, "code_challenge must be 43 characters of base64url")
    if method != pkce.METHOD:
        raise OAuthError(ErrorCode.INVALID_REQUEST, "code_challenge_method must be S256")
    return challenge


def check_correlation_id(params: Params) -> str | None:
    correlation_id = find_correlation_id(params)
    if correlation_id is None and "correlation_id" in params.values:
        raise OAuthError(ErrorCode.INVALID_REQUEST, "correlation_id must be 1 to 128 of A-Z a-z 0-9 . _ -")
    return correlation_id


def find_correlation_id(params: Params) -> str | None:
    """The caller's correlation id, if it sent one that can stand in a header and in a log."""
    correlation_id = params.single("correlation_id")
    return correlation_id if correlation_id and _CORRELATION_ID.fullmatch(correlation_id) else None


def _is_state(text: str) -> bool:
    return len(text) <= LONGEST_STATE and _is_text(text)


def _is_text(text: str) -> bool:
    """Whether `text` came from valid UTF-8 and has no NUL."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:  # a lone surrogate stands where a byte was not UTF-8
        return False
    return "\x00" not in text
