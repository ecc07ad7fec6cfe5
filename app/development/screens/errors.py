"""All error pages."""

from datetime import timedelta
from functools import partial

from app.development.screens.example_page import ExamplePage
from app.development.screens.parties import BUDGET, CONSENT_ID, HOSTILE, MAPLE, REQUEST_ID
from app.domain.language import Language
from app.sign_in import Cause
from app.web.edge import errors, problems

_A_MINUTE = timedelta(minutes=1)
_WAY_BACK = "https://budget.example/callback?error=access_denied"


def _page(template: str) -> str:
    return errors.error_page(template)


def _problem(problem: problems.Problem) -> str:
    return errors.error_page(problem.template, **problem.context)


def _sign_in_failed(cause: Cause) -> str:
    here = f"/dev/screens/error-sign-in-{cause.value}"
    in_languages = {spoken: f"{here}?lang={spoken}" for spoken in Language}
    failed = problems.sign_in_failed(
        MAPLE, cause, retry=here, client=BUDGET, way_back=_WAY_BACK, in_languages=in_languages
    )
    return _problem(failed)


SCREENS = [
    ExamplePage("error-unsafe-client", "An unknown recipient", partial(_page, "unsafe_client")),
    ExamplePage(
        "error-unsafe-redirect", "An address that is not registered", partial(_page, "unsafe_redirect")
    ),
    ExamplePage("error-bad-request", "A request that cannot be read", partial(_page, "bad_request")),
    ExamplePage("error-not-found", "No such page", partial(_page, "not_found")),
    ExamplePage("error-not-allowed", "Not in this way", partial(_page, "not_allowed")),
    ExamplePage(
        "error-too-many", "Too many requests", lambda: _problem(problems.rate_limited("authorize", _A_MINUTE))
    ),
    ExamplePage("error-unavailable", "A store is away", partial(_page, "unavailable")),
    ExamplePage("error-unexpected", "Something unexpected", partial(_page, "unexpected")),
    ExamplePage("error-request-lost", "No such request here", lambda: _problem(problems.request_lost())),
    ExamplePage("error-session", "The session is over", lambda: _problem(problems.session_over())),
    ExamplePage("error-cookies", "Cookies are blocked", lambda: _problem(problems.cookies_blocked())),
    ExamplePage(
        "error-expired", "Too late", lambda: _problem(problems.request_expired(BUDGET, MAPLE, _WAY_BACK))
    ),
    ExamplePage(
        "error-expired-hostile",
        "Too late, for a recipient with a hostile name",
        lambda: _problem(problems.request_expired(HOSTILE, MAPLE, _WAY_BACK)),
    ),
    ExamplePage(
        "error-form",
        "A form that is not this browser's",
        lambda: _problem(problems.form_refused(REQUEST_ID, MAPLE)),
    ),
    ExamplePage("error-form-alone", "The same, from nowhere", lambda: _problem(problems.form_refused(""))),
    ExamplePage("error-sign-in-lost", "No such sign-in", lambda: _problem(problems.sign_in_lost())),
    *(
        ExamplePage(
            f"error-sign-in-{cause.value}",
            f"Signing in failed: {cause.value}",
            partial(_sign_in_failed, cause),
        )
        for cause in Cause
    ),
    ExamplePage(
        "error-accounts",
        "The bank gave no list of accounts",
        lambda: _problem(
            problems.accounts_unavailable(BUDGET, MAPLE, _WAY_BACK, retry="/dev/screens/error-accounts")
        ),
    ),
    ExamplePage("error-connection", "No such connection", lambda: _problem(problems.connection_unknown())),
    ExamplePage(
        "error-stop", "A form to stop, refused", lambda: _problem(problems.stop_refused(CONSENT_ID, MAPLE))
    ),
    ExamplePage(
        "error-not-stopped", "It could not be stopped", lambda: _problem(problems.not_stopped(CONSENT_ID))
    ),
]
