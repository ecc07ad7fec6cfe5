"""Screens in the ledger: each text once, under its hash, never changed."""

from datetime import datetime

from sqlalchemy import bindparam, insert, select

from app.domain.evidence import Screen
from app.domain.language import Language
from app.stores.database import Contradiction, Database
from app.stores.schema import screens

_KEEP = insert(screens)
_SCREEN = select(screens).where(screens.c.screen_hash == bindparam("of_hash"))


class EvidenceStore:
    """Keeps and finds screens. Every method raises StoreUnavailable."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def keep(self, screen: Screen, *, now: datetime) -> None:
        """Keeps the screen, unless it is kept already."""
        if self.find(screen.screen_hash) is not None:
            return
        row = {
            "screen_hash": screen.screen_hash,
            "language": screen.language,
            "catalogue_version": screen.catalogue_version,
            "text": screen.text,
            "first_shown_at": now,
        }
        try:
            with self._database.writing() as connection:
                connection.change(_KEEP, **row)
        except Contradiction:
            pass  # somebody else has just kept it

    def find(self, screen_hash: str) -> Screen | None:
        with self._database.reading() as connection:
            row = connection.first(_SCREEN, of_hash=screen_hash)
        return None if row is None else Screen(row.text, Language(row.language), row.catalogue_version)
