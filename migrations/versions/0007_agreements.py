"""The agreements: names, purposes and look-back as they were at each approval"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0007"
down_revision: str | None = "0006"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None


def upgrade() -> None:
    op.create_table(
        "agreements",
        sa.Column("agreement_hash", sa.String(64), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.Column("first_agreed_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("agreement_hash", name="pk_agreements"),
    )
    op.create_index("ix_agreements_first_agreed_at", "agreements", ["first_agreed_at"])
    op.add_column("decisions", sa.Column("agreement_hash", sa.String(64), nullable=True))


def downgrade() -> None:
    op.drop_column("decisions", "agreement_hash")
    op.drop_index("ix_agreements_first_agreed_at", table_name="agreements")
    op.drop_table("agreements")
