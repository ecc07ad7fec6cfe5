"""`make soak`: the same load for half an hour, while nothing may grow. Exit code 1 when something did.

SECS is how long; a run of another length than the default writes nothing, unless FORCE is set.
"""

import os
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import requests
from sqlalchemy import Engine, NullPool, create_engine, text

from bench.accord import prepare
from bench.load import LoadGenerator
from bench.page import table, write_between
from bench.plateau import Limit
from bench.stage import PAGE, Stage, on_stage
from tests.support.ports import free_port
from tests.support.postgres import PostgresServer
from tests.support.running_accord import ServedForm

SECONDS: Final = 1800
SAMPLES: Final = 60
WORKERS: Final = 2
BROWSERS: Final = 4
DENIALS: Final = 5
"""Before each sample, since flowload's own customers always approve."""

_MB: Final = 1024 * 1024
# Not more than this in the last third than in the middle one.
_MEMORY: Final = Limit(0.03, 1)
_NUMBERS: Final = Limit(0.1, 2)
_KEYS: Final = Limit(0.1, 0.1)
# Kept until an hour after the request would have expired: in half an hour none of them goes.
_LONG_LIVED: Final = ("request", "minted")


@dataclass(frozen=True, slots=True, kw_only=True)
class Worker:
    """What one worker holds: PSS in MB, open file descriptors, threads."""

    pid: int
    memory: float
    files: int
    threads: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """What there was at one moment when no flow was under way.

    `after` is in seconds since the first sample, `rate` in flows a second since the sample before, `redis_memory`
    in MB. `keys` are counted by their kind, the part before the colon; `undying` are those without an end.
    """

    after: float
    flows: int
    failures: int
    rate: float
    workers: tuple[Worker, ...]
    redis_connections: int
    redis_memory: float
    ledger_connections: int
    keys: Counter[str]
    undying: int

    @property
    def long_lived(self) -> int:
        return sum(self.keys[kind] for kind in _LONG_LIVED)

    @property
    def short_lived(self) -> int:
        return self.keys.total() - self.long_lived


def faults(samples: Sequence[Sample]) -> list[str]:
    """What grew, or went wrong, in words; nothing when all is well.

    Keys are held against the flows that they come from, so that a busier third is no growth: those that live
    for a short while against the flows a second, the others against all flows so far.
    """
    last = samples[-1]
    found = []
    if last.failures:
        found.append(f"{last.failures} flows failed")
    if last.undying:
        found.append(f"{last.undying} keys in Redis have no end")
    if len({tuple(worker.pid for worker in sample.workers) for sample in samples}) != 1:
        return [*found, "a worker was replaced"]
    loaded = [sample for sample in samples if sample.rate]
    if len(loaded) < len(samples) / 2:
        return [*found, "too few flows to judge by"]
    for number in range(len(last.workers)):
        worker = [sample.workers[number] for sample in samples]
        name = f"of worker {number + 1}"
        found += _grown(f"memory {name}", _MEMORY, [one.memory for one in worker])
        found += _grown(f"files {name}", _NUMBERS, [one.files for one in worker])
        found += _grown(f"threads {name}", _NUMBERS, [one.threads for one in worker])
    found += _grown("connections to Redis", _NUMBERS, [one.redis_connections for one in samples])
    found += _grown("connections to the ledger", _NUMBERS, [one.ledger_connections for one in samples])
    found += _grown("keys for each flow a second", _KEYS, [one.short_lived / one.rate for one in loaded])
    found += _grown("keys for each flow so far", _KEYS, [one.long_lived / one.flows for one in loaded])
    return found


def _grown(name: str, limit: Limit, values: Sequence[float]) -> list[str]:
    return [f"{name} grew"] if limit.is_exceeded(values) else []


