"""Everything that can break, put together: nginx, gunicorn with two workers, real stores, proxies between them.

nginx has the configuration that is shipped, and everybody comes through it, over TLS.
"""

import json
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from sqlalchemy import make_url

from app.development.embedded import EmbeddedValkey
from app.stores.key_rotation import generate_signing_keys
from app.stores.ledger import migrations
from tests.faults.customers import PASSWORD, Customer
from tests.faults.health import HealthWatch
from tests.faults.history import History, violations
from tests.support.deliverer_process import DelivererProcess
from tests.support.fdx_bank import FdxBank, a_descriptor
from tests.support.ledger_tables import LedgerTables
from tests.support.log_reader import LogReader
from tests.support.nginx import Nginx
from tests.support.oidc_server import OidcServer
from tests.support.ports import free_port
from tests.support.postgres import PostgresServer
from tests.support.proxy import Proxy, to_port, to_socket
from tests.support.receiver import Receiver
from tests.support.redis_servers import SentinelSet, commands_to
from tests.support.registrations import told_at, with_accounts, with_bank, with_customers
from tests.support.running_accord import RunningAccord

CUSTOMERS = 8
_MOST_SECONDS_TO_RECOVER = 40.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Needs:
    """What a scenario is played on."""

    postgres: bool = False
    sentinels: bool = False
    bank: bool = False
    accounts: bool = False
    """Whether the bank lists its customers' accounts; each of them has one, so that there is nothing to choose."""
    skewed: bool = False
    hasty: bool = False
    log_reader: bool = False
    deliverers: int = 0
    """How many processes send the recipient its notices."""
    variables: dict[str, str] = field(default_factory=dict)
    nginx: dict[str, str] = field(default_factory=dict)
    """What is changed in nginx.conf besides names, ports and paths."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What was measured while one thing was broken, and afterwards."""

    requests: int
    failures: int
    recovered: float | None
    slowest: float
    slowest_health: float
    health_answers: int
    lost_health: int
    unexpected: int
    violations: list[str]
    finished: int


