"""The registered parties: data recipients (RFC 6749 clients), data providers (banks) and their APIs.

This module has the values of a registration and the rules for them; app/registration reads the file.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from app.domain.account_sources import AccountsRegistration
from app.domain.accounts import Account
from app.domain.addresses import without_loopback_port
from app.domain.clusters import WITH_HISTORY, Scope
from app.domain.jws import PublicKey
from app.domain.language import Bilingual
from app.domain.notice_registration import (
    ASKED_BY_DEFAULT,
    NoticesRegistration,
    NoticeType,
    bank_of,
    receiver_of_bank,
)

LONGEST_CONSENT = timedelta(days=365)
"""The longest time for which a consent may last: the limit of the project's specification."""


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


class Profile(StrEnum):
    """A profile of OAuth whose rules a recipient has to follow, beside those for everybody."""

    FAPI2 = "fapi2"  # FAPI 2.0 Security Profile


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """A data recipient (RFC 6749 client). `secret_hash` is the hex SHA-256 of its secret.

    Instead of a secret it may have `keys`, with which it signs who it is, or publish them at `jwks_uri`.
    `default_provider` is the bank of a request that names none, which only a `profile` allows.

    `notices` is None where the registration says nothing of them: it may ask for them all the same.

    `needed_clusters` are those that it cannot work without, `statuses` are by provider_id, and
    `history_months` is how far back it asks for data (None: as far as the bank has any).
    """

    client_id: str
    secret_hash: str | None
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
    keys: tuple[PublicKey, ...] = ()
    jwks_uri: str | None = None
    profile: Profile | None = None
    default_provider: str | None = None
    notices: NoticesRegistration | None = None

    @property
    def notice_address(self) -> str | None:
        """Where notices are sent to; None where the recipient asks for them, if it does."""
        return None if self.notices is None else self.notices.address

    @property
    def is_fapi(self) -> bool:
        return self.profile is Profile.FAPI2

    @property
    def must_use_pkce(self) -> bool:
        """Whether a request needs a code_challenge (FAPI 2.0 Security Profile 5.3.2.2-5)."""
        return self.pkce_required or self.is_fapi

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
        without_port = without_loopback_port(redirect_uri)
        return without_port is not None and any(
            without_port == without_loopback_port(registered) for registered in self.redirect_uris
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
    accounts: tuple[Account, ...] = ()


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

    Its customers sign in at its own server, where `oidc` has one, or else in the sandbox. They choose among
    their accounts where `accounts` says how Accord learns of these; else a consent is for all of them. A bank
    is left out (`is_left_out`) while a secret of Accord's there cannot be read: nobody can sign in.

    `notices` is None where the bank is not told what becomes of its customers' consents.
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
    accounts: AccountsRegistration | None = None
    notices: NoticesRegistration | None = None
    is_left_out: bool = False

    @property
    def notice_address(self) -> str | None:
        """Where notices are sent to; None where the bank asks for them, or is not told."""
        return None if self.notices is None else self.notices.address

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

    def find_bank_with_notices(self, server: ResourceServer) -> DataProvider | None:
        """The bank with registered notices whose API this is; None where there is none.

        No two banks with registered notices have the same audience.
        """
        told = (provider for provider in self.providers.values() if provider.notices is not None)
        return next((provider for provider in told if provider.audience == server.audience), None)

    def events_asked(self, receiver: str) -> frozenset[NoticeType]:
        """The events of which this receiver is told. By default, a recipient has some and a bank has none."""
        provider_id = bank_of(receiver)
        party = self.clients.get(receiver) if provider_id is None else self.providers.get(provider_id)
        if party is not None and party.notices is not None:
            return party.notices.events
        return ASKED_BY_DEFAULT if provider_id is None else frozenset()

    def receivers_with_address(self) -> list[str]:
        """The receivers that have registered where they are sent notices.

        A recipient that is suspended is one of them: it is told of each end (CBDA 91(2)(c)), which names no
        customer. Who shall be sent nothing has no address in its registration.
        """
        recipients = [name for name, client in self.clients.items() if client.notice_address is not None]
        banks = [receiver_of_bank(name) for name, bank in self.providers.items() if bank.notice_address]
        return recipients + banks

    def notice_address_of(self, receiver: str) -> str | None:
        """Where this receiver is sent notices now, also while it is suspended; None where it is not."""
        provider_id = bank_of(receiver)
        party = self.clients.get(receiver) if provider_id is None else self.find_provider(provider_id)
        return None if party is None else party.notice_address
