"""A few of the scenarios of `make faults`, in short: nothing that must always hold is broken, and all is well again.

How fast is measured there, and not asserted here.
"""

from pathlib import Path

import pytest

from tests.faults.scenarios import (
    APPROVED,
    POSTGRES,
    SQLITE,
    Scenario,
    killed_at,
    losing,
    postgres_frozen,
    redis_frozen,
    sqlite_locked,
    to_ledger,
)
from tests.faults.stage import Stage
from tests.postgres import PostgresServer

SHORT = [
    Scenario("a reply of Redis is lost", losing(b"code:"), 0.5, SQLITE),
    Scenario("Redis is frozen", redis_frozen, 2, SQLITE),
    Scenario("SQLite is locked", sqlite_locked, 1.5, SQLITE),
    Scenario("PostgreSQL is frozen", postgres_frozen, 2, POSTGRES),
    Scenario(
        "a worker is killed after the commit",
        killed_at(to_ledger, sign=APPROVED, then=b"COMMIT", at_reply=True),
        2,
        POSTGRES,
    ),
]


@pytest.mark.parametrize("scenario", SHORT, ids=lambda scenario: scenario.name)
def test_whatever_breaks_nothing_is_done_twice_or_falsely_and_all_is_well_again(
    scenario: Scenario, tmp_path: Path, postgres: PostgresServer
) -> None:
    with Stage(tmp_path / "stage", scenario.needs, postgres) as stage:
        outcome = stage.play(scenario.fault, scenario.seconds)
    assert outcome.violations == []
    assert outcome.unexpected == 0
    assert outcome.recovered is not None
    assert outcome.health_answers > 0