class Stage:
    """As a context manager: everything runs inside the block."""

    def __init__(self, directory: Path, needs: Needs, postgres: PostgresServer | None) -> None:
        self.directory = directory
        self.needs = needs
        self._postgres = postgres
        self._exits = ExitStack()
        self.offset = directory / "offset"
        self.history = History()

    def __enter__(self) -> Self:
        with self._exits:
            self._set_up()
            self._exits = self._exits.pop_all()
        return self

    def _set_up(self) -> None:
        directory = self.directory
        directory.mkdir(parents=True, exist_ok=True)
        self.offset.write_text("0")
        keys = directory / "keys.json"
        generate_signing_keys(keys)
        enter = self._exits.enter_context
        self.bank = enter(FdxBank(accounts=[a_descriptor()])) if self.needs.bank else None
        if self.needs.sentinels:
            self.sentinels = enter(SentinelSet(directory / "redis"))
            redis_url = self.sentinels.url
        else:
            self.valkey = enter(EmbeddedValkey(directory / "valkey", port=free_port()))
            self.to_redis = enter(Proxy(to_port(self.valkey.port or 0)))
            redis_url = f"redis://127.0.0.1:{self.to_redis.port}/0"
        self.ledger_url = accord_ledger = f"sqlite:///{directory / 'ledger.sqlite3'}"
        if self.needs.postgres:
            assert self._postgres is not None
            self.ledger_url = self._postgres.new_database()
            url = make_url(self.ledger_url)
            folder, port = url.query["host"], url.port or url.query.get("port") or 5432
            self.to_ledger = enter(Proxy(to_socket(f"{folder}/.s.PGSQL.{port}")))
            proxied = url.set(host="127.0.0.1", port=self.to_ledger.port).difference_update_query(
                ["host", "port"]
            )
            accord_ledger = proxied.render_as_string(hide_password=False)
        migrations.upgrade(self.ledger_url)
        self.recipient = enter(Receiver())
        registry = directory / "registry.toml"
        registry.write_text(self._registry())
        self.log = directory / "accord.log"
        if self.needs.log_reader:
            self.log_reader = enter(LogReader(directory / "pipe", self.log))
        accord = RunningAccord(
            self.log_reader.pipe if self.needs.log_reader else self.log,
            redis_url=redis_url,
            ledger_url=accord_ledger,
            signing_keys=keys,
            application="tests.faults.wsgi_skewed:app" if self.needs.skewed else "wsgi:app",
            CLOCK_OFFSET_FILE=str(self.offset),
            ACCORD_REGISTRY=str(registry),
            ACCORD_TRUSTED_PROXIES="127.0.0.1",
            ACCORD_AUTHORIZE_RATE="0",
            ACCORD_TOKEN_RATE="0",
            ACCORD_WRONG_SECRETS="0",
            ACCORD_SIGN_IN_WINDOW="2",
            **self.needs.variables,
        )
        self.nginx = enter(Nginx(accord.port, changes=self.needs.nginx))
        accord.environment["ACCORD_ISSUER"] = self.nginx.address
        self.accord = enter(accord)
        self.deliverers = [
            enter(DelivererProcess(self.log, accord.environment)) for _ in range(self.needs.deliverers)
        ]

    def __exit__(self, *_: object) -> None:
        self._exits.close()

    @property
    def commands(self) -> Any:
        """A client of Redis itself, past the proxy."""
        return commands_to(self.valkey.port or 0)

    @property
    def subjects(self) -> dict[str, str]:
        names = [f"c{number}" for number in range(CUSTOMERS)]
        return {name: name if self.needs.bank else f"subject-{name}" for name in names}

    def play(self, fault: Callable[["Stage"], AbstractContextManager[None]], seconds: float) -> Outcome:
        """Customers come all the time; for `seconds` something is broken; then it must be well again."""
        history, stop = self.history, threading.Event()
        first, flows, noise = len(history.exchanges), len(history.finished), self._unexpected()
        customers = [self._customer(name, history, stop) for name in self.subjects]
        with HealthWatch(self.nginx) as health:
            for customer in customers:
                customer.start()
            try:
                _wait_for(lambda: len(history.finished) >= flows + CUSTOMERS)
                with fault(self):
                    time.sleep(seconds)
                ended = time.monotonic()
                is_well = _wait_for(lambda: any(moment > ended + 0.2 for moment in history.finished))
                time.sleep(1)
            finally:
                stop.set()
                for customer in customers:
                    customer.join(60)
        after = [moment - ended for moment in history.finished if moment > ended]
        exchanges = history.exchanges[first:]
        answered = [one for one in exchanges if one.status is not None]
        return Outcome(
            requests=len(exchanges),
            failures=sum(
                not one.is_good and one.error not in ("access_denied", "left") for one in history.exchanges
            ),
            recovered=min(after) if is_well and after else None,
            slowest=max(one.took for one in answered),
            slowest_health=max(health.answers, default=0.0),
            health_answers=len(health.answers),
            lost_health=health.lost,
            unexpected=self._unexpected() - noise + sum(one.status == 500 for one in answered),
            violations=violations(history.exchanges, LedgerTables(self.ledger_url), subjects=self.subjects),
            finished=len(history.finished) - flows,
        )

    def _customer(self, name: str, history: History, stop: threading.Event) -> Customer:
        bank = None if self.bank is None else _page_of(self.bank, name)
        return Customer(name, self.nginx, history, stop, bank=bank, is_hasty=self.needs.hasty)

    def _registry(self) -> str:
        text = with_customers(self.subjects, password=PASSWORD)
        text = told_at(self.recipient.address, text=text)
        if self.bank is None:
            return text
        text = with_bank(self.bank.issuer, text)
        if self.needs.accounts:
            source = f'{{ from = "fdx", as = "customer", address = "{self.bank.address}" }}'
            text = with_accounts(source, of="3000", text=text)
        return text

    def _unexpected(self) -> int:
        """How many lines of the log are of something unexpected, or are no line of the log at all."""
        count = 0
        for line in self.log.read_text().splitlines():
            try:
                count += json.loads(line).get("event") == "unexpected"
            except ValueError:
                count += 1
        return count


def _page_of(bank: OidcServer, name: str) -> Callable[[str], str]:
    def sign_in(url: str) -> str:
        return bank.sign_in(url, sub=name, name=f"Customer-{name}")

    return sign_in


def _wait_for(condition: Callable[[], bool]) -> bool:
    until = time.monotonic() + _MOST_SECONDS_TO_RECOVER
    while not condition():
        if time.monotonic() > until:
            return False
        time.sleep(0.02)
    return True
