"""One thing at a time that breaks, as context managers on a stage: broken inside the block, whole after it."""

import contextlib
import signal
import socket
import sqlite3
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
import requests
from sqlalchemy import NullPool, create_engine, text

from tests.faults.notices import (
    killed_while_sending,
    recipient_gone,
    recipient_hangs,
    ten_thousand_at_once,
)
from tests.faults.stage import Needs, Stage
from tests.support.fdx_bank import ACCOUNTS
from tests.support.oidc_server import KEYS, METADATA, TOKEN, hang, hang_up
from tests.support.ports import free_port
from tests.support.proxy import REDEEMED, Proxy
from tests.support.repository import ROOT

Fault = Callable[[Stage], AbstractContextManager[None]]


@dataclass(frozen=True, slots=True)
class Scenario:
    """`seconds` is how long the fault lasts."""

    name: str
    fault: Fault
    seconds: float
    needs: Needs


# Redis


def losing(pattern: bytes) -> Fault:
    """The command with this key runs, and nobody is told."""

    @contextmanager
    def fault(stage: Stage) -> Iterator[None]:
        before = stage.to_redis.lost
        stage.to_redis.losing = pattern
        yield
        stage.to_redis.losing = None
        assert stage.to_redis.lost > before, f"nothing was lost of {pattern!r}"

    return fault


def slow_redis(seconds: float) -> Fault:
    @contextmanager
    def fault(stage: Stage) -> Iterator[None]:
        stage.to_redis.delay = seconds
        yield
        stage.to_redis.delay = 0

    return fault


@contextmanager
def redis_killed(stage: Stage) -> Iterator[None]:
    stage.valkey.kill()
    yield
    stage.valkey.start()


@contextmanager
def redis_frozen(stage: Stage) -> Iterator[None]:
    stage.valkey.pause()
    yield
    stage.valkey.resume()


@contextmanager
def redis_full(stage: Stage) -> Iterator[None]:
    stage.commands.config_set("maxmemory", "1")
    yield
    stage.commands.config_set("maxmemory", "0")


@contextmanager
def redis_wiped(stage: Stage) -> Iterator[None]:
    for _ in range(4):
        stage.commands.flushall()
        time.sleep(0.2)
    yield


@contextmanager
def redis_demoted(stage: Stage) -> Iterator[None]:
    """It is somebody's replica now, and read-only, while every connection to it stays."""
    stage.commands.replicaof("127.0.0.1", free_port())
    yield
    stage.commands.replicaof("NO", "ONE")


@contextmanager
def primary_killed(stage: Stage) -> Iterator[None]:
    stage.sentinels.primary.kill()
    yield


@contextmanager
def old_primary_comes_back(stage: Stage) -> Iterator[None]:
    """It was frozen while another became primary, and takes writes again until it is told."""
    old = stage.sentinels.primary
    old.pause()
    until = time.monotonic() + 20
    while stage.sentinels.primary is old and time.monotonic() < until:
        time.sleep(0.05)
    old.resume()
    yield


# The ledger


@contextmanager
def sqlite_locked(stage: Stage) -> Iterator[None]:
    path = stage.ledger_url.removeprefix("sqlite:///")
    with contextlib.closing(sqlite3.connect(path, isolation_level=None, timeout=10)) as other:
        other.execute("BEGIN EXCLUSIVE")
        yield
        other.execute("ROLLBACK")


@contextmanager
def disk_full(stage: Stage) -> Iterator[None]:
    """No file of the workers may grow beyond what the ledger's log of writes has already."""
    path = stage.ledger_url.removeprefix("sqlite:///")
    with contextlib.closing(sqlite3.connect(path, timeout=10)) as other:
        other.execute("PRAGMA wal_autocheckpoint = 0")
        other.execute("CREATE TABLE ballast (content)")
        other.execute("INSERT INTO ballast VALUES (zeroblob(3000000))")
        other.commit()
        size = Path(f"{path}-wal").stat().st_size
        workers = stage.accord.workers()
        for worker in workers:
            worker.rlimit(psutil.RLIMIT_FSIZE, (size, psutil.RLIM_INFINITY))
        yield
        for worker in workers:
            worker.rlimit(psutil.RLIMIT_FSIZE, (psutil.RLIM_INFINITY, psutil.RLIM_INFINITY))


