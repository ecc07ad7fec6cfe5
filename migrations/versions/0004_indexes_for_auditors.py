"""Indexes for auditors' commands, which read rows since a given time"""

from collections.abc import Sequence

from alembic import op

revision: str = "0004"
down_revision: str | None = "0003"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None


def upgrade() -> None:
    # Concurrently, as in 0003, so that customers can approve meanwhile.
    with op.get_context().autocommit_block():
        for name, table, column in _INDEXES:
            op.drop_index(name, table_name=table, postgresql_concurrently=True, if_exists=True)
            op.create_index(name, table, [column], unique=False, postgresql_concurrently=True)


def downgrade() -> None:
    for name, table, _ in _INDEXES:
        op.drop_index(name, table_name=table)


_INDEXES = (
    ("ix_screens_first_shown_at", "screens", "first_shown_at"),
    ("ix_events_happened_at", "events", "happened_at"),
)
