"""A ledger is copied from SQLite to PostgreSQL and back, every row of it, or nothing is."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import NullPool, create_engine, insert, text

from app.commands.ledger import ledger as ledger_commands
from app.domain.clusters import DataCluster
from app.domain.consent import make_grant
from app.domain.evidence import Screen, hash_text
from app.domain.history import Actor
from app.domain.language import Language
from app.domain.narrowing import Withdrawn
from app.stores.ledger import migrations
from app.stores.ledger.connections import ConnectionStore
from app.stores.ledger.copying import AT_ONCE
from app.stores.ledger.ledger import Ledger, Redeemed
from app.stores.ledger.schema import agreements, metadata, screens
from tests.support.builders import BASIC, NOON, YEAR, a_decision, an_account, chosen
from tests.support.ledger_tables import LedgerTables
from tests.support.postgres import PostgresServer

NewUrl = Callable[[], str]
SHOWN = Screen("Voulez-vous partager\N{NO-BREAK SPACE}? \N{BANK}", Language.FR, "catalogue-1")


@pytest.fixture
def new_sqlite(tmp_path: Path, empty_ledger: Path) -> NewUrl:
    def make() -> str:
        path = tmp_path / f"{len(list(tmp_path.iterdir()))}.sqlite3"
        path.write_bytes(empty_ledger.read_bytes())
        return f"sqlite:///{path}"

    return make


@pytest.fixture
def new_postgres(postgres: PostgresServer) -> NewUrl:
    def make() -> str:
        url = postgres.new_database()
        migrations.upgrade(url)
        return url

    return make


def fill(url: str, many: int = AT_ONCE + 3) -> None:
    """Connections of as many customers; one was narrowed, one has ended, and one is used."""
    ledger = Ledger(url, timeout=timedelta(seconds=5))
    with create_engine(url, poolclass=NullPool).begin() as connection:
        row = {
            "screen_hash": SHOWN.screen_hash,
            "language": "fr",
            "catalogue_version": "1",
            "text": SHOWN.text,
        }
        connection.execute(insert(screens).values(**row, first_shown_at=NOON))
        agreed = {"agreement_hash": hash_text("{}"), "document": "{}", "first_agreed_at": NOON}
        connection.execute(insert(agreements).values(**agreed))
    shared = BASIC | {DataCluster.TRANSACTIONS}
    for number in range(many):
        names = {"request_id": f"r-{number}", "consent_id": f"c-{number}", "subject": f"s-{number}"}
        decision = a_decision(
            **names,
            granted_scope=shared,
            screen_hash=SHOWN.screen_hash,
            accounts=chosen(an_account(), an_account(account_id="acc-2")) if number == 1 else None,
        )
        ledger.record_decision(decision, make_grant(decision, ends_at=NOON + YEAR))
    ledger.redeem("r-0", "dc-budget", token_hash="t-0", now=NOON)
    ledger.record_refresh("t-0", "c-0", now=NOON + timedelta(seconds=1, microseconds=7))
    store = ConnectionStore(ledger.database)
    part = Withdrawn(frozenset({DataCluster.TRANSACTIONS}), frozenset({"acc-2"}))
    store.withdraw("c-1", part, actor=Actor.CUSTOMER, now=NOON)
    store.end_all(["c-2"], operator="Robin", note="why", now=NOON)
    ledger.close()


def copy(source: str, target: str) -> Result:
    return CliRunner().invoke(ledger_commands, ["copy", "--from", source, "--to", target])


def contents(url: str) -> dict[str, list[dict[str, object]]]:
    return {name: LedgerTables(url)[name] for name in metadata.tables}


def execute(url: str, statement: str) -> None:
    with create_engine(url, poolclass=NullPool).begin() as connection:
        connection.execute(text(statement))


def test_a_ledger_goes_to_postgresql_and_back_and_every_row_is_the_same(
    new_sqlite: NewUrl, new_postgres: NewUrl
) -> None:
    first, between, last = new_sqlite(), new_postgres(), new_sqlite()
    fill(first)
    for source, target in ((first, between), (between, last)):
        copied = copy(source, target)
        assert copied.exit_code == 0, copied.output
        assert f"decisions: {AT_ONCE + 3}\n" in copied.stdout
        assert copied.stdout.endswith(
            "copied; as many rows are on both sides, and every screen and agreement has its hash\n"
        )
        assert contents(target) == contents(first)


@pytest.mark.parametrize("kind", ["new_sqlite", "new_postgres"])
def test_the_copy_goes_on_where_the_ledger_was(
    request: pytest.FixtureRequest, new_sqlite: NewUrl, kind: str
) -> None:
    source, target = new_sqlite(), request.getfixturevalue(kind)()
    fill(source, 3)
    assert copy(source, target).exit_code == 0
    ledger = Ledger(target, timeout=timedelta(seconds=5))
    assert ledger.record_refresh("t-0", "c-0", now=datetime.now(UTC)) is not None
    assert isinstance(ledger.redeem("r-1", "dc-budget", token_hash="t-1", now=NOON), Redeemed)
    ledger.close()
    numbers = [row["event_id"] for row in LedgerTables(target)["events"]]
    assert len(numbers) == len(LedgerTables(source)["events"]) + 2
    assert sorted(numbers) == numbers


@pytest.mark.parametrize("kind", ["new_sqlite", "new_postgres"])
@pytest.mark.parametrize(
    ("damage", "where", "said"),
    [
        ("UPDATE screens SET text = 'another'", "source", "is not the one that was hashed"),
        (
            "UPDATE grants SET request_id = 'nobody' WHERE consent_id = 'c-2'",
            "source",
            "a row of grants contradicts",
        ),
        (
            "INSERT INTO screens VALUES ('h', 'en', '1', 't', '2026-01-01 00:00:00')",
            "target",
            "the ledger to copy into is not empty: it has rows in screens",
        ),
        (
            "UPDATE alembic_version SET version_num = '0004'",
            "target",
            "the two ledgers have different schemas",
        ),
        ("DROP TABLE alembic_version", "target", "the ledger could not be copied: ledger: "),
    ],
)
def test_what_cannot_be_copied_whole_is_not_copied_at_all(
    request: pytest.FixtureRequest, new_sqlite: NewUrl, kind: str, damage: str, where: str, said: str
) -> None:
    urls = {"source": new_sqlite(), "target": request.getfixturevalue(kind)()}
    fill(urls["source"], 3)
    execute(urls[where], damage)
    before = contents(urls["target"])
    refused = copy(urls["source"], urls["target"])
    assert (refused.exit_code, refused.stdout) == (1, "")
    assert refused.stderr.startswith("Error: nothing was copied: ")
    assert said in refused.stderr
    assert len(refused.stderr.splitlines()) == 1
    assert contents(urls["target"]) == before


def test_a_ledger_is_not_copied_into_itself(new_sqlite: NewUrl) -> None:
    url = new_sqlite()
    assert copy(url, url).exit_code == 2


def test_a_ledger_that_is_not_there_is_one_line_without_its_password(new_sqlite: NewUrl) -> None:
    refused = copy(new_sqlite(), "postgresql+psycopg://x:secret@127.0.0.1:1/x")
    assert (refused.exit_code, refused.stdout) == (1, "")
    assert len(refused.stderr.splitlines()) == 1
    assert "secret" not in refused.stderr
