"""The two languages, and how a request names one."""

import inspect

import pytest

from app.domain.language import Bilingual, Language, parse_language, requested_language


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("en", Language.EN),
        ("fr", Language.FR),
        ("FR", Language.FR),
        ("fr-CA", Language.FR),
        ("FR-ca", Language.FR),
        ("fr_CA", Language.FR),
        ("fr-Latn-CA", Language.FR),
        ("en-CA", Language.EN),
        # Absent or empty is English, and so is anything else.
        (None, Language.EN),
        ("", Language.EN),
        ("de", Language.EN),
        ("frr", Language.EN),
        ("fra", Language.EN),
        ("french", Language.EN),
        ("en-fr", Language.EN),
        ("-fr", Language.EN),
        ("fr,en", Language.EN),
        ("fr;q=1", Language.EN),
        ("\udcff", Language.EN),
        ("fr\x00", Language.EN),
        ("ﬀr", Language.EN),
    ],
)
def test_the_first_subtag_counts_and_anything_else_is_english(text: str | None, language: Language) -> None:
    assert parse_language(text) is language


@pytest.mark.parametrize(
    ("lang", "ui_locales", "language"),
    [
        (None, None, Language.EN),
        (None, "fr-CA", Language.FR),
        (None, "fr-CA fr en", Language.FR),
        (None, "de fr-CA en", Language.FR),
        (None, "de en fr-CA", Language.EN),
        (None, "de  FR", Language.FR),
        (None, "de es", Language.EN),
        (None, "fr,en", Language.EN),
        (None, " ", Language.EN),
        ("", "fr", Language.FR),
        ("en", "fr", Language.EN),
        ("fr", "en", Language.FR),
        ("de", "fr", Language.EN),
    ],
)
def test_lang_decides_and_without_it_the_first_locale_that_is_spoken(
    lang: str | None, ui_locales: str | None, language: Language
) -> None:
    assert requested_language(lang, ui_locales) is language


def test_a_reader_of_one_language_can_switch_to_every_other() -> None:
    for language in Language:
        assert {language, *language.others} == set(Language)
        assert language not in language.others


def test_a_text_in_both_languages_is_read_by_language() -> None:
    text = Bilingual(en="Maple Credit Union", fr="Caisse Érable")
    assert text[Language.EN] == "Maple Credit Union"
    assert text[Language.FR] == "Caisse Érable"


@pytest.mark.parametrize("language", Language)
def test_a_language_has_a_tag_a_name_and_somebodys_conventions(language: Language) -> None:
    assert language.tag.partition("-")[0] == language
    assert language.own_name
    assert language.conventions == language.tag
    assert Language(language.value) is language


def test_a_language_of_which_the_list_does_not_say_how_it_is_called_stops_the_start() -> None:
    listed = inspect.getsource(inspect.getmodule(Language))  # type: ignore[arg-type]  # it has one
    incomplete = listed.replace('"fr-CA", "Français"', '"fr-CA"')
    assert incomplete != listed
    with pytest.raises((ValueError, RuntimeError)):
        exec(incomplete, {"__name__": "incomplete"})  # noqa: S102  # a copy of our own source
