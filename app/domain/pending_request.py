"""An authorization request that waits for the customer's answer, in the browser that began it."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from app.domain.authorization import AuthorizationRequest
from app.domain.clusters import Scope
from app.domain.language import Language

EXTENSIONS = 10  # times that the customer may ask for more time: the least that WCAG 2.2.1 accepts


@dataclass(frozen=True, slots=True, kw_only=True)
class PendingRequest:
    """A validated request that waits for its answer; `browser_id` names the only browser that may answer it.

    `expires_at` is the latest time for an answer. `consent_ends_at` is when the consent would end: it is
    decided here, once, so that the page, the grant and the tokens agree on it, however late the answer comes.
    `language`, `checked_accounts` (their ids) and `checked_clusters` are what the customer has chosen so far.
    `has_chosen_accounts` is whether the page of the accounts was left with “Continue”.
    `pushed_id` names the pushed request that it came from: of all browsers that open one, the first to answer
    has answered it.
    """

    request_id: str
    browser_id: str
    request: AuthorizationRequest
    begun_at: datetime
    expires_at: datetime
    consent_ends_at: datetime
    language: Language
    checked_clusters: Scope = frozenset()
    checked_accounts: tuple[str, ...] = ()
    has_chosen_accounts: bool = False
    pushed_id: str | None = None

    def is_expired_at(self, now: datetime) -> bool:
        return now >= self.expires_at

    def in_language(self, language: Language) -> "PendingRequest":
        return replace(self, language=language)

    def for_browser(self, browser_id: str) -> "PendingRequest":
        """The same request in the hands of somebody else, who has chosen nothing yet."""
        return replace(
            self,
            browser_id=browser_id,
            checked_clusters=frozenset(),
            checked_accounts=(),
            has_chosen_accounts=False,
        )

    def ending_at(self, moment: datetime) -> "PendingRequest":
        """The same request for a consent that ends at `moment`, after which it cannot be answered either."""
        return replace(self, consent_ends_at=moment, expires_at=min(self.expires_at, moment))

    def extended_at(self, now: datetime, lifetime: timedelta) -> "PendingRequest":
        """The same request with one more `lifetime` from `now` on (WCAG 2.2.1).

        In total a request lasts at most 1 + EXTENSIONS lifetimes, and an extension never shortens it.
        """
        latest = self.begun_at + (1 + EXTENSIONS) * lifetime
        return replace(self, expires_at=max(self.expires_at, min(now + lifetime, latest)))
