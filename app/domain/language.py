"""The languages Accord speaks, and text that exists in English and French."""

from dataclasses import dataclass
from enum import StrEnum


class Language(StrEnum):
    """A language of the pages, by its ISO 639-1 code."""

    EN = "en"
    FR = "fr"

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
    subtag = (text or "").replace("_", "-").partition("-")[0].strip().lower()
    return find_language(subtag) or Language.EN


@dataclass(frozen=True, slots=True)
class Bilingual:
    """One registered text. Who reads another language than French reads English."""

    en: str
    fr: str

    def __getitem__(self, language: Language) -> str:
        return self.fr if language is Language.FR else self.en
