"""A ledger that cannot answer says so in time, and nothing is recorded."""

import resource
import sqlite3
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from datetime import timedelta
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from sqlalchemy import NullPool, create_engine, func, make_url, select, text

from app.stores.ledger.ledger import Ledger
from app.stores.ledger.schema import metadata
from app.stores.unavailable import StoreUnavailable
from tests.stores import in_time
from tests.support.builders import NOON, a_decision, a_grant
from tests.support.ledger_tables import LedgerTables
from tests.support.ports import free_port
from tests.support.proxy import Proxy, to_socket
from tests.support.waiting import wait_until

OpenLedger = Callable[[str], Ledger]

# Every ledger here waits a third of a second; a page must be there within two.


def an_answer(number: int, **changes: str) -> tuple[Any, Any]:
    names = {"request_id": f"request-{number}", "consent_id": f"consent-{number}", **changes}
    return a_decision(**names), a_grant(**names)


WRITES: dict[str, Callable[[Ledger], Any]] = {
    "an answer": lambda ledger: ledger.record_decision(*an_answer(2)),
    "a redemption": lambda ledger: ledger.redeem("request-1", "dc-budget", token_hash="h", now=NOON),
    "a refresh": lambda ledger: ledger.record_refresh("of-another", "consent-3", now=NOON),
    "a replay": lambda ledger: ledger.end_replayed(a_grant(), now=NOON),
}
each_write = pytest.mark.parametrize("write", WRITES.values(), ids=WRITES.keys())


def fill(ledger: Ledger) -> Ledger:
    """Records one approval, and one of another customer, which is redeemed."""
    ledger.record_decision(*an_answer(1))
    ledger.record_decision(*an_answer(3, subject="another"))
    ledger.redeem("request-3", "dc-budget", token_hash="of-another", now=NOON)
    return ledger


@pytest.fixture
def ledger(database: LedgerTables, open_ledger: OpenLedger) -> Ledger:
    """With what `fill` records in it."""
    return fill(open_ledger(database.url))


@contextmanager
def unavailable_in_time() -> Iterator[pytest.ExceptionInfo[StoreUnavailable]]:
    """Holds that what is inside raises StoreUnavailable, soon, and says nothing of what was asked."""
    with in_time.unavailable_in_time("ledger") as raised:
        yield raised
    assert "dc-budget" not in str(raised.value)


def contents(database: LedgerTables) -> list[Any]:
    return [database.rows(table) for table in metadata.tables]


def path_of(database: LedgerTables) -> Path:
    return Path(database.url.removeprefix("sqlite:///"))


@contextmanager
def locked(database: LedgerTables) -> Iterator[None]:
    """Somebody else holds the ledger inside the block."""
    if database.url.startswith("sqlite"):
        with closing(sqlite3.connect(path_of(database), isolation_level=None)) as other:
            other.execute("BEGIN EXCLUSIVE")
            yield
        return
    with create_engine(database.url, poolclass=NullPool).begin() as connection:
        for table in metadata.tables:
            connection.execute(text(f"LOCK TABLE {table} IN EXCLUSIVE MODE"))
        yield


# A lock


@each_write
def test_a_locked_ledger_is_unavailable_in_time_and_nothing_is_recorded(
    ledger: Ledger, database: LedgerTables, write: Callable[[Ledger], Any]
) -> None:
    on_record = contents(database)
    with locked(database), unavailable_in_time():
        write(ledger)
    assert contents(database) == on_record


def test_a_locked_ledger_can_still_be_read(ledger: Ledger, database: LedgerTables) -> None:
    with locked(database):
        ledger.check()
        assert ledger.find_answer("request-1") is not None


def test_when_the_lock_is_gone_the_same_call_works(ledger: Ledger, database: LedgerTables) -> None:
    with locked(database), unavailable_in_time():
        ledger.record_decision(*an_answer(2))
    assert ledger.record_decision(*an_answer(2)).decision.consent_id == "consent-2"


def test_a_ledger_that_is_locked_when_it_is_first_opened_is_unavailable_in_time(
    database: LedgerTables, open_ledger: OpenLedger
) -> None:
    with locked(database), unavailable_in_time():
        open_ledger(database.url).record_decision(*an_answer(2))
    assert database.rows("decisions") == []


