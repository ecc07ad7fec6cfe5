"""The forms, and the token that binds each of them to one session and one request.

The token is a signature, so that nothing is stored for it and two copies of a form both work. It is another
one each time: what never repeats cannot be guessed from the sizes of compressed pages (BREACH). Flask-WTF's
own token would be one for the whole session, and its refusals exist in English only.
"""

import secrets
from typing import Any

from flask import request
from flask_wtf import FlaskForm
from wtforms import PasswordField, StringField, ValidationError
from wtforms.csrf.core import CSRF, CSRFTokenField

from app.domain.clusters import Scope, known_clusters
from app.domain.consent import Answer, answer_by_value
from app.domain.evidence import Screen
from app.domain.language import Language, find_language
from app.domain.pending_request import PendingRequest
from app.signin import Customer
from app.web.current import services

LONGEST_INPUT = 128  # characters of a user name or a password


class RequestBoundToken(CSRF):
    """A CSRF token for one session and one pending request (RFC 6749 10.12)."""

    def setup_form(self, form: Any) -> Any:
        self._subject: str = form.meta.csrf_context
        return super().setup_form(form)

    def generate_csrf_token(self, csrf_token_field: CSRFTokenField) -> str:
        return _sign(self._subject)

    def validate_csrf_token(self, form: Any, field: CSRFTokenField) -> None:
        if not _is_signed(self._subject, field.data if isinstance(field.data, str) else ""):
            raise ValidationError("the token is not of this session and request")


class RequestForm(FlaskForm):  # type: ignore[misc]  # flask_wtf has no types
    """A form on a page of a pending request, in the session `session_id`. Each kind has tokens of its own."""

    class Meta(FlaskForm.Meta):  # type: ignore[misc]  # the same
        csrf = True
        csrf_class = RequestBoundToken
        locales = False  # no texts of its own, and no look into the environment for a language

    def __init__(self, *, session_id: str | None, request_id: str, **values: Any) -> None:
        bound_to = _binding(type(self), session_id, request_id)
        # Fields only: flask_wtf would also read JSON and files, whose values are not text.
        super().__init__(request.form, meta={"csrf_context": bound_to}, **values)

    @classmethod
    def token(cls, *, session_id: str | None, request_id: str) -> str:
        """The token alone, for a page that is not rendered from the form."""
        return _sign(_binding(cls, session_id, request_id))

    def has_valid_token(self) -> bool:
        return bool(self.csrf_token.validate(self))


def chosen_language() -> Language | None:
    """The language of the switch, where that is a button of the form that was sent."""
    return find_language(request.form.get("language"))


class SignInForm(RequestForm):
    """Sandbox sign-in."""

    user_name = StringField()
    password = PasswordField()

    @property
    def is_complete(self) -> bool:
        return all(0 < len(field.data or "") <= LONGEST_INPUT for field in (self.user_name, self.password))


class SignOutForm(RequestForm):
    """Signing out, from a request or from nowhere."""


class DecisionForm:
    """The consent form as it was sent. What is chosen is read by machine values, never by labels.

    Its token is for one request, in the browser that began it, and for one customer: a sign-in at another
    bank changes nothing of these. It names the screen, too: `<screen hash>.<language>.<nonce>.<signature>`,
    so that a decision is on record with the very text that it answers. Its fields are buttons and boxes only,
    for which flask_wtf has no use.
    """

    def __init__(self, pending: PendingRequest, customer: Customer) -> None:
        person = f"{customer.provider_id} {customer.subject}"
        self._bound_to = f"{type(self).__name__} {pending.browser_id} {pending.request_id} {person}"

    def token(self, screen: Screen) -> str:
        """The token with which the form is sent by whoever sees that screen."""
        named = f"{screen.screen_hash}.{screen.language}"
        return f"{named}.{_sign(f'{self._bound_to} {named}')}"

    def has_valid_token(self) -> bool:
        screen_hash, language, token = self._parts()
        return find_language(language) is not None and _is_signed(
            f"{self._bound_to} {screen_hash}.{language}", token
        )

    @property
    def screen_hash(self) -> str:
        """The screen that the decision answers; to be read once the token has been found valid."""
        return self._parts()[0]

    @property
    def language(self) -> Language:
        """The language of that screen; to be read once the token has been found valid."""
        return Language(self._parts()[1])

    def _parts(self) -> tuple[str, str, str]:
        """The hash and the language that the token names, and what signs them."""
        screen_hash, _, rest = request.form.get("csrf_token", "").partition(".")
        language, _, token = rest.partition(".")
        return screen_hash, language, token

    @property
    def answer(self) -> Answer | None:
        """The button that was pressed, if it was one of the two. No button is both."""
        pressed = request.form.getlist("decision")
        return answer_by_value(pressed[0]) if len(pressed) == 1 else None

    @property
    def is_malformed(self) -> bool:
        """Whether it says an answer that is none. Where no button was pressed, it says nothing."""
        return self.answer is None and "decision" in request.form

    @property
    def asks_for_time(self) -> bool:
        """Whether the button was the one that puts off the end of the request."""
        return "extend" in request.form

    @property
    def checked(self) -> Scope:
        return known_clusters(request.form.getlist("scope"))


def _binding(form: type, session_id: str | None, request_id: str) -> str:
    """What a token is a signature of: each kind of form has tokens of its own."""
    return f"{form.__name__} {session_id or ''} {request_id}"


def _sign(bound_to: str) -> str:
    """A new token for `bound_to`: `<nonce>.<signature of both>`."""
    nonce = secrets.token_urlsafe(9)
    return f"{nonce}.{services().form_signer.get_signature(f'{bound_to} {nonce}').decode('ascii')}"


def _is_signed(bound_to: str, token: str) -> bool:
    nonce, _, signature = token.partition(".")
    return signature.isascii() and services().form_signer.verify_signature(
        f"{bound_to} {nonce}".encode("utf-8", "replace"), signature
    )
