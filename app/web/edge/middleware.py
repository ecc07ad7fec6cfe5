"""What happens to a request before Flask routes it: how it is written, how long it is, and the address behind
a proxy.
"""

import re
from collections.abc import Callable, Collection, Iterable
from io import BytesIO
from wsgiref.types import StartResponse, WSGIEnvironment

import structlog

from app.web.edge.addresses import IPNetwork, forwarded_for, is_within, peer_of

WSGIApp = Callable[[WSGIEnvironment, StartResponse], Iterable[bytes]]

PEER_IS_TRUSTED = "accord.peer_is_trusted"
"""In the environ of requests that a trusted proxy sent; no header can set it."""

_log = structlog.get_logger()

_SLASHES = re.compile("/{2,}")
_NOT_ASCII = re.compile("[^\x00-\x7f]")


def normalize(app: WSGIApp) -> WSGIApp:
    """Serves `//api/v1/authorize` like `/api/v1/authorize`, and a host however its name is written.

    Werkzeug would redirect instead, to a place that it builds from the Host header, query and all; and it
    tells capital letters from small ones, which no name does (RFC 9110 4.2.3). Bytes of a query that should
    have been percent-encoded are encoded here: where they are not UTF-8, Werkzeug reads none of the query.
    """

    def normalized(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        environ["PATH_INFO"] = _SLASHES.sub("/", environ.get("PATH_INFO", ""))
        if not environ.get("QUERY_STRING", "").isascii():
            environ["QUERY_STRING"] = _NOT_ASCII.sub(_percent_encoded, environ["QUERY_STRING"])
        if "HTTP_HOST" in environ:
            environ["HTTP_HOST"] = environ["HTTP_HOST"].lower()
        return app(environ, start_response)

    return normalized


def _percent_encoded(byte: re.Match[str]) -> str:
    """One byte, which stands for itself in a WSGI environ (PEP 3333)."""
    return f"%{ord(byte[0]):02X}"


def measure_bodies(app: WSGIApp, *, most: int) -> WSGIApp:
    """Gives a body that comes in chunks its length, as far as `most` bytes and one more.

    Werkzeug refuses a body whose length is too much. One of no length it would cut off there, without a
    word: a consent could be on record without a box that was checked.
    """

    def measured(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if environ.pop("HTTP_TRANSFER_ENCODING", None) is not None:
            body = environ["wsgi.input"].read(most + 1)
            environ["wsgi.input"], environ["CONTENT_LENGTH"] = BytesIO(body), str(len(body))
        return app(environ, start_response)

    return measured


def trust_proxies(app: WSGIApp, proxies: Collection[IPNetwork]) -> WSGIApp:
    """Takes the customer's address from X-Forwarded-For when the peer is in one of `proxies`, and never else.

    No other forwarded header means anything: scheme, host and issuer are settings.
    """

    def addressed(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        peer = peer_of(environ.get("REMOTE_ADDR"))
        environ[PEER_IS_TRUSTED] = is_within(peer, proxies)
        if environ[PEER_IS_TRUSTED]:
            header = environ.get("HTTP_X_FORWARDED_FOR", "")
            address, is_readable = forwarded_for(peer, header, proxies)
            environ["REMOTE_ADDR"] = str(address)
            if not is_readable:
                _log.warning("forwarded_for_unreadable", outcome="counted as the nearest proxy's")
        return app(environ, start_response)

    return addressed if proxies else app


def for_any_host(app: WSGIApp, paths: Collection[str], host: str) -> WSGIApp:
    """Serves `paths` whatever host a request names, as if it were `host`: orchestrators ask by address."""

    def hosted(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if environ.get("PATH_INFO") in paths:
            environ["HTTP_HOST"] = host
        return app(environ, start_response)

    return hosted
