"""gunicorn's thread worker, with answers of our own to requests that never reach the application.

gunicorn's own answer would quote the request, whose line may carry a code or a state, and would lack the
headers of all other answers; no setting changes that. How connections are accepted and closed is left to
gunicorn: slow clients wait in nginx (docs/adr/0026-overload-ends-in-nginx.md).

`handle_error` and `write_nonblock` are not documented, so pyproject.toml bounds gunicorn's version, and
tests/test_private_names.py names them.
"""

import socket
import traceback
import uuid
from http import HTTPStatus
from typing import Any

from gunicorn.http.errors import (  # type: ignore[attr-defined]  # two are younger than the stubs
    ConfigurationProblem,
    ExpectationFailed,
    ForbiddenProxyRequest,
    InvalidResponseHeader,
    InvalidResponseHeaderName,
    LimitRequestHeaders,
    LimitRequestLine,
    ParseException,
    UnsupportedTransferCoding,
)
from gunicorn.util import write_nonblock
from gunicorn.workers.gthread import ThreadWorker

# The statuses are those that gunicorn answers for itself. Whatever else it cannot parse is 400.
_STATUS_OF: dict[type[BaseException], HTTPStatus] = {
    LimitRequestLine: HTTPStatus.REQUEST_URI_TOO_LONG,
    LimitRequestHeaders: HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
    ExpectationFailed: HTTPStatus.EXPECTATION_FAILED,
    UnsupportedTransferCoding: HTTPStatus.NOT_IMPLEMENTED,
    ForbiddenProxyRequest: HTTPStatus.FORBIDDEN,
    # These three are faults of this server, not of the request.
    ConfigurationProblem: HTTPStatus.INTERNAL_SERVER_ERROR,
    InvalidResponseHeader: HTTPStatus.INTERNAL_SERVER_ERROR,
    InvalidResponseHeaderName: HTTPStatus.INTERNAL_SERVER_ERROR,
}

_ANSWER = """\
HTTP/1.1 {status} {reason}\r
Content-Type: text/plain; charset=utf-8\r
Content-Length: {length}\r
Cache-Control: no-store\r
Content-Security-Policy: default-src 'none'; frame-ancestors 'none'\r
X-Content-Type-Options: nosniff\r
Referrer-Policy: same-origin\r
Cross-Origin-Resource-Policy: same-origin\r
ob-trace-id: {trace_id}\r
Connection: close\r
\r
{text}"""


class QuietWorker(ThreadWorker):
    """A gthread worker whose answers and log lines quote nothing of a request that it refuses."""

    def handle_error(self, req: Any, client: socket.socket, addr: Any, exc: BaseException) -> None:
        """Answers a request that never reached the application, or that ended in an exception there.

        gunicorn calls this in the thread of the request; it closes the connection afterwards. The answer is
        plain text with a reference, which is in the log too.
        """
        otherwise = (
            HTTPStatus.BAD_REQUEST if isinstance(exc, ParseException) else HTTPStatus.INTERNAL_SERVER_ERROR
        )
        status = _STATUS_OF.get(type(exc), otherwise)
        trace_id = str(uuid.uuid4())
        # File names and line numbers are safe to log. The exception's text may quote the request.
        frames = traceback.extract_tb(exc.__traceback__) if status >= HTTPStatus.INTERNAL_SERVER_ERROR else []
        places = ", ".join(f"{frame.filename}:{frame.lineno}" for frame in frames)
        self.log.warning("answered %d: %s %s ob-trace-id=%s", status, type(exc).__name__, places, trace_id)
        text = f"{status} {status.phrase}\nReference / Référence : {trace_id}\n"
        answer = _ANSWER.format(
            status=status.value, reason=status.phrase, length=len(text.encode()), trace_id=trace_id, text=text
        )
        try:
            write_nonblock(client, answer.encode())
        except OSError:
            self.log.debug("the peer of an unreadable request has gone")
