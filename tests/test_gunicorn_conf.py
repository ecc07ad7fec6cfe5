"""What gunicorn does by itself under our configuration, before and around the application."""

import json
import re
import socket
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
import requests
from pydantic import SecretStr

from app import create_app
from app.development.embedded import EmbeddedValkey, stop_child
from app.settings import Settings
from tests.stores.ledger.test_postgresql import in_encoding
from tests.support.gunicorn_server import Gunicorn, serving
from tests.support.ports import free_port
from tests.support.postgres import PostgresServer
from tests.support.repository import ROOT
from tests.support.running_accord import PATIENCE, RunningAccord, ServedForm
from tests.support.waiting import wait_until


@pytest.fixture(scope="module")
def gunicorn(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gunicorn]:
    with serving(tmp_path_factory.mktemp("gunicorn")) as server:
        yield server


def test_a_request_line_of_eight_thousand_bytes_arrives(gunicorn: Gunicorn) -> None:
    assert " 200 " in gunicorn.ask(f"GET /?state={'%C3%A9' * 1350} HTTP/1.1")


def test_no_answer_names_a_version(gunicorn: Gunicorn) -> None:
    head = gunicorn.ask("GET / HTTP/1.1").partition("\r\n\r\n")[0]
    assert "\r\nServer: gunicorn\r\n" in head


@pytest.mark.parametrize(
    "header", ["X-Forwarded-Proto: https", "X-Forwarded-Ssl: on", "SCRIPT_NAME: /elsewhere"]
)
def test_a_peer_that_is_not_trusted_changes_nothing(gunicorn: Gunicorn, header: str) -> None:
    assert "http  /here" in gunicorn.ask("GET /here HTTP/1.1", header)


def test_a_trusted_proxy_tells_neither_scheme_nor_path(tmp_path: Path) -> None:
    with serving(tmp_path, ACCORD_TRUSTED_PROXIES="10.0.0.0/8, 127.0.0.1") as gunicorn:
        assert "http  /here" in gunicorn.ask("GET /here HTTP/1.1", "X-Forwarded-Proto: https")
        assert "http  /here" in gunicorn.ask("GET /here HTTP/1.1", "X-Forwarded-Ssl: on")
        assert "http  /here" in gunicorn.ask("GET /here HTTP/1.1", "SCRIPT_NAME: /x", "PATH_INFO: /y")


def test_a_worker_that_has_answered_enough_is_replaced_and_every_request_answered(tmp_path: Path) -> None:
    with serving(tmp_path, ACCORD_MAX_REQUESTS="10") as gunicorn:
        answers = [gunicorn.ask("GET / HTTP/1.1") for _ in range(40)]
        booted = gunicorn.log.read_text().count("Booting worker")
    assert all(" 200 " in answer for answer in answers)
    assert 4 <= booted <= 5


def test_workers_share_what_was_loaded_once_since_nothing_is_connected_to_before_the_fork(
    tmp_path: Path, valkey: EmbeddedValkey, ledger_url: str, signing_keys: Path
) -> None:
    with RunningAccord(
        tmp_path / "accord.log",
        redis_url=valkey.url,
        ledger_url=ledger_url,
        signing_keys=signing_keys,
    ) as accord:
        master = psutil.Process(accord.pid)
        (listening,) = master.net_connections(kind="all")
        assert listening.status == psutil.CONN_LISTEN
        assert ledger_url.removeprefix("sqlite:///") not in {file.path for file in master.open_files()}
        with requests.Session() as browser:
            assert ServedForm(accord, browser).send("approve").status_code == 302


def test_a_connection_that_says_nothing_does_not_hold_up_a_stop(tmp_path: Path) -> None:
    with serving(tmp_path) as gunicorn, socket.create_connection(("127.0.0.1", gunicorn.port), PATIENCE):
        assert gunicorn.answers()
        gunicorn.process.terminate()
        gunicorn.process.wait(8)  # gunicorn waits five seconds for its first byte


