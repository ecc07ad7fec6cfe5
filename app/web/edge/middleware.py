"""WSGI middleware that prepares a request for Flask: its path, its body's length, the client's address."""

import re
from collections.abc import Callable, Collection, Iterable
from io import BytesIO
from wsgiref.types import StartResponse, WSGIEnvironment

import structlog

from app.web.edge.addresses import IPNetwork, forwarded_for, is_within, peer_of

WSGIApp = Callable[[WSGIEnvironment, StartResponse], Iterable[bytes]]

PEER_IS_TRUSTED = "accord.peer_is_trusted"
"""The key in the WSGI environment for whether a trusted proxy sent the request; no header can set it."""

_log = structlog.get_logger()

_SLASHES = re.compile("/{2,}")
_NOT_ASCII = re.compile("[^\x00-\x7f]")


def normalize(app: WSGIApp) -> WSGIApp:
    """Merges repeated slashes of the path, percent-encodes raw bytes of the query, lowers the Host.

    For `//api/v1/authorize` Werkzeug would redirect, to an address that it builds from the Host header. It
    would ignore a whole query with bytes that are not UTF-8. And it compares host names with their case,
    which has no meaning (RFC 9110 4.2.3).
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
    """One byte, percent-encoded. A WSGI environment has each byte as one character (PEP 3333)."""
    return f"%{ord(byte[0]):02X}"


def limit_chunked_bodies(app: WSGIApp, *, most: int) -> WSGIApp:
    """Reads a chunked body up to `most` + 1 bytes, and sets its length.

    Werkzeug refuses a body whose Content-Length is too large. A body without one it would silently truncate,
    so that a decision could be recorded without a box that the customer checked.
    """

    def measured(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if environ.pop("HTTP_TRANSFER_ENCODING", None) is not None:
            body = environ["wsgi.input"].read(most + 1)
            environ["wsgi.input"], environ["CONTENT_LENGTH"] = BytesIO(body), str(len(body))
        return app(environ, start_response)

    return measured


def trust_proxies(app: WSGIApp, proxies: Collection[IPNetwork]) -> WSGIApp:
    """Takes the client's address from X-Forwarded-For, only where the peer is in one of `proxies`.

    Other forwarded headers are ignored: scheme, host and issuer are settings.
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


def accept_any_host(app: WSGIApp, paths: Collection[str], host: str) -> WSGIApp:
    """Accepts any Host header for `paths`, since health checks use a machine's address instead of `host`."""

    def hosted(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if environ.get("PATH_INFO") in paths:
            environ["HTTP_HOST"] = host
        return app(environ, start_response)

    return hosted