@contextmanager
def postgres_locked(stage: Stage) -> Iterator[None]:
    with create_engine(stage.ledger_url, poolclass=NullPool).begin() as other:
        other.execute(text("LOCK TABLE grants IN ACCESS EXCLUSIVE MODE"))
        yield


@contextmanager
def postgres_down(stage: Stage) -> Iterator[None]:
    stage.to_ledger.cut()
    yield
    stage.to_ledger.mend()


@contextmanager
def postgres_frozen(stage: Stage) -> Iterator[None]:
    stage.to_ledger.freeze()
    yield
    stage.to_ledger.thaw()


def slow_postgres(seconds: float) -> Fault:
    @contextmanager
    def fault(stage: Stage) -> Iterator[None]:
        stage.to_ledger.delay = seconds
        yield
        stage.to_ledger.delay = 0

    return fault


@contextmanager
def used_for_a_year(stage: Stage) -> Iterator[None]:
    """Each connection that stands was used every five minutes of a year, and each use is an event."""
    uses = text(
        "INSERT INTO events (consent_id, kind, actor, reason, correlation_id, happened_at)"
        " SELECT consent_id, 'refreshed', 'client', 'USER_ACTION', correlation_id, approved_at"
        " FROM grants CROSS JOIN generate_series(1, 105120) WHERE ended_at IS NULL"
    )
    with create_engine(stage.ledger_url, poolclass=NullPool).begin() as other:
        assert other.execute(uses).rowcount > 0
    yield


# Accord itself

APPROVED = b"\x00\x00\x00\x08approved"  # as a parameter of PostgreSQL's protocol: its length, and the word


def commit_lost(*, then_cut: bool) -> Fault:
    """A redemption is recorded, and its worker is not told; whoever is told to come back gets the tokens."""

    @contextmanager
    def fault(stage: Stage) -> Iterator[None]:
        before, exchanges = stage.to_ledger.lost, len(stage.history.exchanges)
        stage.to_ledger.lose_the_next_redemption(then_cut=then_cut)
        yield
        stage.to_ledger.mend()
        assert stage.to_ledger.lost > before, "no redemption was under way"
        time.sleep(2)
        redeemed = [one for one in stage.history.exchanges[exchanges:] if one.step == "redeem"]
        assert not [one for one in redeemed if one.error == "invalid_grant"], "a consent was lost"

    return fault


class Killing:
    """Kills the worker behind a connection at one point, once: the other one goes on.

    A request that contains `sign` arms the connection; the point is `then`, in the same or a later request,
    before it passes, or its reply before that does.
    """

    def __init__(self, stage: Stage, *, sign: bytes, then: bytes, at_reply: bool) -> None:
        self._stage = stage
        self._sign, self._then, self._at_reply = sign, then, at_reply
        self._armed: set[int] = set()
        self._due: set[int] = set()
        self._lock = threading.Lock()
        self.killed = 0

    def on_request(self, data: bytes, port: int) -> None:
        if self._sign in data:
            self._armed.add(port)
        if port in self._armed and self._then in data:
            self._armed.discard(port)
            if self._at_reply:
                self._due.add(port)
            else:
                self._kill(port)

    def on_reply(self, data: bytes, port: int) -> None:
        if port in self._due:
            self._due.discard(port)
            self._kill(port)

    def _kill(self, port: int) -> None:
        with self._lock:
            if self.killed:
                return
            for worker in self._stage.accord.workers():
                with contextlib.suppress(psutil.NoSuchProcess):
                    if any(link.laddr.port == port for link in worker.net_connections("tcp")):
                        worker.kill()
                        self.killed += 1
                        # What it was about to send is not sent; what it was about to read, it does not read.
                        raise ConnectionAbortedError


def killed_at(proxy: Callable[[Stage], Proxy], *, sign: bytes, then: bytes, at_reply: bool) -> Fault:
    @contextmanager
    def fault(stage: Stage) -> Iterator[None]:
        killing = Killing(stage, sign=sign, then=then, at_reply=at_reply)
        way = proxy(stage)
        way.on_request, way.on_reply = killing.on_request, killing.on_reply
        yield
        way.on_request = way.on_reply = None
        assert killing.killed > 0, "the point was never reached"

    return fault


def clock_off_by(seconds: float) -> Fault:
    @contextmanager
    def fault(stage: Stage) -> Iterator[None]:
        stage.offset.write_text(str(seconds))
        yield
        stage.offset.write_text("0")

    return fault


