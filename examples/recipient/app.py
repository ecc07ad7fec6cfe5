"""The pages of Budget Compass. The protocol is in `oauth.py`; here are its places in a browser's session:
what is remembered when the browser leaves, and what is checked when it comes back."""

import re
import secrets
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, replace
from datetime import UTC, date, datetime, timedelta
from functools import partial
from os import environ
from typing import Any, cast
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from babel.dates import format_date
from babel.numbers import format_currency
from flask import Blueprint, Flask, current_app, redirect, render_template, request, session, url_for
from flask.typing import ResponseReturnValue
from flask.wrappers import Response
from flask_wtf.csrf import CSRFError, CSRFProtect
from jinja2 import StrictUndefined
from werkzeug.datastructures import MultiDict
from werkzeug.exceptions import BadRequest, HTTPException

from examples.recipient.bank_data import (
    MOST_ACCOUNTS,
    MOUNTS,
    BankApi,
    BankData,
    DataRefused,
    DataUnavailable,
)
from examples.recipient.connections import Connection, Connections
from examples.recipient.oauth import Accord, Flow, FlowError
from examples.recipient.wording import LANGUAGES, wording

PROVIDERS = ("1000", "2000", "3000")
CLUSTERS = (
    "ACCOUNT_BASIC", "ACCOUNT_DETAILED", "TRANSACTIONS", "STATEMENTS",
    "INVESTMENTS", "ACCOUNT_PAYMENTS", "CUSTOMER_CONTACT", "CUSTOMER_PERSONAL",
)  # fmt: skip
NEEDED = CLUSTERS[0]
ASKED = CLUSTERS[:3]  # what showing a month takes; a developer may ask for more, or for less
TO_SHOW_A_MONTH = "TRANSACTIONS"
MAX_FLOWS = 8  # tabs of one browser that are at the bank at once; keeps the cookie under 4 kB
ZONE = ZoneInfo("America/Toronto")
REFRESH_TOKEN_IDLE = timedelta(days=30)
STATUS = {"access_denied": 200, "no_connection": 404, "unreachable": 503, "temporarily_unavailable": 503}

bp = Blueprint("recipient", __name__)


@bp.get("/")
def home() -> str:
    found = connections().find(session.get("connection", ""))
    return render_template("home.html", connection=found, providers=PROVIDERS, clusters=CLUSTERS, asked=ASKED)


@bp.route("/connect", methods=["GET", "POST"])
def connect() -> ResponseReturnValue:
    """POST from our form, GET from a link elsewhere: starting a flow decides nothing for anybody."""
    params = request.form if request.method == "POST" else request.args
    provider_id = params.get("provider_id", PROVIDERS[0])
    if provider_id not in PROVIDERS:
        raise FlowError("bad_choice")
    lang = params.get("lang") or language()  # Accord may know more languages than we do
    chosen = params.getlist("scope")
    if request.method == "GET" and not chosen:
        chosen = list(ASKED)  # a form without a checked box asks for the least
    url, flow = accord().begin(provider_id=provider_id, scope=chosen_scope(chosen), lang=lang)
    remember(flow)
    return redirect(url, 303)


@bp.get("/callback")
def callback() -> ResponseReturnValue:
    """Ends in a redirect, whatever happens, so that neither a reload nor the history repeats the code.
    The same answer again, after a double click perhaps, leads to where it led before."""
    state = request.args.get("state", "")
    flow = recall(state)
    if flow is None:
        answered, location = session.get("answered", ("", ""))
        if not state or state != answered:
            raise FlowError("unknown_state")
        return redirect(location, 303)
    try:
        finish(flow, request.args)
        location = url_for("recipient.connection")
    except FlowError as error:
        location = note_problem(error)
    session["answered"] = [state, location]
    return redirect(location, 303)


