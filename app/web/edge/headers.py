"""The headers of every response: security headers, the trace id and the correlation id."""

import secrets
from collections.abc import Iterable
from functools import lru_cache
from typing import Any, Final
from wsgiref.types import StartResponse, WSGIEnvironment

import structlog
from flask import Flask, Response

from app.domain.callback import has_private_scheme, origin_of
from app.domain.tokens import SecretUsed
from app.web.current import request_state
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
    ("X-Frame-Options", "DENY"),  # for browsers that do not know frame-ancestors
    ("Referrer-Policy", "same-origin"),  # no referrer leaves the site, and forms still send their Origin
    ("Cross-Origin-Resource-Policy", "same-origin"),
    ("Permissions-Policy", "camera=(), geolocation=(), microphone=(), payment=()"),
)
# The pages of an authorization request, from the recipient and back to it, errors included. The recipient may
# have opened them in a popup, to which it must keep access (docs/adr/0020). Other pages give no opener
# access.
_ON_THE_WAY: Final = ("/api/v1/authorize", "/sign-in/", "/sign-out", "/consent/")
_HTTPS_ONLY: Final = ("Strict-Transport-Security", "max-age=63072000; includeSubDomains")


def add_security_headers(app: WSGIApp, *, is_https: bool) -> WSGIApp:
    """Adds the security headers to every answer of `app`."""
    always = [*_ALWAYS, _HTTPS_ONLY] if is_https else list(_ALWAYS)

    def secured(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        def start(status: str, headers: list[tuple[str, str]], *error: Any) -> Any:
            is_on_the_way = environ.get("PATH_INFO", "").startswith(_ON_THE_WAY)  # as it was served
            opener = ("Cross-Origin-Opener-Policy", "unsafe-none" if is_on_the_way else "same-origin")
            return start_response(status, [*headers, *always, opener], *error)

        return app(environ, start)

    return secured


def init_app(app: Flask) -> None:
    """Adds the policy, the ids and the cache headers to every response of `app`, errors included."""

    @app.before_request
    def name_this_request() -> None:
        assign_trace_id()

    @app.after_request
    def complete(response: Response) -> Response:
        assign_trace_id()
        headers, state = response.headers, request_state()
        headers.add("Content-Security-Policy", _policy(state.policy_changes))
        headers.add("ob-trace-id", state.trace_id)
        if state.correlation_id is not None:
            headers.add("ob-correlation-id", state.correlation_id)
        if "Cache-Control" not in headers:
            headers.add("Cache-Control", "no-store")
        return language.add_content_language(response)


def assign_trace_id(trace_id: str | None = None) -> None:
    """Gives this HTTP request its trace id, once.

    It is called before and after a request, since Flask calls only the latter when routing has failed.
    """
    state = request_state()
    if not state.trace_id:
        state.trace_id = trace_id or secrets.token_hex(16)
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(trace_id=state.trace_id)


def set_correlation_id(correlation_id: str) -> None:
    """Adds the correlation id to this response and to the log lines of this request."""
    request_state().correlation_id = correlation_id
    structlog.contextvars.bind_contextvars(correlation_id=correlation_id)


def bind_parties(client_id: str | None, provider_id: str | None) -> None:
    """Adds the registered parties of this request to its log lines."""
    named = {"client_id": client_id, "provider_id": provider_id}
    structlog.contextvars.bind_contextvars(**{name: value for name, value in named.items() if value})


def bind_secret_used(used: SecretUsed) -> None:
    """Adds to the log lines of this request which of its two secrets the client has used."""
    structlog.contextvars.bind_contextvars(secret_used=used.value)


def allow_answer_to_leave(redirect_uri: str) -> None:
    """Lets the redirect that answers this page's form lead to `redirect_uri`.

    An app's own scheme needs no permission, since the page reaches it by a link. Loopback http is allowed by
    its exact origin; on IPv6 by its port alone, since a policy has no syntax for the address (CSP 3,
    host-source).
    """
    if has_private_scheme(redirect_uri):
        return
    if redirect_uri.startswith("http:"):
        allow_form_redirects_to("https:", origin_of(redirect_uri).replace("[::1]", "*"))
    else:
        allow_form_redirects_to("https:")


def allow_form_redirects_to(*sources: str) -> None:
    """Lets the redirect that answers this page's form lead to `sources` outside of the site.

    Chromium and WebKit apply form-action to redirects, too. The callback's own origin would not be enough,
    since a callback may redirect again: the caller allows https as a scheme.
    """
    set_directive("form-action", "'self'", *sources)


def set_directive(directive: str, *sources: str) -> None:
    """Replaces one directive of this response's Content-Security-Policy by `sources`."""
    state = request_state()
    state.policy_changes = (*state.policy_changes, (directive, " ".join(sources)))


@lru_cache(maxsize=128)
def _policy(changes: tuple[tuple[str, str], ...]) -> str:
    policy = {**_POLICY, **dict(changes)}
    return "; ".join(f"{name} {value}" for name, value in policy.items())
