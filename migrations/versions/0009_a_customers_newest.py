"""An index that finds a customer's newest connections"""

from collections.abc import Sequence

from alembic import op

revision: str = "0009"
down_revision: str | None = "0008"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None


def upgrade() -> None:
    _replace("ix_grants_customer", by=_APPROVED, columns=["provider_id", "subject", "approved_at"])


def downgrade() -> None:
    _replace(_APPROVED, by="ix_grants_customer", columns=["provider_id", "subject"])


_APPROVED = "ix_grants_customer_approved"


def _replace(name: str, *, by: str, columns: list[str]) -> None:
    """Concurrently, as in 0003. The old and the new index both find a customer; one always exists."""
    with op.get_context().autocommit_block():
        op.drop_index(by, table_name="grants", postgresql_concurrently=True, if_exists=True)
        op.create_index(by, "grants", columns, unique=False, postgresql_concurrently=True)
        op.drop_index(name, table_name="grants", postgresql_concurrently=True, if_exists=True)
