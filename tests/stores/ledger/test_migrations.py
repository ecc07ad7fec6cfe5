"""The ledger's migrations lead to the schema in the code, from nothing and back, on both databases."""

import time
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest
from alembic import command
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import NullPool, create_engine, inspect, text

from app.domain.history import Actor
from app.stores.ledger import migrations
from app.stores.ledger.connections import ConnectionStore
from app.stores.ledger.ledger import Ledger
from app.stores.ledger.schema import metadata
from app.stores.unavailable import StoreUnavailable
from tests.support.builders import NOON, a_decision, a_grant
from tests.support.postgres import PostgresServer


@pytest.fixture(params=["sqlite", "postgresql"])
def new_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database without a table."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/new.sqlite3"
    url: str = request.getfixturevalue("postgres").new_database()
    return url


def tables_in(url: str) -> set[str]:
    engine = create_engine(url, poolclass=NullPool)
    return set(inspect(engine).get_table_names()) - {"alembic_version"}


def execute(url: str, statement: str) -> None:
    with create_engine(url, poolclass=NullPool).begin() as connection:
        connection.execute(text(statement))


def test_an_empty_database_gets_every_table(new_url: str) -> None:
    assert tables_in(new_url) == set()
    migrations.upgrade(new_url)
    assert tables_in(new_url) == set(metadata.tables)


def test_the_schema_in_the_code_is_the_one_that_the_migrations_make(new_url: str) -> None:
    migrations.upgrade(new_url)
    command.check(migrations.migration_config(new_url))


@pytest.mark.parametrize(
    "statement",
    [
        "ALTER TABLE events ADD COLUMN remark TEXT",
        "DROP INDEX ix_grants_one_connection",
        "CREATE TABLE notes (note TEXT)",
    ],
    ids=["column", "index", "table"],
)
def test_a_drift_is_noticed(new_url: str, statement: str) -> None:
    migrations.upgrade(new_url)
    execute(new_url, statement)
    with pytest.raises(CommandError, match="New upgrade operations detected"):
        command.check(migrations.migration_config(new_url))


def test_a_second_upgrade_changes_nothing_and_loses_nothing(new_url: str) -> None:
    migrations.upgrade(new_url)
    execute(
        new_url,
        "INSERT INTO events (consent_id, kind, actor, reason, correlation_id, happened_at)"
        " VALUES ('c', 'asked', 'client', 'USER_ACTION', 'c', '2026-11-24 12:00:00')",
    )
    migrations.upgrade(new_url)
    with create_engine(new_url, poolclass=NullPool).connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM events")).scalar_one() == 1


def test_every_step_can_be_taken_back_and_forth(new_url: str) -> None:
    config = migrations.migration_config(new_url)
    migrations.upgrade(new_url)
    steps = list(ScriptDirectory.from_config(config).walk_revisions())
    for step in steps:
        command.downgrade(config, step.down_revision or "base")  # type: ignore[arg-type]
        if step.down_revision is None:
            assert tables_in(new_url) == set()
    migrations.upgrade(new_url)
    assert tables_in(new_url) == set(metadata.tables)
    command.check(config)


def test_a_migration_that_finds_a_table_in_use_gives_up_before_anybody_has_to_wait_long(
    postgres: PostgresServer,
) -> None:
    url = postgres.new_database()
    config = migrations.migration_config(url)
    command.upgrade(config, "0001")
    begun = time.monotonic()
    with create_engine(url, poolclass=NullPool).begin() as connection:
        connection.execute(text("LOCK TABLE decisions IN ACCESS SHARE MODE"))
        with pytest.raises(StoreUnavailable):
            migrations.upgrade(url)
    assert time.monotonic() - begun < 5
    assert "screens" not in tables_in(url), "all of it, or nothing"
    migrations.upgrade(url)
    assert tables_in(url) == set(metadata.tables)


def test_an_index_that_was_given_up_half_way_is_made_anew(postgres: PostgresServer) -> None:
    url = postgres.new_database()
    command.upgrade(migrations.migration_config(url), "0002")
    unfinished = text("SELECT count(*) FROM pg_index WHERE NOT indisvalid")
    engine = create_engine(url, poolclass=NullPool)
    with engine.begin() as connection:
        connection.execute(text("LOCK TABLE decisions IN ROW EXCLUSIVE MODE"))  # as writers do
        with pytest.raises(StoreUnavailable):
            migrations.upgrade(url)
        assert connection.execute(unfinished).scalar_one() == 1
    migrations.upgrade(url)
    with engine.connect() as connection:
        assert connection.execute(unfinished).scalar_one() == 0
    command.check(migrations.migration_config(url))


def test_there_is_one_line_of_migrations() -> None:
    script = ScriptDirectory.from_config(migrations.migration_config("sqlite://"))
    assert len(script.get_heads()) == 1


def test_a_ledger_that_a_newer_version_has_upgraded_is_left_as_it_is(new_url: str) -> None:
    migrations.upgrade(new_url)
    execute(new_url, "UPDATE alembic_version SET version_num = '9999'")
    execute(new_url, "ALTER TABLE events ADD COLUMN of_a_newer_version TEXT")
    assert not migrations.upgrade(new_url)
    with create_engine(new_url, poolclass=NullPool).connect() as connection:
        assert connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one() == "9999"
    with closing(Ledger(new_url, timeout=timedelta(seconds=1))) as ledger:
        ledger.record_decision(a_decision(), a_grant())
        assert ledger.find_answer(a_decision().request_id) is not None


def test_an_older_ledger_is_upgraded_to_one_whose_ends_have_notices(new_url: str) -> None:
    """What had ended before has none; a consent from before has one when it ends."""
    migrations.upgrade(new_url)
    with closing(Ledger(new_url, timeout=timedelta(seconds=1))) as ledger:
        for number in (1, 2):
            names = {
                "consent_id": f"consent-{number}",
                "request_id": f"request-{number}",
                "subject": f"s-{number}",
            }
            ledger.record_decision(a_decision(**names), a_grant(**names))
        command.downgrade(migrations.migration_config(new_url), "0011")
        execute(new_url, "UPDATE grants SET ended_at = expires_at WHERE consent_id = 'consent-1'")
        assert migrations.upgrade(new_url)
        connections = ConnectionStore(ledger.database)
        for number in (1, 2):
            connections.withdraw(f"consent-{number}", None, actor=Actor.CUSTOMER, now=NOON)
    engine = create_engine(new_url, poolclass=NullPool)
    with engine.connect() as connection:
        found = connection.execute(text("SELECT consent_id, type FROM notices")).all()
    assert [tuple(row) for row in found] == [("consent-2", "CONSENT_REVOKED")]