def test_who_waited_in_vain_for_a_turn_closes_the_ledger_to_nobody(file: LedgerTables) -> None:
    with closing(Ledger(file.url, timeout=timedelta(seconds=1))) as ledger, ThreadPoolExecutor(4) as pool:
        with ledger.database.writing():
            with pytest.raises(StoreUnavailable, match="too many writers"):
                ledger.record_decision(*an_answer(1))
            others = [pool.submit(ledger.record_decision, *an_answer(number)) for number in range(2, 6)]
            time.sleep(0.2)  # longer than a circuit breaker lets anybody wait, shorter than a turn may take
        answered = {other.result().decision.request_id for other in others}
    assert answered == {f"request-{number}" for number in range(2, 6)}


def test_while_another_process_holds_the_lock_one_writer_finds_out_and_the_others_are_told_at_once(
    file: LedgerTables,
) -> None:
    with (
        closing(Ledger(file.url, timeout=timedelta(seconds=1))) as ledger,
        locked(file),
        ThreadPoolExecutor(1) as pool,
    ):
        with pytest.raises(StoreUnavailable):
            ledger.record_decision(*an_answer(1))
        finds_out = pool.submit(ledger.record_decision, *an_answer(2))
        wait_until(lambda: ledger.database.connections_in_use() > 0)
        with pytest.raises(StoreUnavailable):
            ledger.record_decision(*an_answer(3))
        assert not finds_out.done(), "the third waited as long as the second"
        assert isinstance(finds_out.exception(), StoreUnavailable)


# A SQLite file that cannot be written


@pytest.fixture
def file(ledger_url: str) -> LedgerTables:
    return LedgerTables(ledger_url)


@each_write
def test_a_ledger_that_cannot_be_written_is_unavailable_and_nothing_is_recorded(
    file: LedgerTables, open_ledger: OpenLedger, write: Callable[[Ledger], Any]
) -> None:
    fill(open_ledger(file.url))
    on_record = contents(file)
    reading_only = open_ledger(f"sqlite:///file:{path_of(file)}?mode=ro&uri=true")
    with unavailable_in_time():
        write(reading_only)
    assert contents(file) == on_record
    assert reading_only.find_answer("request-1") is not None


