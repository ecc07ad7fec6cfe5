"""The screens in the ledger: each text is kept once, under its hash, and never changed."""

from sqlalchemy import bindparam, select

from app.domain.evidence import Screen
from app.domain.language import Language
from app.stores.ledger.database import Database
from app.stores.ledger.schema import screens

_SCREEN = select(screens).where(screens.c.screen_hash == bindparam("of_hash"))


class EvidenceStore:
    """Finds screens, which are recorded with the decisions about them. It raises StoreUnavailable."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def find_screen(self, screen_hash: str) -> Screen | None:
        with self._database.reading() as connection:
            row = connection.first(_SCREEN, of_hash=screen_hash)
        return None if row is None else Screen(row.text, Language(row.language), row.catalogue_version)
