"""Authenticates the client that calls a machine endpoint: by its secret (RFC 6749 2.3.1) or by a JWT that
it has signed (RFC 7523).

Credentials in a query are refused, since queries are written to logs.
"""

import binascii
from base64 import b64decode
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import unquote_to_bytes

import structlog
from flask import request

from app.domain.assertion import ASSERTION_TYPE, ClientAssertion, check_assertion, find_asserted_client
from app.domain.caller import Caller
from app.domain.errors import ErrorCode, OAuthError
from app.domain.jws import JwtRefused
from app.domain.params import Params
from app.domain.registry import Client, DataProvider, ResourceServer
from app.domain.tokens import ClientCredentials, authenticate_caller, authenticate_client
from app.web.current import services
from app.web.edge.headers import bind_parties, bind_secret_used
from app.web.edge.limits import wrong_secrets_counted
from app.web.machines.access_token import invalid_token
from app.web.machines.proof import read_proof

_NEVER_IN_A_QUERY = {
    "client_id",
    "client_secret",
    "client_assertion",
    "client_assertion_type",
    "access_token",
    "refresh_token",
    "token",
    "code",
}
_NOTHING_IN_THE_BODY = Params.from_pairs(())
_NOT_TOLD = "These credentials are of no bank that has registered notices"
_ONE_METHOD = "Use one method of client authentication"

_log = structlog.get_logger()


@contextmanager
def authenticating(params: Params, *, is_challenged: bool = False) -> Iterator[None]:
    """Counts a refusal of credentials inside the block by its address, and adds a challenge to it.

    RFC 6749 5.2 asks for a challenge where there was an Authorization header; with `is_challenged` there is
    one in any case. Raises Problem (429) after too many refusals, and StoreUnavailable.
    """
    is_wanted = is_challenged or "Authorization" in request.headers or "client_assertion" in params.values
    with wrong_secrets_counted():
        try:
            yield
        except OAuthError as error:
            if error.error is ErrorCode.INVALID_CLIENT and is_wanted:
                error.challenge = 'Basic realm="token"'
            raise


def read_caller(params: Params) -> Caller:
    """The client that calls, whose `uses` are still to be spent. Raises OAuthError.

    Call it inside `authenticating`.
    """
    credentials = _credentials(params)
    if isinstance(credentials, ClientAssertion):
        return _asserted(credentials)
    client, used = authenticate_client(credentials, services().registry, now=services().clock())
    bind_secret_used(used)
    return Caller(client)


def with_proof(caller: Caller) -> Caller:
    """The caller with the key that its request proves to hold, if it shows a proof. Raises OAuthError."""
    proof = read_proof()
    return caller if proof is None else caller.with_proof(proof)


def authenticated_client(params: Params) -> Client:
    """The client that calls. Raises OAuthError, Problem (429), StoreUnavailable."""
    with authenticating(params):
        return _spent(read_caller(params))


def authenticated_asker(params: Params) -> Client | ResourceServer:
    """The client or resource server that introspects. Raises what `authenticated_client` does."""
    with authenticating(params, is_challenged=True):  # RFC 7662 2.3
        credentials = _credentials(params)
        if isinstance(credentials, ClientAssertion):
            return _spent(_asserted(credentials))
        asker, used = authenticate_caller(credentials, services().registry, now=services().clock())
        bind_secret_used(used)
        return asker


def has_basic_credentials() -> bool:
    """Whether the request names its caller by a secret in a Basic header, and presents no token."""
    return request.headers.get("Authorization", "").partition(" ")[0].lower() == "basic"


def authenticated_bank() -> DataProvider:
    """The bank with registered notices whose API calls, with its secret in a Basic header.

    Raises OAuthError for every other caller (a recipient must present a token), Problem (429), and
    StoreUnavailable.
    """
    with authenticating(_NOTHING_IN_THE_BODY, is_challenged=True):
        credentials = _credentials(_NOTHING_IN_THE_BODY)
        secret = credentials if isinstance(credentials, ClientCredentials) else None
        asker, used = authenticate_caller(secret, services().registry, now=services().clock())
        bind_secret_used(used)
    if isinstance(asker, Client):
        raise invalid_token()
    bank = services().registry.find_bank_with_notices(asker)
    if bank is None:
        raise OAuthError(ErrorCode.UNAUTHORIZED_CLIENT, _NOT_TOLD)
    bind_parties(None, bank.provider_id)
    return bank


def _spent(caller: Caller) -> Client:
    services().once.spend(caller.uses, now=services().clock())
    return caller.client


def _asserted(sent: ClientAssertion) -> Caller:
    """RFC 7521 4.2.1: whatever is wrong with an assertion, the answer is the same; the log has the reason."""
    try:
        use = check_assertion(
            sent,
            issuer=services().settings.issuer,
            find_key=services().recipient_keys.find,
            now=services().clock(),
        )
    except JwtRefused as refused:
        _log.info("assertion_refused", reason=refused.reason, outcome="invalid_client")
        raise OAuthError(ErrorCode.INVALID_CLIENT, "Client authentication failed") from None
    return Caller(services().registry.clients[use.names[0]], (use,))


def _credentials(params: Params) -> ClientCredentials | ClientAssertion | None:
    """RFC 6749 2.3: the credentials of the one method that was used; None without any. Raises OAuthError."""
    if _NEVER_IN_A_QUERY & request.args.keys():
        raise OAuthError(ErrorCode.INVALID_REQUEST, "Credentials do not belong in the query")
    assertion = params.single("client_assertion")
    credentials = _secret(params) if assertion is None else _assertion(params, assertion)
    named = credentials.client_id if credentials is not None else None
    if isinstance(credentials, ClientAssertion):
        named = find_asserted_client(credentials.assertion)
    if named in services().registry.clients:
        bind_parties(named, None)
    return credentials


def _assertion(params: Params, assertion: str) -> ClientAssertion:
    """RFC 7521 4.2."""
    if "Authorization" in request.headers or params.single("client_secret") is not None:
        raise OAuthError(ErrorCode.INVALID_REQUEST, _ONE_METHOD)
    if params.single("client_assertion_type") != ASSERTION_TYPE:
        raise OAuthError(ErrorCode.INVALID_REQUEST, f"client_assertion_type must be {ASSERTION_TYPE}")
    return ClientAssertion(params.single("client_id"), assertion)


def _secret(params: Params) -> ClientCredentials | None:
    """RFC 6749 2.3.1: a secret in a Basic header or in the body, not in both."""
    header = request.headers.get("Authorization")
    client_id, client_secret = params.single("client_id"), params.single("client_secret")
    if header is None:
        if client_id is None or client_secret is None:
            return None
        return ClientCredentials(client_id, client_secret)
    if client_secret is not None:
        raise OAuthError(ErrorCode.INVALID_REQUEST, _ONE_METHOD)
    credentials = _basic(header)
    if credentials is not None and client_id not in (None, credentials.client_id):
        raise OAuthError(ErrorCode.INVALID_REQUEST, "client_id differs from the authenticated client")
    return credentials


def _basic(header: str) -> ClientCredentials | None:
    """The credentials of a Basic header, which are form-urlencoded (RFC 6749 2.3.1); None if malformed."""
    scheme, _, encoded = header.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        name, colon, secret = b64decode(encoded.strip(), validate=True).partition(b":")
        if not colon:
            return None
        return ClientCredentials(_form_decoded(name), _form_decoded(secret))
    except (binascii.Error, ValueError):
        return None


def _form_decoded(text: bytes) -> str:
    return unquote_to_bytes(text.replace(b"+", b" ")).decode("utf-8")
