"""`make growth`: what a flow costs with more workers, pending requests, grants, and refreshes of one connection.

Arguments are the names of the tables to make: workers, pending, grants, accounts, refreshes; all when none is named.
GRANTS is how many grants there are at most; a table that is cut short by it is printed only.
"""

import os
import secrets
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import requests
from sqlalchemy import Engine, NullPool, create_engine, select, text

from app.stores.ledger.schema import grants
from app.stores.redis.requests import RequestStore
from bench.accord import prepare
from bench.journey import Latencies, a_browser, look_at_connections, stop_sharing, use_connection, whole_flow
from bench.ledger_growth import CONNECTIONS, fill, subject_of
from bench.load import LoadGenerator, run_bench
from bench.page import table, write_between
from bench.stage import PAGE, Stage, on_stage
from tests.support.builders import RECORDS, a_query
from tests.support.postgres import PostgresServer
from tests.support.registrations import DEMO_REGISTRY, with_customers
from tests.support.running_accord import PATIENCE

WORKERS: Final = (1, 2, 4, 8)
PENDING: Final = (10, 1_000, 10_000, 100_000)
GRANTS: Final = {
    "grants": (10_000, 100_000, 1_000_000, 10_000_000),
    "accounts": (10_000, 100_000, 1_000_000, 10_000_000),
}
"""The sizes of the ledger whose grants name one account, and of the one whose grants name ACCOUNTS."""
ACCOUNTS: Final = 10
REFRESHES: Final = (100, 10_000, 100_000, 1_000_000)
SECONDS: Final = 15
"""Under load, for each number of workers."""
BROWSERS_A_WORKER: Final = 8
WARM_UP: Final = 20
FLOWS: Final = 300
"""Measured for each size, one at a time, after WARM_UP others."""

Row = list[str]


def by_workers(directory: Path, postgres: PostgresServer) -> Iterator[Row]:
    """Flows a second and CPU time, from one worker to as many as there are cores."""
    for workers in (number for number in WORKERS if number <= (os.cpu_count() or 1)):
        stage = on_stage(
            directory,
            registry=prepare.registration(),
            ledger_url=postgres.new_database(),
            ACCORD_WORKERS=str(workers),
        )
        browsers = BROWSERS_A_WORKER * workers
        with stage as running:
            accord = running.accord
            with LoadGenerator(directory, port=accord.port, browsers=browsers, is_fresh=True) as load:
                load.sign_in()
                load.run(SECONDS / 5)
                before = run_bench.cpu_tree(accord.pid)
                flows, failures = load.run(SECONDS)
                cpu = (run_bench.cpu_tree(accord.pid) - before) / flows
        yield [str(workers), str(browsers), f"{flows / SECONDS:.0f}", f"{cpu:.2f}", str(failures)]


def by_pending(directory: Path, postgres: PostgresServer) -> Iterator[Row]:
    """What one browser waits for, and what Redis needs, beside ever more pending requests."""
    with on_stage(
        directory,
        registry=DEMO_REGISTRY.read_text(encoding="utf-8"),
        ledger_url=postgres.new_database(),
        ACCORD_WORKERS="1",
    ) as stage:
        request_id = _begin(stage)
        value_size = stage.redis.strlen(f"request:{request_id}")
        pending = 1
        for size in PENDING:
            before = stage.redis.info("memory")["used_memory"]
            added = size - pending
            _begin_like(stage, request_id, added)
            pending = size
            more = stage.redis.info("memory")["used_memory"] - before
            latencies = Latencies()
            browser = a_browser(latencies)
            for number in range(WARM_UP + FLOWS):
                if number == WARM_UP:
                    latencies.forget()
                whole_flow(stage.accord, browser, "alex")
            steps = [latencies.in_words(step) for step in ("authorize", "form", "approve", "redeem")]
            # Of a few, what Redis needs for its connections is more than what it needs for them.
            for_each = f"{more / added:.0f}" if added > 100 else "-"
            yield [f"{size:,}", *steps, str(value_size), for_each]


