"""`/connections`: shows customers what they share, with whom and until when, and lets them stop it."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from flask import Blueprint, Response, jsonify, redirect, request, url_for
from werkzeug.wrappers import Response as BaseResponse

from app.domain.consent import ConsentGrant
from app.domain.history import Actor
from app.domain.language import Language
from app.flow.consent import WaitingRequest
from app.flow.withdrawal import withdraw
from app.sign_in import Customer
from app.stores.ledger.connections import Connection
from app.stores.unavailable import StoreUnavailable
from app.web.connections.calendar_entry import end_date_event
from app.web.connections.pages import (
    MOST_ENDED,
    choose_page,
    detail_page,
    list_page,
    stop_form,
    stop_page,
)
from app.web.connections.receipt import ShownConnection, receipt
from app.web.connections.stopping import find_stopping
from app.web.current import browser, customers, services
from app.web.edge import language, problems
from app.web.edge.errors import log_store_unavailable
from app.web.edge.headers import bind_parties

bp = Blueprint("connections", __name__)


@bp.get("/connections")
def show_connections() -> str:
    """The active connections at all banks where the customer is signed in, and a page of the ended ones.

    The parameter `older_than` is the consent id of the last connection on the page before.
    """
    _speak()
    signed_in = customers()
    providers = services().registry.providers
    if not signed_in:
        return choose_page(providers.values(), waiting=_waiting_request())
    before = _last_of_the_page_before(request.args.get("older_than"), signed_in)
    return list_page(
        active=_newest_first(found for customer in signed_in for found in _active_of(customer)),
        ended=_newest_first(found for customer in signed_in for found in _ended_of(customer, before)),
        is_first=before is None,
        customers=signed_in,
        providers=providers,
        session_id=browser().id,
        waiting=_waiting_request(),
    )


@bp.get("/connections/<consent_id>")
def show_connection(consent_id: str) -> str:
    """One connection with its receipt; with the parameter `stop`, the page that asks for confirmation."""
    _speak()
    shown = _load(consent_id)
    stopping = find_stopping(shown.grant, shown.status, request.args.get("stop"))
    if stopping is not None:
        return stop_page(shown, stopping, session_id=browser().id, waiting=_waiting_request())
    # The history leaves out refreshes, of which there may be one on every day.
    history = services().connections.history_without_use(consent_id)
    is_telling = shown.may_be_telling_at(services().clock()) and services().connections.is_end_to_be_told(
        shown.grant
    )
    return detail_page(shown, history, is_telling=is_telling, waiting=_waiting_request())


@bp.post("/connections/<consent_id>")
def stop(consent_id: str) -> BaseResponse:
    """Stops sharing, completely, one cluster or one account, before the answer is sent."""
    try:
        _speak()
        shown = _load(consent_id)
        if not stop_form(consent_id, browser().id).has_valid_token():
            raise problems.stop_refused(consent_id, shown.provider)
        stopping = find_stopping(shown.grant, shown.status, request.form.get("stop"))
        if stopping is not None:
            now = services().clock()
            withdraw(services().connections, consent_id, stopping.part, actor=Actor.CUSTOMER, now=now)
    except StoreUnavailable as error:
        log_store_unavailable(error, outcome="503")
        raise problems.not_stopped(consent_id) from error
    # The anchor moves the focus to the sentence that says that sharing has stopped.
    said_at = "stopped" if stopping or not shown.is_active else None
    return redirect(url_for("connections.show_connection", consent_id=consent_id, _anchor=said_at), 303)


@bp.get("/connections/<consent_id>/receipt.json")
def receipt_as_json(consent_id: str) -> Response:
    """The receipt in every language, as a JSON object by language code."""
    _speak()
    shown = _load(consent_id)
    return jsonify({spoken.value: receipt(shown, spoken).as_json() for spoken in Language})


@bp.get("/connections/<consent_id>/end-date.ics")
def end_date_as_calendar(consent_id: str) -> Response:
    """A calendar entry for the end date (RFC 5545)."""
    _speak()
    shown = _load(consent_id)
    event = end_date_event(shown.grant, receipt(shown, language.current_language()))
    response = Response(event, mimetype="text/calendar")
    response.headers["Content-Disposition"] = 'attachment; filename="end-date.ics"'
    return response


def _waiting_request() -> WaitingRequest | None:
    """The newest request of this browser that waits for an answer."""
    if not browser().is_known:
        return None
    return next(services().flow.waiting_requests(browser().browser_id), None)


def _load(consent_id: str) -> ShownConnection:
    """The connection, if it belongs to a customer who is signed in here. Else raises Problem (404)."""
    found = services().connections.find_connection(consent_id) if browser().is_known else None
    if found is None or found.grant.provider_id not in services().registry.providers:
        raise problems.connection_unknown()
    customer = browser().customer_of(found.grant.provider_id)
    if customer is None or customer.subject != found.grant.subject:
        raise problems.connection_unknown()
    bind_parties(found.grant.client_id, found.grant.provider_id)
    return _shown(found)


def _shown(found: Connection) -> ShownConnection:
    registry = services().registry
    return ShownConnection(
        connection=found,
        client=registry.clients.get(found.grant.client_id),
        provider=registry.providers[found.grant.provider_id],
        status=found.status_at(services().clock()),
    )


def _active_of(customer: Customer) -> list[Connection]:
    return services().connections.active_of(customer.provider_id, customer.subject, now=services().clock())


def _ended_of(customer: Customer, before: ConsentGrant | None) -> list[Connection]:
    """The ended connections for one page, and one more, which shows that there is a next page."""
    return services().connections.ended_of(
        customer.provider_id,
        customer.subject,
        now=services().clock(),
        most=MOST_ENDED + 1,
        older_than=before,
    )


def _last_of_the_page_before(consent_id: str | None, signed_in: Sequence[Customer]) -> ConsentGrant | None:
    """The connection `consent_id`; None, for the first page, where no signed-in customer has it."""
    found = None if consent_id is None else services().connections.find_connection(consent_id)
    if found is None:
        return None
    whose = (found.grant.provider_id, found.grant.subject)
    return found.grant if whose in {(one.provider_id, one.subject) for one in signed_in} else None


def _newest_first(found: Iterable[Connection]) -> list[ShownConnection]:
    def when(one: Connection) -> tuple[datetime, str]:
        return one.grant.approved_at, one.grant.consent_id

    return [_shown(one) for one in sorted(found, key=when, reverse=True)]


def _speak() -> None:
    """Sets the language: that of the parameter `lang`, or else the language of the session."""
    if not browser().is_known:
        return
    asked = language.query_language()
    if asked is not None and request.method != "HEAD":
        browser().remember_language(asked)
    language.set_language(asked or browser().language)
