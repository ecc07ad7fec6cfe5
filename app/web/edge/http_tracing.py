"""Makes a span for each HTTP request, in the trace that the answer's `ob-trace-id` names."""

import re
from typing import TYPE_CHECKING

from flask import Flask, Response, request
from structlog.contextvars import get_contextvars

from app.web.current import request_state
from app.web.edge.headers import assign_trace_id
from app.web.edge.middleware import PEER_IS_TRUSTED

if TYPE_CHECKING:
    from app.tracing import Tracing  # needs the extra

# W3C Trace Context, 3.2: version, trace, parent, flags.
_TRACEPARENT = re.compile(r"00-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-[0-9a-f]{2}", re.ASCII)


def init_app(app: Flask, tracing: "Tracing") -> None:
    @app.before_request
    def begin() -> None:
        parent = _parent()
        assign_trace_id(parent[1] if parent else None)
        state = request_state()
        state.open_span = tracing.request(state.trace_id, parent[2] if parent else None)
        state.span = state.open_span.__enter__()

    @app.after_request
    def describe(response: Response) -> Response:
        span = request_state().span
        if span is not None:
            route = "none" if request.url_rule is None else request.url_rule.rule
            span.update_name(route)
            span.set_attribute("http.route", route)
            span.set_attribute("http.response.status_code", response.status_code)
            for name in ("client_id", "provider_id"):
                if name in (known := get_contextvars()):
                    span.set_attribute(f"accord.{name}", known[name])
        return response

    @app.teardown_request
    def end(_: BaseException | None) -> None:
        state = request_state()
        if state.open_span is not None:
            state.open_span.__exit__(None, None, None)
            state.open_span = None


def _parent() -> re.Match[str] | None:
    """The caller's `traceparent`, which is used only where a trusted proxy has sent it."""
    if not request.environ.get(PEER_IS_TRUSTED):
        return None
    return _TRACEPARENT.fullmatch(request.headers.get("traceparent", ""))