@contextmanager
def restarted(stage: Stage) -> Iterator[None]:
    """Every worker is replaced, twice, while requests are under way."""
    stage.accord.master.send_signal(signal.SIGHUP)
    time.sleep(3)
    stage.accord.master.send_signal(signal.SIGHUP)
    yield


@contextmanager
def log_hangs(stage: Stage) -> Iterator[None]:
    """Whoever reads the log has stopped, and the pipe to it is full before customers notice anything."""
    stage.log_reader.hang()
    address = f"{stage.nginx.address}/api/v1/authorize"
    with requests.Session() as session:
        session.trust_env = False
        session.verify = str(stage.nginx.certificates.authority)
        for _ in range(300):  # a line each
            session.get(address, timeout=10)
    yield
    stage.log_reader.go_on()


@contextmanager
def nothing(_stage: Stage) -> Iterator[None]:
    yield


# Who comes


def slow_clients(head: bytes) -> Fault:
    """Forty connections, each of which sends a byte a second of its request."""

    @contextmanager
    def fault(stage: Stage) -> Iterator[None]:
        stop = threading.Event()
        trust = ssl.create_default_context(cafile=stage.nginx.certificates.authority)
        links = [
            trust.wrap_socket(
                socket.create_connection(("127.0.0.1", stage.nginx.port)), server_hostname="localhost"
            )
            for _ in range(40)
        ]

        def drip() -> None:
            for link in links:
                link.sendall(head)
            while not stop.wait(1):
                for link in links:
                    with contextlib.suppress(OSError):
                        link.sendall(b"a")

        thread = threading.Thread(target=drip, daemon=True)
        thread.start()
        yield
        stop.set()
        thread.join()
        for link in links:
            link.close()

    return fault


