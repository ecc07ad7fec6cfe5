"""The data APIs of the demo's banks, /maple, /northern and /harbour, each behind a guard.

What is here is a bank's own work: who has which accounts, and what is in them. It sends everything that it
knows of an account, and the guard lets through what the customer shares.
"""

from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime
from os import environ
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from flask import Flask, jsonify, request
from flask.typing import ResponseReturnValue
from werkzeug.middleware.dispatcher import DispatcherMiddleware

from examples.bank import accounts as fdx
from examples.bank.authorization_server import AuthorizationServer
from examples.bank.customers import Account, Bank, Customer, read_banks
from examples.bank.fields import FieldFilter
from examples.bank.guard import Decision, Guard
from examples.bank.statement import last_month, statement_entry, statement_pdf
from examples.bank.transactions import transactions
from examples.bank.wsgi_guard import DECISION, WsgiGuard

if TYPE_CHECKING:
    from wsgiref.types import WSGIApplication

REGISTRATION = Path(__file__).parents[2] / "registry" / "demo.toml"
LARGEST_PAGE = 500
_WITH_PAYMENTS = ("CHECKING", "SAVINGS")

Clock = Callable[[], datetime]


class FdxError(Exception):
    """A refusal of the bank's own, in FDX's codes."""

    def __init__(self, status: int, code: str) -> None:
        self.status, self.code = status, code


def create_bank(bank: Bank, clock: Clock) -> Flask:
    """The API of one bank, without its guard."""
    app = Flask(__name__)
    app.json.sort_keys = False  # type: ignore[attr-defined]
    app.register_error_handler(FdxError, lambda error: (jsonify(code=error.code), error.status))
    app.register_error_handler(404, lambda _: (jsonify(code="1107"), 404))

    def customer() -> Customer:
        """Who the decision is about. Whether they are still a customer is asked now, at each call."""
        found = bank.find_customer(decision().subject)
        if found is None:
            raise FdxError(404, "601")
        return found

    def open_account(account_id: str) -> Account:
        """The customer's account, now: the consent does not say whose it is."""
        found = customer().accounts.get(account_id)
        if found is None:
            raise FdxError(404, "701")
        if found.status == "CLOSED":
            raise FdxError(409, "705")
        return found

    @app.get("/accounts")
    def list_accounts() -> ResponseReturnValue:
        may_be_told = [
            account
            for account in customer().accounts.values()
            if decision().clusters_of(account.account_id) is not None
        ]
        return paged("accounts", [_account(customer(), account, clock()) for account in may_be_told])

    @app.get("/accounts/<account_id>")
    def show_account(account_id: str) -> ResponseReturnValue:
        return jsonify(_account(customer(), open_account(account_id), clock()))

    @app.get("/accounts/<account_id>/transactions")
    def list_transactions(account_id: str) -> ResponseReturnValue:
        found = transactions(
            customer().subject,
            open_account(account_id),
            first=decision().earliest,
            today=clock().date(),
            language=language(),
        )
        return paged("transactions", [each for each in found if is_asked_for(each["postedTimestamp"][:10])])

    @app.get("/accounts/<account_id>/statements")
    def list_statements(account_id: str) -> ResponseReturnValue:
        entry = statement_entry(
            open_account(account_id).account_id, last_month(clock().date()), language=language()
        )
        return paged("statements", [entry] if is_asked_for(entry["statementDate"]) else [])

    @app.get("/accounts/<account_id>/statements/<statement_id>")
    def show_statement(account_id: str, statement_id: str) -> ResponseReturnValue:
        account, month = open_account(account_id), last_month(clock().date())
        entry = statement_entry(account_id, month, language=language())
        if statement_id != entry["statementId"] or not is_asked_for(entry["statementDate"]):
            raise FdxError(404, "1107")
        found = transactions(
            customer().subject, account, first=month, today=clock().date(), language=language()
        )
        in_month = [each for each in found if each["postedTimestamp"].startswith(statement_id)]
        heading = f"{account.name} ••{account.last_digits}"
        pdf = statement_pdf(heading, month, reversed(in_month), language=language())
        return pdf, {"Content-Type": "application/pdf"}

    @app.get("/accounts/<account_id>/payment-networks")
    def list_payment_networks(account_id: str) -> ResponseReturnValue:
        found = open_account(account_id)
        if found.type not in _WITH_PAYMENTS:
            raise FdxError(422, "704")
        return paged("paymentNetworks", fdx.payment_networks(found))

    @app.get("/accounts/<account_id>/contact")
    def show_contact(account_id: str) -> ResponseReturnValue:
        return jsonify(fdx.contact(customer(), open_account(account_id)))

    @app.get("/customers/current")
    def show_customer() -> ResponseReturnValue:
        return jsonify(fdx.person(customer()))

    return app


def decision() -> Decision:
    """What the guard has decided about this request."""
    return cast("Decision", request.environ[DECISION])


def is_asked_for(day: str) -> bool:
    """Whether something of this day (ISO 8601) may be told, and was asked for."""
    first, last = decision().earliest or date.min, decision().latest or date.max
    return first.isoformat() <= day <= last.isoformat()


def language() -> str:
    return request.accept_languages.best_match(("en-CA", "fr-CA", "en", "fr"), default="en")[:2]


def paged(name: str, found: Sequence[dict[str, Any]]) -> ResponseReturnValue:
    """One page of what was found (FDX PaginatedArray)."""
    offset, limit = _number("offset", 0), min(_number("limit", 100), LARGEST_PAGE)
    page: dict[str, Any] = {"totalElements": len(found)}
    if offset + limit < len(found):
        page["nextOffset"] = str(offset + limit)
    return jsonify({"page": page, name: found[offset : offset + limit]})


def _number(name: str, default: int) -> int:
    text = request.args.get(name, str(default))
    if not (text.isascii() and text.isdecimal() and len(text) < 10):
        raise FdxError(400, "1107")
    return int(text)


def _account(customer: Customer, account: Account, now: datetime) -> dict[str, Any]:
    return fdx.account(customer, account, today=now.date(), language=language())


def create_app(
    *, registration: Path | None = None, issuer: str | None = None, clock: Clock = lambda: datetime.now(UTC)
) -> "WSGIApplication":
    """All banks of the registration, each behind its guard. `/` answers, so that one can see that it runs."""
    fields = FieldFilter.read()
    mounts: dict[str, WSGIApplication] = {}
    for bank in read_banks(registration or Path(environ.get("BANK_REGISTRATION") or REGISTRATION)):
        server_id = f"{bank.mount[1:]}-api"
        accord = AuthorizationServer(
            issuer or environ.get("ACCORD_ISSUER", "http://localhost:8000"),
            server_id,
            f"{server_id}-demo-secret",
        )
        guard = Guard(bank.audience, accord)
        mounts[bank.mount] = WsgiGuard(create_bank(bank, clock).wsgi_app, guard, fields, clock=clock)
    front = Flask(__name__)
    front.add_url_rule(
        "/", "front", lambda: ("The data APIs of the demo's banks.\n", {"Content-Type": "text/plain"})
    )
    return DispatcherMiddleware(front.wsgi_app, mounts)
