"""Asks a bank's token endpoint for tokens, and reads its answer (RFC 6749 4.1.3, 4.4, 5)."""

from base64 import b64encode
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote_plus, urlencode

from app.outgoing.deadline import Deadline
from app.outgoing.http import HttpAnswer, exchange
from app.sign_in import Cause, SignInFailed
from app.sign_in.errors import known_error


def ask_for_tokens(
    address: str,
    fields: Mapping[str, str],
    *,
    client_id: str,
    client_secret: str,
    deadline: Deadline,
    takes_basic: bool = True,
) -> Mapping[str, Any]:
    """What the endpoint answers to `fields`. Raises SignInFailed, and CallFailed.

    The credentials are in the header if the server `takes_basic`, and otherwise in the body (2.3.1).
    """
    headers = {"Accept": "application/json", "Content-Type": "application/x-www-form-urlencoded"}
    if takes_basic:
        credentials = f"{quote_plus(client_id)}:{quote_plus(client_secret)}"  # form-encoded first (2.3.1)
        headers["Authorization"] = f"Basic {b64encode(credentials.encode()).decode()}"
    else:
        fields = {**fields, "client_id": client_id, "client_secret": client_secret}
    body = urlencode(fields).encode()
    return tokens_in(exchange("POST", address, deadline=deadline, headers=headers, body=body))


def tokens_in(answer: HttpAnswer) -> Mapping[str, Any]:
    """What a token endpoint answered, if it gave tokens (RFC 6749 5.1).

    Raises SignInFailed for an error, and CallFailed for a status that says neither. Of an error only its word
    is read, whatever shape the rest has (5.2). A member that is null is absent.
    """
    is_server_error = answer.status_code >= 500
    try:
        found = None if is_server_error else answer.json()
    except ValueError:
        found = None
    error = found.get("error") if isinstance(found, dict) else None
    if error is not None:
        cause = Cause.UNPROVEN if error == "invalid_grant" else Cause.UNAVAILABLE
        raise SignInFailed(cause, f"token_{known_error(error)}")
    answer.raise_for_status()
    if not isinstance(found, dict):
        raise SignInFailed(Cause.UNAVAILABLE, "token_answer")
    return found


def bearer_token(tokens: Mapping[str, Any]) -> str | None:
    """The bearer token in a token endpoint's answer; None for a token of another type, or without a token.

    A client must not use a token whose type it does not support (RFC 6749 7.1).
    """
    token, kind = tokens.get("access_token"), tokens.get("token_type")
    is_bearer = isinstance(kind, str) and kind.lower() == "bearer"
    return token if isinstance(token, str) and token and is_bearer else None
