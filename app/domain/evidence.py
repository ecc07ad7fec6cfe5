"""What was on the page when a customer decided, kept so that it can be shown again, word for word."""

import hashlib
from dataclasses import dataclass

from app.domain.language import Language


@dataclass(frozen=True, slots=True)
class Screen:
    """The text of a consent form, without what differs from one visit to the next (name, time left)."""

    text: str
    language: Language
    catalogue_version: str

    @property
    def screen_hash(self) -> str:
        """The hex SHA-256 of the text."""
        return hash_of(self.text)


def hash_of(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8")).hexdigest()
