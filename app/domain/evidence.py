"""The evidence of a consent: the text of the page on which the customer decided, word for word."""

import hashlib
from dataclasses import dataclass

from app.domain.language import Language


@dataclass(frozen=True, slots=True)
class Screen:
    """The text of a consent form, without the customer's name and the time left, which differ at each visit.

    `catalogue_version` names the texts from which it was rendered.
    """

    text: str
    language: Language
    catalogue_version: str

    @property
    def screen_hash(self) -> str:
        """The hex SHA-256 of the text in UTF-8."""
        return hash_text(self.text)


def hash_text(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8")).hexdigest()
