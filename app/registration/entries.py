"""The entries of the registration file as pydantic models, which find the faults within one entry."""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    ValidationError,
)

from app.domain.clusters import DataCluster
from app.domain.language import Bilingual
from app.domain.notice_registration import ASKED_BY_DEFAULT, FOR_BANKS, NoticesRegistration, NoticeType
from app.domain.registry import (
    LONGEST_CONSENT,
    Client,
    DataProvider,
    OidcRegistration,
    PreviousSecret,
    Profile,
    ResourceServer,
    SandboxCustomer,
    SandboxTrouble,
    Status,
)
from app.registration.accounts import AccountsEntry, SandboxAccount, accounts_registration, without_ways
from app.registration.bank_secrets import BankSecret, UnreadableSecret
from app.registration.branding import readable_colour
from app.registration.client_keys import ClientKey, refuse_repeated_kid
from app.registration.locations import Fault
from app.registration.reasons import reason_of
from app.registration.values import (
    Audience,
    Clusters,
    Entry,
    HttpsAddress,
    Identifier,
    Issuer,
    Logo,
    Name,
    NoticeAddress,
    PurposeText,
    RedirectUri,
    ScopeWord,
    SecretHash,
    refuse_dot_segment,
    refuse_events_of_banks,
    refuse_events_of_recipients,
    refuse_repetition,
    require_account_basic,
    require_end_of_consent,
    require_openid,
    require_registered_clusters,
    require_time_zone,
)


class _Names(Entry):
    en: Name
    fr: Name

    def bilingual(self) -> Bilingual:
        return Bilingual(self.en, self.fr)


class _Purpose(Entry):
    en: PurposeText
    fr: PurposeText

    def bilingual(self) -> Bilingual:
        return Bilingual(self.en, self.fr)


class _Addresses(Entry):
    en: HttpsAddress
    fr: HttpsAddress

    def bilingual(self) -> Bilingual:
        return Bilingual(self.en, self.fr)


class _PreviousSecret(Entry):
    sha256: SecretHash
    until: Annotated[datetime, BeforeValidator(require_time_zone)]

    def to_secret(self) -> PreviousSecret:
        return PreviousSecret(self.sha256, self.until)


class _Keys(Entry):
    keys: Annotated[list[ClientKey], AfterValidator(refuse_repeated_kid), Field(min_length=1, max_length=10)]


class _Notices(Entry):
    """Where a recipient is told what becomes of its consents (None: it asks), and of which events."""

    address: NoticeAddress | None = None
    events: Annotated[
        frozenset[NoticeType],
        BeforeValidator(refuse_repetition),
        AfterValidator(require_end_of_consent),
        AfterValidator(refuse_events_of_banks),
    ] = ASKED_BY_DEFAULT

    def to_registration(self) -> NoticesRegistration:
        return NoticesRegistration(self.address, self.events)


class _BankNotices(_Notices):
    """The same for a bank and its customers' consents."""

    events: Annotated[
        frozenset[NoticeType],
        BeforeValidator(refuse_repetition),
        AfterValidator(require_end_of_consent),
        AfterValidator(refuse_events_of_recipients),
    ] = FOR_BANKS


class _Recipient(Entry):
    client_id: Identifier
    profile: Profile | None = None
    secret_sha256: SecretHash | None = None
    jwks: _Keys | None = None
    jwks_uri: HttpsAddress | None = None
    default_provider: Identifier | None = None
    previous_secret: _PreviousSecret | None = None
    demo: bool = False
    suspended: bool = False
    name: _Names
    legal_name: _Names
    agent: _Names | None = None
    site: _Addresses
    privacy_policy: _Addresses
    terms: _Addresses
    logo: Logo | None = None
    redirect_uris: Annotated[
        list[RedirectUri], BeforeValidator(refuse_repetition), Field(min_length=1, max_length=50)
    ]
    clusters: Clusters
    needs: Annotated[
        Clusters, AfterValidator(require_account_basic), AfterValidator(require_registered_clusters)
    ]
    allow_subset: bool = True
    purpose: _Purpose | None = None
    cluster_purposes: Annotated[dict[DataCluster, _Purpose], AfterValidator(require_registered_clusters)] = (
        Field(default_factory=dict)
    )
    consent_days: Annotated[int, Field(ge=1, le=LONGEST_CONSENT.days)]
    history_months: Annotated[int, Field(ge=1, le=120)] | None = None
    pkce_required: bool = False
    revocation_requires_client_authentication: bool = False
    notices: _Notices | None = None
    providers: dict[Identifier, Status]

    def to_client(self) -> Client:
        return Client(
            client_id=self.client_id,
            secret_hash=self.secret_sha256,
            previous_secret=None if self.previous_secret is None else self.previous_secret.to_secret(),
            is_suspended=self.suspended,
            name=self.name.bilingual(),
            legal_name=self.legal_name.bilingual(),
            agent=None if self.agent is None else self.agent.bilingual(),
            site=self.site.bilingual(),
            privacy_policy=self.privacy_policy.bilingual(),
            terms=self.terms.bilingual(),
            logo=self.logo,
            redirect_uris=frozenset(self.redirect_uris),
            clusters=self.clusters,
            needed_clusters=self.needs,
            allow_subset=self.allow_subset,
            purpose=None if self.purpose is None else self.purpose.bilingual(),
            cluster_purposes={cluster: text.bilingual() for cluster, text in self.cluster_purposes.items()},
            consent_duration=timedelta(days=self.consent_days),
            history_months=self.history_months,
            pkce_required=self.pkce_required,
            revocation_requires_client_authentication=self.revocation_requires_client_authentication,
            statuses=self.providers,
            keys=() if self.jwks is None else tuple(self.jwks.keys),
            jwks_uri=self.jwks_uri,
            profile=self.profile,
            default_provider=self.default_provider,
            notices=None if self.notices is None else self.notices.to_registration(),
        )


