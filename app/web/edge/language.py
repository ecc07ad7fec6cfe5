"""Chooses the language of a page, and names it in the headers.

The `lang` of the authorization request decides first, and then the language switch on the pages.
`Accept-Language` is not used, since the recipient knows which language its customer reads. The session cookie
has the language that the browser used last: error pages need it when Redis is down or the session has ended.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from babel import Locale
from flask import Response, request

from app.domain.language import Language, parse_language
from app.web.current import browser, request_state

# The CLDR locale by which each language writes dates and numbers.
LOCALES = {spoken: Locale.parse(spoken.conventions, sep="-") for spoken in Language}


def set_language(language: Language) -> None:
    """Sets the language of this response."""
    state = request_state()
    state.language, state.catalogue = language, None


@contextmanager
def switched_to(other: Language) -> Iterator[None]:
    """Within the block, texts are in the language `other`; after it, in that of the response again."""
    own = current_language()
    set_language(other)
    try:
        yield
    finally:
        set_language(own)


def query_language() -> Language | None:
    """The language that the query parameter `lang` names; None without one."""
    text = lang_parameter()
    return None if not text else parse_language(text)


def lang_parameter() -> str | None:
    """The query parameter `lang` as it was sent; None without one."""
    return request.args.get("lang")


def current_language() -> Language:
    """The language of this response."""
    state = request_state()
    if state.language is None:
        state.language = query_language() or browser().cookie_language or Language.EN
    return state.language


def current_locale() -> Locale:
    return LOCALES[current_language()]


def direction(spoken: Language) -> str:
    """The direction in which `spoken` is read, as HTML's `dir` has it: `ltr` or `rtl`."""
    return "rtl" if LOCALES[spoken].character_order == "right-to-left" else "ltr"


def add_content_language(response: Response) -> Response:
    """Adds Content-Language to a page."""
    if response.mimetype == "text/html":
        response.headers["Content-Language"] = current_language().tag
    return response
