"""Brings a ledger to the newest schema.

Apart from the ledger itself, so that Alembic takes no memory of a process that serves.
"""

from datetime import timedelta
from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy.exc import SQLAlchemyError

from app.stores.database import Database
from app.stores.unavailable import StoreUnavailable, cause

_MIGRATIONS = Path(__file__).resolve().parents[2] / "migrations"


def upgrade(url: str) -> None:
    """Brings the ledger at `url` to the newest schema. Raises ValueError and StoreUnavailable."""
    Database(url, timeout=timedelta(seconds=1)).close()
    try:
        command.upgrade(migration_config(url), "head")
    except (SQLAlchemyError, OSError) as error:
        raise StoreUnavailable(f"ledger: {cause(error)}") from error


def migration_config(url: str) -> Config:
    """Alembic's configuration for the ledger at `url`."""
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS))
    config.attributes["url"] = url
    return config
