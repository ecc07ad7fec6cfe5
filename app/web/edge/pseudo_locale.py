"""Development only: `lang=x` shows every text in a pseudo-locale, `lang=keys` the message ids of the texts.

A reading is none of the languages of Accord: whatever is stored, dated or formatted stays English.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from itertools import cycle, islice
from typing import Final, cast

from flask import Flask, Response, g, request

from app.web.edge import language

COOKIE = "accord-reading"

_FIELD = re.compile(r"%\(\w+\)s")
# What is no word: named fields, doubled per cent signs, markup.
_NO_WORDS = re.compile(rf"({_FIELD.pattern}|%%|<[^>]*>|&\w+;)")
_LETTERS: Final = str.maketrans(
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz",
    "ÅƁÇÐÉƑĜĤÎĴĶĻḾÑÖÞɊŔŜŢÜṼŴẊÝŽåƀçðéƒĝĥîĵķļḿñöþɋŕšţüṽŵẋýž",
)
_FILLING: Final = "öñé ţŵö ţĥŕéé ƒöüŕ ƒîṽé šîẋ šéṽéñ "
_GROWTH: Final = 0.65  # short labels grow by more than half in French: a page has to bear that


class Reading(StrEnum):
    """What stands in the place of the translations, by the `lang` that asks for it."""

    PSEUDO = "x"
    KEYS = "keys"


_BY_NAME: Final = {reading.value: reading for reading in Reading}


@dataclass(frozen=True, slots=True)
class ReadCatalogue:
    """Stands for the catalogue of every language. `read` gets a text's context and the text."""

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
    """`text` with an accent on every letter, in brackets and 65 % longer; fields and markup as they are."""
    parts = _NO_WORDS.split(text)  # every second one is what the pattern found
    parts[::2] = (words.translate(_LETTERS) for words in parts[::2])
    longer = round(sum(map(len, parts[::2])) * _GROWTH) - len("[ ]")
    filling = "".join(islice(cycle(_FILLING), max(longer, 0))).strip()
    return f"[{' '.join(filter(None, (''.join(parts), filling)))}]"


@cache
def key(context: str | None, text: str) -> str:
    """The msgid as it stands in the catalogue, fields unfilled; its context, if there is one, before it."""
    shown = text.replace("%", "%%") if _FIELD.search(text) else text
    return shown if context is None else f"{context} | {shown}"


CATALOGUES: Final = {Reading.PSEUDO: ReadCatalogue(pseudo), Reading.KEYS: ReadCatalogue(key)}


def use(reading: Reading | None) -> None:
    """All texts of this response are read this way from now on."""
    g.reading = reading


def reading() -> Reading | None:
    """How the texts of this response are read; None, and always so in production: translated."""
    return cast("Reading | None", g.get("reading"))


def as_data(text: str) -> str:
    """`text`, which comes from no catalogue: a registered name, a date, what somebody typed.

    In the pseudo-locale it is marked with isolates, so that whatever else has plain letters there is a text
    that nobody can translate.
    """
    if reading() is not Reading.PSEUDO:
        return text
    return f"\N{FIRST STRONG ISOLATE}{text}\N{POP DIRECTIONAL ISOLATE}"


def init_app(app: Flask, *, is_https: bool) -> None:
    """Makes `app` obey `lang=x` and `lang=keys`. A cookie carries a reading to the pages that follow."""

    def is_concerned() -> bool:
        """Whether this request may be about readings at all. Most are not."""
        environ = request.environ
        return "lang=" in environ.get("QUERY_STRING", "") or COOKIE in environ.get("HTTP_COOKIE", "")

    @app.before_request
    def choose() -> None:
        if is_concerned():
            use(_known(language.asked_text() or request.cookies.get(COOKIE)))

    @app.after_request
    def remember(response: Response) -> Response:
        if not is_concerned():
            return response
        is_page = response.mimetype == "text/html" and not request.path.startswith("/dev/")
        kept, chosen = _known(request.cookies.get(COOKIE)), reading()
        if is_page and chosen is not kept:
            if chosen is None:
                response.delete_cookie(COOKIE, secure=is_https, httponly=True, samesite="Lax")
            else:
                response.set_cookie(COOKIE, chosen, secure=is_https, httponly=True, samesite="Lax")
            response.vary.add("Cookie")
        return response


def _known(text: str | None) -> Reading | None:
    return _BY_NAME.get(text or "")
