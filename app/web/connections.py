"""`/connections`: what a customer shares, with whom, until when; and how it stops."""

from typing import Any

import structlog
from flask import Blueprint, Response, jsonify, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as BaseResponse

from app.domain.clusters import Scope, in_order, known_clusters
from app.domain.consent import narrowed_by
from app.domain.history import Actor, EventKind
from app.domain.language import Language
from app.flow.events import log_event
from app.signin import Customer
from app.stores.connections import Connection
from app.stores.unavailable import StoreUnavailable
from app.web import errors, language
from app.web.calendar import end_date_event
from app.web.current import browser, services
from app.web.forms import RequestForm, SignOutForm
from app.web.receipt import ShownConnection, receipt

bp = Blueprint("connections", __name__)

_log = structlog.get_logger()

EVERYTHING = "all"


@bp.get("/connections")
def show_all() -> str:
    """Everything that is shared by whoever is signed in, at every provider; ended connections apart."""
    _speak()
    customers = _customers()
    if not customers:
        return render_template("connections/choose.html", providers=services().registry.providers.values())
    shown = [_shown(found) for customer in customers for found in _of(customer)]
    return render_template(
        "connections/list.html",
        active=[one for one in shown if one.is_active],
        ended=[one for one in shown if not one.is_active],
        customers=customers,
        providers=services().registry.providers,
        sign_out=SignOutForm(session_id=browser().id, request_id=""),
    )


@bp.get("/connections/<consent_id>")
def show(consent_id: str) -> str:
    """One connection with its receipt; with `stop`, what would follow from stopping, to be confirmed."""
    _speak()
    shown = _load(consent_id)
    stopping = _stopping(shown, request.args.get("stop"))
    if stopping is not None:
        return _confirmation(shown, stopping)
    return render_template(
        "connections/detail.html",
        shown=shown,
        client=shown.client,
        provider=shown.provider,
        history=services().connections.history(consent_id),
        receipts={spoken: receipt(shown, spoken) for spoken in Language},
    )


@bp.post("/connections/<consent_id>")
def stop(consent_id: str) -> BaseResponse | str:
    """Stops sharing, all of it or one cluster. Effective before the answer is sent."""
    _speak()
    shown = _load(consent_id)
    form = RequestForm(session_id=browser().id, request_id=consent_id)
    if not form.has_valid_token():
        raise errors.stop_refused(consent_id)
    stopping = _stopping(shown, request.form.get("stop"))
    if stopping is not None:
        _withdraw(shown, stopping)
    return redirect(url_for("connections.show", consent_id=consent_id), 303)


@bp.get("/connections/<consent_id>/receipt.json")
def receipt_as_json(consent_id: str) -> Response:
    shown = _load(consent_id)
    return jsonify({spoken.value: receipt(shown, spoken).as_json() for spoken in Language})


@bp.get("/connections/<consent_id>/end-date.ics")
def end_date_as_calendar(consent_id: str) -> Response:
    """A reminder of the end date (RFC 5545)."""
    _speak()
    shown = _load(consent_id)
    response = Response(end_date_event(shown, receipt(shown, language.language())), mimetype="text/calendar")
    response.headers["Content-Disposition"] = 'attachment; filename="end-date.ics"'
    return response


def _withdraw(shown: ShownConnection, stopping: Scope) -> None:
    left = narrowed_by(shown.connection.grant.granted_scope, stopping)
    try:
        after = services().connections.withdraw(
            shown.consent_id, stopping if left else None, actor=Actor.CUSTOMER, now=services().clock()
        )
    except StoreUnavailable as error:
        _log.error("store_unavailable", store=str(error), outcome="503")
        raise errors.not_stopped(shown.consent_id) from error
    if after is not None:
        log_event(EventKind.NARROWED if left else EventKind.WITHDRAWN, after)


def _stopping(shown: ShownConnection, asked: str | None) -> Scope | None:
    """The clusters to stop, of those that are shared; None when there is nothing to stop."""
    shared = shown.connection.grant.granted_scope
    if asked is None or not shown.is_active:
        return None
    stopping = shared if asked == EVERYTHING else known_clusters([asked]) & shared
    return stopping or None


def _confirmation(shown: ShownConnection, stopping: Scope) -> str:
    left = narrowed_by(shown.connection.grant.granted_scope, stopping)
    values: dict[str, Any] = {
        "shown": shown,
        "client": shown.client,
        "provider": shown.provider,
        "stopping": in_order(stopping),
        "left": in_order(left),
        "stop": EVERYTHING if not left else next(iter(stopping)).value,
        "form": RequestForm(session_id=browser().id, request_id=shown.consent_id),
    }
    return render_template("connections/stop.html", **values)


def _load(consent_id: str) -> ShownConnection:
    """The connection, for the customer whose it is. Raises Problem (404) for anybody else."""
    found = services().connections.find(consent_id) if browser().is_known else None
    if found is None:
        raise errors.connection_unknown()
    customer = browser().customer_of(found.grant.provider_id)
    if customer is None or customer.subject != found.grant.subject:
        raise errors.connection_unknown()
    return _shown(found)


def _shown(found: Connection) -> ShownConnection:
    registry = services().registry
    return ShownConnection(
        connection=found,
        client=registry.clients.get(found.grant.client_id),
        provider=registry.providers[found.grant.provider_id],
        status=found.status_at(services().clock()),
    )


def _of(customer: Customer) -> list[Connection]:
    return services().connections.of_customer(customer.provider_id, customer.subject)


def _customers() -> list[Customer]:
    """Who is signed in, at every registered provider."""
    signed_in = (browser().customer_of(provider_id) for provider_id in services().registry.providers)
    return [customer for customer in signed_in if customer is not None]


def _speak() -> None:
    """The switch decides the language, else what this browser spoke last."""
    asked = language.asked_language()
    if browser().is_known:
        if asked is not None and asked is not browser().language:
            browser().language = asked
            browser().save()
        language.use(browser().language)
