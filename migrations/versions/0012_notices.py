"""Notices to recipients, and the recipients that they could not be sent to"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0012"
down_revision: str | None = "0011"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None


def upgrade() -> None:
    op.create_table(
        "notices",
        sa.Column("notice_id", sa.String(64), nullable=False),
        sa.Column("client_id", sa.String(255), nullable=False),
        sa.Column("provider_id", sa.String(255), nullable=False),
        sa.Column("consent_id", sa.String(64), nullable=False),
        sa.Column("type", sa.String(32), nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("reason", sa.String(32), nullable=False),
        sa.Column("initiator", sa.String(32), nullable=False),
        sa.Column("correlation_id", sa.String(128), nullable=False),
        sa.Column("happened_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("next_try_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("leased_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_outcome", sa.String(64), nullable=True),
        sa.Column("settled_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "state IN ('waiting', 'delivered', 'acknowledged', 'dead', 'overtaken')", name="ck_notices_state"
        ),
        sa.PrimaryKeyConstraint("notice_id", name="pk_notices"),
    )
    op.create_index("ix_notices_happened_at", "notices", ["happened_at"])
    _index_some("ix_notices_due", ["client_id", "next_try_at"], "state = 'waiting'")
    _index_some("ix_notices_unsettled", ["client_id", "happened_at", "notice_id"], "settled_at IS NULL")
    _index_some("ix_notices_overtaken", ["consent_id"], "state = 'waiting' AND type = 'CONSENT_UPDATED'")
    op.create_table(
        "notice_endpoints",
        sa.Column("client_id", sa.String(255), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("paused_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("disabled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("disabled_why", sa.String(64), nullable=True),
        sa.PrimaryKeyConstraint("client_id", name="pk_notice_endpoints"),
    )


def downgrade() -> None:
    op.drop_table("notice_endpoints")
    op.drop_table("notices")


def _index_some(name: str, columns: list[str], condition: str) -> None:
    """An index of the rows that meet `condition`. The table is new, so that nobody waits for it."""
    where = sa.text(condition)
    op.create_index(name, "notices", columns, unique=False, sqlite_where=where, postgresql_where=where)
