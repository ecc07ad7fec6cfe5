"""What every response carries: security headers, trace and correlation ids."""

import secrets
from collections.abc import Iterable
from functools import lru_cache
from typing import Any, Final
from wsgiref.types import StartResponse, WSGIEnvironment

import structlog
from flask import Flask, Response, g

from app.domain.tokens import SecretUsed
from app.web.edge import language
from app.web.edge.middleware import WSGIApp

_POLICY: Final = {
    "default-src": "'none'",
    "style-src": "'self'",
    "script-src": "'self'",
    "img-src": "'self'",
    "connect-src": "'self'",
    "form-action": "'self'",
    "frame-ancestors": "'none'",
    "base-uri": "'none'",
    "object-src": "'none'",
}
_ALWAYS: Final = (
    ("X-Content-Type-Options", "nosniff"),
    ("X-Frame-Options", "DENY"),  # for what does not know frame-ancestors
    ("Referrer-Policy", "same-origin"),  # nothing leaves the site, and forms still pass Origin checks
    ("Cross-Origin-Resource-Policy", "same-origin"),
    ("Permissions-Policy", "camera=(), geolocation=(), microphone=(), payment=()"),
)
# Where a request for consent leads, from the recipient and back to it, errors included. A recipient may have
# opened it in a window, which must stay its own (docs/adr/0020); nothing else is an opener's business.
_ON_THE_WAY: Final = ("/api/v1/authorize", "/sign-in/", "/sign-out", "/consent/")
_HTTPS_ONLY: Final = ("Strict-Transport-Security", "max-age=63072000; includeSubDomains")


def secure(app: WSGIApp, *, is_https: bool) -> WSGIApp:
    """`app`, with the security headers that every answer has, or every one of its address."""
    always = [*_ALWAYS, _HTTPS_ONLY] if is_https else list(_ALWAYS)

    def secured(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        def start(status: str, headers: list[tuple[str, str]], *error: Any) -> Any:
            is_on_the_way = environ.get("PATH_INFO", "").startswith(_ON_THE_WAY)  # as it was served
            opener = ("Cross-Origin-Opener-Policy", "unsafe-none" if is_on_the_way else "same-origin")
            return start_response(status, [*headers, *always, opener], *error)

        return app(environ, start)

    return secured


def init_app(app: Flask) -> None:
    """Makes every response of `app`, errors and static files included, carry what is its own."""

    @app.before_request
    def name_this_request() -> None:
        name_request()

    @app.after_request
    def complete(response: Response) -> Response:
        name_request()
        headers = response.headers
        headers.add("Content-Security-Policy", _policy(g.get("policy_changes")))
        headers.add("ob-trace-id", g.trace_id)
        correlation_id = g.get("correlation_id")
        if correlation_id is not None:
            headers.add("ob-correlation-id", correlation_id)
        if "Cache-Control" not in headers:
            headers.add("Cache-Control", "no-store")
        return language.announce(response)


def name_request(trace_id: str | None = None) -> None:
    """Gives this HTTP request its trace id, once; before routing has failed as well as after."""
    if "trace_id" not in g:
        g.trace_id = trace_id or secrets.token_hex(16)
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(trace_id=g.trace_id)


def correlate(correlation_id: str) -> None:
    """Marks this response, and its log lines, as part of a flow."""
    g.correlation_id = correlation_id
    structlog.contextvars.bind_contextvars(correlation_id=correlation_id)


def name_parties(client_id: str | None, provider_id: str | None) -> None:
    """Names, in the log lines of this request, whom of the registered it is about."""
    named = {"client_id": client_id, "provider_id": provider_id}
    structlog.contextvars.bind_contextvars(**{name: value for name, value in named.items() if value})


def name_secret(used: SecretUsed) -> None:
    """Says, in the log lines of this request, which of its secrets the caller has presented."""
    structlog.contextvars.bind_contextvars(secret_used=used.value)


def allow_form_to_end_at(*sources: str) -> None:
    """Lets the redirect after this page's form leave the site.

    Chromium and WebKit apply form-action to redirects too. Naming the callback's own origin would still
    break a callback that redirects onward, so https is allowed as a scheme.
    """
    allow("form-action", "'self'", *sources)


def allow(directive: str, *sources: str) -> None:
    """Changes one directive of this response's policy."""
    changes: tuple[tuple[str, str], ...] = g.get("policy_changes", ())
    g.policy_changes = (*changes, (directive, " ".join(sources)))


@lru_cache(maxsize=128)
def _policy(changes: tuple[tuple[str, str], ...] | None) -> str:
    policy = {**_POLICY, **dict(changes or ())}
    return "; ".join(f"{name} {value}" for name, value in policy.items())
