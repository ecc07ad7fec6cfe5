"""The guard around a WSGI application: nothing reaches the application, or leaves it, that was not decided.

The application finds the Decision in its environ, so that it leaves accounts out before it counts and pages.
"""

import json
import re
import uuid
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import unquote

from werkzeug.test import run_wsgi_app
from werkzeug.wsgi import ClosingIterator

from examples.bank.fields import FieldFilter, NotAllowed
from examples.bank.guard import RETRY_AFTER, Decision, Guard

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

DECISION = "bank.decision"
LARGEST_JSON = 5_000_000  # bytes that are read and reduced
# FDX's codes, and what each says. An error of the application with one of them is passed on, in these words.
MESSAGES = {
    "500": "Internal server error",
    "503": "The service does not answer; try again later",
    "601": "Customer not found",
    "602": "Customer not authorized",
    "701": "Account not found",
    "702": "Invalid start or end date",
    "703": "Invalid date range",
    "704": "Account type not supported",
    "705": "Account is closed",
    "1107": "Data not found for request parameters",
    "1203": "Not acceptable",
    "1207": "Too many requests",
}
# All that the application learns of a request's headers. It never sees the token.
_PASSED_IN = {
    "HTTP_HOST",
    "HTTP_ACCEPT",
    "HTTP_ACCEPT_LANGUAGE",
    "HTTP_USER_AGENT",
    "HTTP_FDX_API_ACTOR_TYPE",
}
_PASSED_OUT = {"content-type", "content-disposition", "content-language", "retry-after"}
_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


class _Answer(NamedTuple):
    status: int
    headers: list[tuple[str, str]]
    body: Iterable[bytes]


class WsgiGuard:
    """`application` behind `guard`, both mounted where the API's address leads (SCRIPT_NAME)."""

    def __init__(
        self,
        application: "WSGIApplication",
        guard: Guard,
        fields: FieldFilter,
        *,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._application = application
        self._guard = guard
        self._fields = fields
        self._clock = clock

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        headers = [
            (name[5:].replace("_", "-"), text) for name, text in environ.items() if name[:5] == "HTTP_"
        ]
        decision = self._guard.decide(
            environ["REQUEST_METHOD"],
            _path_as_sent(environ),
            environ.get("QUERY_STRING", ""),
            headers,
            self._clock(),
        )
        answer = self._ask_application(environ, decision) if decision.allowed else _refusal(decision)
        interaction = environ.get("HTTP_X_FAPI_INTERACTION_ID", "")
        if _UUID.fullmatch(interaction) is None:
            interaction = str(uuid.uuid4())
        status = f"{answer.status} {HTTPStatus(answer.status).phrase}"
        always = [("Cache-Control", "no-store"), ("x-fapi-interaction-id", interaction)]
        start_response(status, [*answer.headers, *always])
        return answer.body

    def _ask_application(self, environ: "WSGIEnvironment", decision: Decision) -> _Answer:
        """The application's answer, reduced to what was decided."""
        told = {name: value for name, value in environ.items() if name[:5] != "HTTP_" or name in _PASSED_IN}
        found, status_line, all_headers = run_wsgi_app(self._application, {**told, DECISION: decision})
        status, parts = int(status_line[:3]), iter(found)
        close = getattr(found, "close", lambda: None)
        media_type = (all_headers.get("Content-Type") or "").partition(";")[0].strip().lower()
        is_json = media_type.endswith(("/json", "+json"))
        headers = [(name, value) for name, value in all_headers if name.lower() in _PASSED_OUT]
        if status == HTTPStatus.OK and not is_json and decision.fields == "whole":
            return _Answer(status, headers, ClosingIterator(parts, close))
        body = _read(parts) if is_json else None
        close()
        if body is None:  # what cannot be read cannot be reduced
            return _error(500, "500")
        try:
            answer = json.loads(body)
            if status != HTTPStatus.OK:
                return _application_error(status, answer, headers)
            reduced = self._fields.reduce(answer, decision)
            text = json.dumps(reduced, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()
        except (NotAllowed, ValueError, RecursionError):
            return _error(500, "500")
        return _Answer(status, [*headers, ("Content-Length", str(len(text)))], [text])


def _path_as_sent(environ: "WSGIEnvironment") -> str:
    """The path below the API's address, as it was sent; none where the application reads another."""
    sent = str(environ.get("RAW_URI") or environ.get("REQUEST_URI") or "").partition("?")[0]
    mount = environ.get("SCRIPT_NAME", "")
    if unquote(sent, "latin-1") != mount + environ.get("PATH_INFO", "") or not sent.startswith(mount):
        return ""
    return sent.removeprefix(mount)


def _read(parts: Iterator[bytes]) -> bytes | None:
    """All that the parts hold; None for more than may be reduced, of which no more is read."""
    body = bytearray()
    for part in parts:
        body += part
        if len(body) > LARGEST_JSON:
            return None
    return bytes(body)


def _refusal(decision: Decision) -> _Answer:
    headers = [("WWW-Authenticate", decision.www_authenticate)] if decision.www_authenticate else []
    if decision.status == HTTPStatus.SERVICE_UNAVAILABLE:
        headers.append(("Retry-After", str(RETRY_AFTER)))
    if decision.status == HTTPStatus.METHOD_NOT_ALLOWED:
        headers.append(("Allow", "GET"))
    return _error(decision.status, decision.fdx_code or "500", headers)


def _application_error(status: int, answer: object, headers: list[tuple[str, str]]) -> _Answer:
    """The application's refusal: its code, and no words of its own, which could differ by account."""
    code = str(answer.get("code")) if isinstance(answer, dict) else ""
    if status < HTTPStatus.BAD_REQUEST or code not in MESSAGES:
        return _error(500, "500")
    return _error(status, code, [header for header in headers if header[0].lower() == "retry-after"])


def _error(status: int, code: str, headers: Iterable[tuple[str, str]] = ()) -> _Answer:
    text = json.dumps({"code": code, "message": MESSAGES[code]}).encode()
    fixed = [("Content-Type", "application/json"), ("Content-Length", str(len(text)))]
    return _Answer(status, [*fixed, *headers], [text])
