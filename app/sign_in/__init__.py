"""Signing customers in: at a bank's own OpenID Connect server, or as test customers in the sandbox."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol

from app.domain.accounts import AccountList
from app.domain.language import Language
from app.domain.registry import DataProvider
from app.domain.sign_in import PendingSignIn


@dataclass(frozen=True, slots=True)
class Customer:
    """A person who signed in at a provider. `subject` is stable; `display_name` is shown to them alone.

    `issuer` is the server that says so: the same subject of another issuer is another person (OpenID Connect
    Core 1.0, 5.7). It is empty in the sandbox. `display_name` is empty where the provider tells no name.
    """

    provider_id: str
    issuer: str
    subject: str
    display_name: str


@dataclass(frozen=True, slots=True)
class SignedIn:
    """Who has signed in, and the accounts that their bank told with it; None where it told none."""

    customer: Customer
    accounts: AccountList | None


@dataclass(frozen=True, slots=True, kw_only=True)
class BankAnswer:
    """What the bank gave with a proven sign-in. It is used before the sign-in ends, and never stored."""

    subject: str
    claims: Mapping[str, Any] = field(repr=False)
    access_token: str | None = field(repr=False)
    userinfo_endpoint: str | None


class Cause(StrEnum):
    """Why nobody has signed in, as far as it changes what the customer can do."""

    REFUSED = "refused"  # the bank said no, or the customer did
    BUSY = "busy"  # too many are waiting for this bank already
    UNAVAILABLE = "unavailable"  # the bank did not answer, or not in a way that could be used
    UNPROVEN = "unproven"  # the bank answered, but its answer does not prove who this is
    NOT_ASKED = "not_asked"  # the bank should have asked anew who this is, and has not
    USED = "used"  # this way back was taken before


class SignInFailed(Exception):
    """Nobody has signed in. `detail` is a word for the log, never taken from what was received."""

    def __init__(self, cause: Cause, detail: str) -> None:
        super().__init__(f"{cause}: {detail}")
        self.cause = cause
        self.detail = detail


@dataclass(frozen=True, slots=True)
class Departure:
    """Send the browser to `url`, and keep `pending` for when it comes back."""

    url: str
    pending: PendingSignIn


class SignIn(Protocol):
    """Sign-in on the bank's own pages. Both methods raise SignInFailed."""

    def begin(
        self,
        provider: DataProvider,
        *,
        browser_id: str,
        request_id: str | None,
        language: Language,
        must_ask_again: bool,
    ) -> Departure:
        """Where to send the browser. With `must_ask_again` the bank must not rely on its own session."""

    def finish(self, provider: DataProvider, pending: PendingSignIn, answer: Mapping[str, str]) -> SignedIn:
        """The customer who came back. `answer` is the callback's query; `pending` is used once.

        Their accounts come along where the sign-in is for a request, and the bank tells them in this way.
        """
