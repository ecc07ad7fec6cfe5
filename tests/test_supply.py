"""What is installed is what was locked, and a secret in the source is found."""

import base64
import hashlib
import json
import re
import subprocess
from pathlib import Path

import pytest

from tests.support.repository import ROOT
from tools.checkers import CHECKERS, CLIENTS

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


def find_secrets(path: Path, line: str) -> "subprocess.CompletedProcess[str]":
    path.write_text(f"one\n{line}\nthree\n")
    return subprocess.run(
        [ROOT / "tools" / "find_secrets", path], capture_output=True, text=True, check=False
    )


# Made here, so that none stands in this file.
MADE_UP = base64.urlsafe_b64encode(hashlib.sha256(b"made up").digest()).decode().rstrip("=")


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ("-----BEGIN EC PRIVATE " + "KEY-----", "Private Key"),
        (f'{{"kty": "EC", "d": "{MADE_UP}"}}', "Base64 High Entropy String"),
        ("AKIA" + "QZ7WMT3KXR5HVN2D", "AWS Access Key"),
        ("ghp_" + "a1" * 18, "GitHub Token"),
        (f'client_secret = "{MADE_UP}"', "Secret Keyword"),
        (f"DATABASE_PASSWORD: '{MADE_UP}'", "Secret Keyword"),
        (f"ACCORD_REDIS_URL='rediss://accord:{MADE_UP}@redis.bank.example/0'", "Basic Auth Credentials"),
        ("eyJhbGciOiJFUzI1NiJ9" + f".eyJzdWIiOiJhIn0.{MADE_UP}", "JSON Web Token"),
    ],
)
def test_a_secret_is_found(tmp_path: Path, line: str, what: str) -> None:
    found = find_secrets(tmp_path / "settings.py", line)
    assert found.returncode == 1
    assert f"Secret Type: {what}\nLocation:    {tmp_path}/settings.py:2\n" in found.stdout


@pytest.mark.parametrize(
    "line",
    [
        'client_secret = "budget-demo-secret"',
        f'secret_sha256 = "{hashlib.sha256(b"a secret").hexdigest()}"',
        "token = secrets.token_urlsafe(32)",
        f'client_secret = "{MADE_UP}"  # pragma: allowlist secret',
    ],
)
def test_what_is_no_secret_is_passed_over(tmp_path: Path, line: str) -> None:
    assert find_secrets(tmp_path / "settings.py", line).returncode == 0