def _begin(stage: Stage) -> str:
    """One pending request of the real kind; its request_id."""
    query = a_query(scope=run_bench.SCOPES)
    begun = requests.get(
        f"{stage.accord.address}/api/v1/authorize?{query}", timeout=PATIENCE, allow_redirects=False
    )
    return begun.headers["Location"].split("/")[2]


def _begin_like(stage: Stage, request_id: str, number: int) -> None:
    """So many more pending requests, of other browsers."""
    store = RequestStore(stage.redis, RECORDS)
    pending = store.find_request(request_id)
    assert pending is not None
    for _ in range(number):
        another = replace(pending, request_id=secrets.token_urlsafe(24), browser_id=secrets.token_urlsafe(24))
        store.save(another, now=datetime.now(UTC))


def by_grants(
    directory: Path,
    postgres: PostgresServer,
    sizes: tuple[int, ...],
    *,
    accounts: int,
    steps: tuple[str, ...],
) -> Iterator[Row]:
    """What customers from all over a ledger on PostgreSQL wait for, one after the other, while it grows.

    Each grant names so many `accounts`, all that its customer has.
    """
    ledger_url = postgres.new_database()
    engine = create_engine(ledger_url, poolclass=NullPool)
    _make_room(ledger_url)
    template = _first_grant(directory, ledger_url, accounts)
    filled = 0
    for size in sizes:
        fill(engine, template, range(filled, size))
        filled = size
        customers = size // CONNECTIONS
        subjects = {
            f"c{number}": subject_of(number * customers // (WARM_UP + FLOWS))
            for number in range(WARM_UP + FLOWS)
        }
        registry = with_customers(subjects, accounts=accounts)
        with on_stage(directory, registry=registry, ledger_url=ledger_url, ACCORD_WORKERS="1") as stage:
            latencies = Latencies()
            browser = a_browser(latencies)
            for number, user_name in enumerate(subjects):
                if number == WARM_UP:
                    latencies.forget()
                browser.cookies.clear()
                tokens = whole_flow(stage.accord, browser, user_name)
                look_at_connections(stage.accord, browser)
                stop_sharing(stage.accord, browser, tokens, latencies)
        waits = (latencies.in_words(step) for step in steps)
        yield [f"{size:,}", *waits, f"{_bytes_of_a_grant(engine):,.0f}", f"{_megabytes(engine):,}"]


def _bytes_of_a_grant(engine: Engine) -> float:
    """The mean size of the rows of grants in force, without those of its decision, events and tokens."""
    sizes = text("SELECT avg(pg_column_size(grants.*)) FROM grants WHERE ended_at IS NULL")
    with engine.connect() as connection:
        return float(connection.execute(sizes).scalar_one())


def _megabytes(engine: Engine) -> int:
    """The size of the whole ledger on disk, indexes included."""
    with engine.connect() as connection:
        return int(connection.execute(text("SELECT pg_database_size(current_database()) >> 20")).scalar_one())


def by_refreshes(directory: Path, postgres: PostgresServer) -> Iterator[Row]:
    """What is asked of one connection, on PostgreSQL, while its past grows: one event for each use of its token."""
    ledger_url = postgres.new_database()
    registry = DEMO_REGISTRY.read_text(encoding="utf-8")
    used = text(
        "INSERT INTO events (consent_id, kind, actor, reason, correlation_id, happened_at)"
        " SELECT consent_id, 'refreshed', 'client', 'USER_ACTION', correlation_id, approved_at"
        " FROM grants CROSS JOIN generate_series(1, :many)"
    )
    engine = create_engine(ledger_url, poolclass=NullPool)
    with on_stage(directory, registry=registry, ledger_url=ledger_url, ACCORD_WORKERS="1") as stage:
        latencies = Latencies()
        browser = a_browser(latencies)
        tokens = whole_flow(stage.accord, browser, "alex")
        recorded = 0
        for size in REFRESHES:
            with engine.begin() as connection:
                connection.execute(used, {"many": size - recorded})
            recorded = size
            for number in range(WARM_UP + FLOWS):
                if number == WARM_UP:
                    latencies.forget()
                look_at_connections(stage.accord, browser)
                use_connection(stage.accord, browser, tokens, latencies)
            steps = [latencies.in_words(step) for step in ("connections", "detail", "refresh", "introspect")]
            yield [f"{size:,}", *steps]


def _make_room(ledger_url: str) -> None:
    """Lets the server write for longer between two checkpoints: filling is no part of what is measured."""
    engine = create_engine(ledger_url, poolclass=NullPool, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text("ALTER SYSTEM SET max_wal_size = '16GB'"))
        connection.execute(text("SELECT pg_reload_conf()"))


def _first_grant(directory: Path, ledger_url: str, accounts: int) -> str:
    """The consent_id of a grant that Accord has recorded itself, and whose code was redeemed."""
    registry = with_customers({"first": "first"}, accounts=accounts)
    with on_stage(directory, registry=registry, ledger_url=ledger_url, ACCORD_WORKERS="1") as stage:
        whole_flow(stage.accord, a_browser(Latencies()), "first")
    with create_engine(ledger_url, poolclass=NullPool).connect() as connection:
        return str(connection.execute(select(grants.c.consent_id)).scalar_one())


WAIT: Final = ", median / p99 ms"
HEADS: Final = {
    "workers": ["workers", "browsers", "flows/s", "CPU ms a flow", "failed"],
    "pending": [
        "pending requests",
        *(f"{step}{WAIT}" for step in ("authorize", "form", "approve", "redeem")),
        "bytes of a value",
        "bytes of Redis for each",
    ],
    "refreshes": [
        "refreshes on record",
        *(f"{step}{WAIT}" for step in ("connections page", "its own page", "refresh", "introspect")),
    ],
    "grants": [
        "grants",
        *(f"{step}{WAIT}" for step in ("connections page", "approve", "redeem", "stop")),
        "bytes of a grant",
        "MB",
    ],
    "accounts": [
        "grants",
        *(f"{step}{WAIT}" for step in ("connections page", "approve", "redeem", "stop one account", "stop")),
        "bytes of a grant",
        "MB",
    ],
}


def main(wanted: list[str]) -> int:
    most = int(os.environ.get("GRANTS") or max(GRANTS["grants"]))
    sizes = {name: tuple(size for size in every if size <= most) for name, every in GRANTS.items()}
    directory = Path(tempfile.mkdtemp(prefix="accord-growth-"))
    with PostgresServer() as postgres:
        tables: dict[str, Callable[[], Iterator[Row]]] = {
            "workers": lambda: by_workers(directory / "workers", postgres),
            "pending": lambda: by_pending(directory / "pending", postgres),
            "refreshes": lambda: by_refreshes(directory / "refreshes", postgres),
            "grants": lambda: by_grants(
                directory / "grants",
                postgres,
                sizes["grants"],
                accounts=1,
                steps=("connections", "approve", "redeem", "stop"),
            ),
            "accounts": lambda: by_grants(
                directory / "accounts",
                postgres,
                sizes["accounts"],
                accounts=ACCOUNTS,
                steps=("connections", "approve", "redeem", "narrow", "stop"),
            ),
        }
        for name in wanted or tables:
            rows = []
            print(table(HEADS[name], []), end="", flush=True)
            for row in tables[name]():
                rows.append(row)
                print(f"| {' | '.join(row)} |", flush=True)
            if sizes.get(name) == GRANTS.get(name):
                write_between(PAGE, f"growth, {name}", table(HEADS[name], rows))
    shutil.rmtree(directory)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
