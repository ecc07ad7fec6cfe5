"""The forms, and the CSRF token that binds each form to one session and one request.

The token is a signature, so that nothing is stored for it and two copies of a form both work. Each token has
a nonce: a text that never repeats cannot be guessed from the sizes of compressed pages (BREACH). Flask-WTF's
own token is the same for a whole session, and its messages are in English only.
"""

import secrets
from functools import cached_property
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
from app.sign_in import Customer
from app.web.current import services

LONGEST_INPUT = 128  # characters of a user name or a password, as in the registration of test customers


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
    """A form for one session and one request. A token of one class of forms is not valid for another."""

    class Meta(FlaskForm.Meta):  # type: ignore[misc]  # the same
        csrf = True
        csrf_class = RequestBoundToken
        locales = False  # WTForms' own messages are not used, so that it needs no languages

    def __init__(self, *, session_id: str | None, request_id: str, **values: Any) -> None:
        bound_to = _binding(type(self), session_id, request_id)
        # Only form fields: flask_wtf would also read JSON and files, whose values are not text.
        super().__init__(request.form, meta={"csrf_context": bound_to}, **values)

    @classmethod
    def token(cls, *, session_id: str | None, request_id: str) -> str:
        """The token alone, for a page that does not render the form's fields."""
        return _sign(_binding(cls, session_id, request_id))

    def has_valid_token(self) -> bool:
        return bool(self.csrf_token.validate(self))


def chosen_language() -> Language | None:
    """The language whose button was pressed, where the language switch is part of the form; else None."""
    return find_language(request.form.get("language"))


class SignInForm(RequestForm):
    """The sign-in form of the sandbox."""

    user_name = StringField()
    password = PasswordField()

    @property
    def is_complete(self) -> bool:
        return all(0 < len(field.data or "") <= LONGEST_INPUT for field in (self.user_name, self.password))


class SignOutForm(RequestForm):
    """The sign-out form, on pages of a request and on others."""


class ScreenForm:
    """A form of a request as it was sent. Its values are machine values, never translated labels.

    Its token is bound to the request, the browser and the customer, and not to the session: a sign-in at
    another bank does not change it. The token also has the screen, `<screen
    hash>.<language>.<nonce>.<signature>`, so that an answer is recorded with the text that it answers; and
    where accounts are on it, their hash before the nonce, since they are not part of that text. Such a form
    has only buttons and boxes, for which flask_wtf is not needed.
    """

    def __init__(self, pending: PendingRequest, customer: Customer) -> None:
        person = f"{customer.provider_id} {customer.subject}"
        self._bound_to = f"{type(self).__name__} {pending.browser_id} {pending.request_id} {person}"

    def token(self, screen: Screen, accounts_hash: str = "") -> str:
        """The token of the form that shows `screen`, and the accounts of that hash."""
        named = f"{screen.screen_hash}.{screen.language}"
        if accounts_hash:
            named += f".{accounts_hash}"
        return f"{named}.{_sign(f'{self._bound_to} {named}')}"

    def has_valid_token(self) -> bool:
        named, nonce, signature = self._parts
        return find_language(self._named(1)) is not None and _is_signed(
            f"{self._bound_to} {named}", f"{nonce}.{signature}"
        )

    # What follows is only trustworthy when the token is valid.

    @property
    def screen_hash(self) -> str:
        """The hash of the screen that the decision answers."""
        return self._named(0)

    @property
    def language(self) -> Language:
        """The language of that screen."""
        return Language(self._named(1))

    @property
    def accounts_hash(self) -> str:
        """The hash of the accounts that it showed; empty where it showed none."""
        return self._named(2)

    def _named(self, index: int) -> str:
        """One of the parts before the nonce; empty where there is none."""
        parts = self._parts[0].split(".")
        return parts[index] if index < len(parts) else ""

    @cached_property
    def _parts(self) -> tuple[str, str, str]:
        """The three parts of the token: what it names, the nonce and the signature."""
        rest, _, signature = request.form.get("csrf_token", "").rpartition(".")
        named, _, nonce = rest.rpartition(".")
        return named, nonce, signature

    @property
    def asks_for_time(self) -> bool:
        """Whether the button was the one that puts off the end of the request."""
        return "extend" in request.form


class DecisionForm(ScreenForm):
    """The consent form as it was sent."""

    @property
    def answer(self) -> Answer | None:
        """The answer whose button was pressed; None for neither, or for a forged form with both."""
        pressed = request.form.getlist("decision")
        return answer_by_value(pressed[0]) if len(pressed) == 1 else None

    @property
    def is_malformed(self) -> bool:
        """Whether the form has an answer that no button sends. A form without any answer is not malformed."""
        return self.answer is None and "decision" in request.form

    @property
    def asks_to_change(self) -> bool:
        """Whether the button was the one that opens the boxes of a request that asks for nothing new."""
        return request.form.get("go") == "change"

    @property
    def checked(self) -> Scope:
        return known_clusters(request.form.getlist("scope"))

    @property
    def checks_at_once(self) -> bool:
        """Whether the button was “Check all” or “Uncheck all”, in a browser that runs no script."""
        return request.form.get("check") in ("all", "none")

    def checked_at_once(self, optional: Scope) -> Scope:
        """The boxes as that button leaves them: all of `optional`, or none."""
        return optional if request.form.get("check") == "all" else frozenset()


def _binding(form: type, session_id: str | None, request_id: str) -> str:
    """The text that a token signs: the class of the form, the session and the request."""
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