class _SandboxCustomer(Entry):
    user_name: Annotated[str, Field(min_length=1, max_length=64)]
    password: Annotated[str, Field(min_length=1, max_length=128, repr=False)]
    subject: Identifier
    display_name: Name
    trouble: SandboxTrouble | None = None
    accounts: list[SandboxAccount] = Field(default_factory=list)

    def to_customer(self) -> SandboxCustomer:
        return SandboxCustomer(
            user_name=self.user_name,
            password=self.password,
            subject=self.subject,
            display_name=self.display_name,
            trouble=self.trouble,
            accounts=tuple(account.to_account() for account in self.accounts),
        )


class _Oidc(BankSecret):
    """A bank's OpenID Connect server. Only the secret of a demo may be in the registration file itself."""

    issuer: Issuer
    client_id: Annotated[str, Field(min_length=1, max_length=256)]
    scopes: Annotated[
        tuple[ScopeWord, ...],
        BeforeValidator(refuse_repetition),
        AfterValidator(require_openid),
        Field(max_length=20),
    ] = ("openid", "profile")
    former_issuers: Annotated[frozenset[Issuer], BeforeValidator(refuse_repetition), Field(max_length=20)] = (
        frozenset()
    )

    def to_registration(self, client_secret: str) -> OidcRegistration:
        return OidcRegistration(
            issuer=self.issuer,
            client_id=self.client_id,
            client_secret=client_secret,
            scopes=self.scopes,
            former_issuers=self.former_issuers,
        )


class _Provider(Entry):
    provider_id: Annotated[Identifier, AfterValidator(refuse_dot_segment)]
    name: _Names
    legal_name: _Names | None = None
    country: Annotated[str, Field(pattern=r"^[A-Z]{2}$")]
    logo: Logo | None = None
    colour: Annotated[str, Field(pattern=r"^#[0-9a-f]{6}$"), AfterValidator(readable_colour)]
    clusters: Clusters
    audience: Audience
    complaints: _Addresses
    help: _Addresses | None = None
    sign_in: Literal["sandbox", "oidc"]
    customers: list[_SandboxCustomer] = Field(default_factory=list)
    oidc: _Oidc | None = None
    accounts: AccountsEntry | None = None
    notices: _BankNotices | None = None

    def to_provider(self, *, allow_demo: bool) -> tuple[DataProvider, UnreadableSecret | None]:
        """The provider, and the reason why it is left out, if it is."""
        oidc, accounts, unreadable = None, None, None
        if self.oidc is not None:
            secret, unreadable = self.oidc.read_secret("oidc", allow_demo=allow_demo)
            oidc = self.oidc.to_registration(secret)
        if self.accounts is not None:
            accounts, of_accounts = accounts_registration(self.accounts, allow_demo=allow_demo)
            unreadable = unreadable or of_accounts
        provider = DataProvider(
            provider_id=self.provider_id,
            name=self.name.bilingual(),
            legal_name=None if self.legal_name is None else self.legal_name.bilingual(),
            logo=self.logo,
            colour=self.colour,
            clusters=self.clusters,
            audience=self.audience,
            complaints=self.complaints.bilingual(),
            help=None if self.help is None else self.help.bilingual(),
            sandbox_customers=tuple(customer.to_customer() for customer in self.customers),
            oidc=oidc,
            accounts=accounts,
            notices=None if self.notices is None else self.notices.to_registration(),
            is_left_out=unreadable is not None,
        )
        return provider, unreadable


class _ResourceServer(Entry):
    server_id: Identifier
    secret_sha256: SecretHash
    previous_secret: _PreviousSecret | None = None
    demo: bool = False
    audience: Audience

    def to_resource_server(self) -> ResourceServer:
        return ResourceServer(
            server_id=self.server_id,
            secret_hash=self.secret_sha256,
            previous_secret=None if self.previous_secret is None else self.previous_secret.to_secret(),
            audience=self.audience,
        )


class _File(Entry):
    providers: Annotated[list[_Provider], Field(min_length=1)]
    recipients: Annotated[list[_Recipient], Field(min_length=1)]
    resource_servers: list[_ResourceServer] = Field(default_factory=list)


def parse_entries(document: dict[str, Any], logos: Path) -> tuple[_File | None, list[Fault]]:
    """The entries of `document`, the parsed TOML file, and no faults; or None and the faults.

    `logos` is the folder of the registered logos.
    """
    try:
        return _File.model_validate(document, context=logos), []
    except ValidationError as error:
        return None, [
            (without_ways(fault["loc"]), reason_of(fault)) for fault in error.errors(include_url=False)
        ]
