"""The commands for operators, as they are typed and as click runs them."""

import os
import re
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from importlib.metadata import version
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from app.commands.ledger import ledger
from app.commands.registry import registry
from app.domain.tokens import hash_secret
from tests.support.registrations import DEMO_REGISTRY
from tests.support.repository import ROOT


def flask(*arguments: str, cwd: Path = ROOT) -> "subprocess.CompletedProcess[str]":
    """The flask command in a process of its own, where nothing is configured."""
    variables = {
        name: value for name, value in os.environ.items() if not re.match("ACCORD_|SECRET_KEY|FLASK_", name)
    }
    return subprocess.run(
        [sys.executable, "-W", "error", "-m", "flask", *arguments],
        cwd=cwd,
        env=variables,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


def run(command: str, *arguments: str, **variables: str) -> Result:
    group = {"registry": registry, "ledger": ledger}[command]
    return CliRunner().invoke(group, arguments, env=variables)


# As they are typed


def test_a_registry_is_checked_where_nothing_is_configured(tmp_path: Path) -> None:
    checked = flask("registry", "check", str(DEMO_REGISTRY), "--development", cwd=tmp_path)
    assert checked.returncode == 0
    assert checked.stdout == f"{DEMO_REGISTRY}: 4 recipients, 3 providers, 3 resource servers, no fault\n"
    assert checked.stderr == ""


def test_a_registry_with_faults_is_refused_with_a_line_for_each() -> None:
    checked = flask("registry", "check", "registry/demo.toml", "--production")
    assert checked.returncode == 1
    assert checked.stdout == ""
    lines = checked.stderr.splitlines()
    assert len(lines) >= 4
    assert all(
        re.match(r"registry/demo\.toml:\d+: \S+: .+ does not work in production$", line) for line in lines
    )


def test_what_only_production_would_refuse_is_said_and_does_not_fail_the_check() -> None:
    checked = flask("registry", "check", "registry/demo.toml")
    assert checked.returncode == 0
    assert checked.stdout == "registry/demo.toml: 4 recipients, 3 providers, 3 resource servers, no fault\n"
    assert all(line.startswith("in production: registry/demo.toml:") for line in checked.stderr.splitlines())


@pytest.mark.parametrize(("environment", "exit_code"), [("production", 1), ("development", 0)])
def test_the_environment_says_what_a_registry_is_for(environment: str, exit_code: int) -> None:
    checked = run("registry", "check", "registry/demo.toml", ACCORD_ENVIRONMENT=environment)
    assert checked.exit_code == exit_code


def test_the_texts_are_checked_where_nothing_is_configured(tmp_path: Path) -> None:
    checked = flask("catalogues", "check", cwd=tmp_path)
    assert checked.returncode == 0, checked.stderr
    assert re.fullmatch(
        rf"{ROOT / 'translations'}: every text in \d+ languages, version \w{{12}}\n", checked.stdout
    )
    assert checked.stderr == ""


def test_texts_with_faults_are_refused_with_a_line_for_each(tmp_path: Path) -> None:
    folder = Path(shutil.copytree(ROOT / "translations", tmp_path / "translations"))
    french = folder / "fr" / "LC_MESSAGES" / "messages.po"
    text = french.read_text(encoding="utf-8").replace("%(agent)s demande", "demande")
    french.write_text(text + "\n=======\n", encoding="utf-8")
    checked = flask("catalogues", "check", str(folder))
    assert checked.returncode == 1
    assert checked.stdout == ""
    assert re.fullmatch(r"translations/fr/LC_MESSAGES/messages\.po:\d+: .* =======\n", checked.stderr)


def test_the_version_is_said_where_nothing_is_configured(tmp_path: Path) -> None:
    said = flask("version", cwd=tmp_path)
    assert (said.returncode, said.stdout) == (0, f"accord {version('accord')}\n")


# The registry


def test_a_file_that_is_missing_is_one_line() -> None:
    result = run("registry", "check", "missing.toml")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == "missing.toml: cannot be read: No such file or directory\n"


def test_a_secret_is_shown_with_the_hash_that_is_registered() -> None:
    result = run("registry", "secret")
    assert result.exit_code == 0
    secret = re.search(r"shown once: (\S+)$", result.stdout, re.MULTILINE)
    hashed = re.search(r'^secret_sha256 = "([0-9a-f]{64})"$', result.stdout, re.MULTILINE)
    assert secret
    assert hashed
    assert hash_secret(secret[1]) == hashed[1]
    assert len(secret[1]) == 43
    assert run("registry", "secret").stdout != result.stdout


def test_what_another_file_would_change_is_said_in_words(tmp_path: Path) -> None:
    old, new = tmp_path / "old.toml", tmp_path / "new.toml"
    text = DEMO_REGISTRY.read_text()
    old.write_text(text)
    assert run("registry", "diff", str(old), str(old)).stdout == "0 changes\n"
    for before, after in [
        ('fr = "Caisse Érable" }', 'fr = "Caisse Acacia" }'),
        ("demo = true", "demo = true\nsuspended = true"),
        ('"ACCOUNT_BASIC", "ACCOUNT_DETAILED", "ACCOUNT_PAYMENTS", "INVESTMENTS",', '"ACCOUNT_BASIC", "ACCOUNT_DETAILED", "ACCOUNT_PAYMENTS",'),
        ("http://localhost:8003/northern", "https://api.north.example"),
        ("http://localhost:8003/northern", "https://api.north.example"),
        ("8478dab97e7b5922fa862c43853ee013ba310452ae748d01c4446276ad9d526d", "0" * 64),
        ("harbour-demo-secret", "another-demo-secret"),
        ("consent_days = 365", "consent_days = 90"),
        ('server_id = "harbour-api"', 'server_id = "port-api"'),
    ]:  # fmt: skip
        assert before in text, before
        text = text.replace(before, after, 1)
    new.write_text(text)
    result = run("registry", "diff", str(old), str(new))
    assert result.exit_code == 0, result.stderr
    lines = result.stdout.splitlines()
    assert (
        'provider 1000: name "Maple Credit Union" / "Caisse Érable" becomes "Maple Credit Union" / "Caisse Acacia"'
        in lines
    )
    assert "provider 1000: clusters loses INVESTMENTS" in lines
    assert "provider 2000: audience http://localhost:8003/northern becomes https://api.north.example" in lines
    assert "provider 3000: our secret at its server changes" in lines
    assert "recipient dc-budget: is suspended: nobody can consent, and its tokens fail" in lines
    assert "recipient dc-budget: consent_duration 365 days becomes 90 days" in lines
    assert "resource server harbour-api: is gone: it cannot ask about tokens any more" in lines
    assert "resource server port-api: is new" in lines
    assert lines[-1] == f"{len(lines) - 1} changes"
    assert "0" * 64 not in result.stdout
    assert "demo-secret" not in result.stdout
    new.write_text("no TOML")
    assert run("registry", "diff", str(old), str(new)).exit_code == 1


# The ledger


@pytest.mark.parametrize("how", ["option", "variable"])
def test_a_ledger_is_upgraded_and_may_be_upgraded_again(tmp_path: Path, how: str) -> None:
    url = f"sqlite:///{tmp_path}/ledger.sqlite3"
    for _ in range(2):
        result = (
            run("ledger", "upgrade", "--url", url)
            if how == "option"
            else run("ledger", "upgrade", ACCORD_LEDGER_URL=url)
        )
        assert (result.exit_code, result.stdout) == (0, "the ledger is up to date\n")
    with closing(sqlite3.connect(tmp_path / "ledger.sqlite3")) as connection:
        tables = {
            name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        }
    assert {"decisions", "grants", "refresh_tokens", "events"} <= tables


def test_the_ledgers_address_may_be_in_a_file(tmp_path: Path) -> None:
    file = tmp_path / "url"
    file.write_text(f"sqlite:///{tmp_path}/ledger.sqlite3\n")
    result = run("ledger", "upgrade", ACCORD_LEDGER_URL_FILE=str(file))
    assert (result.exit_code, result.stdout) == (0, "the ledger is up to date\n")
    missing = run("ledger", "upgrade", ACCORD_LEDGER_URL_FILE=str(tmp_path / "missing"))
    assert missing.exit_code == 2
    assert missing.stderr.endswith(
        "Error: ACCORD_LEDGER_URL_FILE cannot be read: No such file or directory\n"
    )


def test_without_a_ledger_the_variable_is_named() -> None:
    result = run("ledger", "upgrade", ACCORD_LEDGER_URL="")
    assert result.exit_code == 2
    assert result.stderr.endswith("Error: Missing option '--url'.\n")
    assert "ACCORD_LEDGER_URL" in run("ledger", "upgrade", "--help").stdout