def test_what_is_sent_without_being_read_does_not_cut_the_answer_off(gunicorn: Gunicorn) -> None:
    """Closing a connection with something unread in it would reset it (RFC 9112 9.6)."""
    with socket.create_connection(("127.0.0.1", gunicorn.port), PATIENCE) as connection:
        head = b"POST / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: 4000000\r\n\r\n"
        connection.sendall(head + b"x" * 100_000)
        answer = b"".join(iter(lambda: connection.recv(65536), b""))
    assert b"http  /" in answer
    assert answer.endswith(b"\r\n0\r\n\r\n")


def test_it_opens_no_control_socket(gunicorn: Gunicorn) -> None:
    assert not (gunicorn.directory / ".gunicorn").exists()


def test_without_configuration_all_that_is_missing_is_listed(tmp_path: Path) -> None:
    gunicorn = Gunicorn(tmp_path, ACCORD_WORKERS="2", PYTHONPATH=str(ROOT))
    gunicorn.env = {name: value for name, value in gunicorn.env.items() if not name.startswith("SECRET_KEY")}
    assert gunicorn.start("wsgi:app").wait(30) == 78
    told = faults_of(gunicorn)
    missing = ["ACCORD_ISSUER", "ACCORD_REDIS_URL", "ACCORD_LEDGER_URL", "ACCORD_REGISTRY"]
    for name in [*missing, "ACCORD_SIGNING_KEYS", "SECRET_KEY"]:
        assert told.count(f"{name} is missing") == 1, told
    assert "Traceback" not in gunicorn.log.read_text()


def test_the_metrics_and_the_customers_cannot_share_a_port(tmp_path: Path) -> None:
    gunicorn = Gunicorn(tmp_path)
    gunicorn.env["ACCORD_METRICS_ADDRESS"] = f"0.0.0.0:{gunicorn.port}"
    assert gunicorn.start("hello:app").wait(30) == 78
    assert faults_of(gunicorn) == ["ACCORD_METRICS_ADDRESS must have another port than customers come to"]


@pytest.mark.parametrize(
    ("name", "value", "fault"),
    [
        *(
            ("ACCORD_WORKERS", value, "a whole number from 1 to 1000")
            for value in ("abc", "0", "-1", "1.5", "²")
        ),
        *(("ACCORD_THREADS", value, "a whole number from 1 to 64") for value in ("abc", "0", "-8", "65")),
        *(
            ("ACCORD_MAX_REQUESTS", value, "a whole number from 0 to 1000000000")
            for value in ("x", "9" * 5000)
        ),
        *(("ACCORD_PORT", value, "a whole number from 1 to 65535") for value in ("http", "0", "65536")),
        *(
            ("ACCORD_BIND", value, "addresses such as 127.0.0.1:8000 or unix:/run/accord.socket")
            for value in ("nonsense", "127.0.0.1:65536", "127.0.0.1:8000,")
        ),
        ("ACCORD_TRUSTED_PROXIES", "proxy", "addresses or networks, such as 127.0.0.1, 10.0.0.0/8"),
    ],
)
def test_what_gunicorn_reads_is_refused_in_one_line_with_the_code_that_is_not_restarted(
    tmp_path: Path, name: str, value: str, fault: str
) -> None:
    gunicorn = Gunicorn(tmp_path)
    gunicorn.env[name] = value
    assert gunicorn.start("hello:app").wait(30) == 78
    (line,) = faults_of(gunicorn)
    assert re.fullmatch(rf"{name} must (be|list) {re.escape(fault)}", line)


def test_everything_that_gunicorn_refuses_is_said_at_once(tmp_path: Path) -> None:
    gunicorn = Gunicorn(tmp_path, ACCORD_WORKERS="0", ACCORD_THREADS="many")
    assert gunicorn.start("hello:app").wait(30) == 78
    assert [line.split()[0] for line in faults_of(gunicorn)] == ["ACCORD_WORKERS", "ACCORD_THREADS"]


