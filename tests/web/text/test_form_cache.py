"""A form is rendered once for all who see the same text, and has each customer's own values in it."""

import pytest
from markupsafe import Markup

from app.domain.evidence import Screen
from app.domain.language import Language
from app.web.text.form_cache import CachedForm, FormCache, placeholder

SCREEN = Screen("A text.", Language.EN, "1")


def rendered(html: str) -> CachedForm:
    return CachedForm(html, SCREEN)


def test_the_values_are_where_the_placeholders_were() -> None:
    form = rendered(f"<p>{placeholder('customer')}, {placeholder('time')}: {placeholder('customer')}</p>")
    assert form.fill({"customer": "Alex", "time": "15"}) == "<p>Alex, 15: Alex</p>"
    assert form.fill({"customer": "Sam", "time": "14"}) == "<p>Sam, 14: Sam</p>", "the first left nothing"


def test_a_form_without_placeholders_is_itself() -> None:
    assert rendered("<p>The same for everybody</p>").fill({"customer": "Alex"}) == (
        "<p>The same for everybody</p>"
    )


def test_a_value_is_text_and_markup_only_where_it_says_so() -> None:
    form = rendered(f"<p>{placeholder('customer')}</p>")
    assert form.fill({"customer": '<b>"Alex"</b>'}) == "<p>&lt;b&gt;&#34;Alex&#34;&lt;/b&gt;</p>"
    assert form.fill({"customer": Markup("<b>Alex</b>")}) == "<p><b>Alex</b></p>"


def test_a_value_that_looks_like_a_placeholder_is_not_filled_again() -> None:
    form = rendered(f"{placeholder('customer')} {placeholder('time')}")
    assert form.fill({"customer": str(placeholder("time")), "time": "15"}) == f"{placeholder('time')} 15"


def test_a_value_that_is_missing_is_no_empty_place() -> None:
    with pytest.raises(KeyError, match="time"):
        rendered(f"{placeholder('customer')} {placeholder('time')}").fill({"customer": "Alex"})


def test_a_form_is_found_under_its_key_alone() -> None:
    cache, form = FormCache(), rendered("a form")
    cache.keep(("1000", "en"), form)
    assert cache.find(("1000", "en")) is form
    assert cache.find(("1000", "fr")) is None


def test_the_forms_that_were_used_last_are_kept() -> None:
    cache = FormCache()
    for number in range(256):
        cache.keep(number, rendered(f"form {number}"))
    assert cache.find(0) is not None, "it is used again, and so outlives those that are not"
    cache.keep(256, rendered("one more"))
    assert cache.find(1) is None
    assert all(cache.find(number) is not None for number in [0, *range(2, 257)])
