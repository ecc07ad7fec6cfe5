"""Filters and values for all templates: registered names, dates, the language switch."""

import re
from collections.abc import Callable, Mapping
from datetime import date, datetime, timedelta
from functools import lru_cache
from typing import Any, Final, cast
from urllib.parse import parse_qsl, quote, urlencode

from babel import Locale
from babel.dates import format_date, format_time, format_timedelta, get_timezone_name
from babel.support import NullTranslations
from flask import Flask, request, url_for
from flask_babel import get_translations, gettext, to_user_timezone
from jinja2 import pass_context
from jinja2.runtime import Context
from markupsafe import Markup, escape

from app.domain.language import Bilingual, Language
from app.web import current
from app.web.edge import language, pseudo_locale
from app.web.text import wording


def init_app(app: Flask) -> None:
    app.jinja_env.filters.update(
        name=isolated_name,
        plain_name=plain_name,
        purpose=isolated_purpose,
        isolate=isolate_here,
        fill=fill,
        explained=wording.explain,
        in_words=in_words,
        long_date=long_date,
        clock_time=clock_time,
        long_time=long_time,
        in_language=in_language,
        own_name=own_name,
        direction=language.direction,
        switch_url=switch_url,
    )
    app.jinja_env.install_gettext_callables(  # type: ignore[attr-defined]  # jinja2.ext.i18n adds it
        gettext=lambda text: _catalogue().ugettext(text),
        ngettext=lambda one, many, count: _catalogue().ungettext(one, many, count),
        pgettext=lambda context, text: _catalogue().upgettext(context, text),
        npgettext=lambda context, one, many, count: _catalogue().unpgettext(context, one, many, count),
        newstyle=True,
    )
    app.context_processor(_every_page)


def load_templates(app: Flask) -> None:
    """Compiles all templates now, so that none is read later, when a newer file may have replaced it."""
    for name in app.jinja_env.list_templates():
        app.jinja_env.get_template(name)


def _catalogue() -> NullTranslations | pseudo_locale.PseudoCatalogue:
    """The catalogue of this response's language, cached: Flask-Babel would search for each sentence."""
    state = current.request_state()
    if state.catalogue is None:
        state.catalogue = cast("NullTranslations | pseudo_locale.PseudoCatalogue", get_translations())
    return state.catalogue


def _every_page() -> dict[str, Any]:
    spoken = language.current_language()
    return {
        "language": spoken,
        "lang": pseudo_locale.current_view() or spoken.value,
        "other_languages": spoken.others,
        "catalogue_faults": current.services().catalogues.faults(),
        "is_development": current.services().settings.is_development,
        "wording": wording.wording(),
    }


def own_name(spoken: Language) -> str:
    """The name of the language `spoken` in itself."""
    return pseudo_locale.mark_untranslated(spoken.own_name)


def switch_url(chosen: Language, page_query: Mapping[str, str]) -> str:
    """The address of this page in the `chosen` language. Slashes that would name a host are escaped.

    `page_query` has the parameters that the page has used. Other parameters are not repeated: an attacker who
    chooses them and sees the sizes of compressed pages could find out what else is on the page (BREACH). Only
    the error page of an authorization request repeats its whole query, since it has no data of a customer.
    """
    query = list(page_query.items())
    if request.endpoint == "authorize.authorize":
        sent = parse_qsl(request.query_string.decode("latin-1"), encoding="latin-1")
        query = [(name, value) for name, value in sent if name != "lang"]
    query.append(("lang", chosen.value))
    return f"/{quote(_readable_path().lstrip('/'))}?{urlencode(query, encoding='latin-1')}"


def _readable_path() -> str:
    """The path of this page; for a path that only accepts POST, that of the connections page."""
    if request.method != "POST":
        return request.path
    allowed = current.allowed_methods()
    if allowed is None or "GET" in allowed:
        return request.path
    return url_for("connections.show_connections")


def isolated_name(text: Bilingual | str) -> Markup:
    """A registered name in the page's language, in `<bdi>`, so that its direction does not affect the page.

    Browsers do not translate it. A str is already the text for the page's language.
    """
    return _registered(text, ' translate="no"')


def isolated_purpose(text: Bilingual | str) -> Markup:
    """A registered purpose, in `<bdi>`. Browsers may translate it."""
    return _registered(text, "")


