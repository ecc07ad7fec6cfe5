"""The entry of a recipient in the registration file."""

from datetime import datetime, timedelta
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field

from app.domain.clusters import DataCluster
from app.domain.language import Bilingual
from app.domain.registry import LONGEST_CONSENT, Client, PreviousSecret, Profile, Status
from app.registration.client_keys import ClientKey, refuse_repeated_kid
from app.registration.notices_entry import NoticesEntry
from app.registration.values import (
    Addresses,
    Clusters,
    Entry,
    HttpsAddress,
    Identifier,
    Logo,
    Names,
    PurposeText,
    RedirectUri,
    SecretHash,
    refuse_repetition,
    require_account_basic,
    require_registered_clusters,
    require_time_zone,
)


class _Purpose(Entry):
    en: PurposeText
    fr: PurposeText

    def bilingual(self) -> Bilingual:
        return Bilingual(self.en, self.fr)


class PreviousSecretEntry(Entry):
    sha256: SecretHash
    until: Annotated[datetime, BeforeValidator(require_time_zone)]

    def to_secret(self) -> PreviousSecret:
        return PreviousSecret(self.sha256, self.until)


class _Keys(Entry):
    keys: Annotated[list[ClientKey], AfterValidator(refuse_repeated_kid), Field(min_length=1, max_length=10)]


class RecipientEntry(Entry):
    client_id: Identifier
    profile: Profile | None = None
    secret_sha256: SecretHash | None = None
    jwks: _Keys | None = None
    jwks_uri: HttpsAddress | None = None
    default_provider: Identifier | None = None
    previous_secret: PreviousSecretEntry | None = None
    demo: bool = False
    suspended: bool = False
    name: Names
    legal_name: Names
    agent: Names | None = None
    site: Addresses
    privacy_policy: Addresses
    terms: Addresses
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
    notices: NoticesEntry | None = None
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
