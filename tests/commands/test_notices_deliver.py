"""`flask notices deliver` as a process: it is started, told things by signals, and killed."""

import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import requests
from click.testing import CliRunner

from app.commands.notices import notices
from app.commands.notices_metrics import Address, MetricsServer, metrics_served
from app.metrics import Metrics
from app.notices.deliverer import IN_FLIGHT
from app.stores.ledger.ledger import Ledger
from tests.support.builders import SECRET_KEY, a_registry
from tests.support.delivering import a_deliverer, client_told_at
from tests.support.ledger_tables import LedgerTables
from tests.support.notices import put_notices
from tests.support.ports import free_port
from tests.support.receiver import TAKE, Receiver, ReceiverHandler
from tests.support.registrations import told_at, with_notices
from tests.support.repository import ROOT
from tests.support.waiting import wait_until


@pytest.fixture
def environment(tmp_path: Path, ledger_url: str, signing_keys: Path) -> dict[str, str]:
    """As the server has it. Redis is not asked for anything."""
    return {
        "PATH": os.environ["PATH"],
        "FLASK_SKIP_DOTENV": "1",
        "ACCORD_ENVIRONMENT": "development",
        "ACCORD_ISSUER": "http://localhost:8000",
        "ACCORD_REDIS_URL": "redis://127.0.0.1:1/0",
        "ACCORD_LEDGER_URL": ledger_url,
        "ACCORD_REGISTRY": str(tmp_path / "registry.toml"),
        "ACCORD_SIGNING_KEYS": str(signing_keys),
        "SECRET_KEY": SECRET_KEY,
    }


@pytest.fixture
def database(ledger_url: str) -> LedgerTables:
    return LedgerTables(ledger_url)


@contextmanager
def delivering(environment: dict[str, str], *options: str) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        [sys.executable, "-m", "flask", "notices", "deliver", *options],
        cwd=ROOT,
        env=environment,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def put_due(database: LedgerTables, number: int) -> None:
    names = [f"n{one:02}" for one in range(number)]
    put_notices(database, *names, happened_at=datetime.now(UTC) - timedelta(minutes=1))


def held_from(number: int) -> tuple[Callable[[ReceiverHandler], None], threading.Event, threading.Event]:
    """An answer that takes `number` notices and holds the others; whether it holds one, and what ends that."""
    is_held, go_on = threading.Event(), threading.Event()

    def take(handler: ReceiverHandler) -> None:
        if len(handler.receiver.sent) > number:
            is_held.set()
            go_on.wait(20)
        TAKE(handler)

    return take, is_held, go_on


def test_it_reads_the_registration_again_and_finishes_what_is_under_way_when_asked_to_stop(
    environment: dict[str, str], database: LedgerTables
) -> None:
    take, is_held, go_on = held_from(IN_FLIGHT)
    registry = Path(environment["ACCORD_REGISTRY"])

    def leased() -> int:
        return sum(row["leased_until"] is not None for row in database["notices"])

    with Receiver() as before, Receiver(take) as recipient:
        registry.write_text(told_at(before.address), encoding="utf-8")
        metrics = f"127.0.0.1:{free_port()}"
        with delivering(environment, "--metrics", metrics) as process:
            assert process.stderr is not None
            assert '"deliverer_loaded"' in process.stderr.readline()
            registry.write_text("no registration", encoding="utf-8")
            process.send_signal(signal.SIGHUP)
            assert '"faulty_configuration"' in process.stderr.readline(), "it goes on with the one before"
            registry.write_text(told_at(recipient.address), encoding="utf-8")
            process.send_signal(signal.SIGHUP)
            assert '"deliverer_loaded"' in process.stderr.readline()
            put_due(database, 30)
            wait_until(lambda: is_held.is_set() and leased() > IN_FLIGHT)
            said_in_metrics = requests.get(f"http://{metrics}/metrics", timeout=20).text
            process.send_signal(signal.SIGTERM)
            wait_until(lambda: leased() <= IN_FLIGHT)
            go_on.set()
            assert process.wait(20) == 0
            said = process.stderr.read()
    delivered = 'accord_notices_total{outcome="delivered",type="CONSENT_REVOKED"} 2.0'
    assert delivered in said_in_metrics
    assert "accord_notices_waiting 28.0" in said_in_metrics
    assert before.sent == []
    assert leased() == 0
    waiting = [row["attempts"] for row in database["notices"] if row["state"] == "waiting"]
    assert len(waiting) + len(recipient.ids()) == 30
    assert set(waiting) == {0}
    assert '"deliverer_stopped"' in said
    assert "Traceback" not in said