@bp.get("/connection")
def connection() -> str:
    found, data = with_data(load_connection())
    granted = found.tokens.scope.split()
    issued_at = found.tokens.expires_at - found.tokens.expires_in
    return render_template(
        "connection.html",
        connection=found,
        granted=[cluster for cluster in CLUSTERS if cluster in granted],
        not_granted=[cluster for cluster in found.flow.scope.split() if cluster not in granted],
        can_show_a_month=TO_SHOW_A_MONTH in granted,
        data=data,
        most_accounts=MOST_ACCOUNTS,
        data_sharing=f"{accord().issuer}/connections?lang={language()}",
        expired=found.tokens.expires_at <= datetime.now(UTC).timestamp(),
        dies_at=issued_at + REFRESH_TOKEN_IDLE.total_seconds(),
    )


@bp.post("/connection/<any(refresh, replay, record, revoke):action>")
def act(action: str) -> ResponseReturnValue:
    found = load_connection()
    try:
        changed = ACTIONS[action](found)
    except FlowError as error:
        changed = replace(found, outcome=error.code, ended=found.ended or error.code == "invalid_grant")
    connections().keep(session["connection"], replace(changed, action=action))
    return redirect(url_for("recipient.connection"), 303)


@bp.post("/connection/forget")
def forget() -> ResponseReturnValue:
    """Only our own copy goes. The consent itself is ended at the bank."""
    connections().forget(session.pop("connection", ""))
    return redirect(url_for("recipient.home"), 303)


@bp.get("/problem")
def problem() -> ResponseReturnValue:
    """Where failures end: a page with an address of its own, which can be reloaded and translated."""
    code = request.args.get("error", "")
    if not re.fullmatch("[a-z_]{1,40}", code):
        code = "bad_answer"
    said_of, description = session.get("problem", ("", ""))
    return problem_page(code, STATUS.get(code, 400), description if said_of == code else "")


def finish(flow: Flow, params: MultiDict[str, str]) -> None:
    if any(len(values) > 1 for _name, values in params.lists()):  # RFC 6749 3.1
        raise FlowError("bad_answer")
    code = accord().read_answer(params)
    # Two callbacks at the same time must not redeem twice: the second would kill the first one's tokens.
    with connections().turn(flow.state):
        if connections().find(flow.state) is None:
            tokens = accord().redeem(code, flow)
            consent_id = find_consent_id(tokens.refresh_token)
            made = Connection(
                flow,
                code,
                tokens,
                claims=find_claims(tokens.access_token),
                consent_id=consent_id,
                ends_at=find_end(consent_id),
            )
            connections().keep(flow.state, made)
    if session.get("connection") != flow.state:
        connections().forget(session.get("connection", ""))
        session["connection"] = flow.state


def refresh(found: Connection) -> Connection:
    """As often as you like."""
    tokens = accord().refresh(found.tokens.refresh_token)
    return replace(found, outcome="refreshed", tokens=tokens, claims=find_claims(tokens.access_token))


def replay(found: Connection) -> Connection:
    """A second redemption of the code, which nobody should ever try, to be seen refused (RFC 6749 4.1.2)."""
    accord().redeem(found.code, found.flow)
    return replace(found, outcome="accepted")


def record(found: Connection) -> Connection:
    """What Accord has on record, also when the connection is over: by then its tokens tell nothing more."""
    consent_id = found.consent_id or accord().find_consent_id(found.tokens.refresh_token)
    if not consent_id:
        raise FlowError("unknown")
    return replace(found, outcome="read", consent_id=consent_id, record=accord().read_record(consent_id))


def revoke(found: Connection) -> Connection:
    """Ends the connection, then tries to refresh: that must fail from now on."""
    accord().revoke(found.tokens.refresh_token)
    over = replace(found, ended=True, record=None)
    try:
        accord().refresh(found.tokens.refresh_token)
    except FlowError as error:
        return replace(over, outcome="revoked" if error.code == "invalid_grant" else "unchecked")
    return replace(found, outcome="accepted")


ACTIONS: Mapping[str, Callable[[Connection], Connection]] = {
    "refresh": refresh,
    "replay": replay,
    "record": record,
    "revoke": revoke,
}