def plain_name(text: Bilingual) -> str:
    """A registered name for `<title>`, which cannot contain elements."""
    return pseudo_locale.mark_untranslated(text[language.current_language()])


def _registered(text: Bilingual | str, attributes: str) -> Markup:
    spoken = language.current_language()
    written = Bilingual.language_for(spoken)
    if written is not spoken:  # so that a screen reader reads the text in its own language
        attributes += f' lang="{written}"'
    return _isolate(text if isinstance(text, str) else text[spoken], attributes)


def isolate(text: str) -> Markup:
    """What is the same in every language: a number, a host, somebody's name."""
    return _isolate(text, ' translate="no"')


def _isolate(text: str, attributes: str) -> Markup:
    return Markup(f"<bdi{attributes}>") + escape(pseudo_locale.mark_untranslated(text)) + Markup("</bdi>")  # noqa: S704  # our own


@pass_context
def isolate_here(_context: Context, text: str) -> Markup:
    """`isolate` as a filter: without a context, Jinja would compute it for a constant once and for all."""
    return isolate(text)


def fill(text: Any, **values: Any) -> Markup:
    """A translated sentence (lazy or not) with its `%(field)s` filled in, everything escaped."""
    return Markup(escape(str(text))) % values  # noqa: S704  # escaped in the same breath


def in_words(span: timedelta) -> str:
    """A span such as "5 minutes", rounded to what people say."""
    return pseudo_locale.mark_untranslated(
        _in_words(max(int(span.total_seconds()), 1), language.current_locale())
    )


def long_date(moment: datetime) -> str:
    """A date such as March 1, 2027 or 1er mars 2027. All dates on pages are written by this function."""
    return pseudo_locale.mark_untranslated(
        _long_date(to_user_timezone(moment).date(), language.current_locale())
    )


def clock_time(moment: datetime) -> str:
    """The time of day, with its zone."""
    minute = to_user_timezone(moment).replace(second=0, microsecond=0)
    time, zone = map(
        pseudo_locale.mark_untranslated, _time_and_zone(minute, minute.utcoffset(), language.current_locale())
    )
    # Translators: a time of day and its zone, such as "2:45 p.m. (EST)".
    return str(gettext("%(time)s (%(zone)s)", time=time, zone=zone))


# CLDR's patterns do not have this: French uses an ordinal number for the first day of a month.
_FIRST_OF_A_MONTH: Final = {"fr": "1er"}
_DAY: Final = re.compile(r"\bd\b")


# The results of the next three functions are cached, since Babel is slow and most pages need the same dates.
@lru_cache(maxsize=1024)
def _in_words(seconds: int, locale: Locale) -> str:
    return format_timedelta(timedelta(seconds=seconds), threshold=1.2, locale=locale)


@lru_cache(maxsize=1024)
def _long_date(day: date, locale: Locale) -> str:
    pattern = locale.date_formats["long"].pattern
    if day.day == 1 and (first := _FIRST_OF_A_MONTH.get(locale.language)):
        pattern = _DAY.sub(f"'{first}'", pattern)
    # The day and the month stay on one line. With the year, that would be too long for a phone with large
    # text.
    return format_date(day, pattern, locale=locale).replace(" ", "\N{NO-BREAK SPACE}", 1)


@lru_cache(maxsize=1024)
def _time_and_zone(minute: datetime, _offset: timedelta | None, locale: Locale) -> tuple[str, str]:
    """The offset is part of the cache key: when the clocks go back, an hour occurs twice."""
    # The time stays on one line: French has spaces around the h.
    time = format_time(minute, "short", tzinfo=minute.tzinfo, locale=locale)
    zone = get_timezone_name(minute, width="short", locale=locale)
    return time.replace(" ", "\N{NO-BREAK SPACE}"), zone


def long_time(moment: datetime) -> str:
    """The date and the time of day, with its zone."""
    # Translators: a moment, such as "March 3, 2027 at 2:45 p.m. (EST)".
    return str(gettext("%(date)s at %(clock_time)s", date=long_date(moment), clock_time=clock_time(moment)))


def in_language(macro: Callable[..., Markup], spoken: Language, *values: Any) -> Markup:
    """What a template's macro says of `values` in `spoken`, whatever language the page is in."""
    with language.switched_to(spoken):
        return macro(*values)