def overload(visitors: int) -> Fault:
    """So many more come at once, and go on coming."""

    @contextmanager
    def fault(stage: Stage) -> Iterator[None]:
        command = [sys.executable, "-m", "tests.faults.visitors", *stage.nginx.way_in, str(visitors)]
        with subprocess.Popen(
            command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as process:
            yield
            turned_away, _ = process.communicate()
        assert int(turned_away) > 0, "there was room for everybody"

    return fault


# The bank


@contextmanager
def bank_hangs(stage: Stage) -> Iterator[None]:
    assert stage.bank is not None
    stage.bank.tricks = dict.fromkeys((METADATA, KEYS, TOKEN), hang)
    yield
    stage.bank.tricks = {}


@contextmanager
def bank_accounts_hang(stage: Stage) -> Iterator[None]:
    assert stage.bank is not None
    stage.bank.tricks = {ACCOUNTS: hang}
    yield
    stage.bank.tricks = {}


@contextmanager
def bank_down(stage: Stage) -> Iterator[None]:
    assert stage.bank is not None
    stage.bank.tricks = dict.fromkeys((METADATA, KEYS, TOKEN), hang_up)
    yield
    stage.bank.tricks = {}


def to_redis(stage: Stage) -> Proxy:
    return stage.to_redis


def to_ledger(stage: Stage) -> Proxy:
    return stage.to_ledger


SQLITE = Needs()
POSTGRES = Needs(postgres=True)
SENTINELS = Needs(sentinels=True)
ONE_DELIVERER = Needs(postgres=True, deliverers=1)
FOUR_DELIVERERS = Needs(postgres=True, deliverers=4)
# One request works in each of two workers, and thirteen more may wait in each: nginx lets 28 through.
SMALL = Needs(variables={"ACCORD_THREADS": "1"}, nginx={"max_conns=224": "max_conns=28"})

SCENARIOS = [
    Scenario("nothing breaks", nothing, 2, SQLITE),
    Scenario("nothing breaks, PostgreSQL", nothing, 2, POSTGRES),
    Scenario("reply lost: session", losing(b"session:"), 1, SQLITE),
    Scenario("reply lost: request", losing(b"request:"), 1, SQLITE),
    Scenario("reply lost: code", losing(b"code:"), 1, SQLITE),
    Scenario("reply lost: sign-in attempt", losing(b"attempts:"), 4, SQLITE),
    Scenario("Redis killed and started again", redis_killed, 2, SQLITE),
    Scenario("Redis slow by 50 ms", slow_redis(0.05), 4, SQLITE),
    Scenario("Redis slow by 500 ms", slow_redis(0.5), 5, SQLITE),
    Scenario("Redis slow by 2 s", slow_redis(2), 6, SQLITE),
    Scenario("Redis slow by 5 s", slow_redis(5), 8, SQLITE),
    Scenario("Redis frozen", redis_frozen, 5, SQLITE),
    Scenario("Redis full", redis_full, 3, SQLITE),
    Scenario("Redis wiped, four times", redis_wiped, 0.1, SQLITE),
    Scenario("Redis demoted under way", redis_demoted, 3, SQLITE),
    Scenario("Sentinel: primary killed", primary_killed, 4, SENTINELS),
    Scenario("Sentinel: old primary comes back", old_primary_comes_back, 4, SENTINELS),
    Scenario("ledger locked, SQLite", sqlite_locked, 4, SQLITE),
    Scenario("ledger's disk full, SQLite", disk_full, 3, SQLITE),
    Scenario("ledger locked, PostgreSQL", postgres_locked, 4, POSTGRES),
    Scenario("ledger down, PostgreSQL", postgres_down, 3, POSTGRES),
    Scenario("ledger frozen, PostgreSQL", postgres_frozen, 5, POSTGRES),
    Scenario("ledger slow by 100 ms, PostgreSQL", slow_postgres(0.1), 5, POSTGRES),
    Scenario("ledger slow by 2 s, PostgreSQL", slow_postgres(2), 6, POSTGRES),
    Scenario("connections used for a year, PostgreSQL", used_for_a_year, 4, POSTGRES),
    Scenario("reply lost: redemption", commit_lost(then_cut=False), 2, POSTGRES),
    Scenario("reply lost: redemption, then ledger down", commit_lost(then_cut=True), 3, POSTGRES),
    Scenario(
        "worker killed before the commit",
        killed_at(to_ledger, sign=APPROVED, then=b"COMMIT", at_reply=False),
        4,
        POSTGRES,
    ),
    Scenario(
        "worker killed after the commit",
        killed_at(to_ledger, sign=APPROVED, then=b"COMMIT", at_reply=True),
        4,
        POSTGRES,
    ),
    Scenario(
        "worker killed before the code is kept",
        killed_at(to_redis, sign=b"minted:", then=b"code:", at_reply=False),
        4,
        SQLITE,
    ),
    Scenario(
        "worker killed before the answer",
        killed_at(to_redis, sign=b"minted:", then=b"code:", at_reply=True),
        4,
        SQLITE,
    ),
    Scenario(
        "worker killed after a redemption",
        killed_at(to_ledger, sign=REDEEMED, then=REDEEMED, at_reply=True),
        4,
        POSTGRES,
    ),
    Scenario("clock 90 s ahead", clock_off_by(90), 3, Needs(skewed=True)),
    Scenario("clock 90 s behind", clock_off_by(-90), 3, Needs(skewed=True)),
    Scenario("bank's sign-in hangs", bank_hangs, 6, Needs(bank=True)),
    Scenario("bank's sign-in down", bank_down, 3, Needs(bank=True)),
    Scenario("bank's accounts hang", bank_accounts_hang, 6, Needs(bank=True, accounts=True)),
    Scenario("recipient of notices hangs", recipient_hangs, 6, ONE_DELIVERER),
    Scenario("recipient of notices is gone", recipient_gone, 3, ONE_DELIVERER),
    Scenario("deliverer of notices killed while it sends", killed_while_sending, 3, ONE_DELIVERER),
    Scenario("10,000 notices at once, four deliverers", ten_thousand_at_once, 5, FOUR_DELIVERERS),
    Scenario("rolling restart, twice", restarted, 3, SQLITE),
    Scenario("log hangs", log_hangs, 5, Needs(log_reader=True)),
    Scenario("browsers leave at every step", nothing, 6, Needs(hasty=True)),
    Scenario(
        "slow headers", slow_clients(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-Slow: "), 5, SQLITE
    ),
    Scenario(
        "slow bodies",
        slow_clients(
            b"POST /api/v1/token HTTP/1.1\r\nHost: localhost\r\nContent-Length: 60000\r\n"
            b"Content-Type: application/x-www-form-urlencoded\r\n\r\n"
        ),
        5,
        SQLITE,
    ),
    Scenario("overload, twice what fits", overload(60), 6, SMALL),
    Scenario("overload, five times what fits", overload(150), 6, SMALL),
]
