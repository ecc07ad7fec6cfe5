"""Choosing a page's language and announcing it.

The request's `lang` decides, then the switch; `Accept-Language` is not asked, since the recipient knows which
language its customer reads. What this browser read last is in its cookie too, for the pages that come when
nothing else can be known: a store is away, or a session is over.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, cast

from babel import Locale
from flask import Response, g, request
from flask.globals import request_ctx

from app.domain.language import Language, parse_language

if TYPE_CHECKING:
    from app.web.edge.sessions import BrowserSession

# How each language writes dates and numbers.
LOCALES = {spoken: Locale.parse(spoken.conventions, sep="-") for spoken in Language}


def use(language: Language) -> None:
    """Everything this response says is in `language` from now on."""
    g.language = language
    g.pop("catalogue", None)


@contextmanager
def speaking(other: Language) -> Iterator[None]:
    """What is said within is in `other`, whatever language the response is in."""
    own = language()
    use(other)
    try:
        yield
    finally:
        use(own)


def asked_language() -> Language | None:
    """The language that this page's address asks for; None when it does not say."""
    text = asked_text()
    return None if not text else parse_language(text)


def asked_text() -> str | None:
    """What this page's address says of its language, whatever that is."""
    return request.args.get("lang")


def language() -> Language:
    """The language of this response."""
    if "language" not in g:
        session = cast("BrowserSession", request_ctx.session)
        g.language = asked_language() or session.cookie_language or Language.EN
    return cast("Language", g.language)


def locale() -> Locale:
    return LOCALES[language()]


def direction(spoken: Language) -> str:
    """The direction in which `spoken` is read, as the `dir` of HTML."""
    return "rtl" if LOCALES[spoken].character_order == "right-to-left" else "ltr"


def announce(response: Response) -> Response:
    """Names the language of a page in its headers."""
    if response.mimetype == "text/html":
        response.headers["Content-Language"] = language().tag
    return response
