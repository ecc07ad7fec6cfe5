"""An index that finds the events of a consent without its refreshes"""

from collections.abc import Sequence

from alembic import op

revision: str = "0005"
down_revision: str | None = "0004"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None


def upgrade() -> None:
    _replace("ix_events_consent_id", by="ix_events_consent_kind", columns=["consent_id", "kind"])


def downgrade() -> None:
    _replace("ix_events_consent_kind", by="ix_events_consent_id", columns=["consent_id"])


def _replace(name: str, *, by: str, columns: list[str]) -> None:
    """Concurrently, as in 0003. The old and the new index both find a consent's events; one always exists."""
    with op.get_context().autocommit_block():
        op.drop_index(by, table_name="events", postgresql_concurrently=True, if_exists=True)
        op.create_index(by, "events", columns, unique=False, postgresql_concurrently=True)
        op.drop_index(name, table_name="events", postgresql_concurrently=True, if_exists=True)
