"""What every template may use: names that cannot disturb their surroundings, dates, the language switch."""

from datetime import datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl, urlencode

from flask import Flask, request
from flask_babel import format_date, format_datetime, format_timedelta
from markupsafe import Markup, escape

from app.domain.language import Bilingual
from app.web import current, language


def init_app(app: Flask) -> None:
    app.jinja_env.filters.update(
        name=isolated_name,
        isolate=isolate,
        fill=fill,
        in_words=in_words,
        long_date=long_date,
        long_time=long_time,
    )
    app.context_processor(_every_page)


def _every_page() -> dict[str, Any]:
    spoken = language.language()
    return {
        "lang": spoken.value,
        "html_lang": f"{spoken.value}-CA",
        "other_lang": spoken.other.value,
        "other_lang_name": language.OWN_NAMES[spoken.other],
        "switch_url": switch_url(),
        "reference": current.reference(),
        "is_development": current.services().settings.is_development,
    }


def switch_url() -> str:
    """This page's own address, in the other language."""
    query = [
        (name, value)
        for name, value in parse_qsl(request.query_string.decode("latin-1"), encoding="latin-1")
        if name != "lang"
    ]
    query.append(("lang", language.language().other.value))
    return f"{request.path}?{urlencode(query, encoding='latin-1')}"


def isolated_name(text: Bilingual) -> Markup:
    """A registered name in the page's language, set apart so that its direction stays its own."""
    return isolate(text[language.language()])


def isolate(text: str) -> Markup:
    return Markup("<bdi>") + escape(text) + Markup("</bdi>")


def fill(text: Any, **values: Any) -> Markup:
    """A translated sentence (lazy or not) with its `%(field)s` filled in, everything escaped."""
    return Markup(escape(str(text))) % values  # noqa: S704  # escaped in the same breath


def in_words(span: timedelta) -> str:
    """A span such as "5 minutes", rounded up to what people say."""
    return format_timedelta(max(span, timedelta(seconds=1)), threshold=1.2)


def long_date(moment: datetime) -> str:
    """March 3, 2027; 3 mars 2027."""
    return format_date(moment, "long")


def long_time(moment: datetime) -> str:
    """The date and the time of day, with its zone."""
    return format_datetime(moment, "long")
