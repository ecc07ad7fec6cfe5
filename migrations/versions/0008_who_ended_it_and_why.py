"""The operator who ended a connection, and the reason"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0008"
down_revision: str | None = "0007"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None


def upgrade() -> None:
    op.add_column("events", sa.Column("operator", sa.String(length=255), nullable=True))
    op.add_column("events", sa.Column("note", sa.Text(), nullable=True))


def downgrade() -> None:
    op.drop_column("events", "note")
    op.drop_column("events", "operator")
