"""The entry of a bank in the registration file."""

from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from app.domain.registry import DataProvider, OidcRegistration, SandboxCustomer, SandboxTrouble
from app.registration.accounts import AccountsEntry, SandboxAccount, accounts_registration
from app.registration.bank_secrets import BankSecret, UnreadableSecret
from app.registration.branding import readable_colour
from app.registration.notices_entry import BankNoticesEntry
from app.registration.values import (
    Addresses,
    Audience,
    Clusters,
    Entry,
    Identifier,
    Issuer,
    Logo,
    Name,
    Names,
    ScopeWord,
    refuse_dot_segment,
    refuse_repetition,
    require_openid,
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


class BankEntry(Entry):
    provider_id: Annotated[Identifier, AfterValidator(refuse_dot_segment)]
    name: Names
    legal_name: Names | None = None
    country: Annotated[str, Field(pattern=r"^[A-Z]{2}$")]
    logo: Logo | None = None
    colour: Annotated[str, Field(pattern=r"^#[0-9a-f]{6}$"), AfterValidator(readable_colour)]
    clusters: Clusters
    audience: Audience
    complaints: Addresses
    help: Addresses | None = None
    sign_in: Literal["sandbox", "oidc"]
    customers: list[_SandboxCustomer] = Field(default_factory=list)
    oidc: _Oidc | None = None
    accounts: AccountsEntry | None = None
    notices: BankNoticesEntry | None = None

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
