"""What customers and operators ask of a large ledger is found by its keys: PostgreSQL reads a handful of rows."""

from datetime import datetime, timedelta

import pytest
from sqlalchemy import Engine, NullPool, create_engine, text

from app.domain.notice_registration import NoticeType
from app.stores.ledger import migrations
from app.stores.ledger.audit import Audit
from app.stores.ledger.connections import ConnectionStore
from app.stores.ledger.ledger import Ledger
from app.stores.ledger.renewals import RenewalStore
from app.stores.ledger.retention import Policy, RetentionStore
from bench.ledger_growth import CONNECTIONS, fill, subject_of
from tests.stores.work import Ask, rows_read
from tests.support.builders import NOON, YEAR, a_decision, a_grant
from tests.support.postgres import PostgresServer

GRANTS = 20_000
HANDFUL = 50
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
LATER = NOON + DAY
NEAR_THE_END = NOON + YEAR - DAY
POLICY = Policy(records=timedelta(days=365), tokens=timedelta(days=30), token_idle=timedelta(days=30))


@pytest.fixture(scope="module")
def large_ledger(postgres: PostgresServer) -> str:
    """The URL of a ledger whose grants are copies of one that was approved and redeemed at noon."""
    url = postgres.new_database()
    migrations.upgrade(url)
    ledger = Ledger(url, timeout=timedelta(seconds=10))
    ledger.record_decision(a_decision(), a_grant())
    ledger.redeem("request-1", "dc-budget", token_hash="token-1", now=NOON)
    ledger.close()
    fill(create_engine(url, poolclass=NullPool), "consent-1", range(GRANTS))
    remind_of_most(url)
    return url


def remind_of_most(url: str) -> None:
    """As if that had happened yesterday, to all grants that stand but five."""
    still_to_come = text(
        "UPDATE grants SET reminded_at = redeemed_at WHERE ended_at IS NULL AND consent_id NOT IN"
        " (SELECT consent_id FROM grants WHERE ended_at IS NULL ORDER BY subject LIMIT 5)"
    )
    engine = create_engine(url, poolclass=NullPool, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(still_to_come)
        connection.execute(text("VACUUM (ANALYZE) grants"))


def forget(ledger: Ledger, now: datetime) -> None:
    assert list(RetentionStore(ledger.database, POLICY).forget(now=now)) == []


def remind(ledger: Ledger, client_id: str, *, at: datetime, expected: int) -> None:
    store = RenewalStore(ledger.database, lambda _client_id: frozenset(NoticeType))
    assert store.record_due(client_id, now=at, before=14 * DAY) == expected


ASKED: dict[str, Ask] = {
    "a customer's connections": lambda ledger: list(
        ConnectionStore(ledger.database).of(provider_id="1000", subject=subject_of(7))
    ),
    "what a customer shares": lambda ledger: ConnectionStore(ledger.database).active_of(
        "1000", subject_of(7), now=NOON
    ),
    "what a customer no longer shares": lambda ledger: ConnectionStore(ledger.database).ended_of(
        "1000", subject_of(7), now=NOON, most=20
    ),
    "whether there is a connection": lambda ledger: ConnectionStore(ledger.database).find_standing(
        provider_id="1000", subject=subject_of(7), client_id="dc-budget"
    ),
    "a consent": lambda ledger: ledger.find_consent("consent-1"),
    "what happened to a consent": lambda ledger: ConnectionStore(ledger.database).history("consent-1"),
    "a recipient's connections": lambda ledger: list(
        ConnectionStore(ledger.database).of(client_id="dc-loans")
    ),
    "what has run out": lambda ledger: ConnectionStore(ledger.database).record_expired(now=LATER),
    "who is still to be reminded": lambda ledger: remind(ledger, "dc-budget", at=NEAR_THE_END, expected=5),
    "who of another recipient is": lambda ledger: remind(ledger, "dc-loans", at=NEAR_THE_END, expected=0),
    "who is not to be reminded yet": lambda ledger: remind(ledger, "dc-budget", at=LATER, expected=0),
    "what may be forgotten": lambda ledger: forget(ledger, LATER),
    "what auditors have not read": lambda ledger: list(Audit(ledger.database).records(since=LATER)),
    "what nobody redeemed": lambda ledger: list(
        Audit(ledger.database).unredeemed(approved_before=LATER + HOUR, since=LATER)
    ),
}


@pytest.mark.parametrize("asked", ASKED)
def test_a_handful_of_rows_is_read_to_find(large_ledger: str, asked: str) -> None:
    before = rows_read(large_ledger)
    ledger = Ledger(large_ledger, timeout=timedelta(seconds=10))
    ASKED[asked](ledger)
    ledger.close()
    assert rows_read(large_ledger) <= before + HANDFUL


def test_reading_a_whole_table_would_be_noticed(large_ledger: str) -> None:
    before = rows_read(large_ledger)
    engine: Engine = create_engine(large_ledger, poolclass=NullPool)
    with engine.connect() as connection:
        connection.execute(text("SELECT count(*) FROM grants WHERE correlation_id = ''"))
    assert rows_read(large_ledger) >= before + GRANTS


def test_each_customer_of_the_large_ledger_has_one_connection_in_force(large_ledger: str) -> None:
    ledger = Ledger(large_ledger, timeout=timedelta(seconds=10))
    subject = subject_of(GRANTS // CONNECTIONS - 1)
    connections = list(ConnectionStore(ledger.database).of(provider_id="1000", subject=subject))
    ledger.close()
    assert len(connections) == CONNECTIONS
    assert [one.grant.ended_at is None for one in connections].count(True) == 1
    assert [one.ending is None for one in connections].count(True) == 1
