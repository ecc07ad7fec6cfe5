"""The error pages for customers, each with the situation in which it is shown."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from flask import request

from app.domain.language import Language
from app.domain.registry import Client, DataProvider
from app.sign_in import Cause
from app.web.edge import language

RETRY_AFTER = 10  # seconds, a judgement: a store that restarts is back by then
_STATUS_OF_CAUSE = {
    Cause.REFUSED: 400,
    Cause.USED: 400,
    Cause.UNPROVEN: 502,
    Cause.NOT_ASKED: 502,
    Cause.BUSY: 503,
    Cause.UNAVAILABLE: 503,
}


class Problem(Exception):
    """An error page for a customer, by its template in errors/ and its HTTP status.

    `event` is the event of the log, for errors that operators should see, and `limit` the rate limit that was
    exceeded. `retry_after` is the value of Retry-After; for 503 it is RETRY_AFTER. `context` is the
    template's.
    """

    def __init__(
        self,
        template: str,
        status: int,
        *,
        event: str | None = None,
        limit: str | None = None,
        retry_after: timedelta | None = None,
        **context: Any,
    ) -> None:
        super().__init__(template)
        self.template = template
        self.status = status
        self.event = event
        self.limit = {} if limit is None else {"limit": limit}
        self.retry_after = timedelta(seconds=RETRY_AFTER) if status == 503 else retry_after
        self.context = context


def request_lost() -> Problem:
    """This browser has no such request: it never existed, was deleted, or began in another browser."""
    return Problem("request_lost", 404)


def session_over() -> Problem:
    """The session has ended, so that the server cannot know whose request it is."""
    return Problem("session_over", 404)


def cookies_blocked() -> Problem:
    """The browser sent no cookie: it blocks cookies, or the request began in another browser.

    Without a cookie the language is unknown, unless the page's address has it. The page is then in all
    languages.
    """
    return Problem("cookies_blocked", 404, is_language_known=language.query_language() is not None)


def request_expired(client: Client, provider: DataProvider, way_back: str) -> Problem:
    """The time to answer is over. `way_back` is the registered redirect_uri with the error access_denied."""
    return Problem("request_expired", 410, client=client, provider=provider, way_back=way_back)


def registration_changed() -> Problem:
    """The client or its redirect_uri is no longer registered, so that the page has no link to it."""
    return Problem("unsafe_client", 400)


def form_refused(request_id: str, provider: DataProvider | None = None) -> Problem:
    """The form has no valid CSRF token for this session and request. Nothing was recorded."""
    known: dict[str, Any] = {} if provider is None else {"provider": provider}
    return Problem("form_refused", 400, event="csrf_refused", request_id=request_id, **known)


def no_such_provider() -> Problem:
    """The address names a bank that is not registered."""
    return Problem("not_found", 404)


def sign_in_lost() -> Problem:
    """The bank's answer belongs to no sign-in that this browser began."""
    return Problem("sign_in_lost", 404)


def sign_in_failed(
    provider: DataProvider,
    cause: Cause,
    *,
    retry: str,
    client: Client | None,
    way_back: str | None,
    in_languages: Mapping[Language, str],
) -> Problem:
    """Signing in at the provider failed. `retry` is the address at which the same sign-in begins again.

    For a sign-in that answers a request, `client` is the recipient and `way_back` its redirect_uri with the
    error access_denied; else both are None.
    """
    return Problem(
        "sign_in_failed",
        _STATUS_OF_CAUSE[cause],
        provider=provider,
        cause=cause,
        retry=retry,
        client=client,
        way_back=way_back,
        page_in_languages=in_languages,
    )


def rate_limited(limit: str, wait: timedelta) -> Problem:
    """The rate limit `limit` is exceeded for the time `wait`. The request was not processed."""
    return Problem("too_many", 429, event="rate_limited", limit=limit, retry_after=wait, wait=wait)


def accounts_unavailable(
    client: Client, provider: DataProvider, way_back: str, *, retry: str | None
) -> Problem:
    """The bank gave no list of accounts. At `retry` it is asked again; None: at the address of this page."""
    return Problem(
        "accounts_unavailable",
        503,
        client=client,
        provider=provider,
        way_back=way_back,
        retry=retry or request.path,
    )


def connection_unknown() -> Problem:
    """The customers who are signed in here have no such connection; another customer may have it."""
    return Problem("connection_unknown", 404)


def stop_refused(consent_id: str, provider: DataProvider) -> Problem:
    """The form to stop sharing has no valid CSRF token for this session. Nothing changed."""
    return Problem("stop_refused", 400, event="csrf_refused", consent_id=consent_id, provider=provider)


def not_stopped(consent_id: str) -> Problem:
    """The ledger could not record that sharing stops, so that the page does not say that it has."""
    return Problem("not_stopped", 503, consent_id=consent_id)
