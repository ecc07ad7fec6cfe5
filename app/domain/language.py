"""The two languages Accord speaks, and text that exists in both."""

from dataclasses import dataclass
from enum import StrEnum


class Language(StrEnum):
    """A language of the pages, by its ISO 639-1 code."""

    EN = "en"
    FR = "fr"

    @property
    def other(self) -> "Language":
        return Language.FR if self is Language.EN else Language.EN


def parse_language(text: str | None) -> Language:
    """The language that `text` asks for, by its first subtag (`FR`, `fr-CA`); English for anything else."""
    subtag = (text or "").replace("_", "-").partition("-")[0].strip().lower()
    return Language.FR if subtag == Language.FR else Language.EN


@dataclass(frozen=True, slots=True)
class Bilingual:
    """One text in both languages."""

    en: str
    fr: str

    def __getitem__(self, language: Language) -> str:
        return self.fr if language is Language.FR else self.en
