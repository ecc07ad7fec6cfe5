"""What happens to a request before Flask routes it: doubled slashes, and the address behind a proxy."""

import re
from collections.abc import Callable, Collection, Iterable
from ipaddress import IPv4Network, IPv6Network, ip_address
from wsgiref.types import StartResponse, WSGIEnvironment

from werkzeug.middleware.proxy_fix import ProxyFix

IPNetwork = IPv4Network | IPv6Network
WSGIApp = Callable[[WSGIEnvironment, StartResponse], Iterable[bytes]]

PEER_IS_TRUSTED = "accord.peer_is_trusted"
"""In the environ of requests that a trusted proxy sent; no header can set it."""

_SLASHES = re.compile("/{2,}")


def collapse_slashes(app: WSGIApp) -> WSGIApp:
    """Serves `//api/v1/authorize` like `/api/v1/authorize`.

    Werkzeug would redirect instead, to a place that it builds from the Host header, query and all.
    """

    def collapsed(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        environ["PATH_INFO"] = _SLASHES.sub("/", environ.get("PATH_INFO", ""))
        return app(environ, start_response)

    return collapsed


def trust_proxies(app: WSGIApp, proxies: Collection[IPNetwork]) -> WSGIApp:
    """Takes the customer's address from X-Forwarded-For when the peer is in one of `proxies`, and never else.

    No other forwarded header means anything: scheme, host and issuer are settings.
    """
    behind_proxy = ProxyFix(app, x_for=1, x_proto=0, x_host=0, x_port=0, x_prefix=0)

    def addressed(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        trusted = is_within(environ.get("REMOTE_ADDR", ""), proxies)
        environ[PEER_IS_TRUSTED] = trusted
        return behind_proxy(environ, start_response) if trusted else app(environ, start_response)

    return addressed if proxies else app


def is_within(address: str, networks: Collection[IPNetwork]) -> bool:
    """Whether `address` is an IP address in one of `networks`."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return False
    return any(parsed in network for network in networks)
