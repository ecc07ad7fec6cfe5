"""The redirect to the recipient that carries the answer: a code or an error (RFC 6749 4.1.2, RFC 9207)."""

from urllib.parse import quote, urlencode, urlsplit

from app.domain.errors import ErrorCode, ReturnAddress

ACCESS_DENIED_DESCRIPTION = "The user denied the access"


def success_uri(return_to: ReturnAddress, *, code: str, issuer: str) -> str:
    return _extended(return_to, {"code": code}, issuer)


def error_uri(return_to: ReturnAddress, *, error: ErrorCode, description: str, issuer: str) -> str:
    return _extended(return_to, {"error": error, "error_description": description}, issuer)


def denied_uri(return_to: ReturnAddress, *, issuer: str) -> str:
    return error_uri(
        return_to, error=ErrorCode.ACCESS_DENIED, description=ACCESS_DENIED_DESCRIPTION, issuer=issuer
    )


def has_private_scheme(uri: str) -> bool:
    """Whether `uri` has an app's private-use scheme (RFC 8252 7.1), so that it opens an app on the device."""
    return urlsplit(uri).scheme not in ("http", "https")


def display_host(uri: str) -> str:
    """The part of `uri` that tells a customer where they are sent: the host, or the app's own scheme.

    At a loopback address the port is left out, since an app may use another port each time (RFC 8252 7.3).
    """
    parts = urlsplit(uri)
    if parts.scheme == "http" and parts.hostname in ("127.0.0.1", "::1"):
        return parts.netloc.removesuffix(f":{parts.port}")
    return parts.netloc or parts.scheme


def origin_of(uri: str) -> str:
    parts = urlsplit(uri)
    return f"{parts.scheme}://{parts.netloc}"


def _extended(return_to: ReturnAddress, answer: dict[str, str], issuer: str) -> str:
    """Adds the answer to the query of the registered redirect_uri, with every value percent-encoded."""
    if return_to.state is not None:
        answer = {**answer, "state": return_to.state}
    answer = {**answer, "iss": issuer}
    uri = return_to.redirect_uri
    separator = "?" if "?" not in uri else "" if uri.endswith(("?", "&")) else "&"
    return uri + separator + urlencode(answer, quote_via=quote, safe="")
