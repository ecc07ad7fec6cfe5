"""Development only: `lang=x` shows every text in a pseudo-locale, `lang=keys` the message ids of the texts.

These two views are no languages: records, dates and numbers stay English in them.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from itertools import cycle, islice
from typing import Final

from flask import Flask, Response, request

from app.web.current import request_state
from app.web.edge import language

COOKIE = "accord-catalogue-view"

_FIELD = re.compile(r"%\(\w+\)s")
# Parts of a text that are no words: named fields, doubled per cent signs, markup.
_NO_WORDS = re.compile(rf"({_FIELD.pattern}|%%|<[^>]*>|&\w+;)")
_LETTERS: Final = str.maketrans(
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz",
    "ÅƁÇÐÉƑĜĤÎĴĶĻḾÑÖÞɊŔŜŢÜṼŴẊÝŽåƀçðéƒĝĥîĵķļḿñöþɋŕšţüṽŵẋýž",
)
_FILLING: Final = "öñé ţŵö ţĥŕéé ƒöüŕ ƒîṽé šîẋ šéṽéñ "
_GROWTH: Final = 0.65  # a judgement: short labels are longer by more than half in French


class CatalogueView(StrEnum):
    """What replaces the translations; the value is that of the query parameter `lang`."""

    PSEUDO = "x"
    KEYS = "keys"


_BY_NAME: Final = {view.value: view for view in CatalogueView}


@dataclass(frozen=True, slots=True)
class PseudoCatalogue:
    """Replaces the catalogue of every language. `read` maps the context and the msgid of a text to a text."""

    read: Callable[[str | None, str], str]

    def ugettext(self, text: str) -> str:
        return self.read(None, text)

    def ungettext(self, one: str, many: str, count: int) -> str:
        return self.read(None, one if count == 1 else many)

    def upgettext(self, context: str, text: str) -> str:
        return self.read(context, text)

    def unpgettext(self, context: str, one: str, many: str, count: int) -> str:
        return self.read(context, one if count == 1 else many)


@cache
def pseudo(_context: str | None, text: str) -> str:
    """`text` with an accent on every letter, in brackets and 65 % longer; fields and markup are unchanged."""
    parts = _NO_WORDS.split(text)  # every second one is what the pattern found
    parts[::2] = (words.translate(_LETTERS) for words in parts[::2])
    longer = round(sum(map(len, parts[::2])) * _GROWTH) - len("[ ]")
    filling = "".join(islice(cycle(_FILLING), max(longer, 0))).strip()
    return f"[{' '.join(filter(None, (''.join(parts), filling)))}]"


@cache
def key(context: str | None, text: str) -> str:
    """The msgid as it is in the catalogue, with its fields, and after its context, if it has one."""
    shown = text.replace("%", "%%") if _FIELD.search(text) else text
    return shown if context is None else f"{context} | {shown}"


CATALOGUES: Final = {CatalogueView.PSEUDO: PseudoCatalogue(pseudo), CatalogueView.KEYS: PseudoCatalogue(key)}


def set_view(view: CatalogueView | None) -> None:
    """Sets what replaces the translations in this response; None for nothing."""
    request_state().catalogue_view = view


def current_view() -> CatalogueView | None:
    """What replaces the translations in this response; None for nothing, which is so in production."""
    return request_state().catalogue_view


def mark_untranslated(text: str) -> str:
    """Marks `text`, which comes from no catalogue, such as a registered name, a date or a customer's input.

    In the pseudo-locale the mark is a pair of isolates (U+2068, U+2069). Every other text with plain letters
    is one that was forgotten in the catalogues. In all other responses `text` is returned unchanged.
    """
    if current_view() is not CatalogueView.PSEUDO:
        return text
    return f"\N{FIRST STRONG ISOLATE}{text}\N{POP DIRECTIONAL ISOLATE}"


def init_app(app: Flask, *, is_https: bool) -> None:
    """Adds `lang=x` and `lang=keys` to `app`. A cookie keeps the choice for the pages that follow."""

    def is_concerned() -> bool:
        """Whether this request has the parameter or the cookie. Most requests have neither."""
        environ = request.environ
        return "lang=" in environ.get("QUERY_STRING", "") or COOKIE in environ.get("HTTP_COOKIE", "")

    @app.before_request
    def choose() -> None:
        if is_concerned():
            set_view(_known(language.lang_parameter() or request.cookies.get(COOKIE)))

    @app.after_request
    def remember(response: Response) -> Response:
        if not is_concerned():
            return response
        is_page = response.mimetype == "text/html" and not request.path.startswith("/dev/")
        kept, chosen = _known(request.cookies.get(COOKIE)), current_view()
        if is_page and chosen is not kept:
            if chosen is None:
                response.delete_cookie(COOKIE, secure=is_https, httponly=True, samesite="Lax")
            else:
                response.set_cookie(COOKIE, chosen, secure=is_https, httponly=True, samesite="Lax")
            response.vary.add("Cookie")
        return response


def _known(text: str | None) -> CatalogueView | None:
    return _BY_NAME.get(text or "")
