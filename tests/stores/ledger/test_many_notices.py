"""However many notices wait, what is due is found by its key: a handful of rows is read."""

from collections.abc import Callable
from contextlib import closing
from datetime import timedelta

import pytest
from sqlalchemy import NullPool, create_engine, text

from app.domain.history import Actor
from app.stores.ledger import migrations
from app.stores.ledger.connections import ConnectionStore
from app.stores.ledger.deliveries import PAUSED_AFTER, DeliveryStore
from app.stores.ledger.ledger import Ledger
from app.stores.ledger.notices import NoticeStore
from tests.stores.work import counting_steps, rows_read
from tests.support.builders import NOON, a_decision, a_grant
from tests.support.postgres import PostgresServer

MANY = 20_000
MINUTE = timedelta(minutes=1)
HANDFUL = 100
FEW_STEPS = 20_000
"""Of SQLite's machine, which takes more than ten for each row that it reads."""

CLIENTS = ("asks", "paused", "busy")
"""A recipient that only asks, one that does not answer, and one with a backlog."""
FILL = """
INSERT INTO notices (notice_id, client_id, provider_id, consent_id, type, status, reason, initiator,
                     correlation_id, happened_at, state, attempts, next_try_at)
SELECT '{client}-' || number, '{client}', '1000', 'consent-' || number, 'CONSENT_UPDATED', 'ACTIVE',
       'USER_ACTION', 'INDIVIDUAL', 'correlation', '{noon}', 'waiting', 0, '{noon}'
FROM {numbers}
"""
NUMBERS = {
    "postgresql": "generate_series(1, {many}) AS number",
    "sqlite": "(WITH RECURSIVE n(number) AS (SELECT 1 UNION ALL SELECT number + 1 FROM n WHERE number < {many}) SELECT number FROM n)",
}

Do = Callable[[Ledger], bool]
ASKED: dict[str, Do] = {
    "claim one of a backlog": lambda ledger: claimed(ledger, busy=1) == ["busy"],
    "claim of all": lambda ledger: claimed(ledger, paused=5, busy=5, nobody=5) == ["busy"] * 5,
    "ask for some": lambda ledger: len(NoticeStore(ledger.database).unsettled_of("asks", most=20)) == 20,
    "settle some": lambda ledger: (
        len(NoticeStore(ledger.database).settle("asks", taken=["asks-1"], refused={}, now=NOON)[0]) == 1
    ),
    "end a consent": lambda ledger: (
        ConnectionStore(ledger.database).withdraw("consent-1", None, actor=Actor.CUSTOMER, now=NOON)
        is not None
    ),
    "an end that is to be told": lambda ledger: (
        not ConnectionStore(ledger.database).is_end_to_be_told(
            a_grant(client_id="asks", ended_at=NOON + MINUTE)
        )
    ),
    "nothing to give up": lambda ledger: (
        DeliveryStore(ledger.database).give_up_older("paused", NOON, "timeout", now=NOON) == []
    ),
    "nothing to forget": lambda ledger: NoticeStore(ledger.database).forget_older(NOON) == 0,
}


def claimed(ledger: Ledger, **capacity: int) -> list[str]:
    """Whose notices were claimed."""
    leases = DeliveryStore(ledger.database).claim(capacity, now=NOON + MINUTE)
    return [lease.notice.receiver for lease in leases]


def fill(url: str) -> None:
    migrations.upgrade(url)
    engine = create_engine(url, poolclass=NullPool)
    with engine.begin() as connection:
        numbers = NUMBERS[engine.dialect.name].format(many=MANY)
        noon = NOON.replace(tzinfo=None).isoformat(" ", "microseconds")
        for client in CLIENTS:
            connection.execute(text(FILL.format(client=client, noon=noon, numbers=numbers)))
        connection.execute(text("ANALYZE"))
    with closing(Ledger(url, timeout=timedelta(seconds=10))) as ledger:
        ledger.record_decision(a_decision(), a_grant())
        for _ in range(PAUSED_AFTER):
            DeliveryStore(ledger.database).endpoint_failed("paused", now=NOON, pause=2 * MINUTE)


@pytest.fixture(scope="module")
def in_postgresql(postgres: PostgresServer) -> str:
    url = postgres.new_database() + "&options=-c%20timezone%3DUTC"
    fill(url)
    return url


@pytest.fixture(scope="module")
def in_sqlite(tmp_path_factory: pytest.TempPathFactory) -> str:
    url = f"sqlite:///{tmp_path_factory.mktemp('many')}/ledger.sqlite3"
    fill(url)
    return url


@pytest.mark.parametrize("asked", ASKED)
def test_postgresql_reads_a_handful_of_rows(in_postgresql: str, asked: str) -> None:
    before = rows_read(in_postgresql)
    with closing(Ledger(in_postgresql, timeout=timedelta(seconds=10))) as ledger:
        assert ASKED[asked](ledger)
    assert rows_read(in_postgresql) <= before + HANDFUL


@pytest.mark.parametrize("asked", ASKED)
def test_sqlite_takes_few_steps(in_sqlite: str, asked: str) -> None:
    with counting_steps() as steps, closing(Ledger(in_sqlite, timeout=timedelta(seconds=10))) as ledger:
        assert ASKED[asked](ledger)
    assert steps[0] < FEW_STEPS


def test_reading_all_of_them_would_be_noticed(in_postgresql: str, in_sqlite: str) -> None:
    before = rows_read(in_postgresql)
    everything = text("SELECT count(*) FROM notices WHERE correlation_id = ''")
    with create_engine(in_postgresql, poolclass=NullPool).connect() as connection:
        connection.execute(everything)
    assert rows_read(in_postgresql) >= before + MANY
    with counting_steps() as steps, create_engine(in_sqlite, poolclass=NullPool).connect() as connection:
        connection.execute(everything)
    assert steps[0] > FEW_STEPS
