"""The accounts of a bank in the registration: where Accord learns of them, and those of test customers."""

from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from app.domain.account_sources import (
    AccountsRegistration,
    ClaimPlace,
    ClaimSource,
    CustomerSource,
    SandboxSource,
    ServiceSource,
)
from app.domain.accounts import Account, AccountCategory, Unshareable
from app.registration.bank_secrets import BankSecret, UnreadableSecret
from app.registration.locations import Location
from app.registration.values import (
    AddressWithSubject,
    BankAddress,
    Entry,
    Name,
    ScopeWord,
    refuse_repetition,
)

_ClientId = Annotated[str, Field(min_length=1, max_length=256)]
_Scopes = Annotated[tuple[ScopeWord, ...], BeforeValidator(refuse_repetition), Field(max_length=20)]


class _Withholding(Entry):
    withheld_categories: Annotated[frozenset[AccountCategory], BeforeValidator(refuse_repetition)] = (
        frozenset()
    )


class _Sandbox(_Withholding):
    way: Literal["sandbox"] = Field(alias="from")


class _Claim(_Withholding):
    way: Literal["claim"] = Field(alias="from")
    claim: Annotated[str, Field(min_length=1, max_length=256)]
    where: ClaimPlace


class _Customer(_Withholding):
    way: Literal["fdx"] = Field(alias="from")
    asked_as: Literal["customer"] = Field(alias="as")
    address: BankAddress
    scopes: _Scopes = ()


class _Service(_Withholding, BankSecret):
    way: Literal["fdx"] = Field(alias="from")
    asked_as: Literal["service"] = Field(alias="as")
    address: AddressWithSubject
    token_address: BankAddress
    client_id: _ClientId
    scopes: _Scopes = ()


AccountsEntry = Annotated[
    _Sandbox | _Claim | Annotated[_Customer | _Service, Field(discriminator="asked_as")],
    Field(discriminator="way"),
]
"""Where the accounts of a bank come from: one of four tables, told apart by the keys `from` and `as`."""


def accounts_registration(
    entry: AccountsEntry, *, allow_demo: bool
) -> tuple[AccountsRegistration, UnreadableSecret | None]:
    """What `entry` registers, and the reason why its secret cannot be read, if it cannot."""
    unreadable = None
    match entry:
        case _Sandbox():
            source: SandboxSource | ClaimSource | CustomerSource | ServiceSource = SandboxSource()
        case _Claim():
            source = ClaimSource(entry.claim, entry.where)
        case _Customer():
            source = CustomerSource(entry.address, entry.scopes)
        case _Service():
            secret, unreadable = entry.read_secret("accounts", allow_demo=allow_demo)
            source = ServiceSource(
                address=entry.address,
                token_address=entry.token_address,
                client_id=entry.client_id,
                client_secret=secret,
                scopes=entry.scopes,
            )
    return AccountsRegistration(source, entry.withheld_categories), unreadable


def without_ways(location: Location) -> Location:
    """`location` without the words by which pydantic tells the tables of AccountsEntry apart."""
    match location:
        case ("providers", index, "accounts", "fdx", "customer" | "service", *rest):
            return ("providers", index, "accounts", *rest)
        case ("providers", index, "accounts", _, *rest):
            return ("providers", index, "accounts", *rest)
    return location


class SandboxAccount(Entry):
    """An account of a test customer, in the words of FDX and of `Account`."""

    account_id: str
    category: AccountCategory
    type: Annotated[str, Field(pattern=r"^[A-Z0-9_]{1,40}$")]
    name: Name
    product: Name | None = None
    last_digits: str = ""
    holder: Name | None = None
    joint: bool = False
    others_are_told: bool = False
    unshareable: Unshareable | None = None

    @model_validator(mode="after")
    def _check_account(self) -> Self:
        self.to_account()
        return self

    def to_account(self) -> Account:
        return Account(
            account_id=self.account_id,
            category=self.category,
            type=self.type,
            name=self.name,
            product=self.product or "",
            last_digits=self.last_digits,
            holder=self.holder,
            is_joint=self.joint,
            others_are_told=self.others_are_told,
            unshareable=self.unshareable,
        )
