"""The texts of the pages that were shown, and the detail of events"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0002"
down_revision: str | None = "0001"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None


def upgrade() -> None:
    op.create_table(
        "screens",
        sa.Column("screen_hash", sa.String(length=64), nullable=False),
        sa.Column("language", sa.String(length=8), nullable=False),
        sa.Column("catalogue_version", sa.String(length=64), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("first_shown_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("screen_hash", name=op.f("pk_screens")),
    )
    op.add_column("decisions", sa.Column("screen_hash", sa.String(length=64), nullable=True))
    op.add_column("events", sa.Column("detail", sa.Text(), nullable=True))
    op.create_index("ix_grants_customer", "grants", ["provider_id", "subject"], unique=False)


def downgrade() -> None:
    op.drop_index("ix_grants_customer", table_name="grants")
    op.drop_column("events", "detail")
    op.drop_column("decisions", "screen_hash")
    op.drop_table("screens")
