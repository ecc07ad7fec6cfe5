"""The sign-in of Harbour Trust: an OpenID Connect server for tests, with a page of this bank's own.

Beside it the bank lists the accounts of whoever has signed in, as FDX has it.

The server is oidc-provider-mock. Here is what a customer sees of it, and the `state` that it leaves out when
the customer turns back (RFC 6749 4.1.2.1). It asks for no password: everything here is a demonstration.
"""

from pathlib import Path
from urllib.parse import urlencode

from authlib.common.urls import add_params_to_uri
from flask import Flask, current_app, jsonify, make_response, request
from flask.wrappers import Response
from jinja2 import ChoiceLoader, FileSystemLoader
from markupsafe import Markup
from oidc_provider_mock import User
from oidc_provider_mock import app as make_server

from examples.harbour.customers import CUSTOMERS, accounts_of

ACCOUNTS = "/fdx/v6/accounts"
LOGO = Path(__file__).parents[2] / "static" / "logos" / "harbour.svg"
TEXTS = {
    "en": {
        "bank": "Harbour Trust",
        "title": "Sign in",
        "who": "Who are you?",
        "demo": "This is a demonstration: no real bank, no real data, and no password.",
        "cancel": "Cancel",
        "other": "Français",
    },
    "fr": {
        "bank": "Fiducie du Port",
        "title": "Ouvrir une session",
        "who": "Qui êtes-vous?",
        "demo": "Il s’agit d’une démonstration\N{NO-BREAK SPACE}: ni l’institution ni les données ne sont "
        "réelles, et il n’y a pas de mot de passe.",
        "cancel": "Annuler",
        "other": "English",
    },
}


def create_app() -> Flask:
    customers = [User(sub=sub, claims={"name": name}) for sub, name in CUSTOMERS.items()]
    server: Flask = make_server(user_claims=customers)
    own_page = FileSystemLoader(Path(__file__).with_name("templates"))
    server.jinja_loader = ChoiceLoader([own_page, *filter(None, [server.jinja_loader])])
    server.context_processor(_words)
    server.after_request(_with_state)
    server.add_url_rule(ACCOUNTS, view_func=_list_accounts)
    return server


def _list_accounts() -> Response:
    """The accounts of the customer whose access token this is (FDX), for Accord's page alone."""
    # The server checks the token where it tells who its customer is, and answers 401 for any other.
    told = make_response(current_app.view_functions["oidc-provider-mock.userinfo"]())
    subject = told.get_json()["sub"]
    return jsonify(page={}, accounts=[_descriptor(account) for account in accounts_of(subject)])


def _descriptor(account: dict[str, str]) -> dict[str, str]:
    """FDX AccountDescriptor."""
    return {
        "accountId": account["account_id"],
        "accountCategory": account["category"],
        "accountType": account["type"],
        "accountNumberDisplay": f"••{account['last_digits']}",
        "nickname": account["name"],
        "productName": account["product"] or account["name"],
        "status": "OPEN",
    }


def _words() -> dict[str, object]:
    """What the page says, in the language that Accord asks for (`ui_locales`)."""
    language = "fr" if request.args.get("ui_locales", "").startswith("fr") else "en"
    other = "en" if language == "fr" else "fr"
    logo = Markup(LOGO.read_text(encoding="utf-8"))  # noqa: S704  # our own
    switch = "?" + urlencode({**request.args, "ui_locales": other})
    return {
        "t": TEXTS[language],
        "language": language,
        "other": other,
        "switch": switch,
        "names": CUSTOMERS,
        "logo": logo,
    }


def _with_state(response: Response) -> Response:
    """The answer that somebody turned back, for the sign-in that it belongs to."""
    state = request.args.get("state")
    if state and response.location and "error=" in response.location and "state=" not in response.location:
        response.location = add_params_to_uri(response.location, [("state", state)])
    return response
