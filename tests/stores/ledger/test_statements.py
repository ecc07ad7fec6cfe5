"""Statements run as SQLAlchemy means them, on both databases, and leave a connection as they found it."""

import gc
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from sqlalchemy import NullPool, bindparam, create_engine, delete, func, insert, select, text

from app.stores.ledger.database import Database, UniqueViolation
from app.stores.ledger.ledger import Ledger
from app.stores.ledger.schema import UtcDateTime, refresh_tokens, screens
from app.stores.ledger.statements import CompiledStatements
from app.stores.unavailable import StoreUnavailable
from tests.support.builders import NOON, a_decision, a_grant
from tests.support.ledger_tables import LedgerTables

OpenLedger = Callable[[str], Ledger]

BY_HASH = select(screens).where(screens.c.screen_hash == bindparam("of_hash"))
KEEP = insert(screens)


def a_screen(
    name: str, *, text: str = "100 % of %s and %(all)s", shown_at: datetime = NOON
) -> dict[str, Any]:
    return {
        "screen_hash": name,
        "language": "fr",
        "catalogue_version": "1",
        "text": text,
        "first_shown_at": shown_at,
    }


@pytest.fixture
def opened(database: LedgerTables, open_ledger: OpenLedger) -> Database:
    """With three screens in it."""
    opened = open_ledger(database.url).database
    with opened.writing() as connection:
        for name in ("a", "b", "c"):
            assert connection.change(KEEP, **a_screen(name)) == 1
    return opened


def test_a_row_has_the_columns_names_and_its_moments_are_aware(opened: Database) -> None:
    with opened.reading() as connection:
        row = connection.first(BY_HASH, of_hash="a")
        assert row is not None
        assert row._asdict() == a_screen("a")
        assert row.first_shown_at.tzinfo is not None
        assert connection.first(BY_HASH, of_hash="nobody's") is None
        assert connection.rows(BY_HASH, of_hash="nobody's") == []


def test_a_moment_is_the_same_whatever_zone_it_was_told_in(opened: Database) -> None:
    elsewhere = NOON.astimezone(timezone(timedelta(hours=-5)))
    exactly = select(screens.c.screen_hash).where(
        screens.c.first_shown_at == bindparam("at", type_=UtcDateTime)
    )
    with opened.reading() as connection:
        assert [
            row.screen_hash for row in connection.rows(exactly.order_by("screen_hash"), at=elsewhere)
        ] == [
            "a",
            "b",
            "c",
        ]
        assert connection.rows(exactly, at=NOON + timedelta(microseconds=1)) == []


def test_a_statement_may_have_values_of_its_own_and_lists_of_any_length(opened: Database) -> None:
    def named(*names: str) -> list[str]:
        query = select(screens.c.screen_hash).where(screens.c.screen_hash.in_(names)).order_by("screen_hash")
        with opened.reading() as connection:
            return [row.screen_hash for row in connection.rows(query.limit(2))]

    assert named() == []
    assert named("c") == ["c"]
    assert named("c", "x", "a", "b") == ["a", "b"]


def test_a_column_without_a_name_of_its_own_is_counted_too(opened: Database) -> None:
    with opened.reading() as connection:
        assert tuple(connection.first(select(func.count()).select_from(screens)) or ()) == (3,)


def test_a_change_says_how_many_rows_it_has_changed(opened: Database) -> None:
    with opened.writing() as connection:
        assert connection.change(delete(screens).where(screens.c.screen_hash.in_(["a", "b", "x"]))) == 2
        assert connection.change(delete(screens).where(screens.c.screen_hash == "a")) == 0


def test_a_change_whose_rows_the_driver_does_not_count_is_an_error_and_happens_not_at_all(
    opened: Database,
) -> None:
    """A count of -1 would be read as rows that are left: whoever works in portions would never end."""
    some = select(screens.c.screen_hash).limit(2).cte("some")
    is_one_of_them = screens.c.screen_hash.in_(select(some.c.screen_hash))
    if opened.kind == "sqlite":
        with pytest.raises(TypeError, match="does not count"), opened.writing() as connection:
            connection.change(delete(screens).where(is_one_of_them))
    with opened.writing() as connection:
        returning = delete(screens).where(is_one_of_them).returning(screens.c.screen_hash)
        assert len(connection.rows(returning)) == 2
    with opened.reading() as connection:
        assert len(connection.rows(select(screens.c.screen_hash))) == 1