@contextmanager
def no_file_grows_beyond(size: int) -> Iterator[None]:
    """A full disk, as far as this process can tell."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_full_disk_is_unavailable_and_nothing_is_recorded(
    file: LedgerTables, open_ledger: OpenLedger
) -> None:
    ledger = open_ledger(file.url)
    ledger.record_decision(*an_answer(1))
    log = Path(f"{path_of(file)}-wal")
    with no_file_grows_beyond(log.stat().st_size), unavailable_in_time():
        ledger.record_decision(*an_answer(2))
    assert [row["request_id"] for row in file.rows("decisions")] == ["request-1"]
    assert ledger.record_decision(*an_answer(2)).decision.consent_id == "consent-2"


def test_a_sqlite_ledger_keeps_a_write_ahead_log_so_that_readers_never_wait(
    file: LedgerTables, open_ledger: OpenLedger
) -> None:
    open_ledger(file.url).record_decision(*an_answer(1))
    with closing(sqlite3.connect(path_of(file))) as other:
        assert other.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert other.execute("SELECT count(*) FROM decisions").fetchone() == (1,)


# A ledger that is not there


def no_such_folder(folder: Path) -> str:
    return f"sqlite:///{folder}/nowhere/ledger.sqlite3"


def not_a_database(folder: Path) -> str:
    (folder / "notes.txt").write_text("this is no database\n" * 100)
    return f"sqlite:///{folder}/notes.txt"


def a_folder(folder: Path) -> str:
    return f"sqlite:///{folder}"


def no_tables(folder: Path) -> str:
    return f"sqlite:///{folder}/empty.sqlite3"


def nobody_listens(_: Path) -> str:
    return f"postgresql+psycopg://postgres:a-password@127.0.0.1:{free_port()}/ledger"


@pytest.mark.parametrize("place", [no_such_folder, not_a_database, a_folder, no_tables, nobody_listens])
def test_a_ledger_that_is_not_there_is_unavailable_to_readers_and_writers(
    tmp_path: Path, open_ledger: OpenLedger, place: Callable[[Path], str]
) -> None:
    ledger = open_ledger(place(tmp_path))
    calls: list[Callable[[], Any]] = [
        ledger.check,
        lambda: ledger.find_answer("request-1"),
        lambda: ledger.record_decision(*an_answer(1)),
    ]
    for call in calls:
        with unavailable_in_time():
            call()


# Connections that are shared


def test_more_threads_than_connections_take_turns_and_all_are_answered(
    postgres_ledger: LedgerTables,
) -> None:
    postgres_ledger.clear()
    others = text(
        "SELECT count(*) FROM pg_stat_activity "
        "WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'"
    )
    looking = create_engine(postgres_ledger.url, poolclass=NullPool, isolation_level="AUTOCOMMIT")
    with (
        closing(Ledger(postgres_ledger.url, timeout=timedelta(seconds=2), connections=2)) as ledger,
        ThreadPoolExecutor(8) as pool,
        looking.connect() as own,
    ):
        before = own.execute(others).scalar_one()
        answers = list(pool.map(lambda number: ledger.record_decision(*an_answer(number)), range(40)))
        assert own.execute(others).scalar_one() == before + 2
    assert len(answers) == len(postgres_ledger.rows("decisions")) == 40


def test_who_gets_no_connection_in_time_is_told_so(postgres_ledger: LedgerTables) -> None:
    with closing(Ledger(postgres_ledger.url, timeout=timedelta(seconds=0.33), connections=1)) as ledger:
        with ledger.database.reading(), unavailable_in_time():
            ledger.check()
        ledger.check()


# Connections that died


def test_connections_that_the_server_has_closed_are_replaced_without_a_word(
    postgres_ledger: LedgerTables, open_ledger: OpenLedger
) -> None:
    postgres_ledger.clear()
    ledger = open_ledger(postgres_ledger.url)
    ledger.record_decision(*an_answer(1))
    # PostgreSQL may be about to end one of an earlier test by itself, and then says that it could not be ended.
    others = text(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        "WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    with create_engine(
        postgres_ledger.url, poolclass=NullPool, isolation_level="AUTOCOMMIT"
    ).connect() as connection:
        for number in (2, 3):
            assert connection.execute(others).all()
            wait_until(lambda: not connection.execute(others).all())
            assert ledger.record_decision(*an_answer(number)).decision.request_id == f"request-{number}"
    assert len(postgres_ledger.rows("decisions")) == 3


@pytest.fixture
def on_the_way(postgres_ledger: LedgerTables) -> Iterator[Proxy]:
    """Between Accord and PostgreSQL."""
    with Proxy(to_socket(f"{make_url(postgres_ledger.url).query['host']}/.s.PGSQL.5432")) as proxy:
        yield proxy


def test_a_postgresql_that_says_nothing_is_unavailable_in_time_and_heals(
    on_the_way: Proxy, postgres_ledger: LedgerTables, open_ledger: OpenLedger
) -> None:
    """Its own limits are of no use then: it does not say that they have passed."""
    url = make_url(postgres_ledger.url).set(host="127.0.0.1", port=on_the_way.port)
    ledger = open_ledger(url.difference_update_query(["host"]).render_as_string(hide_password=False))
    ledger.check()
    on_the_way.freeze()
    with unavailable_in_time():
        ledger.check()
    with unavailable_in_time():
        ledger.record_decision(*an_answer(1))  # over a new connection
    on_the_way.thaw()
    ledger.check()


def test_statements_that_run_too_long_keep_nobody_else_from_their_answers(
    postgres_ledger: LedgerTables, open_ledger: OpenLedger
) -> None:
    ledger = open_ledger(postgres_ledger.url)
    too_long = select(func.pg_sleep(5))
    under_way = Event()

    def ask_for_too_much() -> None:
        with unavailable_in_time() as raised, ledger.database.reading() as connection:
            under_way.set()
            connection.first(too_long)
        assert str(raised.value) == "ledger: QueryCanceled, 57014"

    with ThreadPoolExecutor(1) as pool:
        for _ in range(3):
            under_way.clear()
            asked = pool.submit(ask_for_too_much)
            under_way.wait(10)
            ledger.check()
            asked.result(10)
            ledger.check()


def test_a_wait_for_a_lock_is_told_from_a_statement_that_runs_too_long(
    ledger: Ledger, database: LedgerTables
) -> None:
    if database.url.startswith("sqlite"):
        said = "ledger: OperationalError, SQLITE_BUSY"
    else:
        said = "ledger: LockNotAvailable, 55P03"
    with locked(database), unavailable_in_time() as raised:
        ledger.record_decision(*an_answer(2))
    assert str(raised.value) == said
