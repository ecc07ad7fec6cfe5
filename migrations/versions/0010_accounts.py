"""The accounts that were chosen, what is shared of which, and which were taken out"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0010"
down_revision: str | None = "0009"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None


def upgrade() -> None:
    op.add_column("decisions", sa.Column("accounts", sa.Text(), nullable=True))
    op.add_column("grants", sa.Column("resources", sa.Text(), nullable=True))
    op.add_column("events", sa.Column("resources", sa.Text(), nullable=True))


def downgrade() -> None:
    op.drop_column("events", "resources")
    op.drop_column("grants", "resources")
    op.drop_column("decisions", "accounts")