def test_what_lives_as_long_as_the_process_is_compiled_once_and_nothing_else_is_kept() -> None:
    compiled = CompiledStatements(create_engine("sqlite://").dialect)
    assert compiled.compile_once(BY_HASH, {"of_hash": "a"}) is compiled.compile_once(
        BY_HASH, {"of_hash": "b"}
    )
    for _ in range(3):
        compiled.compile_once(select(screens).where(screens.c.screen_hash == "a"), {})
    gc.collect()
    assert len(compiled) == 1


# What goes wrong


def test_a_key_that_is_taken_is_a_contradiction_and_undoes_the_transaction(
    opened: Database, database: LedgerTables
) -> None:
    with pytest.raises(UniqueViolation), opened.writing() as connection:  # noqa: PT012
        connection.change(KEEP, **a_screen("d"))
        connection.change(KEEP, **a_screen("a", text="another"))
    assert [row["screen_hash"] for row in database.rows("screens")] == ["a", "b", "c"]
    with opened.writing() as connection:
        connection.change(KEEP, **a_screen("d"))
    assert len(database.rows("screens")) == 4


def test_whatever_interrupts_a_transaction_undoes_it_and_is_not_changed(
    opened: Database, database: LedgerTables
) -> None:
    with pytest.raises(LookupError, match="of mine"), opened.writing() as connection:  # noqa: PT012
        connection.change(KEEP, **a_screen("d"))
        raise LookupError("of mine")
    assert len(database.rows("screens")) == 3
    assert opened.connections_in_use() == 0
    with opened.writing() as connection:
        connection.change(KEEP, **a_screen("d"))
    assert len(database.rows("screens")) == 4


def test_a_reference_to_nothing_is_refused(opened: Database) -> None:
    token = {"token_hash": "h", "consent_id": "no such", "issued_at": NOON, "last_used_at": NOON}
    with pytest.raises(UniqueViolation), opened.writing() as connection:
        connection.change(insert(refresh_tokens), **token)


def test_a_connection_that_dies_in_a_transaction_is_replaced(
    postgres_ledger: LedgerTables, open_ledger: OpenLedger
) -> None:
    postgres_ledger.clear()
    ledger = open_ledger(postgres_ledger.url)
    ends_itself = select(func.pg_terminate_backend(func.pg_backend_pid()))
    with pytest.raises(StoreUnavailable), ledger.database.writing() as connection:  # noqa: PT012
        connection.change(KEEP, **a_screen("a"))
        connection.first(ends_itself)
    assert postgres_ledger.rows("screens") == []
    assert ledger.database.connections_in_use() == 0
    ledger.record_decision(a_decision(), a_grant())
    assert len(postgres_ledger.rows("decisions")) == 1


def test_a_statement_that_took_too_long_leaves_its_connection_usable(
    postgres_ledger: LedgerTables, open_ledger: OpenLedger
) -> None:
    database = open_ledger(postgres_ledger.url).database
    own_pid = select(func.pg_backend_pid().label("pid"))
    with database.reading() as connection:
        before = connection.first(own_pid)
    with pytest.raises(StoreUnavailable), database.reading() as connection:
        connection.first(select(func.pg_sleep(5)))
    with database.reading() as connection:
        assert connection.first(own_pid) == before


def test_nothing_is_left_open_on_the_server_after_a_transaction(
    postgres_ledger: LedgerTables, open_ledger: OpenLedger
) -> None:
    postgres_ledger.clear()
    ledger = open_ledger(postgres_ledger.url)
    ledger.record_decision(a_decision(), a_grant())
    ledger.record_decision(a_decision(consent_id="another"), None)  # contradicts, and is read afterwards
    states = text(
        "SELECT DISTINCT state FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    with create_engine(postgres_ledger.url, poolclass=NullPool).connect() as looking:
        assert set(looking.execute(states).scalars()) <= {"idle"}
