"""The registered parties: data recipients (RFC 6749 clients), data providers (banks) and their APIs.

This module has the values of a registration and the rules for them; app/registration reads the file.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from urllib.parse import SplitResult, parse_qsl, urlsplit

from app.domain.clusters import WITH_HISTORY, Scope
from app.domain.language import Bilingual

LONGEST_CONSENT = timedelta(days=365)
"""The longest time for which a consent may last: the limit of the project's specification."""
_LOOPBACK_HOSTS = ("127.0.0.1", "::1")
_OUR_PARAMETERS = {"code", "state", "error", "error_description", "iss"}
_URI_CHARACTERS = re.compile(r"[A-Za-z0-9\-._~:/?@!$&'()+,;=%\[\]]+", re.ASCII)
_PRIVATE_SCHEME = re.compile(r"[a-z][a-z0-9+-]*(\.[a-z0-9+-]+)+", re.ASCII)


class Status(StrEnum):
    """The state of a recipient's registration with one provider. Only ACTIVE lets customers consent."""

    PENDING_APPROVAL = "PENDING_APPROVAL"
    PENDING_ACTIVATION = "PENDING_ACTIVATION"
    ACTIVE = "ACTIVE"
    SUSPENDED = "SUSPENDED"


@dataclass(frozen=True, slots=True)
class PreviousSecret:
    """A secret that is being replaced, as its hex SHA-256, and the moment from which it no longer works."""

    secret_hash: str
    until: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """A data recipient (RFC 6749 client). `secret_hash` is the hex SHA-256 of its secret.

    `needed_clusters` are those that it cannot work without, `statuses` are by provider_id, and
    `history_months` is how far back it asks for data (None: as far as the bank has any).
    """

    client_id: str
    secret_hash: str
    name: Bilingual
    legal_name: Bilingual
    site: Bilingual
    privacy_policy: Bilingual
    terms: Bilingual
    redirect_uris: frozenset[str]
    clusters: Scope
    needed_clusters: Scope
    consent_duration: timedelta
    statuses: Mapping[str, Status]
    previous_secret: PreviousSecret | None = None
    logo: str | None = None
    purpose: Bilingual | None = None
    cluster_purposes: Mapping[str, Bilingual] = field(default_factory=dict)
    history_months: int | None = None
    agent: Bilingual | None = None
    pkce_required: bool = False
    allow_subset: bool = True
    revocation_requires_client_authentication: bool = False
    is_suspended: bool = False

    def status_with(self, provider_id: str) -> Status | None:
        return self.statuses.get(provider_id)

    def history_months_of(self, scope: Scope) -> int | None:
        """How many months of history `scope` shares; None where it has no history, or there is no limit."""
        return self.history_months if scope & WITH_HISTORY else None

    def accepts_redirect_uri(self, redirect_uri: str) -> bool:
        """Whether `redirect_uri` is registered, compared character by character (RFC 9700 2.1).

        One exception: the port of a loopback address may differ (RFC 8252 7.3).
        """
        if redirect_uri in self.redirect_uris:
            return True
        without_port = _without_loopback_port(redirect_uri)
        return without_port is not None and any(
            without_port == _without_loopback_port(registered) for registered in self.redirect_uris
        )


class SandboxTrouble(StrEnum):
    """What goes wrong for a test customer of the sandbox, so that a recipient's developer can try it."""

    DENIED = "denied"  # the bank lets nobody in, although the password is right
    SLOW = "slow"  # signing in takes some seconds
    BRIEF = "brief"  # the consent ends a minute after signing in for it
    ENDED = "ended"  # the demo's bank ends the connection some seconds after the approval


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxCustomer:
    """A test customer of the sandbox, which production refuses.

    The password is a demo value in clear text.
    """

    user_name: str
    password: str = field(repr=False)
    subject: str
    display_name: str
    trouble: SandboxTrouble | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OidcRegistration:
    """Accord's registration as a client of a provider's own OpenID Connect server.

    `former_issuers` are earlier issuer URLs of the same server: a `sub` from one of them is still the same
    person (docs/adr/0021).
    """

    issuer: str
    client_id: str
    client_secret: str = field(repr=False)
    scopes: tuple[str, ...]
    former_issuers: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class DataProvider:
    """A bank. `audience` is the `aud` of its access tokens (RFC 9068 2.2); `colour` is `#rrggbb`.

    Its customers sign in at its own server, where `oidc` has one, or else in the sandbox. A bank is left out
    (`is_left_out`) while Accord's secret at its server cannot be read: nobody can sign in there.
    """

    provider_id: str
    name: Bilingual
    clusters: Scope
    audience: str
    colour: str
    complaints: Bilingual
    help: Bilingual | None = None
    legal_name: Bilingual | None = None
    logo: str | None = None
    sandbox_customers: tuple[SandboxCustomer, ...] = ()
    oidc: OidcRegistration | None = None
    is_left_out: bool = False

    @property
    def issuer(self) -> str:
        """The OpenID Connect issuer of its customers' subjects, without which a subject names nobody.

        It is empty for the sandbox.
        """
        return "" if self.oidc is None else self.oidc.issuer


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourceServer:
    """A provider's API, which may introspect the tokens for its audience (RFC 7662)."""

    server_id: str
    secret_hash: str
    audience: str
    previous_secret: PreviousSecret | None = None


@dataclass(frozen=True, slots=True)
class Registry:
    """All registered parties, by their identifiers."""

    clients: Mapping[str, Client]
    providers: Mapping[str, DataProvider]
    resource_servers: Mapping[str, ResourceServer] = field(default_factory=dict)
    digest: str = ""
    """The first twelve hexadecimal digits of the SHA-256 of the file that it was read from."""
    left_out: Mapping[str, str] = field(default_factory=dict)
    """The reason why a provider `is_left_out`, by its provider_id."""

    def in_numbers(self) -> str:
        return (
            f"{len(self.clients)} recipients, {len(self.providers)} providers, "
            f"{len(self.resource_servers)} resource servers"
        )

    def find_client(self, client_id: str) -> Client | None:
        """The registered client that is not suspended, or None."""
        client = self.clients.get(client_id)
        return None if client is None or client.is_suspended else client

    def find_provider(self, provider_id: str) -> DataProvider | None:
        return self.providers.get(provider_id)


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
    if _URI_CHARACTERS.fullmatch(issuer) is None or "?" in issuer:
        return "must be a URL without query and fragment"
    try:
        parts = urlsplit(issuer)
        _ = parts.port
    except ValueError:
        return "is not a URL"
    if not is_protected(issuer):
        return "must be an https URL, or http on loopback"
    return "has user information" if "@" in parts.netloc else None


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
        return None if parts.hostname else "has no host"
    if parts.scheme == "http":
        if parts.hostname in (*_LOOPBACK_HOSTS, "localhost"):
            return None
        return "is http on a host other than loopback; use https"
    if _PRIVATE_SCHEME.fullmatch(parts.scheme) is None:
        return "has a scheme that is neither https nor a private one in reverse domain order (RFC 8252 7.1)"
    return None


def _without_loopback_port(uri: str) -> str | None:
    """`uri` without its port, where it is http on a loopback address (RFC 8252 7.3); else None."""
    for host in ("http://127.0.0.1", "http://[::1]"):
        if uri.startswith(host):
            rest = uri.removeprefix(host)
            match = re.fullmatch(r"(?::([1-9][0-9]{0,4}))?(/.*|)", rest, re.ASCII | re.DOTALL)
            if match is None or int(match[1] or 0) > 65535:
                return None
            return host + match[2]
    return None
