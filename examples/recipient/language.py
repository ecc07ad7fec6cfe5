"""The language of a page, and how it writes days, times and amounts."""

import re
from datetime import UTC, date, datetime
from functools import partial
from zoneinfo import ZoneInfo

from babel.dates import format_date
from babel.numbers import format_currency
from flask import request, session

from examples.recipient.wording import LANGUAGES, wording

ZONE = ZoneInfo("America/Toronto")


def language() -> str:
    """What was asked for, now or before; else the browser's own, in its order."""
    accepted = (tag[:2].lower() for tag in request.accept_languages.values())
    asked = (request.args.get("lang"), session.get("language"), *accepted)
    return next((choice for choice in asked if choice in LANGUAGES), "en")


def keep_language() -> None:
    if request.args.get("lang", "") in LANGUAGES:
        session["language"] = language()


def words() -> dict[str, object]:
    """What every template may use. `t` looks up our own wording."""
    chosen = language()
    other = LANGUAGES[1 - LANGUAGES.index(chosen)]
    return {"t": partial(wording, chosen), "language": chosen, "other_language": other}


def utc(seconds: float) -> str:
    at = datetime.fromtimestamp(min(max(seconds, 0), 253_402_300_799), UTC)  # the year 9999 is enough
    return f"{at:%Y-%m-%d %H:%M:%S} UTC"


def long_date(moment: datetime) -> str:
    """The day, as the bank's pages write it."""
    day = format_date(moment.astimezone(ZONE), "long", f"{language()}_CA")
    return re.sub("^1 ", "1er ", day)  # French: not 1 janvier


def short_date(day: date) -> str:
    return format_date(day, "d MMMM" if language() == "fr" else "MMMM d", f"{language()}_CA")


def dollars(amount: float) -> str:
    """With a real minus, which is read aloud."""
    return format_currency(amount, "CAD", locale=f"{language()}_CA").replace("-", "\N{MINUS SIGN}")
