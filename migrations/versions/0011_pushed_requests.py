"""Which pushed request was answered: each has one answer"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0011"
down_revision: str | None = "0010"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None


def upgrade() -> None:
    # An attempt that was cancelled at the index has left the column, and perhaps an invalid index.
    columns = sa.inspect(op.get_bind()).get_columns("decisions")
    if "pushed_id" not in {column["name"] for column in columns}:
        op.add_column("decisions", sa.Column("pushed_id", sa.String(length=64), nullable=True))
    with op.get_context().autocommit_block():  # concurrently, as in 0003
        op.drop_index(_INDEX, table_name="decisions", postgresql_concurrently=True, if_exists=True)
        op.create_index(
            _INDEX,
            "decisions",
            ["pushed_id"],
            unique=True,
            sqlite_where=_PUSHED,
            postgresql_where=_PUSHED,
            postgresql_concurrently=True,
        )


def downgrade() -> None:
    op.drop_index(_INDEX, table_name="decisions")
    op.drop_column("decisions", "pushed_id")


_INDEX = "ix_decisions_one_answer"
_PUSHED = sa.text("pushed_id IS NOT NULL")
