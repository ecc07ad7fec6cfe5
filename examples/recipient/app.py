"""Budget Compass as Flask runs it: its settings, and what is around every request."""

import secrets
from os import environ
from urllib.parse import urlsplit

from flask import Flask, redirect, request
from flask.typing import ResponseReturnValue
from flask.wrappers import Response
from flask_wtf.csrf import CSRFError, CSRFProtect
from jinja2 import StrictUndefined
from werkzeug.exceptions import BadRequest, HTTPException

from examples.recipient import notices
from examples.recipient.actions import accord
from examples.recipient.bank_data import MOUNTS, BankApi
from examples.recipient.connections import Connections
from examples.recipient.fapi import DEMO_KEYS, fapi_accord
from examples.recipient.language import dollars, keep_language, long_date, short_date, utc, words
from examples.recipient.oauth import Accord, FlowError, secret_basic
from examples.recipient.pages import bp, go_to_problem, problem_page


def keep_to_one_host() -> ResponseReturnValue | None:
    """The cookie must be there when the browser comes back, and it comes back to the registered host."""
    ours = urlsplit(accord().redirect_uri)
    if request.host == ours.netloc:
        return None
    if request.method not in ("GET", "HEAD"):
        raise BadRequest
    return redirect(urlsplit(request.url)._replace(scheme=ours.scheme, netloc=ours.netloc).geturl(), 302)


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
    issuer = environ.get("ACCORD_ISSUER", "http://localhost:8000")
    redirect_uri = f"http://localhost:{environ.get('ACCORD_RECIPIENT_PORT', '8001')}/callback"
    client_id = environ.get("RECIPIENT_CLIENT_ID", "dc-budget")
    secret = environ.get("RECIPIENT_CLIENT_SECRET", "budget-demo-secret")  # a demo secret
    app.extensions["accord"] = Accord(issuer, client_id, secret_basic(client_id, secret), redirect_uri)
    app.extensions["fapi"] = fapi_accord(
        issuer,
        environ.get("RECIPIENT_FAPI_CLIENT_ID", "dc-fapi"),
        environ.get("RECIPIENT_FAPI_KEYS", DEMO_KEYS),
        redirect_uri,
    )
    app.before_request(keep_to_one_host)
    app.before_request(keep_language)
    app.after_request(add_headers)
    app.context_processor(words)
    app.register_error_handler(FlowError, go_to_problem)
    app.register_error_handler(CSRFError, lambda _error: go_to_problem(FlowError("form_expired")))
    app.register_error_handler(HTTPException, lambda error: problem_page("no_page", error.code or 500))
    csrf = CSRFProtect(app)
    app.register_blueprint(bp)
    if environ.get("RECIPIENT_NOTICES", "push") == "poll":
        notices.poll_for_ever(app)
    else:
        csrf.exempt(notices.bp)  # no browser comes there, and a notice is signed
        app.register_blueprint(notices.bp)
    return app
