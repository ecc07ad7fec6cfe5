"""Some of the scenarios of `make faults`, in short: nothing that must always hold is broken, and all is well again.

How fast is measured there, and not asserted here.
"""

from collections.abc import Iterator

import pytest

from tests.faults.scenarios import (
    APPROVED,
    POSTGRES,
    SQLITE,
    Fault,
    commit_lost,
    killed_at,
    losing,
    postgres_frozen,
    redis_frozen,
    sqlite_locked,
    to_ledger,
)
from tests.faults.stage import Stage
from tests.support.postgres import PostgresServer


@pytest.fixture(scope="module")
def on_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with Stage(tmp_path_factory.mktemp("faults") / "sqlite", SQLITE, None) as stage:
        yield stage


@pytest.fixture(scope="module")
def on_postgres(tmp_path_factory: pytest.TempPathFactory, postgres: PostgresServer) -> Iterator[Stage]:
    with Stage(tmp_path_factory.mktemp("faults") / "postgres", POSTGRES, postgres) as stage:
        yield stage


def check_nothing_was_done_twice_or_falsely(stage: Stage, fault: Fault, seconds: float) -> None:
    outcome = stage.play(fault, seconds)
    assert outcome.violations == []
    assert outcome.unexpected == 0
    assert outcome.recovered is not None
    assert outcome.health_answers > 0


@pytest.mark.parametrize(
    ("fault", "seconds"),
    [
        pytest.param(losing(b"code:"), 2, id="a reply of Redis is lost"),
        pytest.param(redis_frozen, 2, id="Redis is frozen"),
        pytest.param(sqlite_locked, 1.5, id="the ledger is locked"),
    ],
)
def test_whatever_breaks_nothing_is_done_twice_or_falsely_and_all_is_well_again(
    on_sqlite: Stage, fault: Fault, seconds: float
) -> None:
    check_nothing_was_done_twice_or_falsely(on_sqlite, fault, seconds)


@pytest.mark.parametrize(
    ("fault", "seconds"),
    [
        pytest.param(postgres_frozen, 2, id="the ledger is frozen"),
        pytest.param(
            killed_at(to_ledger, sign=APPROVED, then=b"COMMIT", at_reply=True),
            4,
            id="a worker is killed after the commit",
        ),
        pytest.param(commit_lost(then_cut=True), 2, id="a commit gets no answer"),
    ],
)
def test_the_same_holds_on_postgresql(on_postgres: Stage, fault: Fault, seconds: float) -> None:
    check_nothing_was_done_twice_or_falsely(on_postgres, fault, seconds)
