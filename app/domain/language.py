"""The languages of the pages, and registered texts, which exist in English and French."""

from dataclasses import dataclass
from enum import StrEnum


class Language(StrEnum):
    """A language of the pages, by its ISO 639 code. This is the only list of them."""

    EN = "en", "en-CA", "English"
    FR = "fr", "fr-CA", "Français"

    tag: str
    own_name: str
    conventions: str

    def __new__(cls, code: str, *about: str) -> "Language":
        """`about` has the tag for `lang` attributes (BCP 47), and the name of the language in itself.

        A third value is for languages that are not in CLDR: the tag of the language whose formats of dates
        and numbers are used instead.
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
    """The language with exactly this code; None where there is none."""
    return _BY_CODE.get(code or "")


def parse_language(text: str | None) -> Language:
    """The language that `text` names by its first subtag (`FR`, `fr-CA`); English for anything else."""
    return _find_spoken(text or "") or Language.EN


def requested_language(lang: str | None, ui_locales: str | None) -> Language:
    """The language of an authorization request.

    The parameter `lang` decides, where it is present. Otherwise it is the first tag of `ui_locales`, which
    are separated by spaces, for which there are pages (OpenID Connect Core 1.0, 3.1.2.1). The default is
    English.
    """
    if lang:
        return parse_language(lang)
    spoken = (_find_spoken(tag) for tag in (ui_locales or "").split(" "))
    return next((language for language in spoken if language is not None), Language.EN)


def _find_spoken(tag: str) -> Language | None:
    return find_language(tag.replace("_", "-").partition("-")[0].strip().lower())


@dataclass(frozen=True, slots=True)
class Bilingual:
    """A registered text in English and French. Readers of every language but French get the English one."""

    en: str
    fr: str

    def __getitem__(self, language: Language) -> str:
        return self.fr if language is Language.FR else self.en

    @staticmethod
    def language_for(language: Language) -> Language:
        """The language of the text that is shown to a reader of `language`."""
        return language if language is Language.FR else Language.EN