def with_data(found: Connection) -> tuple[Connection, BankData | None]:
    """The connection as it is now, and what the bank gives for it; None where it gives nothing now.

    A token that the bank refuses may be old. Where a refresh is refused, too, the customer has stopped.
    """
    if found.ended:
        return found, None
    try:
        if found.tokens.expires_at <= datetime.now(UTC).timestamp():
            found = replace(found, tokens=accord().refresh(found.tokens.refresh_token))
        try:
            data = read_data(found)
        except DataRefused as refused:
            if refused.code != "602":
                raise
            found = replace(found, refused=refused.code)
            found = replace(found, tokens=accord().refresh(found.tokens.refresh_token))
            data = read_data(found)
            found = replace(found, refused="")
    except DataRefused as refused:
        found, data = replace(found, refused=refused.code), None
    except DataUnavailable:
        data = None
    except FlowError as error:
        found, data = replace(found, ended=error.code == "invalid_grant"), None
    connections().keep(session["connection"], found)
    return found, data


def read_data(found: Connection) -> BankData:
    """What the page shows. This month begins where the customer is."""
    banks = cast("Mapping[str, BankApi]", current_app.extensions["banks"])
    return banks[found.flow.provider_id].read(
        found.tokens.access_token,
        frozenset(found.tokens.scope.split()),
        since=datetime.now(ZONE).date().replace(day=1),
        language=language(),
    )


def accord() -> Accord:
    return cast("Accord", current_app.extensions["accord"])


def connections() -> Connections:
    return cast("Connections", current_app.extensions["connections"])


def load_connection() -> Connection:
    found = connections().find(session.get("connection", ""))
    if found is None:
        raise FlowError("no_connection")
    return found


def find_claims(access_token: str) -> dict[str, Any]:
    """Empty when they cannot be verified now: the connection does not depend on them."""
    try:
        return accord().read_claims(access_token)
    except FlowError as error:
        current_app.logger.warning("access token not verified: %s", error)
        return {}


def find_consent_id(refresh_token: str) -> str:
    """Empty when Accord cannot be asked now: it is needed for nothing but the record."""
    try:
        return accord().find_consent_id(refresh_token)
    except FlowError as error:
        current_app.logger.warning("consent id not found: %s", error)
        return ""


def find_end(consent_id: str) -> datetime | None:
    """When the consent ends; None when Accord cannot be asked now. The bank's receipt has it, too."""
    try:
        return datetime.fromisoformat(accord().read_record(consent_id).expires) if consent_id else None
    except (FlowError, ValueError) as error:
        current_app.logger.warning("end of the consent not found: %s", error)
        return None


def chosen_scope(chosen: Iterable[str]) -> str:
    words = " ".join(chosen).split()
    return " ".join(cluster for cluster in CLUSTERS if cluster == NEEDED or cluster in words)


def remember(flow: Flow) -> None:
    """One entry per state: flows in several tabs do not disturb each other. The oldest goes first. The
    cookie is signed and HttpOnly; that this browser could read its own verifier harms nobody."""
    session["flows"] = [*session.get("flows", []), asdict(flow)][-MAX_FLOWS:]


def recall(state: str) -> Flow | None:
    """The flow that this very browser began under this state, once (RFC 9700 4.7)."""
    flows = session.get("flows", [])
    session["flows"] = [flow for flow in flows if flow["state"] != state]
    return next((Flow(**flow) for flow in flows if flow["state"] == state), None)


def language() -> str:
    """What was asked for, now or before; else the browser's own, in its order."""
    accepted = (tag[:2].lower() for tag in request.accept_languages.values())
    asked = (request.args.get("lang"), session.get("language"), *accepted)
    return next((choice for choice in asked if choice in LANGUAGES), "en")


def keep_language() -> None:
    if request.args.get("lang", "") in LANGUAGES:
        session["language"] = language()


def keep_to_one_host() -> ResponseReturnValue | None:
    """The cookie must be there when the browser comes back, and it comes back to the registered host."""
    ours = urlsplit(accord().redirect_uri)
    if request.host == ours.netloc:
        return None
    if request.method not in ("GET", "HEAD"):
        raise BadRequest
    return redirect(urlsplit(request.url)._replace(scheme=ours.scheme, netloc=ours.netloc).geturl(), 302)


def problem_page(code: str, status: int, description: str = "") -> ResponseReturnValue:
    page = render_template("problem.html", code=code, description=description, issuer=accord().issuer)
    return page, status


