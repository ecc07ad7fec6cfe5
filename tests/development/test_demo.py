"""`make run`: what it starts, what it refuses, what it leaves behind."""

import json
import re
import signal
import socket
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
import requests

from app.development.demo import run_demo
from app.development.demo_environment import demo_registry
from app.development.layout import Layout
from tests.support.ports import free_port
from tests.support.running_demo import RunningDemo

PATIENCE = 10


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningDemo]:
    """One for all tests that change nothing. Its environment names a deployment, not to be touched."""
    instance = tmp_path_factory.mktemp("demo") / "instance"
    with RunningDemo(
        instance,
        ACCORD_ENVIRONMENT="production",
        ACCORD_ISSUER="https://consent.bank.example",
        ACCORD_LEDGER_URL=f"sqlite:///{instance.parent}/production.sqlite3",
        ACCORD_REDIS_URL="redis://127.0.0.1:1/0",
        ACCORD_SIGNING_KEYS="/nowhere",
        ACCORD_TRUSTED_PROXIES="127.0.0.1",
        SECRET_KEY="short",
    ) as running:
        yield running


@pytest.fixture
def stopped_demo(tmp_path: Path) -> Iterator[RunningDemo]:
    """One to start and to end, which is ended in any case."""
    demo = RunningDemo(tmp_path / "instance")
    yield demo
    if demo.has_started:
        demo.end()


def begin_flow(demo: RunningDemo, browser: requests.Session) -> requests.Response:
    """From the recipient's link to Accord's first page."""
    return browser.get(f"{demo.recipient}/connect?provider_id=1000", timeout=PATIENCE)


def test_it_prints_one_line_with_the_address_to_open(demo: RunningDemo) -> None:
    assert demo.announcement.startswith(f"Accord is ready: {demo.issuer}/ ")
    assert requests.get(demo.issuer, timeout=PATIENCE).ok


def test_the_recipient_sends_a_browser_to_accord_and_may_come_back_to_its_own_port(demo: RunningDemo) -> None:
    with requests.Session() as browser:
        page = begin_flow(demo, browser)
    assert page.ok
    assert page.url.startswith(f"{demo.issuer}/sign-in/")


def test_its_servers_are_reached_through_loopback_only(demo: RunningDemo) -> None:
    listening = [
        connection.laddr.ip
        for process in demo.children()
        for connection in process.net_connections("inet")
        if connection.status == psutil.CONN_LISTEN
    ]
    assert listening
    assert set(listening) <= {"127.0.0.1", "::1"}


def test_it_touches_no_store_of_a_deployment(demo: RunningDemo) -> None:
    assert {path.name for path in demo.instance.parent.iterdir()} == {"instance"}
    metadata = requests.get(f"{demo.issuer}/.well-known/oauth-authorization-server", timeout=PATIENCE).json()
    assert metadata["issuer"] == demo.issuer


@pytest.mark.parametrize("name", ["secret_key", "recipient_secret_key", "signing_keys.json"])
def test_what_it_generates_is_for_its_owner_only(demo: RunningDemo, name: str) -> None:
    assert stat.S_IMODE((demo.instance / name).stat().st_mode) == 0o600
    assert stat.S_IMODE(demo.instance.stat().st_mode) == 0o700


def test_recipient_and_banks_are_not_told_the_secrets_of_accord(demo: RunningDemo) -> None:
    secret = (demo.instance / "secret_key").read_text()
    ports = {demo.recipient_port, demo.bank_api_port}
    for process in demo.children():
        if ports & {connection.laddr.port for connection in process.net_connections("inet")}:
            assert secret not in process.environ().values()
            assert "ACCORD_LEDGER_URL" not in process.environ()


def test_a_second_one_says_so_in_one_line_and_disturbs_nothing(demo: RunningDemo) -> None:
    before = (demo.instance / "log" / "accord.log").stat().st_size
    second = RunningDemo(demo.instance)
    second.start()
    code, complaint = second.end()
    assert code == 1
    assert complaint == (f"Accord is running here already ({demo.issuer}/, process {demo.process.pid}).\n")
    assert (demo.instance / "log" / "accord.log").stat().st_size >= before
    assert requests.get(f"{demo.issuer}/readyz", timeout=PATIENCE).ok


@pytest.fixture
def refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., str]:
    """Try to start one here, in this process; what it says."""

    def start(**variables: str) -> str:
        for name, value in (RunningDemo(tmp_path / "instance").variables | variables).items():
            monkeypatch.setenv(name, value)
        assert run_demo() == 1
        assert not (tmp_path / "instance" / "valkey").exists(), "nothing was started"
        said = capsys.readouterr()
        assert said.out == ""
        return said.err

    return start


@pytest.mark.parametrize(
    "variable", ["ACCORD_PORT", "ACCORD_RECIPIENT_PORT", "ACCORD_IDP_PORT", "ACCORD_BANK_PORT"]
)
@pytest.mark.parametrize("address", ["127.0.0.1", "0.0.0.0"])  # noqa: S104 - somebody else's server
def test_a_port_in_use_is_named_with_the_variable_to_change(
    refused: Callable[..., str], variable: str, address: str
) -> None:
    with socket.create_server((address, 0)) as taken:
        port = taken.getsockname()[1]
        assert refused(**{variable: str(port)}) == (
            f"Port {port} is in use. Stop what uses it, or choose another with {variable}.\n"
        )


