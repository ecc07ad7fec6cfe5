"""Notices for tests, written as if somebody had ended a consent."""

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import NullPool, create_engine, insert

from app.stores.ledger.schema import notices
from tests.support.builders import NOON
from tests.support.ledger_tables import LedgerTables


def put_notices(
    database: LedgerTables,
    *ids: str,
    client_id: str = "dc-budget",
    happened_at: datetime = NOON,
    **changes: Any,
) -> None:
    """Writes notices with these ids, each of a consent of its own, in the order in which they are due."""
    moments = [happened_at + number * timedelta.resolution for number in range(len(ids))]
    rows = [
        {
            "notice_id": notice_id,
            "client_id": client_id,
            "provider_id": "1000",
            "consent_id": f"consent-of-{notice_id}",
            "type": "CONSENT_REVOKED",
            "status": "REVOKED",
            "reason": "USER_ACTION",
            "initiator": "INDIVIDUAL",
            "correlation_id": f"correlation-of-{notice_id}",
            "happened_at": moment,
            "next_try_at": moment,
            "state": "waiting",
            "attempts": 0,
            **changes,
        }
        for notice_id, moment in zip(ids, moments, strict=True)
    ]
    with create_engine(database.url, poolclass=NullPool).begin() as connection:
        connection.execute(insert(notices), rows)