def note_problem(error: FlowError) -> str:
    current_app.logger.warning("flow failed: %s", error.code)
    session["problem"] = [error.code, error.description]
    return url_for("recipient.problem", error=error.code)


def go_to_problem(error: FlowError) -> ResponseReturnValue:
    return redirect(note_problem(error), 303)


def words() -> dict[str, object]:
    """What every template may use. `t` looks up our own wording."""
    chosen = language()
    other = LANGUAGES[1 - LANGUAGES.index(chosen)]
    return {"t": partial(wording, chosen), "language": chosen, "other_language": other}


def utc(seconds: float) -> str:
    at = datetime.fromtimestamp(min(max(seconds, 0), 253_402_300_799), UTC)  # the year 9999 is enough
    return f"{at:%Y-%m-%d %H:%M:%S} UTC"


def long_date(moment: datetime) -> str:
    """The day, as the bank's pages write it."""
    day = format_date(moment.astimezone(ZONE), "long", f"{language()}_CA")
    return re.sub("^1 ", "1er ", day)  # French: not 1 janvier


def short_date(day: date) -> str:
    return format_date(day, "d MMMM" if language() == "fr" else "MMMM d", f"{language()}_CA")


def dollars(amount: float) -> str:
    """With a real minus, which is read aloud."""
    return format_currency(amount, "CAD", locale=f"{language()}_CA").replace("-", "\N{MINUS SIGN}")


def add_headers(response: Response) -> Response:
    issuer = urlsplit(accord().issuer)
    # Browsers hold form-action against every redirect that follows the form: ours leads to Accord, and
    # from there perhaps to the bank's own sign-in, which for a demo is on this machine too.
    bank = " http://localhost:*" if issuer.scheme == "http" else ""
    response.headers["Content-Security-Policy"] = (
        "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; frame-ancestors 'none'; "
        f"form-action 'self' https: {issuer.scheme}://{issuer.netloc}{bank}"
    )
    response.headers["Referrer-Policy"] = "same-origin"
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Cross-Origin-Opener-Policy"] = "same-origin"
    response.headers["Cross-Origin-Resource-Policy"] = "same-origin"
    if request.endpoint != "static":
        response.headers["Cache-Control"] = "no-store"
    return response


def create_app() -> Flask:
    """For one worker process: see `connections.py`."""
    app = Flask(__name__)
    app.config.from_mapping(
        SECRET_KEY=environ.get("RECIPIENT_SECRET_KEY") or secrets.token_hex(32),
        # Cookies do not separate by port: Accord, on the same host, has a cookie of another name.
        SESSION_COOKIE_NAME="recipient_session",
        SESSION_COOKIE_SAMESITE="Lax",  # Strict would be lost on the way back from the bank
        MAX_CONTENT_LENGTH=16 * 1024,
        WTF_CSRF_TIME_LIMIT=None,  # as long as the session
    )
    app.jinja_env.undefined = StrictUndefined
    app.jinja_env.filters.update(utc=utc, long_date=long_date, short_date=short_date, dollars=dollars)
    bank_api = environ.get("RECIPIENT_BANK_API", "http://localhost:8003")
    app.extensions["banks"] = {number: BankApi(bank_api + mount) for number, mount in MOUNTS.items()}
    app.extensions["connections"] = Connections()
    app.extensions["accord"] = Accord(
        issuer=environ.get("ACCORD_ISSUER", "http://localhost:8000"),
        client_id=environ.get("RECIPIENT_CLIENT_ID", "dc-budget"),
        client_secret=environ.get("RECIPIENT_CLIENT_SECRET", "budget-demo-secret"),  # a demo secret
        redirect_uri=f"http://localhost:{environ.get('ACCORD_RECIPIENT_PORT', '8001')}/callback",
    )
    app.before_request(keep_to_one_host)
    app.before_request(keep_language)
    app.after_request(add_headers)
    app.context_processor(words)
    app.register_error_handler(FlowError, go_to_problem)
    app.register_error_handler(CSRFError, lambda _error: go_to_problem(FlowError("form_expired")))
    app.register_error_handler(HTTPException, lambda error: problem_page("no_page", error.code or 500))
    CSRFProtect(app)
    app.register_blueprint(bp)
    return app
