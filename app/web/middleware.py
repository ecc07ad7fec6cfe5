"""What happens to a request before Flask routes it: doubled slashes, and the address behind a proxy."""

import re
from collections.abc import Callable, Collection, Iterable
from wsgiref.types import StartResponse, WSGIEnvironment

from werkzeug.middleware.proxy_fix import ProxyFix

WSGIApp = Callable[[WSGIEnvironment, StartResponse], Iterable[bytes]]

_SLASHES = re.compile("/{2,}")


def collapse_slashes(app: WSGIApp) -> WSGIApp:
    """Serves `//api/v1/authorize` like `/api/v1/authorize`.

    Werkzeug would redirect instead, to a place that it builds from the Host header, query and all.
    """

    def collapsed(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        environ["PATH_INFO"] = _SLASHES.sub("/", environ.get("PATH_INFO", ""))
        return app(environ, start_response)

    return collapsed


def trust_proxies(app: WSGIApp, proxies: Collection[str]) -> WSGIApp:
    """Takes the customer's address from X-Forwarded-For when the peer is one of `proxies`, and never else.

    No other forwarded header means anything: scheme, host and issuer are settings.
    """
    behind_proxy = ProxyFix(app, x_for=1, x_proto=0, x_host=0, x_port=0, x_prefix=0)

    def addressed(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        is_trusted = environ.get("REMOTE_ADDR", "") in proxies
        return behind_proxy(environ, start_response) if is_trusted else app(environ, start_response)

    return addressed
