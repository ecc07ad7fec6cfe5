"""The token endpoint's rules (RFC 6749 2.3, 4.1.3, 6) and what a token says (RFC 9068)."""

import hashlib
import hmac
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.clusters import DataCluster, Scope
from app.domain.errors import ErrorCode, OAuthError
from app.domain.params import Params
from app.domain.registry import Client, PreviousSecret, Registry, ResourceServer
from app.domain.tokens import (
    LONGEST_PARAMETER,
    TOKEN_PARAMETERS,
    ClientCredentials,
    RedemptionRequest,
    RefreshRequest,
    SecretUsed,
    access_token_claims,
    access_token_lifetime,
    authenticate_caller,
    authenticate_client,
    check_token_params,
    hash_secret,
    narrowed_scope,
    validate_token_request,
)
from tests.support.builders import BASIC, CALLBACK, EVERYTHING, NOON, VERIFIER, a_client, a_registry

SECRET = "budget-demo-secret"
REGISTRY = a_registry(
    a_client(),
    a_client(client_id="dc-suspended", is_suspended=True),
)
BASIC_AND_TRANSACTIONS = BASIC | {DataCluster.TRANSACTIONS}
FIVE_MINUTES = timedelta(minutes=5)


def authenticated(client_id: str, secret: str) -> Client:
    return authenticate_client(ClientCredentials(client_id, secret), REGISTRY, now=NOON)[0]


def refusal(params: list[tuple[str, str]]) -> tuple[ErrorCode, str]:
    with pytest.raises(OAuthError) as raised:
        validated(params)
    assert raised.value.return_to is None
    return raised.value.error, raised.value.description


def validated(params: list[tuple[str, str]]) -> object:
    check_token_params(Params.from_pairs(params), TOKEN_PARAMETERS)
    return validate_token_request(Params.from_pairs(params))


# Who asks


def test_the_right_secret_is_the_client() -> None:
    assert authenticated("dc-budget", SECRET) == a_client()


@pytest.mark.parametrize(
    ("client_id", "secret"),
    [
        ("dc-budget", "wrong"),
        ("dc-budget", ""),
        ("dc-budget", SECRET + " "),
        ("dc-budget", SECRET.upper()),
        ("dc-budget", hash_secret(SECRET)),
        ("dc-budget", "\udcff"),
        ("dc-unknown", SECRET),
        ("dc-unknown", "nobody"),
        ("", "nobody"),
        ("DC-BUDGET", SECRET),
        ("\udcff", SECRET),
        ("dc-suspended", SECRET),
    ],
)
def test_an_unknown_client_and_a_wrong_secret_are_refused_in_the_same_words(
    client_id: str, secret: str
) -> None:
    with pytest.raises(OAuthError) as raised:
        authenticated(client_id, secret)
    with pytest.raises(OAuthError) as without_any:
        authenticate_client(None, REGISTRY, now=NOON)
    assert raised.value.error is without_any.value.error is ErrorCode.INVALID_CLIENT
    assert raised.value.description == without_any.value.description == "Client authentication failed"


@pytest.mark.parametrize("client_id", ["dc-budget", "dc-unknown", "dc-suspended"])
def test_an_unknown_client_costs_the_same_comparison_as_a_wrong_secret(
    monkeypatch: pytest.MonkeyPatch, client_id: str
) -> None:
    compared: list[tuple[int, int]] = []

    def compare(first: str, second: str) -> bool:
        compared.append((len(first), len(second)))
        return first == second

    monkeypatch.setattr(hmac, "compare_digest", compare)
    with pytest.raises(OAuthError):
        authenticated(client_id, "wrong")
    assert compared == [(64, 64)] * 2  # the secret, and the one before it


def test_while_a_secret_is_replaced_both_count_and_it_is_said_which_was_used() -> None:
    until = NOON + timedelta(days=1)
    registry = a_registry(a_client(previous_secret=PreviousSecret(hash_secret("old"), until)))

    def used(secret: str, now: datetime) -> SecretUsed:
        return authenticate_client(ClientCredentials("dc-budget", secret), registry, now=now)[1]

    assert used(SECRET, NOON) is used(SECRET, until) is SecretUsed.CURRENT
    assert used("old", NOON) is used("old", until - timedelta(microseconds=1)) is SecretUsed.PREVIOUS
    with pytest.raises(OAuthError):
        used("old", until)
    with pytest.raises(OAuthError):
        used("nobody", NOON)


