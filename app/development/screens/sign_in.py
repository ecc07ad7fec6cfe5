"""The pages for signing in and out, and the start page of the demo."""

from datetime import timedelta
from functools import partial

from flask import render_template

from app.development.screens import parties as fixtures
from app.development.screens.example_page import ExamplePage
from app.development.screens.parties import BUDGET, MAPLE, NORTHERN
from app.domain.registry import Client
from app.web.consent.open_request import OpenRequest
from app.web.current import browser, services
from app.web.edge.forms import SignInForm
from app.web.sign_in.purpose import SignInPurpose
from app.web.sign_in.sandbox_page import sandbox_page


def _sandbox(
    client: Client | None = BUDGET, *, has_failed: bool = False, wait: timedelta | None = None
) -> str:
    session = browser()  # the page does not read the session, so that no store is used
    opened = OpenRequest(fixtures.pending(client), fixtures.parties(client), session) if client else None
    purpose = SignInPurpose(MAPLE, session, opened)
    came_back = has_failed or wait is not None
    typed = {"user_name": "alex"} if came_back else {}
    form = SignInForm(session_id=None, request_id=purpose.bound_to, **typed)
    return sandbox_page(purpose, form, has_failed=has_failed, wait=wait)


def _bank(client: Client | None = BUDGET) -> str:
    way_back = "https://budget.example/callback?error=access_denied"
    return render_template(
        "sign_in/bank.html", provider=MAPLE, client=client, address="/dev/screens", way_back=way_back
    )


def _signed_out() -> str:
    return render_template("sign_in/signed_out.html", banks=[MAPLE, NORTHERN])


def _start() -> str:
    recipient = f"http://localhost:{services().settings.recipient_port}"
    return render_template("development/start.html", recipient=recipient)


SCREENS = [
    ExamplePage("start", "The first page of the demonstration", _start),
    ExamplePage("sign-in", "Signing in to answer", _sandbox),
    ExamplePage("sign-in-connections", "Signing in to see what one shares", partial(_sandbox, None)),
    ExamplePage("sign-in-failed", "It did not work", partial(_sandbox, has_failed=True)),
    ExamplePage("sign-in-slowed", "Too many tries", partial(_sandbox, wait=timedelta(minutes=4))),
    ExamplePage(
        "sign-in-hostile", "For a recipient with a hostile name", partial(_sandbox, fixtures.HOSTILE)
    ),
    ExamplePage("bank", "At the bank's own server", _bank),
    ExamplePage("bank-connections", "There, to see what one shares", partial(_bank, None)),
    ExamplePage("signed-out", "Signed out at two banks", _signed_out),
]
