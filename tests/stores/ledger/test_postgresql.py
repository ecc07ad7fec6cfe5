"""A database that does not suit is told apart from one that does not answer."""

import re
from contextlib import closing
from datetime import timedelta

import pytest
from sqlalchemy import NullPool, create_engine, func, make_url, select, text

from app.stores.ledger import migrations
from app.stores.ledger.ledger import Ledger
from app.stores.unavailable import StoreUnavailable, UnsuitableStore
from tests.support.builders import a_decision, a_grant
from tests.support.ledger_tables import LedgerTables
from tests.support.postgres import PostgresServer


def in_encoding(postgres: PostgresServer, encoding: str) -> str:
    """The URL of an empty database in `encoding`."""
    url = make_url(postgres.new_database())
    name = f"in_{encoding.lower()}"
    engine = create_engine(url, poolclass=NullPool, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(f"DROP DATABASE IF EXISTS {name}"))
        connection.execute(
            text(f"CREATE DATABASE {name} ENCODING '{encoding}' LOCALE 'C' TEMPLATE template0")
        )
    return url.set(database=name).render_as_string(hide_password=False)


@pytest.mark.parametrize("encoding", ["SQL_ASCII", "LATIN1"])
def test_a_database_that_cannot_hold_every_name_is_refused(postgres: PostgresServer, encoding: str) -> None:
    url = in_encoding(postgres, encoding)
    refusal = f"^ledger: the database's encoding is {encoding}, and must be UTF8$"
    with closing(Ledger(url, timeout=timedelta(seconds=1))) as ledger:
        for ask in (ledger.database.require_suitable, ledger.check):
            with pytest.raises(UnsuitableStore, match=refusal):
                ask()
    with pytest.raises(UnsuitableStore, match=refusal):
        migrations.upgrade(url)


@pytest.mark.parametrize("setting", ["timezone = 'America/St_Johns'", "datestyle = 'German'"])
def test_what_a_database_is_set_to_changes_no_moment_and_no_name(
    postgres: PostgresServer, setting: str
) -> None:
    url = postgres.new_database()
    migrations.upgrade(url)
    with create_engine(url, poolclass=NullPool, isolation_level="AUTOCOMMIT").connect() as connection:
        name = make_url(url).database
        connection.execute(text(f"ALTER DATABASE {name} SET {setting}"))
    with closing(Ledger(url, timeout=timedelta(seconds=1))) as ledger:
        ledger.record_decision(a_decision(subject="Zoë"), a_grant(subject="Zoë"))
        answered = ledger.find_answer(a_decision().request_id)
    assert answered is not None
    assert answered.decision == a_decision(subject="Zoë")
    assert answered.grant == a_grant(subject="Zoë")
    assert answered.decision.decided_at.isoformat() == a_decision().decided_at.isoformat()


@pytest.mark.parametrize(
    ("query", "refusal"),
    [
        (
            "prepare_threshold=0",
            "must not have the option prepare_threshold: behind a pool nothing is prepared",
        ),
        ("connect_timeout=9", "must not have the option connect_timeout, which Accord sets itself"),
        ("client_encoding=latin1", "must not have the option client_encoding, which Accord sets itself"),
        ("autocommit=1", "has an option that is not known"),
        ("sslmod=verify-full", "has an option that is not known"),
    ],
)
def test_an_option_that_would_not_do_is_refused_before_anything_is_connected_to(
    query: str, refusal: str
) -> None:
    with pytest.raises(ValueError, match=f"^ACCORD_LEDGER_URL {re.escape(refusal)}$"):
        Ledger(f"postgresql+psycopg://accord@ledger.example/accord?{query}", timeout=timedelta(seconds=1))


@pytest.mark.parametrize(
    ("url", "refusal"),
    [
        (
            "mysql+pymysql://accord@ledger.example/accord",
            "must begin with postgresql+psycopg:// or sqlite:///",
        ),
        (
            "postgresql+pg8000://accord@ledger.example/a",
            "must begin with postgresql+psycopg:// or sqlite:///",
        ),
        ("sqlite://", "must name SQLite's file: sqlite:////path"),
        ("sqlite:///:memory:", "must name SQLite's file: sqlite:////path"),
        ("sqlite:////ledger.sqlite3?mode=ro", "has an option that is not known"),
        (
            "sqlite:///file:ledger.sqlite3?uri=true&timeout=9",
            "must not have the option timeout, which Accord sets itself",
        ),
    ],
)
def test_an_address_of_another_kind_is_refused(url: str, refusal: str) -> None:
    with pytest.raises(ValueError, match=f"^ACCORD_LEDGER_URL {re.escape(refusal)}$"):
        Ledger(url, timeout=timedelta(seconds=1))


def test_what_libpq_knows_may_be_said(postgres_ledger: LedgerTables) -> None:
    url = make_url(postgres_ledger.url).update_query_dict(
        {"application_name": "accord at two", "keepalives_idle": "30", "options": "-c search_path=public"}
    )
    with closing(Ledger(url.render_as_string(hide_password=False), timeout=timedelta(seconds=1))) as ledger:
        ledger.check()


def test_a_replica_can_be_read_and_says_that_it_only_reads(postgres: PostgresServer) -> None:
    url = postgres.new_database()
    migrations.upgrade(url)
    reading_only = make_url(url).update_query_dict({"options": "-c default_transaction_read_only=on"})
    with closing(
        Ledger(reading_only.render_as_string(hide_password=False), timeout=timedelta(seconds=1))
    ) as ledger:
        ledger.check()
        with pytest.raises(StoreUnavailable, match="ReadOnlySqlTransaction, 25006"):
            ledger.record_decision(a_decision(), a_grant())


def test_a_server_that_is_reached_directly_limits_single_queries_too(postgres_ledger: LedgerTables) -> None:
    asleep = select(func.pg_sleep(60))
    with (
        closing(Ledger(postgres_ledger.url, timeout=timedelta(seconds=0.5))) as ledger,
        pytest.raises(StoreUnavailable, match="QueryCanceled"),
        ledger.database.reading() as connection,
    ):
        connection.rows(asleep)
