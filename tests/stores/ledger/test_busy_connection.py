"""A connection whose token was used for years costs no more than a new one, on both databases."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import NullPool, create_engine, text

from app.domain.clusters import DataCluster
from app.domain.consent import ConsentGrant
from app.domain.history import Actor
from app.domain.narrowing import Withdrawn
from app.domain.tokens import hash_secret
from app.stores.ledger import migrations
from app.stores.ledger.audit import Audit
from app.stores.ledger.connections import ConnectionStore
from app.stores.ledger.ledger import Ledger
from app.stores.ledger.retention import Policy, RetentionStore
from tests.stores.work import Ask, counting_steps, rows_read
from tests.support.builders import BASIC, NOON, a_decision, a_grant
from tests.support.postgres import PostgresServer

REFRESHES = 200_000
HANDFUL = 50
FEW_STEPS = 5_000
LATER = NOON + timedelta(days=300)
DAY = timedelta(days=1)
TOKEN = hash_secret("a refresh token")
TRANSACTIONS = frozenset({DataCluster.TRANSACTIONS})
POLICY = Policy(records=timedelta(days=365), tokens=timedelta(days=365), token_idle=timedelta(days=30))
# As versions wrote them that kept one for each use: a minute apart.
OF_SQLITE = (
    "WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < :many)"
    " INSERT INTO events (consent_id, kind, actor, reason, correlation_id, happened_at)"
    " SELECT 'consent-1', 'refreshed', 'client', 'USER_ACTION', 'correlation-1',"
    " strftime('%Y-%m-%d %H:%M:%f000', '2026-11-24 12:00', n || ' minutes') FROM numbers"
)
OF_POSTGRESQL = (
    "INSERT INTO events (consent_id, kind, actor, reason, correlation_id, happened_at)"
    " SELECT 'consent-1', 'refreshed', 'client', 'USER_ACTION', 'correlation-1',"
    " timestamptz '2026-11-24 12:00Z' + n * interval '1 minute' FROM generate_series(1, :many) AS n"
)


def use_often(url: str) -> None:
    """Of three connections that were redeemed, two customers' and one that is over, the first is used."""
    migrations.upgrade(url)
    ledger = Ledger(url, timeout=timedelta(seconds=10))
    shared = BASIC | TRANSACTIONS
    for number in (1, 2, 3):
        names = {
            "request_id": f"request-{number}",
            "consent_id": f"consent-{number}",
            "subject": f"s-{number}",
        }
        decision = a_decision(**names, granted_scope=shared)
        ledger.record_decision(decision, a_grant(**names, granted_scope=shared))
        token = TOKEN if number == 1 else hash_secret(f"token {number}")
        ledger.redeem(f"request-{number}", "dc-budget", token_hash=token, now=NOON)
    ConnectionStore(ledger.database).withdraw("consent-3", None, actor=Actor.CUSTOMER, now=NOON)
    ledger.close()
    is_sqlite = url.startswith("sqlite")
    with create_engine(url, poolclass=NullPool).begin() as connection:
        connection.execute(text(OF_SQLITE if is_sqlite else OF_POSTGRESQL), {"many": REFRESHES})


@pytest.fixture(scope="module")
def on_sqlite(tmp_path_factory: pytest.TempPathFactory) -> str:
    path: Path = tmp_path_factory.mktemp("busy") / "ledger.sqlite3"
    use_often(f"sqlite:///{path}")
    return f"sqlite:///{path}"


@pytest.fixture(scope="module")
def on_postgresql(postgres: PostgresServer) -> str:
    url = postgres.new_database()
    use_often(url)
    return url


@contextmanager
def little_work(url: str) -> Iterator[None]:
    """Holds that a handful of rows is read inside, by connections that are opened there."""
    if url.startswith("sqlite"):
        with counting_steps() as steps:
            yield
        assert steps[0] <= FEW_STEPS
        return
    before = rows_read(url)
    yield
    assert rows_read(url) <= before + HANDFUL


def connections(ledger: Ledger) -> ConnectionStore:
    return ConnectionStore(ledger.database)


def refreshed(ledger: Ledger) -> ConsentGrant | None:
    return ledger.record_refresh(TOKEN, "consent-1", now=LATER)


def nothing_is_forgotten(ledger: Ledger) -> bool:
    return not list(RetentionStore(ledger.database, POLICY).forget(now=NOON + DAY))


def read_the_whole_past(url: str) -> None:
    with create_engine(url, poolclass=NullPool).connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM events WHERE reason = ''")).scalar_one() == 0


# In this order: the last ones change it.
ASKED: dict[str, Ask] = {
    "the connection, as introspection and its page do": lambda ledger: connections(ledger).find_connection(
        "consent-1"
    ),
    "what its page says of its past": lambda ledger: connections(ledger).history_without_use("consent-1"),
    "its customer's connections": lambda ledger: list(
        connections(ledger).of(provider_id="1000", subject="s-1")
    ),
    "what its customer shares": lambda ledger: connections(ledger).active_of("1000", "s-1", now=NOON),
    "what its customer no longer shares": lambda ledger: connections(ledger).ended_of(
        "1000", "s-1", now=LATER, most=20
    ),
    "its recipient's connections": lambda ledger: list(connections(ledger).of(client_id="dc-budget")),
    "its answer": lambda ledger: ledger.find_consent("consent-1"),
    "its grant, for its token": lambda ledger: ledger.find_refreshable(
        TOKEN, "dc-budget", idle=timedelta(days=400), now=LATER
    ),
    "what auditors have not read": lambda ledger: list(Audit(ledger.database).records(since=LATER)),
    "what may be forgotten": nothing_is_forgotten,
    "one more refresh": refreshed,
    "to stop a part of it": lambda ledger: connections(ledger).withdraw(
        "consent-1", Withdrawn(TRANSACTIONS), actor=Actor.CUSTOMER, now=LATER
    ),
    "to stop it": lambda ledger: connections(ledger).withdraw(
        "consent-1", None, actor=Actor.CUSTOMER, now=LATER
    ),
}


@pytest.mark.parametrize("asked", ASKED)
@pytest.mark.parametrize("where", ["on_sqlite", "on_postgresql"])
def test_a_handful_of_rows_is_read_for(request: pytest.FixtureRequest, where: str, asked: str) -> None:
    url: str = request.getfixturevalue(where)
    with little_work(url):
        ledger = Ledger(url, timeout=timedelta(seconds=10))
        answer = ASKED[asked](ledger)
        ledger.close()
    assert answer is not None


@pytest.mark.parametrize("where", ["on_sqlite", "on_postgresql"])
def test_reading_the_whole_past_would_be_noticed(request: pytest.FixtureRequest, where: str) -> None:
    url: str = request.getfixturevalue(where)
    with pytest.raises(AssertionError), little_work(url):
        read_the_whole_past(url)


def test_what_is_forgotten_of_it_goes_a_few_thousand_events_at_a_time(
    request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    url = f"sqlite:///{tmp_path}/ledger.sqlite3"
    use_often(url)
    ledger = Ledger(url, timeout=timedelta(seconds=10))
    store = RetentionStore(ledger.database, POLICY)
    then = NOON + timedelta(days=3 * 365)
    announced = store.count(now=then)
    steps = list(store.forget(now=then))
    ledger.close()
    assert announced.events == sum(step.events for step in steps) > REFRESHES
    assert max(step.events for step in steps) <= 5_000
    assert sum(step.consents for step in steps) == announced.consents == 3
