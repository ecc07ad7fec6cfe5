"""Indexes for operators' commands, which otherwise read every row"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0003"
down_revision: str | None = "0002"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None


def upgrade() -> None:
    # The indexes are made concurrently, so that customers can approve meanwhile. An attempt that was
    # cancelled leaves an invalid index behind, which is dropped first.
    with op.get_context().autocommit_block():
        for name, table, columns, where in _INDEXES:
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


def downgrade() -> None:
    for name, table, _, _ in _INDEXES:
        op.drop_index(name, table_name=table)


_INDEXES = (
    ("ix_decisions_decided_at", "decisions", ["decided_at"], None),
    ("ix_grants_client", "grants", ["client_id", "approved_at"], None),
    ("ix_grants_running_out", "grants", ["expires_at"], sa.text("ended_at IS NULL")),
    ("ix_refresh_tokens_issued_at", "refresh_tokens", ["issued_at"], None),
)
