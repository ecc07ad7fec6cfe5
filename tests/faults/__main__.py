"""`make faults`: plays every scenario and writes what was measured into docs/reliability.md.

Arguments are parts of the names of those to play; then nothing is written.
"""

import shutil
import sys
import tempfile
from pathlib import Path

from bench.page import write_between
from tests.faults.scenarios import SCENARIOS, Scenario
from tests.faults.stage import Outcome, Stage
from tests.support.postgres import PostgresServer
from tests.support.repository import ROOT

PAGE = ROOT / "docs" / "reliability.md"
HEAD = (
    "| what breaks | for | requests | failed | flows that ended well | well again after | slowest answer "
    "| slowest `/healthz` | `/healthz` lost | unexpected | violations |\n"
    "|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|\n"
)


def row(scenario: Scenario, outcome: Outcome) -> str:
    recovered = "never" if outcome.recovered is None else f"{outcome.recovered:.1f} s"
    cells = [
        scenario.name,
        f"{scenario.seconds:g} s",
        outcome.requests,
        outcome.failures,
        outcome.finished,
        recovered,
        f"{outcome.slowest:.2f} s",
        f"{outcome.slowest_health * 1000:.0f} ms",
        outcome.lost_health,
        outcome.unexpected,
        len(outcome.violations),
    ]
    return f"| {' | '.join(str(cell) for cell in cells)} |\n"


def play(scenario: Scenario, directory: Path, postgres: PostgresServer) -> Outcome:
    with Stage(directory, scenario.needs, postgres) as stage:
        return stage.play(scenario.fault, scenario.seconds)


def main(wanted: list[str]) -> int:
    chosen = [one for one in SCENARIOS if not wanted or any(part in one.name for part in wanted)]
    directory = Path(tempfile.mkdtemp(prefix="accord-faults-"))
    rows: list[str] = []
    is_sound = True
    with PostgresServer() as postgres:
        for number, scenario in enumerate(chosen):
            try:
                outcome = play(scenario, directory / str(number), postgres)
            except (AssertionError, OSError) as error:
                print(f"{scenario.name} could not be played: {error}")
                is_sound = False
                continue
            rows.append(row(scenario, outcome))
            print(rows[-1], end="", flush=True)
            for sentence in outcome.violations[:10]:
                print(f"  {sentence}")
            has_held = not outcome.violations and not outcome.unexpected
            is_sound = is_sound and has_held and outcome.recovered is not None
    if not is_sound:
        print(f"Something did not hold. What was logged is in {directory}.")
        return 1
    shutil.rmtree(directory)
    if not wanted:
        write_between(PAGE, "measured", HEAD + "".join(rows))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
