"""Reads the parameters in the body of a request to a machine endpoint."""

import json
from collections.abc import Collection
from typing import Any

from flask import request

from app.domain.errors import ErrorCode, OAuthError, UnreadableRequest
from app.domain.params import MOST_PARAMETERS, Params, parse_params
from app.domain.tokens import check_token_params


def read_body(known: Collection[str]) -> Params:
    """The parameters of the body, which is a form, or a JSON object with strings. Raises OAuthError.

    Only the `known` parameters are checked (RFC 6749 3.2).
    """
    is_json = request.mimetype == "application/json"
    params = _json_params(request.get_data(), known) if is_json else _form_params()
    check_token_params(params, known)
    return params


def read_form(known: Collection[str]) -> Params:
    """The parameters of a body that is a form and nothing else (RFC 9126 2.1). Raises OAuthError."""
    if not _is_form():
        raise OAuthError(ErrorCode.INVALID_REQUEST, "The body must be a form")
    params = _form_params()
    check_token_params(params, known)
    return params


def read_json() -> Any:
    """The body, which must be JSON (RFC 8259), whatever is in it. Raises OAuthError."""
    if request.mimetype != "application/json":
        raise OAuthError(ErrorCode.INVALID_REQUEST, "The body must be JSON")
    try:
        return json.loads(request.get_data().decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise OAuthError(ErrorCode.INVALID_REQUEST, "The body is not JSON") from error


def _is_form() -> bool:
    return request.mimetype == "application/x-www-form-urlencoded"


def _form_params() -> Params:
    if not _is_form():
        raise OAuthError(ErrorCode.INVALID_REQUEST, "The body must be a form or JSON")
    try:
        return parse_params(request.get_data())
    except UnreadableRequest as error:
        raise OAuthError(error.error, error.description) from error


def _json_params(body: bytes, known: Collection[str]) -> Params:
    try:
        # int() refuses numbers with thousands of digits, which may be values of unknown parameters.
        members: list[tuple[str, Any]] = json.loads(
            body.decode("utf-8"), object_pairs_hook=_Members, parse_int=float
        )
    except (ValueError, RecursionError) as error:
        raise OAuthError(ErrorCode.INVALID_REQUEST, "The body is not JSON") from error
    if not isinstance(members, _Members):
        raise OAuthError(ErrorCode.INVALID_REQUEST, "The body is not a JSON object")
    if len(members) > MOST_PARAMETERS:
        raise OAuthError(ErrorCode.INVALID_REQUEST, "The request has too many parameters")
    found = [(name, value) for name, value in members if name in known and value is not None]
    if not all(isinstance(value, str) for _, value in found):
        raise OAuthError(ErrorCode.INVALID_REQUEST, "The values must be strings")
    return Params.from_pairs((name, value) for name, value in found if value)


class _Members(list[tuple[str, Any]]):
    """The members of a JSON object, with repeated names."""
