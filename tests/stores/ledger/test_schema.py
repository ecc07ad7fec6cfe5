"""What the tables themselves refuse, and moments that are in UTC whatever the database keeps."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from sqlalchemy import Dialect, NullPool, create_engine, insert
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import IntegrityError

from app.domain.consent import Answer
from app.stores.ledger.ledger import Ledger
from app.stores.ledger.schema import UtcDateTime, metadata
from tests.support.builders import NOON, a_decision, a_grant
from tests.support.ledger_tables import LedgerTables

IN_TORONTO = timezone(timedelta(hours=-5))


@pytest.mark.parametrize(
    ("table", "values"),
    [
        # A second connection, a second decision, a second grant, a second name for the same consent.
        ("grants", {"consent_id": "consent-2", "request_id": "request-2", "ended_at": None}),
        ("decisions", {"consent_id": "consent-9"}),
        ("decisions", {"request_id": "request-9"}),
        ("grants", {"consent_id": "consent-2", "ended_at": NOON}),
        ("grants", {"request_id": "request-2", "ended_at": NOON}),
        # A third answer.
        ("decisions", {"request_id": "request-9", "consent_id": "consent-9", "answer": "maybe"}),
        # What every row must say.
        ("decisions", {"request_id": "request-9", "consent_id": "consent-9", "subject": None}),
        (
            "grants",
            {"consent_id": "consent-2", "request_id": "request-2", "subject": "x", "expires_at": None},
        ),
    ],
)
def test_a_row_that_must_not_be_is_refused_by_the_database(
    ledger: Ledger, database: LedgerTables, table: str, values: dict[str, Any]
) -> None:
    ledger.record_decision(a_decision(), a_grant())
    denial = {"request_id": "request-2", "consent_id": "consent-2", "answer": Answer.DENY}
    ledger.record_decision(a_decision(**denial, granted_scope=frozenset()), None)
    row = {**database.rows(table)[0], **values}
    engine = create_engine(database.url, poolclass=NullPool)
    with pytest.raises(IntegrityError), engine.begin() as connection:
        connection.execute(insert(metadata.tables[table]), row)


@pytest.mark.parametrize("dialect", [sqlite.dialect(), postgresql.dialect()], ids=["sqlite", "postgresql"])  # type: ignore[no-untyped-call]  # SQLAlchemy
def test_a_moment_of_any_zone_is_written_in_utc(dialect: Dialect) -> None:
    write = UtcDateTime().dialect_impl(dialect).bind_processor(dialect)
    assert write is not None
    in_toronto = datetime(2026, 11, 24, 7, 0, 0, 1, tzinfo=IN_TORONTO)
    written = write(in_toronto)
    if dialect.name == "sqlite":
        assert written == "2026-11-24 12:00:00.000001"
    else:
        assert written == in_toronto
        assert written.tzinfo is UTC
    assert write(None) is None


def test_text_of_sqlite_has_microseconds_even_where_there_are_none() -> None:
    """So that moments compare as text."""
    dialect = sqlite.dialect()
    write = UtcDateTime().dialect_impl(dialect).bind_processor(dialect)
    assert write is not None
    assert write(NOON) == "2026-11-24 12:00:00.000000"
    assert write(NOON) < write(NOON + timedelta.resolution) < write(NOON + timedelta(seconds=1))


@pytest.mark.parametrize(
    ("read", "moment"),
    [
        (datetime(2026, 11, 24, 12, 0), NOON),  # noqa: DTZ001  # as SQLite gives it
        (datetime(2026, 11, 24, 7, 0, tzinfo=IN_TORONTO), NOON),
        (None, None),
    ],
)
def test_a_moment_is_read_as_utc(read: datetime | None, moment: datetime | None) -> None:
    result = UtcDateTime().process_result_value(read, sqlite.dialect())
    assert result == moment
    assert result is None or result.tzinfo is UTC