def test_a_resource_server_has_a_secret_before_its_own_too() -> None:
    server = ResourceServer(
        server_id="api",
        secret_hash=hash_secret("new"),
        audience="https://api.example",
        previous_secret=PreviousSecret(hash_secret("old"), NOON),
    )
    registry = Registry(clients={}, providers={}, resource_servers={"api": server})
    before = NOON - timedelta(seconds=1)
    assert authenticate_caller(ClientCredentials("api", "old"), registry, now=before) == (
        server,
        SecretUsed.PREVIOUS,
    )
    assert authenticate_caller(ClientCredentials("api", "new"), registry, now=NOON)[1] is SecretUsed.CURRENT
    with pytest.raises(OAuthError):
        authenticate_caller(ClientCredentials("api", "old"), registry, now=NOON)


def test_only_a_hash_of_a_secret_is_kept() -> None:
    assert hash_secret(SECRET) == hashlib.sha256(SECRET.encode()).hexdigest()
    assert hash_secret("é") == hashlib.sha256("é".encode()).hexdigest()


# For what


def test_a_code_is_redeemed_with_its_address_and_its_verifier_if_there_is_one() -> None:
    params = [("grant_type", "authorization_code"), ("code", "c"), ("redirect_uri", CALLBACK)]
    assert validated(params) == RedemptionRequest("c", CALLBACK, None)
    params.append(("code_verifier", VERIFIER))
    assert validated(params) == RedemptionRequest("c", CALLBACK, VERIFIER)


@pytest.mark.parametrize(
    ("scope", "asked"),
    [
        (None, None),
        ("ACCOUNT_BASIC", BASIC),
        ("TRANSACTIONS ACCOUNT_BASIC ACCOUNT_BASIC", BASIC_AND_TRANSACTIONS),
        (" ", frozenset()),
    ],
)
def test_a_refresh_may_ask_for_a_scope(scope: str | None, asked: Scope | None) -> None:
    params = [("grant_type", "refresh_token"), ("refresh_token", "r")]
    if scope is not None:
        params.append(("scope", scope))
    assert validated(params) == RefreshRequest("r", asked)


@pytest.mark.parametrize(
    ("params", "error", "description"),
    [
        ([], ErrorCode.INVALID_REQUEST, "grant_type is missing"),
        ([("grant_type", "password")], ErrorCode.UNSUPPORTED_GRANT_TYPE, "grant_type is not supported"),
        ([("grant_type", "implicit")], ErrorCode.UNSUPPORTED_GRANT_TYPE, "grant_type is not supported"),
        (
            [("grant_type", "Authorization_Code")],
            ErrorCode.UNSUPPORTED_GRANT_TYPE,
            "grant_type is not supported",
        ),
        ([("grant_type", "authorization_code")], ErrorCode.INVALID_REQUEST, "code is missing"),
        (
            [("grant_type", "authorization_code"), ("code", "c")],
            ErrorCode.INVALID_REQUEST,
            "redirect_uri is missing",
        ),
        ([("grant_type", "refresh_token")], ErrorCode.INVALID_REQUEST, "refresh_token is missing"),
        (
            [("grant_type", "refresh_token"), ("code", "c"), ("redirect_uri", CALLBACK)],
            ErrorCode.INVALID_REQUEST,
            "refresh_token is missing",
        ),
        (
            [("grant_type", "refresh_token"), ("refresh_token", "r"), ("scope", "openid")],
            ErrorCode.INVALID_SCOPE,
            "scope names an unknown data cluster",
        ),
        ([("grant_type", "client_credentials")], ErrorCode.INVALID_SCOPE, "scope must be client:admin"),
        (
            [("grant_type", "refresh_token"), ("grant_type", "refresh_token")],
            ErrorCode.INVALID_REQUEST,
            "A parameter is repeated",
        ),
        (
            [("client_secret", "a"), ("client_secret", "b")],
            ErrorCode.INVALID_REQUEST,
            "A parameter is repeated",
        ),
        ([("code", "\udcff")], ErrorCode.INVALID_REQUEST, "A parameter is not valid UTF-8 text"),
        ([("code", "a\x00")], ErrorCode.INVALID_REQUEST, "A parameter is not valid UTF-8 text"),
        ([("code", chr(0xD800))], ErrorCode.INVALID_REQUEST, "A parameter is not valid UTF-8 text"),
        (
            [("refresh_token", "r" * (LONGEST_PARAMETER + 1))],
            ErrorCode.INVALID_REQUEST,
            "A parameter is too long",
        ),
        ([("client_secret", "s" * 100_000)], ErrorCode.INVALID_REQUEST, "A parameter is too long"),
    ],
)
def test_a_token_request_with_a_fault_is_refused(
    params: list[tuple[str, str]], error: ErrorCode, description: str
) -> None:
    assert refusal(params) == (error, description)


