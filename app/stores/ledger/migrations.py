"""Brings a ledger to the newest schema, with Alembic.

Only commands import this file, so that Alembic takes no memory in a process that serves.
"""

from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Final

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import NullPool, create_engine
from sqlalchemy.exc import SQLAlchemyError

from app.stores.ledger.database import Database
from app.stores.unavailable import StoreUnavailable, cause

_TIMEOUT: Final = timedelta(seconds=2)  # for the first connection; migrations themselves have no limit
_MIGRATIONS: Final = Path(__file__).resolve().parents[3] / "migrations"


def upgrade(url: str) -> bool:
    """Brings the ledger at `url` to the newest schema; False where it has a newer one already.

    A newer schema serves this version, too, since migrations only add. Raises ValueError, UnsuitableStore and
    StoreUnavailable.
    """
    with closing(Database(url, timeout=_TIMEOUT)) as database:
        database.require_suitable()
    config = migration_config(url)
    try:
        if _is_newer(url, ScriptDirectory.from_config(config)):
            return False
        command.upgrade(config, "head")
    except (SQLAlchemyError, OSError) as error:
        raise StoreUnavailable(f"ledger: {cause(error)}") from error
    return True


def _is_newer(url: str, known: ScriptDirectory) -> bool:
    """Whether the ledger's revision comes after all that are known here; revisions are numbers in order."""
    engine = create_engine(url, poolclass=NullPool)
    with engine.connect() as connection:
        revision = MigrationContext.configure(connection).get_current_revision()
    return revision is not None and revision > str(known.get_current_head())


def migration_config(url: str) -> Config:
    """Alembic's configuration for the ledger at `url`."""
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS))
    config.attributes["url"] = url
    return config
