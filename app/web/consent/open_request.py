"""Loads the pending request whose id is in a page's address, for the browser that began it."""

from dataclasses import dataclass

import structlog
from flask import request

from app.domain.accounts import AccountList
from app.domain.callback import denied_uri
from app.domain.language import Language
from app.domain.pending_request import PendingRequest
from app.flow.consent import Parties
from app.sign_in import Customer
from app.web.consent.view import RepeatView, View
from app.web.current import browser, services
from app.web.edge import language, problems, pseudo_locale
from app.web.edge.headers import bind_parties, set_correlation_id
from app.web.edge.sessions import BrowserSession

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class OpenRequest:
    """A pending request that belongs to this browser and that its registration still allows."""

    pending: PendingRequest
    parties: Parties
    session: BrowserSession

    @property
    def customer(self) -> Customer | None:
        """The customer who is signed in at the request's provider; None for nobody."""
        return self.session.customer_of(self.parties.provider.provider_id)

    @property
    def accounts(self) -> AccountList | None:
        """The fresh list of this customer's accounts that the session has; else None (`find_accounts`)."""
        found = self.session.accounts_of(self.parties.provider.provider_id)
        return found if found is not None and found.is_fresh_at(services().clock()) else None

    def accounts_shown(self, list_hash: str) -> AccountList | None:
        """The list with that hash, where the session still has it: what the positions on its page mean.

        It may be too old to share from it.
        """
        provider = self.parties.provider
        found = None if provider.accounts is None else self.session.accounts_of(provider.provider_id)
        return found if found is not None and found.list_hash == list_hash else None

    @property
    def first_address(self) -> str:
        """Where the customer begins: at the accounts, where the list at hand leaves a choice, or the form.

        Who has checked accounts already goes on from there, even where what is shared could be kept as it is.
        """
        request_id, listed = self.pending.request_id, self.accounts
        if listed is None or listed.has_one_choice or self.parties.provider.accounts is None:
            return View().address(request_id)
        view = View(RepeatView.CHANGE) if self.pending.checked_accounts else View()
        if self.pending.has_chosen_accounts:
            return view.address(request_id)
        return view.accounts_address(request_id)

    @property
    def denied_uri(self) -> str:
        """The registered redirect_uri with the error access_denied."""
        return denied_uri(self.pending.request.return_to, issuer=services().settings.issuer)

    def switch_to(self, chosen: Language) -> None:
        """Keeps the request, with what was chosen so far, and the session in another language."""
        services().flow.keep(self.pending.in_language(chosen))
        self.session.remember_language(chosen)
        pseudo_locale.set_view(None)

    def require_time_left(self) -> None:
        """Raises Problem (410) when the request has expired without an answer."""
        if services().flow.is_expired(self.pending):
            raise self.expiry_problem()

    def expiry_problem(self) -> problems.Problem:
        """The page for an expired request. The first time it also logs `request_expired`."""
        if services().flow.note_expiry(self.pending):
            _log.info("request_expired", language=self.pending.language.value, outcome="410")
        return problems.request_expired(self.parties.client, self.parties.provider, self.denied_uri)


def open_request(request_id: str) -> OpenRequest:
    """The request, for the browser that began it. Raises Problem for any other browser, and StoreUnavailable.

    The parameter `lang` changes the language of the request, for this page and for the pages that follow.
    """
    session = browser()
    pending = session.find_request(request_id)
    if not session.is_known:
        raise _without_session(session)
    language.set_language(language.query_language() or session.language)
    if pending is None or pending.browser_id != session.browser_id:
        raise problems.request_lost()
    set_correlation_id(pending.request.correlation_id)
    bind_parties(pending.request.client_id, pending.request.provider_id)
    pending = _in_query_language(pending)
    parties = services().flow.parties(pending.request)
    if parties is None:
        raise problems.registration_changed()
    return OpenRequest(pending, parties, session)


def _without_session(session: BrowserSession) -> problems.Problem:
    """The page for a browser without a session: it blocks cookies, or its session has ended or never existed.

    The page follows from the cookie alone. Only the browser that began the request may learn whether it still
    exists, and between whom; without a session it cannot be recognized.
    """
    if not session.has_cookie:
        return problems.cookies_blocked()
    return problems.session_over() if session.was_known else problems.request_lost()


def _in_query_language(pending: PendingRequest) -> PendingRequest:
    asked = language.query_language()
    if asked is not None and asked is not pending.language:
        pending = pending.in_language(asked)
        if request.method != "HEAD":
            services().flow.keep(pending)
    language.set_language(pending.language)
    return pending
