"""A ledger behind PgBouncer, which gives every transaction another session of the server."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import timedelta

import pytest
from sqlalchemy import NullPool, create_engine, text

from app.stores.ledger import migrations
from app.stores.ledger.connections import ConnectionStore
from app.stores.ledger.ledger import Ledger, Redeemed
from app.stores.ledger.schema import metadata
from app.stores.unavailable import StoreUnavailable
from tests.support.builders import NOON, a_decision, a_grant
from tests.support.ledger_tables import LedgerTables
from tests.support.pgbouncer import PgBouncer
from tests.support.postgres import PostgresServer

FLOWS = 60


@pytest.fixture(scope="module", params=["transaction", "session"])
def pool(request: pytest.FixtureRequest, postgres: PostgresServer) -> Iterator[PgBouncer]:
    """Before an empty database."""
    with PgBouncer(postgres.new_database(), pool_mode=request.param) as running:
        migrations.upgrade(running.url)
        yield running


@pytest.fixture
def ledger(pool: PgBouncer) -> Iterator[Ledger]:
    LedgerTables(pool.url).clear()
    with closing(Ledger(pool.url, timeout=timedelta(seconds=2), connections=8)) as ledger:
        yield ledger


def test_the_ledger_is_made_and_upgraded_through_the_pool(postgres: PostgresServer) -> None:
    url = postgres.new_database()
    with PgBouncer(url) as pool:
        assert migrations.upgrade(pool.url)
        assert migrations.upgrade(pool.url)
    with create_engine(url, poolclass=NullPool).connect() as connection:
        tables = set(
            connection.execute(text("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")).scalars()
        )
    assert tables == {*metadata.tables, "alembic_version"}


def test_sixty_flows_side_by_side_all_end_well(ledger: Ledger) -> None:
    connections = ConnectionStore(ledger.database)

    def flow(number: int) -> None:
        names = {"request_id": f"request-{number}", "consent_id": f"consent-{number}"}
        customer = {"subject": f"customer-{number}"}
        ledger.record_decision(a_decision(**names, **customer), a_grant(**names, **customer))
        redeemed = ledger.redeem(names["request_id"], "dc-budget", token_hash=f"hash-{number}", now=NOON)
        assert isinstance(redeemed, Redeemed)
        for _ in range(8):  # as often as a driver waits before it prepares a statement, and more
            ledger.record_refresh(f"hash-{number}", names["consent_id"], now=NOON)
            assert connections.find_connection(names["consent_id"]) is not None
            assert ledger.find_answer(names["request_id"]) is not None

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(flow, range(FLOWS)))


def test_a_statement_and_a_wait_for_a_lock_end_in_time_and_leave_no_limit_to_others(
    pool: PgBouncer, ledger: Ledger
) -> None:
    answer = a_decision(request_id="request-1"), a_grant(request_id="request-1")
    with create_engine(pool.url, poolclass=NullPool).begin() as other:
        other.execute(text("LOCK TABLE decisions IN EXCLUSIVE MODE"))
        with (
            closing(Ledger(pool.url, timeout=timedelta(seconds=0.3))) as hasty,
            pytest.raises(StoreUnavailable, match=r"LockNotAvailable|QueryCanceled"),
        ):
            hasty.record_decision(*answer)
    ledger.record_decision(*answer)
    with ThreadPoolExecutor(8) as threads:
        limits = set(threads.map(lambda _: limit_of_a_session(pool.url), range(16)))
    assert limits == {("0", "0")}


def limit_of_a_session(url: str) -> tuple[str, str]:
    with create_engine(url, poolclass=NullPool).connect() as connection:
        return (
            connection.execute(text("SHOW statement_timeout")).scalar_one(),
            connection.execute(text("SHOW lock_timeout")).scalar_one(),
        )


def test_names_in_every_script_go_through_the_pool(ledger: Ledger) -> None:
    subject = "Zoë 🍁 ᓄᓇᕗᑦ"
    ledger.record_decision(a_decision(subject=subject), a_grant(subject=subject))
    answered = ledger.find_answer(a_decision().request_id)
    assert answered is not None
    assert answered.decision.subject == subject
