"""What is installed is what was locked, and nothing in the source is a secret."""

import json
import re
from pathlib import Path

import pytest

from tests.support.repository import ROOT
from tools.checkers import CHECKERS, CLIENTS
from tools.secret_scan import check, findings, sources

LOCKS = ["base", "postgres", "tracing", "dev"]
_PINNED = re.compile(r"^([a-z0-9._-]+)(?:\[[a-z,]+\])?==(\S+)", re.MULTILINE)


def entries(lock: str) -> list[str]:
    """Each requirement of a lock with all of its lines."""
    text = (ROOT / "requirements" / f"{lock}.txt").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    return re.split(r"\n(?=\S)", "\n".join(lines).strip())


@pytest.mark.parametrize("lock", LOCKS)
def test_every_dependency_is_pinned_and_has_its_hash(lock: str) -> None:
    found = entries(lock)
    assert len(found) > 20
    for entry in found:
        assert _PINNED.match(entry), entry
        assert re.search(r"--hash=sha256:[0-9a-f]{64}", entry), entry
        assert "://" not in entry, "from no address of its own"


@pytest.mark.parametrize("folder", [CHECKERS, CLIENTS], ids=lambda folder: folder.name)
def test_every_package_for_node_is_pinned_and_has_its_hash(folder: Path) -> None:
    lock = json.loads((folder / "package-lock.json").read_text(encoding="utf-8"))
    packages = {name: package for name, package in lock["packages"].items() if name}
    assert packages
    for name, package in packages.items():
        assert package["integrity"].startswith("sha512-"), name
        assert "resolved" not in package, "from no address of its own"
    wanted = json.loads((folder / "package.json").read_text(encoding="utf-8"))["devDependencies"]
    assert wanted == lock["packages"][""]["devDependencies"]
    assert wanted == {name: packages[f"node_modules/{name}"]["version"] for name in wanted}


def test_what_is_tested_is_what_is_deployed() -> None:
    versions = {lock: dict(_PINNED.findall("\n".join(entries(lock)))) for lock in LOCKS}
    for lock in ("base", "postgres", "tracing"):
        assert versions[lock].items() <= versions["dev"].items()


def test_no_secret_is_in_the_source() -> None:
    assert list(check()) == []


def test_every_folder_is_looked_into_but_what_was_generated() -> None:
    looked_at = {path.relative_to(ROOT) for path in sources()}
    assert {
        Path(".ci/run"),
        Path("Makefile"),
        Path("bench/run_bench"),
        Path("requirements/dev.txt"),
    } <= looked_at
    assert not {path.parts[0] for path in looked_at} & {".git", ".venv", "instance", "gallery"}


MADE_UP = "x9" * 20


@pytest.mark.parametrize(
    "line",
    [
        "-----BEGIN EC PRIVATE " + "KEY-----",
        f'{{"kty": "EC", "d": "{MADE_UP}"}}',
        "AKIA" + "ABCDEFGHIJKLMNOP",
        "ghp_" + "a1" * 18,
        f'client_secret = "{MADE_UP}"',
        f"DATABASE_PASSWORD: '{MADE_UP}'",
        f'"token": "{MADE_UP}"'.replace('"token"', "token"),
    ],
)
def test_what_looks_like_a_secret_is_found(line: str) -> None:
    assert [number for number, _ in findings(f"one\n{line}\nthree")] == [2]


@pytest.mark.parametrize(
    "line",
    ['secret = "budget-demo-secret"', f'secret_sha256 = "{MADE_UP}"', "token = secrets.token_urlsafe(32)"],
)
def test_what_is_none_is_passed_over(line: str) -> None:
    assert list(findings(line)) == []
