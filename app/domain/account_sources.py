"""The ways in which a bank tells Accord its customers' accounts, as they are registered."""

from dataclasses import dataclass, field
from enum import StrEnum
from urllib.parse import quote, urlsplit

from app.domain.accounts import AccountCategory
from app.domain.addresses import fault_in_bank_address

SUBJECT = "{subject}"
"""The placeholder for the customer's `sub` in a registered address: one whole segment of its path."""


@dataclass(frozen=True, slots=True)
class SandboxSource:
    """The accounts are those that the registration gives test customers. Production refuses this source."""


class ClaimPlace(StrEnum):
    """Where a bank's OpenID Connect server puts a claim (OpenID Connect Core 1.0, 2 and 5.3)."""

    ID_TOKEN = "id_token"  # noqa: S105  # a name, and no password
    USERINFO = "userinfo"


@dataclass(frozen=True, slots=True)
class ClaimSource:
    """A claim of the sign-in is a list of FDX AccountDescriptors."""

    claim: str
    where: ClaimPlace


@dataclass(frozen=True, slots=True)
class CustomerSource:
    """FDX at `address`, asked with the access token of the sign-in, which asks for `scopes` as well."""

    address: str
    scopes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceSource:
    """FDX at `address`, asked with a token of Accord's own (client_credentials, RFC 6749 4.4)."""

    address: str
    token_address: str
    client_id: str
    client_secret: str = field(repr=False)
    scopes: tuple[str, ...] = ()

    def address_for(self, subject: str) -> str:
        """The address of this customer's list. Raises ValueError for a subject that is no path segment."""
        if subject in ("", ".", ".."):  # these would lead to another resource (RFC 3986 5.2.4)
            raise ValueError("the subject is no segment of a path")
        return self.address.replace(SUBJECT, quote(subject, safe=""))


@dataclass(frozen=True, slots=True)
class AccountsRegistration:
    """Where a provider's accounts come from, and the categories of them that it does not share."""

    source: SandboxSource | ClaimSource | CustomerSource | ServiceSource
    withheld_categories: frozenset[AccountCategory] = frozenset()

    @property
    def needs_sign_in(self) -> bool:
        """Whether the bank gives a list only when its customer signs in; else it can be asked at any time."""
        return isinstance(self.source, ClaimSource | CustomerSource)


def fault_in_address_with_subject(address: str) -> str | None:
    """The reason why `address` cannot be that of a ServiceSource; None where it can."""
    if address.count(SUBJECT) != 1 or SUBJECT not in _path_of(address).split("/"):
        return f"must have {SUBJECT} once, as a whole segment of its path"
    return fault_in_bank_address(address.replace(SUBJECT, "subject"))


def _path_of(address: str) -> str:
    try:
        return urlsplit(address).path
    except ValueError:
        return ""
