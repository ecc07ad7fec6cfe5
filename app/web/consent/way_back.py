"""The way back to the recipient after an answer."""

from collections.abc import Callable

from flask import redirect, render_template, request
from werkzeug.wrappers import Response as BaseResponse

from app.domain.callback import has_private_scheme, success_uri
from app.flow.consent import AlreadyAnswered, Approved, Changed, Denied, Expired, Outcome
from app.web.consent.open_request import OpenRequest
from app.web.consent.pages import answered_page
from app.web.current import services
from app.web.edge import language

_ANSWER = ("csrf_token", "repeat", "banner", "decision", "go", "scope")


def respond(
    opened: OpenRequest,
    result: Outcome,
    ask_again: Callable[[], BaseResponse],
) -> BaseResponse | str:
    """What the browser gets for an answer: the redirect to the recipient, or a page that says why not.

    Raises Problem (410) for an answer that came too late.
    """
    match result:
        case Approved(_, code):
            return _send_back(opened, _code_uri(opened, code), was_approved=True)
        case Denied():
            return _send_back(opened, opened.denied_uri, was_approved=False)
        case AlreadyAnswered(decision):
            return answered_page(opened, decision)
        case Changed():
            return ask_again()
        case Expired():
            raise opened.expiry_problem()


def _code_uri(opened: OpenRequest, code: str) -> str:
    return success_uri(opened.pending.request.return_to, code=code, issuer=services().settings.issuer)


def _send_back(opened: OpenRequest, location: str, *, was_approved: bool) -> BaseResponse | str:
    """The redirect that the specification asks for: 302, after a POST too.

    For a recipient of FAPI 2.0 it is 303, after which no browser repeats the POST (Security Profile
    5.3.2.2-11).
    """
    if has_private_scheme(location):
        # Its switch sends the same answer, and the language in the address.
        language.set_language(language.query_language() or language.current_language())
        return _continue_page(opened, location, was_approved=was_approved)
    return redirect(location, 303 if opened.parties.client.is_fapi else 302)


def _continue_page(opened: OpenRequest, location: str, *, was_approved: bool) -> str:
    """The link to an app on the device, whose address browsers would not follow after a POST (RFC 8252)."""
    return render_template(
        "consent/continue.html",
        client=opened.parties.client,
        provider=opened.parties.provider,
        answered_at=request.path,
        fields=[(name, value) for name in _ANSWER for value in request.form.getlist(name)],
        location=location,
        was_approved=was_approved,
    )
