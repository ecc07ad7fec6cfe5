"""Who is the customer? The one real plug: a bank's own sign-in, or test customers."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from app.domain.language import Language
from app.domain.registry import DataProvider
from app.domain.sign_in import PendingSignIn


@dataclass(frozen=True, slots=True)
class Customer:
    """A person who signed in at a provider. `subject` is stable; `display_name` is for their eyes only.

    `issuer` is who says so: a subject is another issuer's somebody else (OpenID Connect Core 1.0, 5.7). It is
    empty for the sandbox, the name where the provider tells none.
    """

    provider_id: str
    issuer: str
    subject: str
    display_name: str


class Cause(StrEnum):
    """Why nobody has signed in, as far as it changes what the customer can do."""

    REFUSED = "refused"  # the bank said no, or the customer did
    BUSY = "busy"  # too many are waiting for this bank already
    UNAVAILABLE = "unavailable"  # the bank did not answer, or not in a way that could be used
    UNPROVEN = "unproven"  # there was an answer, but it does not prove who this is
    NOT_ASKED = "not_asked"  # the bank should have asked anew who this is, and has not
    USED = "used"  # this way back was taken before


class SignInFailed(Exception):
    """Nobody has signed in. `detail` is a word of ours for the log, never anything that was received."""

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
    """The way over the bank's own pages. Both methods raise SignInFailed."""

    def begin(
        self,
        provider: DataProvider,
        *,
        browser_id: str,
        request_id: str | None,
        language: Language,
        must_ask_again: bool,
    ) -> Departure:
        """Where to send the browser. `must_ask_again`: whoever the bank knows already is not enough."""

    def finish(self, provider: DataProvider, pending: PendingSignIn, answer: Mapping[str, str]) -> Customer:
        """Who came back. `answer` is the callback's query; nobody may have used `pending` before."""
