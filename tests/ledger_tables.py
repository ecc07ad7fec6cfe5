"""What stands in the ledger's tables, whatever the ledger says about it."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import NullPool, create_engine, select

from app.stores.ledger.schema import metadata


@dataclass(frozen=True, slots=True)
class LedgerTables:
    """The rows of the ledger at `url`."""

    url: str

    def __getitem__(self, table: str) -> list[dict[str, Any]]:
        """Every row of `table`, in the order of its first column."""
        columns = metadata.tables[table].c
        with create_engine(self.url, poolclass=NullPool).connect() as connection:
            rows = connection.execute(select(metadata.tables[table]).order_by(columns[0]))
            return [dict(row) for row in rows.mappings()]

    @property
    def nothing_happened(self) -> bool:
        """Whether nobody has answered anything, and nothing came of an answer."""
        tables = [metadata.tables[name] for name in ("decisions", "grants", "refresh_tokens", "events")]
        with create_engine(self.url, poolclass=NullPool).connect() as connection:
            return not any(connection.execute(select(table)).first() for table in tables)
