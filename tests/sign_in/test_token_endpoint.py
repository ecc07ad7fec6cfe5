"""What is sent to a token endpoint, and which of its answers are tokens."""

from base64 import b64decode
from datetime import timedelta
from typing import Any

import pytest

from app.outgoing import CallFailed
from app.outgoing.deadline import Deadline
from app.outgoing.http import HttpAnswer
from app.sign_in import Cause, SignInFailed
from app.sign_in.token_endpoint import ask_for_tokens, bearer_token, tokens_in
from tests.support.oidc_server import TOKEN, OidcServer


@pytest.mark.parametrize("takes_basic", [True, False])
def test_the_credentials_are_in_the_header_or_in_the_body(bank: OidcServer, takes_basic: bool) -> None:
    with pytest.raises(SignInFailed, match="token_invalid_client"):
        ask_for_tokens(
            f"{bank.issuer}{TOKEN}",
            {"grant_type": "client_credentials", "scope": "a b"},
            client_id="id:é",
            client_secret="a secret%",
            takes_basic=takes_basic,
            deadline=Deadline.after(timedelta(seconds=5)),
        )
    ((authorization, body),) = bank.token_requests
    if takes_basic:
        assert b64decode(authorization.removeprefix("Basic ")) == b"id%3A%C3%A9:a+secret%25"
        assert body == {"grant_type": "client_credentials", "scope": "a b"}
    else:
        assert authorization == ""
        assert (body["client_id"], body["client_secret"]) == ("id:é", "a secret%")


def test_tokens_are_what_a_successful_answer_holds() -> None:
    assert tokens_in(HttpAnswer(200, b'{"id_token": "t", "error": null}')) == {"id_token": "t", "error": None}


@pytest.mark.parametrize(
    ("status", "body", "cause", "detail"),
    [
        (400, b'{"error": "invalid_grant"}', Cause.UNPROVEN, "token_invalid_grant"),
        (200, b'{"error": "invalid_grant"}', Cause.UNPROVEN, "token_invalid_grant"),
        (401, b'{"error": "invalid_client"}', Cause.UNAVAILABLE, "token_invalid_client"),
        (400, b'{"error": ["invalid_grant"]}', Cause.UNAVAILABLE, "token_unknown_error"),
        (200, b"[]", Cause.UNAVAILABLE, "token_answer"),
        (200, b"[" * 100_000, Cause.UNAVAILABLE, "token_answer"),
    ],
)
def test_any_other_answer_of_the_token_endpoint_signs_nobody_in(
    status: int, body: bytes, cause: Cause, detail: str
) -> None:
    with pytest.raises(SignInFailed) as raised:
        tokens_in(HttpAnswer(status, body))
    assert (raised.value.cause, raised.value.detail) == (cause, detail)


@pytest.mark.parametrize(
    ("status", "body"), [(400, b"no JSON"), (302, b"{}"), (500, b'{"error": "invalid_grant"}')]
)
def test_a_status_without_a_word_is_a_call_that_failed(status: int, body: bytes) -> None:
    with pytest.raises(CallFailed, match=f"status_{status}"):
        tokens_in(HttpAnswer(status, body))


@pytest.mark.parametrize(
    ("tokens", "found"),
    [
        ({"access_token": "a", "token_type": "Bearer"}, "a"),
        ({"access_token": "a", "token_type": "bearer"}, "a"),
        ({"access_token": "a", "token_type": "DPoP"}, None),
        ({"access_token": "a", "token_type": 5}, None),
        ({"access_token": "a"}, None),
        ({"access_token": "", "token_type": "Bearer"}, None),
        ({"access_token": 5, "token_type": "Bearer"}, None),
        ({"token_type": "Bearer"}, None),
    ],
)
def test_only_a_bearer_token_may_be_sent_as_it_is(tokens: dict[str, Any], found: str | None) -> None:
    assert bearer_token(tokens) == found
