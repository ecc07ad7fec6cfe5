"""When the recipient of a grant was reminded of its end; what an end overtakes is found by an index"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0013"
down_revision: str | None = "0012"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None


def upgrade() -> None:
    # An attempt that was cancelled at an index has left the column, and perhaps an invalid index.
    columns = sa.inspect(op.get_bind()).get_columns("grants")
    if "reminded_at" not in {column["name"] for column in columns}:
        op.add_column("grants", sa.Column("reminded_at", sa.DateTime(timezone=True), nullable=True))
    _index_some(
        _TO_REMIND,
        "grants",
        ["client_id", "expires_at"],
        "coalesce(ended_at, reminded_at) IS NULL",
    )
    _index_some(
        _OVERTAKEN,
        "notices",
        ["consent_id"],
        "settled_at IS NULL AND type IN ('CONSENT_UPDATED', 'RENEWAL_DUE')",
    )


def downgrade() -> None:
    op.drop_index(_OVERTAKEN, table_name="notices")
    op.drop_index(_TO_REMIND, table_name="grants")
    op.drop_column("grants", "reminded_at")


_TO_REMIND = "ix_grants_to_remind"
_OVERTAKEN = "ix_notices_overtaken_by_an_end"


def _index_some(name: str, table: str, columns: list[str], condition: str) -> None:
    """An index of the rows that meet `condition`; concurrently, as in 0003."""
    where = sa.text(condition)
    with op.get_context().autocommit_block():
        op.drop_index(name, table_name=table, postgresql_concurrently=True, if_exists=True)
        op.create_index(
            name,
            table,
            columns,
            unique=False,
            sqlite_where=where,
            postgresql_where=where,
            postgresql_concurrently=True,
        )
