"""Accord as it is deployed, on this machine: nginx with TLS in front, gunicorn as a service of systemd behind."""

import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest
import requests

from tests.support.builders import SECRET_KEY
from tests.support.nginx import Nginx
from tests.support.registrations import DEMO_REGISTRY
from tests.support.repository import ROOT
from tests.support.running_accord import PATIENCE
from tests.support.systemd import Service, read_environment

WORKERS = 2  # as in gunicorn.conf.py, when nothing else is said
DEPLOY = ROOT / "deploy"


@dataclass(frozen=True)
class Production:
    service: Service
    nginx: Nginx

    @property
    def address(self) -> str:
        return self.nginx.address

    def workers(self) -> set[int]:
        return {child.pid for child in psutil.Process(self.service.pid).children()}

    def wait_for_new_workers(self, old: set[int]) -> None:
        """Until none of the old ones is left, and as many new ones are there."""
        deadline = time.monotonic() + PATIENCE
        while (now := self.workers()) & old or len(now) < len(old):
            assert time.monotonic() < deadline, self.service.log.read_text()
            time.sleep(0.02)

    def get(self, path: str) -> requests.Response:
        return requests.get(f"{self.address}{path}", timeout=PATIENCE, allow_redirects=False)


@contextmanager
def in_production(
    directory: Path,
    *,
    redis_url: str,
    ledger_url: str,
    signing_keys: Path,
    root: Path = ROOT,
    **variables: str,
) -> Iterator[Production]:
    """Running and ready inside the block, where requests trusts the server's certificate.

    `root` is what the unit calls /opt/accord/current.

    The environment is the shipped one with the addresses of the test, and in development only in that
    customers sign in at the sandbox.
    """
    service = Service(
        DEPLOY / "accord.service",
        root,
        read_environment(DEPLOY / "accord.env")
        | {
            "ACCORD_ENVIRONMENT": "development",
            "ACCORD_REDIS_URL": redis_url,
            "ACCORD_LEDGER_URL": ledger_url,
            "ACCORD_REGISTRY": str(DEMO_REGISTRY),
            "ACCORD_SIGNING_KEYS": str(signing_keys),
            "SECRET_KEY": SECRET_KEY,
            **variables,
        },
        directory=directory,
    )
    with Nginx(service.port) as nginx, pytest.MonkeyPatch.context() as environment:
        environment.setenv("REQUESTS_CA_BUNDLE", str(nginx.certificates.authority))
        service.environment["ACCORD_ISSUER"] = nginx.address
        with service:
            running = Production(service, nginx)
            deadline = time.monotonic() + PATIENCE
            while not is_ready(running):
                assert time.monotonic() < deadline, service.log.read_text()
                time.sleep(0.05)
            yield running


def make_release(folder: Path, *, for_production: bool = False) -> Path:
    """`folder`, with the files of this version that are served, and with this machine's Python.

    `for_production` as in the container, which has nothing of what only development uses.
    """
    left_out = shutil.ignore_patterns("development", "__pycache__") if for_production else None
    for source, target in copied_into_the_container():
        (folder / target).parent.mkdir(parents=True, exist_ok=True)
        if (ROOT / source).is_dir():
            shutil.copytree(ROOT / source, folder / target, ignore=left_out)
        else:
            shutil.copyfile(ROOT / source, folder / target)
    (folder / ".venv").symlink_to(ROOT / ".venv")
    return folder


def copied_into_the_container() -> list[tuple[str, str]]:
    """What the first stage takes from here, and where it goes below its folder."""
    copied: list[tuple[str, str]] = []
    for line in (DEPLOY / "Containerfile").read_text().splitlines():
        if line.startswith("COPY ") and "--from" not in line:
            *sources, target = line.split()[1:]
            copied += [(source, source if target == "./" else target) for source in sources]
    assert len(copied) >= 8
    return copied


def is_ready(production: Production) -> bool:
    """Whether it answers, and all of its workers have started, which they do one after the other."""
    try:
        return production.get("/readyz").ok and len(production.workers()) == WORKERS
    except requests.ConnectionError:
        return False  # nginx does not listen yet