@pytest.mark.parametrize("port", ["0", "65536", "-1", "http", "８０００"])
def test_what_is_no_port_is_refused_by_name(refused: Callable[..., str], port: str) -> None:
    assert refused(ACCORD_PORT=port) == "ACCORD_PORT must be a port number, from 1 to 65535.\n"


def test_the_sign_in_server_of_the_third_bank_is_there_and_is_told_no_secret_of_accord(
    demo: RunningDemo,
) -> None:
    found = requests.get(f"{demo.bank}/.well-known/openid-configuration", timeout=PATIENCE).json()
    assert found["issuer"] == demo.bank
    bank = next(child for child in demo.children() if "examples.harbour" in child.cmdline())
    assert not [name for name in bank.environ() if name.startswith(("ACCORD_", "SECRET_KEY"))]


def test_the_api_of_each_bank_is_there_and_gives_nothing_without_a_token(demo: RunningDemo) -> None:
    for bank in ("maple", "northern", "harbour"):
        refused = requests.get(f"{demo.bank_api}/{bank}/accounts", timeout=PATIENCE)
        assert (refused.status_code, refused.json()["code"]) == (requests.codes.unauthorized, "602")


def test_every_address_of_the_registration_is_that_of_the_port_that_was_chosen(tmp_path: Path) -> None:
    """Also where one server has the port that another one has without a choice."""
    layout = Layout(tmp_path, port=8004, recipient_port=8003, bank_port=8001, bank_api_port=8002)
    written = demo_registry(layout).read_text(encoding="utf-8")
    addresses = set(re.findall(r"http://localhost:\d+/?\w*", written))
    banks = {f"http://localhost:8002/{bank}" for bank in ("maple", "northern", "harbour")}
    assert addresses == {
        "http://localhost:8003/callback",
        "http://localhost:8003/notices",
        "http://localhost:8001",
        "http://localhost:8001/fdx",
        *banks,
    }


def test_one_port_for_both_is_refused(refused: Callable[..., str]) -> None:
    port = str(free_port())
    complaint = refused(ACCORD_PORT=port, ACCORD_RECIPIENT_PORT=port)
    assert complaint.startswith(f"ACCORD_PORT and ACCORD_RECIPIENT_PORT are both {port}")


def test_a_restart_loses_nothing_and_leaves_no_process_behind(stopped_demo: RunningDemo) -> None:
    demo = stopped_demo
    with requests.Session() as browser:
        demo.start()
        page = begin_flow(demo, browser)
        made = secrets_of(demo)
        children = demo.children()
        assert demo.end(signal.SIGINT) == (0, "")
        assert not any(child.is_running() for child in children)
        demo.start()
        assert browser.get(page.url, timeout=PATIENCE).ok, "the session and the request are still there"
        assert secrets_of(demo) == made
    assert requests.get(page.url, timeout=PATIENCE).status_code == requests.codes.not_found


def secrets_of(demo: RunningDemo) -> list[str]:
    return [(demo.instance / name).read_text() for name in ("secret_key", "signing_keys.json")]


def test_after_being_killed_it_starts_again_and_has_lost_nothing(stopped_demo: RunningDemo) -> None:
    demo = stopped_demo
    with requests.Session() as browser:
        demo.start()
        page = begin_flow(demo, browser)
        demo.end(signal.SIGKILL)
        demo.start()
        assert browser.get(page.url, timeout=PATIENCE).ok
    assert demo.end(signal.SIGTERM) == (0, "")


def test_when_a_server_ends_by_itself_all_end_and_its_log_is_named(tmp_path: Path) -> None:
    with RunningDemo(tmp_path / "instance") as demo:
        children = demo.children()
        valkey = next(child for child in children if child.name() == "valkey-server")
        valkey.kill()
        demo.process.wait(PATIENCE)
        code, complaint = demo.end()
        assert code == 1
        assert complaint.startswith(
            f"valkey has stopped by itself; its log is {tmp_path}/instance/log/valkey.log:"
        )
        assert not any(child.is_running() for child in children)


def test_a_start_that_is_interrupted_leaves_nothing_behind(stopped_demo: RunningDemo) -> None:
    demo = stopped_demo
    demo.launch()
    while not (children := demo.children()):
        assert demo.process.poll() is None
    assert demo.end(signal.SIGINT) == (0, "")
    assert not any(child.is_running() for child in children)
    demo.start()
    assert demo.end(signal.SIGHUP) == (0, "")


def test_its_log_holds_one_json_object_a_line(demo: RunningDemo) -> None:
    with requests.Session() as browser:
        begin_flow(demo, browser)
    lines = (demo.instance / "log" / "accord.log").read_text().splitlines()
    assert all(isinstance(json.loads(line), dict) for line in lines), lines
