"""A recipient's request for its notices (RFC 8936 2.2): how many it wants, has taken, and refuses."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from app.domain.errors import ErrorCode, OAuthError
from app.domain.notices import is_error_code

MOST_GIVEN: Final = 100
"""Notices in one answer, some 150 kB: a judgement."""
MOST_SETTLED: Final = 1000
"""Notices that one request acknowledges or refuses: ten answers' worth."""


@dataclass(frozen=True, slots=True)
class Poll:
    """`most` are how many notices may come back; `taken` and `refused` (with its `err`) are by their jti."""

    most: int = MOST_GIVEN
    taken: frozenset[str] = frozenset()
    refused: Mapping[str, str] = field(default_factory=dict)


def parse_poll(document: Any) -> Poll:
    """The request in a JSON `document`. Raises OAuthError for what is not of its shape.

    `returnImmediately` may say anything: an answer never waits for a notice. What is unknown is ignored, and
    so is the `description` of an error, which is for people.
    """
    if not isinstance(document, dict):
        raise _malformed("The body is not a JSON object")
    most = document.get("maxEvents", MOST_GIVEN)
    if isinstance(most, bool) or not isinstance(most, int) or most < 0:
        raise _malformed("maxEvents must be a number of events")
    taken = document.get("ack", [])
    if not isinstance(taken, list) or not all(isinstance(jti, str) for jti in taken):
        raise _malformed("ack must be an array of jti")
    refused = _errors(document.get("setErrs", {}))
    if len(taken) + len(refused) > MOST_SETTLED:
        raise _malformed("ack and setErrs name too many events")
    return Poll(min(most, MOST_GIVEN), frozenset(taken), refused)


def _errors(errors: Any) -> dict[str, str]:
    if not isinstance(errors, dict):
        raise _malformed("setErrs must be an object")
    found: dict[str, str] = {}
    for jti, error in errors.items():
        err = error.get("err") if isinstance(error, dict) else None
        if not is_error_code(err):
            raise _malformed("setErrs must have an err for each jti")
        found[jti] = err
    return found


def _malformed(description: str) -> OAuthError:
    return OAuthError(ErrorCode.INVALID_REQUEST, description)
