"""Choosing a page's language and announcing it.

The request's `lang` decides, then the switch; `Accept-Language` is not asked, since the recipient knows which
language its customer reads. What this browser read last is in its cookie too, for the pages that come when
nothing else can be known: a store is away, or a session is over.
"""

from typing import TYPE_CHECKING, cast

from babel import Locale
from flask import Response, g, request
from flask.globals import request_ctx

from app.domain.language import Language, parse_language

if TYPE_CHECKING:
    from app.web.sessions import BrowserSession

# How each language writes dates and numbers, and what it is called: the one table of languages.
LOCALES = {Language.EN: Locale("en", "CA"), Language.FR: Locale("fr", "CA")}

OWN_NAMES = {spoken: str(place.get_language_name()).capitalize() for spoken, place in LOCALES.items()}
TAGS = {spoken: str(place).replace("_", "-") for spoken, place in LOCALES.items()}
OTHERS = {spoken: spoken.others for spoken in Language}


def use(language: Language) -> None:
    """Everything this response says is in `language` from now on."""
    g.language = language


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


def announce(response: Response) -> Response:
    """Names the language of a page in its headers."""
    if response.mimetype == "text/html":
        response.headers["Content-Language"] = TAGS[language()]
    return response
