"""The languages Accord speaks, and text that exists in English and French."""

from dataclasses import dataclass
from enum import StrEnum


class Language(StrEnum):
    """A language of the pages, by its ISO 639 code: the one list of them."""

    EN = "en", "en-CA", "English"
    FR = "fr", "fr-CA", "Français"

    tag: str
    own_name: str
    conventions: str

    def __new__(cls, code: str, *about: str) -> "Language":
        """`about`: what `lang` attributes say, and what its speakers call it.

        Then, where CLDR does not know the language, the tag of one whose dates and numbers it writes.
        """
        language = str.__new__(cls, code)
        language._value_ = code
        language.tag, language.own_name, *conventions = about
        (language.conventions,) = conventions or [language.tag]
        return language

    @property
    def others(self) -> list["Language"]:
        """The languages that a reader of this one can switch to."""
        return [language for language in Language if language is not self]


_BY_CODE = {language.value: language for language in Language}


def find_language(code: str | None) -> Language | None:
    """The language of exactly this code."""
    return _BY_CODE.get(code or "")


def parse_language(text: str | None) -> Language:
    """The language that `text` asks for, by its first subtag (`FR`, `fr-CA`); English for anything else."""
    return _find_spoken(text or "") or Language.EN


def requested_language(lang: str | None, ui_locales: str | None) -> Language:
    """The language of a request: what `lang` asks for, where it is there.

    Otherwise the first of `ui_locales`, which are separated by spaces, that is spoken here (OpenID Connect
    Core 1.0, 3.1.2.1).
    """
    if lang:
        return parse_language(lang)
    spoken = (_find_spoken(tag) for tag in (ui_locales or "").split(" "))
    return next((language for language in spoken if language is not None), Language.EN)


def _find_spoken(tag: str) -> Language | None:
    return find_language(tag.replace("_", "-").partition("-")[0].strip().lower())


@dataclass(frozen=True, slots=True)
class Bilingual:
    """One registered text. Who reads another language than French reads English."""

    en: str
    fr: str

    def __getitem__(self, language: Language) -> str:
        return self.fr if language is Language.FR else self.en

    @staticmethod
    def language_for(language: Language) -> Language:
        """The language of the text that a reader of `language` gets."""
        return language if language is Language.FR else Language.EN