class Observer:
    """Takes the samples of one stage."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._ledger: Engine = create_engine(stage.ledger_url, poolclass=NullPool)
        self._began = time.monotonic()

    def sample(self, before: Sample | None, *, flows: int, failures: int, seconds: float) -> Sample:
        """`flows` and `failures` since the sample `before`, which took so many seconds."""
        redis = self._stage.redis
        keyspace = redis.info("keyspace").get("db0", {"keys": 0, "expires": 0})
        with self._ledger.connect() as connection:
            own_database = "datname = current_database() AND pid <> pg_backend_pid()"
            query = text(f"SELECT count(*) FROM pg_stat_activity WHERE {own_database}")  # noqa: S608  # ours
            ledger_connections = connection.execute(query).scalar_one()
        return Sample(
            after=time.monotonic() - self._began,
            flows=flows + (before.flows if before else 0),
            failures=failures + (before.failures if before else 0),
            rate=flows / seconds if seconds else 0.0,
            workers=tuple(self._workers()),
            redis_connections=redis.info("clients")["connected_clients"] - 1,
            redis_memory=redis.info("memory")["used_memory"] / _MB,
            ledger_connections=ledger_connections,
            keys=Counter(key.partition(":")[0] for key in redis.scan_iter(count=10_000)),
            undying=keyspace["keys"] - keyspace["expires"],
        )

    def _workers(self) -> list[Worker]:
        processes = sorted(self._stage.accord.workers(), key=lambda process: process.pid)
        return [
            Worker(
                pid=process.pid,
                memory=process.memory_full_info().pss / _MB,
                files=process.num_fds(),
                threads=process.num_threads(),
            )
            for process in processes
        ]


def deny(stage: Stage, number: int) -> bool:
    """One flow of a customer who says no; whether the recipient was told so."""
    with requests.Session() as browser:
        form = ServedForm(
            stage.accord,
            browser,
            user_name=f"user{BROWSERS + number}",
            client_id="bench-client",
            redirect_uri="https://client.example/cb",
        )
        answer = form.send("deny")
    return answer.is_redirect and "error=access_denied" in answer.headers["Location"]


def settings(seconds: float) -> dict[str, str]:
    """Accord's own, for a run of so many seconds: what can be made to expire within a third of it, does."""
    lifetime = str(min(60, max(1, int(seconds / 6))))
    return {
        "ACCORD_WORKERS": str(WORKERS),
        "ACCORD_METRICS_ADDRESS": f"127.0.0.1:{free_port()}",
        "ACCORD_REQUEST_LIFETIME": lifetime,
        "ACCORD_SESSION_IDLE": lifetime,
        "ACCORD_CODE_LIFETIME": lifetime,
        "ACCORD_SIGN_IN_WINDOW": lifetime,
        # In force, and never reached.
        "ACCORD_AUTHORIZE_RATE": "60000",
        "ACCORD_TOKEN_RATE": "60000",
    }


def soak(directory: Path, postgres: PostgresServer, seconds: float) -> list[Sample]:
    """The samples of `seconds` under load, each printed as it is taken; the first is from before the load."""
    with on_stage(
        directory,
        registry=prepare.registration(),
        ledger_url=postgres.new_database(),
        **settings(seconds),
    ) as stage:
        load = LoadGenerator(directory, port=stage.accord.port, browsers=BROWSERS, is_fresh=True)
        with load:
            load.sign_in()
            observer = Observer(stage)
            samples = [observer.sample(None, flows=0, failures=0, seconds=0)]
            print(HEAD + row(samples[0]), end="", flush=True)
            ends = time.monotonic() + seconds
            while time.monotonic() < ends:
                began = time.monotonic()
                denied = sum(deny(stage, number) for number in range(DENIALS))
                flows, failures = load.run(max(0.1, seconds / SAMPLES - (time.monotonic() - began)))
                took = time.monotonic() - began
                failed = failures + DENIALS - denied
                samples.append(
                    observer.sample(samples[-1], flows=flows + denied, failures=failed, seconds=took)
                )
                print(row(samples[-1]), end="", flush=True)
    return samples


_COLUMNS: Final = [
    "after",
    "flows",
    "failed",
    "flows/s",
    "PSS MB of each worker",
    "files",
    "threads",
    "connections to Redis",
    "to PostgreSQL",
    "keys in Redis",
    "of them kept for an hour",
    "MB in Redis",
]
HEAD: Final = table(_COLUMNS, [])


def row(sample: Sample) -> str:
    def of_each(value: Callable[[Worker], float], form: str = ".0f") -> str:
        return ", ".join(format(value(worker), form) for worker in sample.workers)

    cells = [
        f"{sample.after:.0f} s",
        f"{sample.flows:,}",
        str(sample.failures),
        f"{sample.rate:.0f}",
        of_each(lambda worker: worker.memory, ".1f"),
        of_each(lambda worker: worker.files),
        of_each(lambda worker: worker.threads),
        str(sample.redis_connections),
        str(sample.ledger_connections),
        f"{sample.keys.total():,}",
        f"{sample.long_lived:,}",
        f"{sample.redis_memory:.1f}",
    ]
    return f"| {' | '.join(cells)} |\n"


def main() -> int:
    seconds = float(os.environ.get("SECS") or SECONDS)
    directory = Path(tempfile.mkdtemp(prefix="accord-soak-"))
    with PostgresServer() as postgres:
        samples = soak(directory, postgres, seconds)
    found = faults(samples)
    for sentence in found:
        print(sentence)
    if found:
        print(f"What was logged is in {directory}.")
        return 1
    print("Nothing grew.")
    shutil.rmtree(directory)
    if seconds == SECONDS or os.environ.get("FORCE"):
        third = len(samples) // 3
        shown = [samples[0], samples[third], samples[2 * third], samples[-1]]
        write_between(PAGE, "soak", HEAD + "".join(row(sample) for sample in shown))
    return 0


if __name__ == "__main__":
    sys.exit(main())