def test_the_faults_of_the_server_of_the_settings_and_of_what_they_name_are_said_at_once(
    tmp_path: Path,
) -> None:
    (tmp_path / "registry.toml").write_text("no TOML")
    (tmp_path / "keys.json").write_text("no keys")
    gunicorn = Gunicorn(
        ROOT,
        ACCORD_WORKERS="0",
        ACCORD_THREADS="many",
        ACCORD_REGISTRY=str(tmp_path / "registry.toml"),
        ACCORD_SIGNING_KEYS=str(tmp_path / "keys.json"),
        ACCORD_REDIS_URL="http://localhost",
        ACCORD_LEDGER_URL="nonsense",
        ACCORD_ISSUER="",
        SECRET_KEY="short",
        ACCORD_TYPING_ERROR="x",
    )
    gunicorn.log = tmp_path / "gunicorn.log"
    assert gunicorn.start("wsgi:app").wait(60) == 78
    assert sorted(fault.split()[0].split(":")[0] for fault in faults_of(gunicorn)) == sorted(
        [
            *("ACCORD_WORKERS", "ACCORD_THREADS", "ACCORD_TYPING_ERROR", "ACCORD_ISSUER", "SECRET_KEY"),
            *("ACCORD_REDIS_URL", "ACCORD_LEDGER_URL"),
            *(str(tmp_path / "registry.toml"), str(tmp_path / "keys.json")),
        ]
    )


def faults_of(gunicorn: Gunicorn) -> list[str]:
    """What it said of them. Every line of the service is JSON."""
    lines = [json.loads(line) for line in gunicorn.log.read_text().splitlines()]
    return [line["fault"] for line in lines if line["event"] == "faulty_configuration"]


def test_nothing_of_the_counts_is_left_when_the_server_has_ended(tmp_path: Path) -> None:
    with serving(tmp_path, ACCORD_METRICS_ADDRESS=f"127.0.0.1:{free_port()}") as gunicorn:
        (folder,) = counts_of(gunicorn.process.pid)
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert counts_of(gunicorn.process.pid) == []


def counts_of(pid: int) -> list[Path]:
    """The folders in which the server `pid` counts."""
    return [
        folder
        for place in ("/dev/shm", tempfile.gettempdir())  # noqa: S108  # where it would be
        for folder in Path(place).glob(f"accord-metrics-{pid}-*")
    ]


def test_a_ledger_that_can_never_do_stops_the_start_in_one_line_and_is_not_ready(
    tmp_path: Path, valkey: EmbeddedValkey, postgres: PostgresServer, settings: Settings, signing_keys: Path
) -> None:
    url = in_encoding(postgres, "SQL_ASCII")
    refusal = "ledger: the database's encoding is SQL_ASCII, and must be UTF8"
    accord = RunningAccord(
        tmp_path / "accord.log", redis_url=valkey.url, ledger_url=url, signing_keys=signing_keys
    )
    assert accord.start().wait(PATIENCE) == 78
    assert accord.log.read_text().count(refusal) == 1
    served = create_app(settings.model_copy(update={"ledger_url": SecretStr(url)})).test_client()
    assert served.get("/readyz").status_code == 503


def test_a_ledger_that_does_not_answer_yet_does_not_stop_the_start(
    tmp_path: Path, valkey: EmbeddedValkey, settings: Settings, signing_keys: Path
) -> None:
    nobody = f"postgresql+psycopg://accord@127.0.0.1:{free_port()}/accord"
    accord = RunningAccord(
        tmp_path / "accord.log", redis_url=valkey.url, ledger_url=nobody, signing_keys=signing_keys
    )
    process = accord.start()
    try:
        wait_until(lambda: "Booting worker" in accord.log.read_text())
        assert process.poll() is None
    finally:
        stop_child(process, seconds=PATIENCE)
