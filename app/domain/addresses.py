"""The rules for registered addresses: redirect URIs, issuers, and which addresses the network cannot read."""

import re
from ipaddress import IPv6Address
from urllib.parse import SplitResult, parse_qsl, urlsplit

_LOOPBACK_HOSTS = ("127.0.0.1", "::1")
_OUR_PARAMETERS = {"code", "state", "error", "error_description", "iss"}
_URI_CHARACTERS = re.compile(r"[A-Za-z0-9\-._~:/?@!$&'()+,;=%\[\]]+", re.ASCII)
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*", re.ASCII)  # the last label of an IPv4 address in any notation
_LABEL = re.compile(r"[A-Za-z0-9_-]{1,63}", re.ASCII)
_LONGEST_NAME = 253  # as text, of the 255 bytes of RFC 1035 2.3.4
_PRIVATE_SCHEME = re.compile(r"[a-z][a-z0-9+-]*(\.[a-z0-9+-]+)+", re.ASCII)


def fault_in_redirect_uri(uri: str) -> str | None:
    """The reason why `uri` cannot be a redirect_uri (RFC 9700 2.1, RFC 8252 7); None where it can."""
    if "#" in uri:
        return "has a fragment (RFC 6749 3.1.2)"
    if "*" in uri:
        return "has a wildcard; only exact addresses can be registered"
    if _URI_CHARACTERS.fullmatch(uri) is None:
        return "has a character that does not belong in a URI"
    try:
        parts = urlsplit(uri)
        _ = parts.port
    except ValueError:
        return "is not a URI"
    if not parts.scheme:
        return "has no scheme"
    if not uri.startswith(parts.scheme + ":"):
        return "has a scheme that is not in lower case"
    if _OUR_PARAMETERS & {name for name, _ in parse_qsl(parts.query, keep_blank_values=True)}:
        return "has code, state, error or iss in its query, which Accord adds"
    return _fault_in_scheme(parts)


def fault_in_issuer(issuer: str) -> str | None:
    """The reason why `issuer` cannot be an issuer (OpenID Connect Discovery 1.0, 3 and 4); None where it can.

    Here http is accepted on loopback, where it never leaves the machine. Production refuses that, too.
    """
    if "?" in issuer or "#" in issuer:
        return "must be a URL without query and fragment"
    return fault_in_bank_address(issuer)


def fault_in_bank_address(address: str) -> str | None:
    """The reason why personal data cannot be requested at `address`; None where they can.

    Here, too, http is accepted on loopback.
    """
    if _URI_CHARACTERS.fullmatch(address) is None:
        return "has a fragment, or a character that does not belong in a URL"
    try:
        parts = urlsplit(address)
        _ = parts.port
    except ValueError:
        return "is not a URL"
    if not is_protected(address):
        return "must be an https URL, or http on loopback"
    return "has user information" if "@" in parts.netloc else fault_in_host(parts)


def fault_in_notice_address(address: str) -> str | None:
    """The reason why notices cannot be sent to `address`; None where they can.

    It names a host, whose addresses are looked up and checked at each try. Here, too, http is accepted on
    loopback.
    """
    fault = fault_in_bank_address(address)
    if fault is not None:
        return fault
    parts = urlsplit(address)
    host = (parts.hostname or "").rstrip(".")
    if parts.scheme == "https" and (":" in host or _NUMBER.fullmatch(host.rpartition(".")[2])):
        return "must name a host, and not an IP address"
    return None


def fault_in_host(parts: SplitResult) -> str | None:
    """The reason why nobody can be at this host and port (RFC 1035 2.3.4, RFC 3986 3.2.2), or None."""
    host = parts.hostname or ""
    try:
        if parts.port == 0:
            return "has port 0, at which nothing can listen"
        if "[" in parts.netloc:
            IPv6Address(host)
            return None
    except ValueError:
        return "has a host that is neither a name nor an IP address"
    labels = host.removesuffix(".").split(".")
    if len(host) > _LONGEST_NAME or not all(map(_LABEL.fullmatch, labels)):
        return "has a host that is neither a name nor an IP address"
    return None


def is_protected(url: str) -> bool:
    """Whether nobody on the network can read what is sent to `url`: https, or http to loopback."""
    try:
        parts = urlsplit(url)
        hostname = parts.hostname
    except ValueError:
        return False
    if parts.scheme == "http":
        return hostname in (*_LOOPBACK_HOSTS, "localhost")
    return parts.scheme == "https" and bool(hostname)


def _fault_in_scheme(parts: SplitResult) -> str | None:
    if "@" in parts.netloc or "\\" in parts.netloc:
        return "has user information"
    if parts.scheme == "https":
        return fault_in_host(parts) if parts.hostname else "has no host"
    if parts.scheme == "http":
        if parts.hostname in (*_LOOPBACK_HOSTS, "localhost"):
            return fault_in_host(parts)
        return "is http on a host other than loopback; use https"
    if _PRIVATE_SCHEME.fullmatch(parts.scheme) is None:
        return "has a scheme that is neither https nor a private one in reverse domain order (RFC 8252 7.1)"
    return None


def without_loopback_port(uri: str) -> str | None:
    """`uri` without its port, where it is http on a loopback address (RFC 8252 7.3); else None."""
    for host in ("http://127.0.0.1", "http://[::1]"):
        if uri.startswith(host):
            rest = uri.removeprefix(host)
            match = re.fullmatch(r"(?::([1-9][0-9]{0,4}))?(/.*|)", rest, re.ASCII | re.DOTALL)
            if match is None or int(match[1] or 0) > 65535:
                return None
            return host + match[2]
    return None
