"""The purpose of a sign-in: to answer one authorization request, or to see the connections.

The page after the sign-in follows from the purpose alone, and never from an address that the browser sends.
"""

from dataclasses import dataclass
from typing import Any

import structlog
from flask import url_for

from app.domain.accounts import AccountList
from app.domain.language import Language
from app.domain.registry import Client, DataProvider
from app.domain.sign_in import PendingSignIn
from app.sign_in import Customer
from app.web.consent.open_request import OpenRequest, open_request
from app.web.current import browser, services
from app.web.edge import language, problems
from app.web.edge.sessions import BrowserSession

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class SignInPurpose:
    """The purpose of a sign-in at `provider`: the open request, or where that is None, the connections."""

    provider: DataProvider
    session: BrowserSession
    opened: OpenRequest | None

    @property
    def request_id(self) -> str | None:
        return None if self.opened is None else self.opened.pending.request_id

    @property
    def client(self) -> Client | None:
        return None if self.opened is None else self.opened.parties.client

    @property
    def customer(self) -> Customer | None:
        """The customer who is signed in at the provider already; None for nobody."""
        return self.session.customer_of(self.provider.provider_id)

    @property
    def needs_accounts(self) -> bool:
        """Whether the request needs a list of accounts that only the bank's sign-in gives."""
        registration = self.provider.accounts
        return self.opened is not None and registration is not None and registration.needs_sign_in

    @property
    def lacks_accounts(self) -> bool:
        """Whether the request needs such a list, and the session has none that is fresh."""
        return self.needs_accounts and self.opened is not None and self.opened.accounts is None

    @property
    def bound_to(self) -> str:
        """What the CSRF tokens of its forms are bound to, together with the session."""
        return self.request_id or f"connections {self.provider.provider_id}"

    @property
    def next_address(self) -> str:
        if self.opened is None:
            return url_for("connections.show_connections")
        return self.opened.first_address

    @property
    def way_back(self) -> str | None:
        """The registered redirect_uri with the error access_denied; None without a request."""
        return None if self.opened is None else self.opened.denied_uri

    def address(self, **query: Any) -> str:
        """The address at which this sign-in begins, with the parameters `query`."""
        if self.opened is None:
            provider_id = self.provider.provider_id
            return url_for("sign_in.show_sign_in_for_connections", provider_id=provider_id, **query)
        return url_for("sign_in.show_sign_in", request_id=self.request_id, **query)

    def require_time_left(self) -> None:
        """Raises Problem (410) when the request has expired without an answer."""
        if self.opened is not None:
            self.opened.require_time_left()

    def switch_to(self, chosen: Language) -> None:
        """Changes the language of this response, of the session and of the request."""
        language.set_language(chosen)
        if self.opened is not None:
            services().flow.keep(self.opened.pending.in_language(chosen))
        self.remember_browser()

    def remember_browser(self) -> None:
        """Creates a session, if there is none, and saves the language in it."""
        self.session.remember_language(language.current_language())

    def welcome(self, customer: Customer, accounts: AccountList | None = None) -> None:
        """Starts a new session for `customer`, and binds the request to it.

        `accounts` is the list that came with the sign-in. A bank that should have given one, and did not, is
        not asked again by itself.
        """
        asked_for = self.request_id if self.needs_accounts else None
        self.session.sign_in(customer, accounts=accounts, asked_for=asked_for)
        if self.opened is not None and self.opened.pending.browser_id != self.session.browser_id:
            bind_to_this_browser(self.opened)
        _log.info("signed_in", provider_id=customer.provider_id, outcome="ok")


def purpose_to_answer(request_id: str) -> SignInPurpose:
    """The purpose of answering the request. Raises Problem and StoreUnavailable, as `open_request` does."""
    opened = open_request(request_id)
    return SignInPurpose(opened.parties.provider, opened.session, opened)


def purpose_to_see_connections(provider_id: str) -> SignInPurpose:
    """The purpose of seeing the connections. Raises Problem (404) for an unregistered provider."""
    provider = services().registry.find_provider(provider_id)
    if provider is None:
        raise problems.no_such_provider()
    session = browser()
    if session.is_known:
        language.set_language(language.query_language() or session.language)
    return SignInPurpose(provider, session, None)


def purpose_of(pending: PendingSignIn) -> SignInPurpose:
    """The purpose of a sign-in whose answer has arrived from the bank."""
    if pending.request_id is None:
        return purpose_to_see_connections(pending.provider_id)
    return purpose_to_answer(pending.request_id)


def bind_to_this_browser(opened: OpenRequest) -> None:
    """Binds the request to the present browser_id, without what another person has chosen."""
    services().flow.open(opened.pending.for_browser(opened.session.browser_id))
