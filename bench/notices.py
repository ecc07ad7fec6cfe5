"""`python -m bench.notices`: how soon a notice begins its way after the stop, and how many go out a second.

A ledger on PostgreSQL, `flask notices deliver` in processes of its own, and recipients in this one, which take all.
Arguments are the names of the tables to make: rates, delays; both when none is named.
"""

import secrets
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import psutil

from app.stores.key_rotation import generate_signing_keys
from app.stores.ledger import migrations
from bench.page import table, write_between
from bench.stage import PAGE
from tests.support.builders import SECRET_KEY
from tests.support.deliverer_process import DelivererProcess
from tests.support.ledger_tables import LedgerTables
from tests.support.notices import put_notices
from tests.support.postgres import PostgresServer
from tests.support.receiver import Receiver
from tests.support.registrations import DEMO_REGISTRY, told_at

RECIPIENTS: Final = ("dc-budget", "dc-loans", "dc-own-app", "dc-fapi")
RATES: Final = ((1, 1, 2_000), (1, 4, 4_000), (4, 4, 4_000))
"""Processes, recipients, and notices that wait when they start."""
STOPS: Final = 60
"""One after the other, at no regular times."""
HEADS: Final = {
    "rates": ["processes", "recipients", "notices", "notices/s", "CPU ms of a notice"],
    "delays": ["stops", "median", "95 of 100 within", "slowest"],
}


@contextmanager
def delivering(directory: Path, ledger_url: str, processes: int) -> Iterator[list[DelivererProcess]]:
    environment = {
        "PATH": "",
        "ACCORD_ENVIRONMENT": "development",
        "ACCORD_ISSUER": "http://localhost:8000",
        "ACCORD_REDIS_URL": "redis://127.0.0.1:1/0",
        "ACCORD_LEDGER_URL": ledger_url,
        "ACCORD_REGISTRY": str(directory / "registry.toml"),
        "ACCORD_SIGNING_KEYS": str(directory / "keys.json"),
        "SECRET_KEY": SECRET_KEY,
    }
    with ExitStack() as stack:
        log = directory / "deliverers.log"
        yield [stack.enter_context(DelivererProcess(log, environment)) for _ in range(processes)]


def registration(receivers: dict[str, Receiver]) -> str:
    text = DEMO_REGISTRY.read_text(encoding="utf-8")
    for client_id, receiver in receivers.items():
        text = told_at(receiver.address, of=client_id, text=text)
    return text


def by_processes(directory: Path, postgres: PostgresServer) -> Iterator[list[str]]:
    """Notices a second, from the first that arrives to the last."""
    for processes, recipients, number in RATES:
        database = LedgerTables(postgres.new_database())
        migrations.upgrade(database.url)
        with ExitStack() as stack:
            receivers = {name: stack.enter_context(Receiver()) for name in RECIPIENTS[:recipients]}
            (directory / "registry.toml").write_text(registration(receivers), encoding="utf-8")
            for name in receivers:
                ids = [secrets.token_urlsafe(16) for _ in range(number // recipients)]
                put_notices(database, *ids, client_id=name, happened_at=datetime.now(UTC))
            with delivering(directory, database.url, processes) as started:
                _wait_for(receivers, 1)
                began, before = time.monotonic(), _cpu(started)
                _wait_for(receivers, number)
                seconds, used = time.monotonic() - began, _cpu(started) - before
            arrived = [jti for receiver in receivers.values() for jti in receiver.ids()]
            assert len(arrived) == len(set(arrived)) == number, "one was sent twice"
        yield [
            str(processes),
            str(recipients),
            f"{number:,}",
            f"{number / seconds:.0f}",
            f"{used / number * 1000:.1f}",
        ]


def by_delay(directory: Path, postgres: PostgresServer) -> Iterator[list[str]]:
    """From the moment that a notice tells of to the moment at which it is at the recipient."""
    database = LedgerTables(postgres.new_database())
    migrations.upgrade(database.url)
    waits: list[float] = []
    with Receiver() as receiver:
        (directory / "registry.toml").write_text(registration({"dc-budget": receiver}), encoding="utf-8")
        with delivering(directory, database.url, 1):
            for number in range(STOPS + 1):
                stopped = time.monotonic()
                put_notices(database, f"stop-{number}", happened_at=datetime.now(UTC))
                _wait_for({"dc-budget": receiver}, number + 1)
                if number:  # the first waits for the process to start
                    waits.append(time.monotonic() - stopped)
                time.sleep(secrets.randbelow(100) / 100)
    in_words = [statistics.median(waits), statistics.quantiles(waits, n=20)[-1], max(waits)]
    yield [str(STOPS), *(f"{wait:.2f} s" for wait in in_words)]


def _wait_for(receivers: dict[str, Receiver], number: int) -> None:
    while sum(len(receiver.sent) for receiver in receivers.values()) < number:
        time.sleep(0.002)


def _cpu(started: list[DelivererProcess]) -> float:
    times = [psutil.Process(process.pid).cpu_times() for process in started]
    return sum(one.user + one.system for one in times)


def main(wanted: list[str]) -> int:
    with tempfile.TemporaryDirectory(prefix="accord-notices-") as name, PostgresServer() as postgres:
        directory = Path(name)
        generate_signing_keys(directory / "keys.json")
        tables = {"rates": by_processes, "delays": by_delay}
        for which in wanted or tables:
            rows = tables[which]
            made = table(HEADS[which], list(rows(directory, postgres)))
            print(made, end="", flush=True)
            write_between(PAGE, f"notices, {which}", made)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