def test_parameters_of_other_people_are_ignored_and_the_longest_allowed_is_allowed() -> None:
    unknown = [
        ("utm", "a"),
        ("utm", "x" * 100_000),
        ("utm", "\udcff"),
        ("\udcff", "\x00"),
        ("token", "\udcff"),
    ]
    check_token_params(Params.from_pairs([*unknown, ("code", "c" * LONGEST_PARAMETER)]), TOKEN_PARAMETERS)


# What a refresh may ask for


@pytest.mark.parametrize(
    ("asked", "scope"),
    [
        (None, BASIC_AND_TRANSACTIONS),
        (BASIC_AND_TRANSACTIONS, BASIC_AND_TRANSACTIONS),
        (BASIC, BASIC),
        (EVERYTHING, BASIC_AND_TRANSACTIONS),
        (frozenset({DataCluster.TRANSACTIONS, DataCluster.INVESTMENTS}), {DataCluster.TRANSACTIONS}),
    ],
)
def test_a_refreshed_scope_is_what_is_granted_of_what_is_asked_for(asked: Scope | None, scope: Scope) -> None:
    assert narrowed_scope(BASIC_AND_TRANSACTIONS, asked) == scope


@pytest.mark.parametrize("asked", [frozenset({DataCluster.INVESTMENTS}), frozenset()])
def test_a_refreshed_scope_is_never_empty(asked: Scope) -> None:
    with pytest.raises(OAuthError) as raised:
        narrowed_scope(BASIC_AND_TRANSACTIONS, asked)
    assert raised.value.error is ErrorCode.INVALID_SCOPE


# How long a token lives and what it says


@pytest.mark.parametrize(
    ("grant_ends_in", "lives"),
    [
        (timedelta(days=365), FIVE_MINUTES),
        (FIVE_MINUTES, FIVE_MINUTES),
        (timedelta(minutes=4, seconds=59), timedelta(minutes=4, seconds=59)),
        (timedelta(seconds=1), timedelta(seconds=1)),
    ],
)
def test_an_access_token_never_outlives_its_grant(grant_ends_in: timedelta, lives: timedelta) -> None:
    assert access_token_lifetime(FIVE_MINUTES, now=NOON, grant_expires_at=NOON + grant_ends_in) == lives


def claims(
    *, now_offset: timedelta = timedelta(0), lifetime: timedelta = FIVE_MINUTES
) -> dict[str, str | int]:
    return access_token_claims(
        issuer="https://consent.bank.example",
        audience="https://api.maple.example",
        subject="maple-0001",
        client_id="dc-budget",
        consent_id="consent-1",
        scope=BASIC_AND_TRANSACTIONS,
        token_id="token-1",
        now=NOON + now_offset,
        lifetime=lifetime,
    )


def test_an_access_token_has_the_claims_of_rfc_9068_and_the_consent_it_belongs_to() -> None:
    noon = int(NOON.timestamp())
    assert claims() == {
        "iss": "https://consent.bank.example",
        "aud": "https://api.maple.example",
        "sub": "maple-0001",
        "client_id": "dc-budget",
        "scope": "ACCOUNT_BASIC TRANSACTIONS",
        "consent_id": "consent-1",
        "fdxConsentId": "consent-1",
        "iat": noon,
        "exp": noon + 300,
        "jti": "token-1",
    }


@given(
    st.timedeltas(timedelta(0), timedelta(days=1)),
    st.timedeltas(timedelta(microseconds=1), timedelta(minutes=10)),
)
def test_no_fraction_of_a_second_carries_a_token_past_the_end_of_its_grant(
    now_offset: timedelta, grant_ends_in: timedelta
) -> None:
    now = NOON + now_offset
    ends_at = now + grant_ends_in
    lifetime = access_token_lifetime(FIVE_MINUTES, now=now, grant_expires_at=ends_at)
    made = claims(now_offset=now_offset, lifetime=lifetime)
    assert isinstance(made["exp"], int)
    assert made["exp"] <= ends_at.timestamp()
    assert made["iat"] == int(now.timestamp())
