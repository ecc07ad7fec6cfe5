"""The units, as systemd runs them."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest
import requests

from tests.booted.conftest import FLASK, UNITS
from tests.booted.machine import Machine
from tests.support.builders import SECRET_KEY
from tests.support.load import one_flow, under_load
from tests.support.running_accord import PATIENCE


@dataclass(frozen=True)
class Here:
    address: str = "http://127.0.0.1:8000"


HERE = Here()
REGISTRY = "/etc/accord/registry.toml"


@pytest.fixture(autouse=True)
def serving(machine: Machine) -> None:
    machine.must("systemctl", "start", "accord.socket", "accord.service")


@contextmanager
def edited(machine: Machine, file: str, old: str, new: str) -> Iterator[None]:
    """As an editor saves it: another file takes its place."""
    text = machine.must("cat", file)
    assert old in text
    write(machine, file, text.replace(old, new))
    try:
        yield
    finally:
        write(machine, file, text)


def write(machine: Machine, file: str, text: str) -> None:
    script = 'cp --preserve=all "$1" "$1.new" && printf %s "$2" >"$1.new" && mv "$1.new" "$1"'
    machine.must("sh", "-c", script, "write", file, text)


def state_of(machine: Machine, unit: str) -> str:
    return machine.run("systemctl", "is-active", unit).stdout.strip()


def status() -> int:
    return requests.get(f"{HERE.address}/readyz", timeout=PATIENCE).status_code


def test_the_units_are_what_systemd_takes(machine: Machine) -> None:
    checked = machine.run("systemd-analyze", "verify", *(f"/etc/systemd/system/{unit}" for unit in UNITS))
    ours = [line for line in checked.stderr.splitlines() if "accord" in line]
    assert ours == []


def test_a_consent_goes_through_the_socket(machine: Machine) -> None:
    assert status() == 200
    assert one_flow(HERE, "alex", "1000")
    assert {
        "accord.service": state_of(machine, "accord.service"),
        "accord.socket": state_of(machine, "accord.socket"),
    } == {
        "accord.service": "active",
        "accord.socket": "active",
    }


def test_a_credential_of_systemd_is_a_banks_secret(machine: Machine) -> None:
    """Which the server alone can read, and a reload works all the same. Another file takes that bank out."""
    machine.must("systemctl", "reload", "accord")
    assert '"loaded"' in machine.journal()
    assert "bank_left_out" not in machine.journal()
    with edited(machine, REGISTRY, "/run/credentials/accord.service/bank-secret", "/etc/accord/bank-secret"):
        machine.must("systemctl", "reload", "accord")
        assert "client_secret_file: cannot be read: Permission denied" in machine.journal()
        assert requests.get(f"{HERE.address}/connections/sign-in/3000", timeout=PATIENCE).status_code == 503
        assert one_flow(HERE, "alex", "1000")
    machine.must("systemctl", "reload", "accord")


def test_a_reload_ends_when_the_new_registration_is_in_force(machine: Machine) -> None:
    """(The form of nobody on the way changes: an answer to a form that has changed brings the new one.)"""
    with edited(machine, REGISTRY, "Harbour Trust", "Port Trust"):
        with under_load(HERE) as load:
            machine.must("systemctl", "reload", "accord")
            for _ in range(20):
                page = requests.get(f"{HERE.address}/connections", timeout=PATIENCE)
                assert "Port Trust" in page.text
        assert load.lost == []
    machine.must("systemctl", "reload", "accord")


def test_a_reload_with_a_faulty_registration_fails_and_changes_nothing(machine: Machine) -> None:
    with edited(machine, REGISTRY, 'country = "CA"', 'country = "Canada"'):
        assert machine.run("systemctl", "reload", "accord").returncode != 0
        assert "registry.toml:" in machine.journal()
        assert status() == 200
        assert one_flow(HERE, "alex", "1000")
    machine.must("systemctl", "reload", "accord")


def test_a_restart_loses_nobody(machine: Machine) -> None:
    with under_load(HERE) as load:
        machine.must("systemctl", "restart", "accord")
        load.wait_for_more(4)
    assert load.lost == []


def test_a_new_release_serves_after_the_restart_and_loses_nobody(machine: Machine) -> None:
    """Made, and linked to, while customers are under way."""
    before = machine.must("readlink", "/opt/accord/current").strip()
    script = 'cd /opt/accord/releases && cp -a 1 2 && grep -rlF /opt/accord/releases/1 2/.venv | xargs sed -i "s,/releases/1,/releases/2,"'
    machine.must("sh", "-c", script)
    meta = '<meta name="release" content="This is release {{ release }}"></head>'
    added = f"sed -i 's,</head>,{meta},' /opt/accord/releases/2/app/templates/base.html"
    given = """sed -i 's/"wording": /"release": 2, "wording": /' /opt/accord/releases/2/app/web/text/template_filters.py"""
    machine.must("sh", "-c", f"{added} && {given}")
    with under_load(HERE) as load:
        machine.must("ln", "-sfn", "/opt/accord/releases/2", "/opt/accord/current")
        machine.must("systemctl", "reload", "accord")
        load.wait_for_more(4)
        assert "This is release 2" not in requests.get(f"{HERE.address}/complaints", timeout=PATIENCE).text
        machine.must("systemctl", "restart", "accord")
        load.wait_for_more(4)
        assert "This is release 2" in requests.get(f"{HERE.address}/complaints", timeout=PATIENCE).text
        machine.must("ln", "-sfn", before, "/opt/accord/current")
        machine.must("systemctl", "restart", "accord")
        load.wait_for_more(4)
    assert load.lost == []


def test_what_was_stopped_stays_stopped(machine: Machine) -> None:
    """The socket, too: it would start the service for the next customer."""
    machine.must("systemctl", "stop", "accord.socket", "accord.service")
    for _ in range(20):
        with pytest.raises(requests.ConnectionError):
            requests.get(f"{HERE.address}/healthz", timeout=PATIENCE)
        time.sleep(0.1)
    assert state_of(machine, "accord.service") == "inactive"
    assert state_of(machine, "accord.socket") == "inactive"


def test_a_faulty_configuration_is_not_started_again_and_named_as_such(machine: Machine) -> None:
    machine.must("systemctl", "stop", "accord.socket", "accord.service")
    with edited(machine, "/etc/accord/accord.env", f"SECRET_KEY='{SECRET_KEY}'", "SECRET_KEY='short'"):
        assert machine.run("systemctl", "start", "accord.service").returncode != 0
        shown = machine.must(
            "systemctl",
            "show",
            "accord.service",
            "--property=ExecMainStatus,NRestarts,ActiveState",
            "--value",
        )
        assert sorted(shown.split()) == ["0", "78", "failed"]
        assert "78/CONFIG" in machine.run("systemctl", "status", "accord.service").stdout
    machine.must("systemctl", "reset-failed", "accord.service", "accord.socket")


def test_an_operators_command_finds_the_services_stores_and_stays_in_its_folder(machine: Machine) -> None:
    one_flow(HERE, "alex", "1000")
    listed = machine.must(FLASK, "connections", "list", "--customer", "1000/maple-0001", cwd="/srv")
    assert "dc-budget" in listed
    machine.must("cp", REGISTRY, "/srv/mine.toml")
    checked = machine.run(FLASK, "registry", "check", "mine.toml", cwd="/srv")
    assert "mine.toml" in checked.stdout + checked.stderr


@pytest.mark.parametrize("name", ["accord-expire", "accord-prune"])
def test_what_the_timers_start_does_its_work(machine: Machine, name: str) -> None:
    assert state_of(machine, f"{name}.timer") == "active"
    assert f"{name}.timer" in machine.must("systemctl", "list-timers", "--all")
    machine.must("systemctl", "start", f"{name}.service")
    assert (
        machine.must("systemctl", "show", f"{name}.service", "--property=Result", "--value").strip()
        == "success"
    )


def test_what_sends_notices_runs_reads_the_registration_again_and_stops(machine: Machine) -> None:
    assert state_of(machine, "accord-notices.service") == "active"
    machine.must("systemctl", "reload", "accord-notices.service")
    machine.must("systemctl", "stop", "accord-notices.service")
    said = machine.must("journalctl", "--unit", "accord-notices.service", "--output", "cat")
    assert '"deliverer_stopped"' in said
    machine.must("systemctl", "start", "accord-notices.service")


def test_every_line_of_the_service_is_json(machine: Machine) -> None:
    machine.must("systemctl", "restart", "accord.service")
    lines = machine.must(
        "journalctl", "--unit", "accord.service", "--identifier", "accord", "--output", "cat"
    ).splitlines()
    assert len(lines) > 5
    assert all(isinstance(json.loads(line), dict) for line in lines)