def test_the_metrics_are_of_those_that_are_registered_now(
    environment: dict[str, str], database: LedgerTables
) -> None:
    registry, metrics = Path(environment["ACCORD_REGISTRY"]), f"127.0.0.1:{free_port()}"
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    put_notices(database, "a", client_id="dc-loans", next_try_at=tomorrow)

    def is_said(line: str) -> bool:
        return line in requests.get(f"http://{metrics}/metrics", timeout=20).text

    registry.write_text(with_notices("{}", of="dc-loans"), encoding="utf-8")
    with delivering(environment, "--metrics", metrics) as process:
        assert process.stderr is not None
        assert '"deliverer_loaded"' in process.stderr.readline()
        wait_until(lambda: is_answering(metrics))
        assert is_said("accord_notices_waiting 0.0")
        registry.write_text(told_at("http://localhost:1/notices", of="dc-loans"), encoding="utf-8")
        process.send_signal(signal.SIGHUP)
        assert '"deliverer_loaded"' in process.stderr.readline()
        assert is_said("accord_notices_waiting 1.0")


def is_answering(address: str) -> bool:
    try:
        requests.get(f"http://{address}/", timeout=20)
    except requests.ConnectionError:
        return False
    return True


def test_killed_between_sending_and_recording_the_next_sends_it_again_with_the_same_name(
    environment: dict[str, str], database: LedgerTables, ledger: Ledger, signing_keys: Path
) -> None:
    take, is_held, go_on = held_from(0)
    put_due(database, 1)
    with Receiver(take) as recipient:
        Path(environment["ACCORD_REGISTRY"]).write_text(told_at(recipient.address), encoding="utf-8")
        with delivering(environment) as process:
            wait_until(is_held.is_set)
            process.kill()
            process.wait(20)
        go_on.set()
        (row,) = database["notices"]
        assert (row["state"], row["attempts"]) == ("waiting", 1)
        later: datetime = row["leased_until"]
        a_deliverer(ledger, signing_keys, lambda: later, client_told_at(recipient)).once()
    assert recipient.ids() == ["n00", "n00"]
    assert [row["state"] for row in database["notices"]] == ["delivered"]
    assert len(database.rows("events", kind="notified")) == 1


@pytest.mark.parametrize(
    "address", ["9101", "127.0.0.1:", "127.0.0.1:no", "127.0.0.1:65536", "::1:9101", "[::1]", "[]:9101"]
)
def test_an_address_of_metrics_that_is_none_is_refused(environment: dict[str, str], address: str) -> None:
    ended = CliRunner().invoke(notices, ["deliver", "--metrics", address], env=environment)
    assert ended.exit_code == 2
    assert "such as 127.0.0.1:9101" in ended.stderr


def test_with_a_faulty_configuration_it_ends_and_says_why(environment: dict[str, str]) -> None:
    ended = CliRunner().invoke(notices, ["deliver"], env={**environment, "SECRET_KEY": "short"})
    assert ended.exit_code == 78
    assert "SECRET_KEY must have at least 32 bytes" in ended.stderr


def test_where_metrics_cannot_be_served_it_ends_and_says_why(environment: dict[str, str]) -> None:
    Path(environment["ACCORD_REGISTRY"]).write_text(told_at("http://localhost:1/"), encoding="utf-8")
    with socket.create_server(("127.0.0.1", 0)) as listening:
        taken = f"127.0.0.1:{listening.getsockname()[1]}"
        for address in (taken, "999.1.1.1:9", f"{'a' * 70}.example:9", "[fe80::1:2:3:4]:9"):
            ended = CliRunner().invoke(notices, ["deliver", "--metrics", address], env=environment)
            assert ended.exit_code == 78, address
            (line,) = ended.stderr.splitlines()
            assert "--metrics: cannot listen at" in line


def test_metrics_are_served_on_ipv6_too() -> None:
    metrics = Metrics(a_registry(), {}, lost_lines=lambda: 0)
    address = Address().convert(f"[::1]:{free_port()}", None, None)
    with metrics_served(metrics, MetricsServer(address)):
        said = requests.get(f"http://[::1]:{address[1]}/metrics", timeout=20).text
    assert "accord_notices" in said
