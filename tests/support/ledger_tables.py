"""What stands in the ledger's tables, whatever the ledger says about it."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import NullPool, create_engine, delete, select, update

from app.domain.accounts import Account
from app.domain.clusters import format_scope, parse_scope
from app.domain.resources import applicable_scope, granted_resources
from app.stores.ledger.account_columns import chosen_column, resources_column
from app.stores.ledger.schema import decisions, grants, metadata
from tests.support.builders import chosen


@dataclass(frozen=True, slots=True)
class LedgerTables:
    """The rows of the ledger at `url`."""

    url: str

    def __getitem__(self, table: str) -> list[dict[str, Any]]:
        """Every row of `table`, in the order of its first column."""
        return self.rows(table)

    def rows(self, table: str, **wanted: Any) -> list[dict[str, Any]]:
        """The rows of `table` that have these values, in the order of their first column."""
        columns = metadata.tables[table].c
        query = select(metadata.tables[table]).filter_by(**wanted).order_by(columns[0])
        with create_engine(self.url, poolclass=NullPool).connect() as connection:
            return [dict(row) for row in connection.execute(query).mappings()]

    def events(self) -> list[tuple[str, str]]:
        """What happened to which consent, in order."""
        return [(row["consent_id"], row["kind"]) for row in self["events"]]

    def name_accounts(self, consent_id: str, *accounts: Account) -> None:
        """Makes a consent one for `accounts`, as if the customer had chosen them."""
        picked, of_consent = chosen(*accounts), {"consent_id": consent_id}
        scope = applicable_scope(parse_scope(self.rows("grants", **of_consent)[0]["granted_scope"]), accounts)
        resources = granted_resources(scope, picked)
        shared = {"granted_scope": format_scope(scope), "resources": resources_column(resources)}
        with create_engine(self.url, poolclass=NullPool).begin() as connection:
            decided = update(decisions).filter_by(**of_consent).values(accounts=chosen_column(picked))
            connection.execute(decided)
            connection.execute(update(grants).filter_by(**of_consent).values(**shared))

    def change(self, table: str, **values: Any) -> None:
        """Writes these values into every row of `table`."""
        with create_engine(self.url, poolclass=NullPool).begin() as connection:
            connection.execute(update(metadata.tables[table]).values(**values))

    def name_no_account(self, consent_id: str) -> None:
        """Makes a consent one for every account, as at a bank that lists none."""
        of_consent = {"consent_id": consent_id}
        with create_engine(self.url, poolclass=NullPool).begin() as connection:
            connection.execute(update(decisions).filter_by(**of_consent).values(accounts=None))
            connection.execute(update(grants).filter_by(**of_consent).values(resources=None))

    @property
    def nothing_happened(self) -> bool:
        """Whether nobody has answered anything, and nothing came of an answer."""
        tables = [metadata.tables[name] for name in ("decisions", "grants", "refresh_tokens", "events")]
        with create_engine(self.url, poolclass=NullPool).connect() as connection:
            return not any(connection.execute(select(table)).first() for table in tables)

    def clear(self) -> None:
        with create_engine(self.url, poolclass=NullPool).begin() as connection:
            for table in reversed(metadata.sorted_tables):
                connection.execute(delete(table))
