"""The pages of Budget Compass. The protocol is in `oauth.py`; here are its places in a browser's session:
what is remembered when the browser leaves, and what is checked when it comes back."""

import re
from collections.abc import Iterable
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta

from flask import Blueprint, current_app, redirect, render_template, request, session, url_for
from flask.typing import ResponseReturnValue

from examples.recipient.actions import ACTIONS, accord, connections, fapi, finish, load_connection, with_data
from examples.recipient.bank_data import MOST_ACCOUNTS
from examples.recipient.fapi import read_proof
from examples.recipient.language import language
from examples.recipient.oauth import Flow, FlowError

PROVIDERS = ("1000", "2000", "3000")
CLUSTERS = (
    "ACCOUNT_BASIC", "ACCOUNT_DETAILED", "TRANSACTIONS", "STATEMENTS",
    "INVESTMENTS", "ACCOUNT_PAYMENTS", "CUSTOMER_CONTACT", "CUSTOMER_PERSONAL",
)  # fmt: skip
NEEDED = CLUSTERS[0]
ASKED = CLUSTERS[:3]  # what showing a month takes; a developer may ask for more, or for less
TO_SHOW_A_MONTH = "TRANSACTIONS"
MAX_FLOWS = 8  # tabs of one browser that are at the bank at once; keeps the cookie under 4 kB
REFRESH_TOKEN_IDLE = timedelta(days=30)
STATUS = {"access_denied": 200, "no_connection": 404, "unreachable": 503, "temporarily_unavailable": 503}

bp = Blueprint("recipient", __name__)


@bp.get("/")
def home() -> str:
    found = connections().find(session.get("connection", ""))
    return render_template(
        "home.html",
        connection=found,
        providers=PROVIDERS,
        clusters=CLUSTERS,
        asked=ASKED,
        client_ids={"": accord().client_id, "fapi2": fapi().client_id},
    )


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
    asked = {"": accord, "fapi2": fapi}.get(params.get("profile", ""))
    if asked is None:
        raise FlowError("bad_choice")
    url, flow = asked().begin(provider_id=provider_id, scope=chosen_scope(chosen), lang=lang)
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
        pushed=fapi().pushed(found.flow) if found.flow.request_uri else None,
        proof=read_proof(found.proof) if found.proof else None,
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


def problem_page(code: str, status: int, description: str = "") -> ResponseReturnValue:
    page = render_template("problem.html", code=code, description=description, issuer=accord().issuer)
    return page, status


def note_problem(error: FlowError) -> str:
    current_app.logger.warning("flow failed: %s", error.code)
    session["problem"] = [error.code, error.description]
    return url_for("recipient.problem", error=error.code)


def go_to_problem(error: FlowError) -> ResponseReturnValue:
    return redirect(note_problem(error), 303)
