"""docs/connecting.md is true: whoever types what it says gets what it says, and nothing is missing from it."""

import ast
import json
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from app.domain.callback import ACCESS_DENIED_DESCRIPTION
from app.domain.errors import ErrorCode
from app.domain.registry import Registry
from app.domain.tokens import hash_secret
from app.registration.file import read_registry
from tests.support.registrations import DEMO_REGISTRY
from tests.support.repository import ROOT
from tests.support.running_accord import PATIENCE, answer_at
from tests.support.running_demo import RunningDemo

PAGE = (ROOT / "docs" / "connecting.md").read_text(encoding="utf-8")
COMMANDS = re.findall(r"^```sh\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Place:
    address: str


@pytest.fixture(scope="module")
def registry() -> Registry:
    return read_registry(DEMO_REGISTRY, allow_demo=True)


def test_whoever_types_what_it_says_gets_a_token_and_ends_it(tmp_path: Path) -> None:
    """Each command as it stands there, in one shell; only the demo's port is another one."""
    with RunningDemo(tmp_path / "instance") as demo:
        typed = "".join(COMMANDS).replace("http://localhost:8000", demo.issuer)
        with subprocess.Popen(
            ["bash", "-eu", "-c", typed], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as shell:
            assert shell.stdin is not None
            assert shell.stdout is not None
            said = []
            while not (line := shell.stdout.readline()).startswith(f"{demo.issuer}/api/v1/authorize?"):
                assert line, "it has named no address to open"
                said.append(line)
            callback = answer_at(Place(demo.issuer), line.strip(), "approve", "TRANSACTIONS")
            rest, _ = shell.communicate(callback + "\n", timeout=PATIENCE)
        assert shell.returncode == 0, rest
    metadata, tokens, refreshed, token, record, revoked, refused, ended = [
        json.loads(each) for each in [*said, *rest.splitlines()] if each.startswith("{")
    ]
    assert metadata["issuer"] == demo.issuer
    assert "iss=" in rest
    assert tokens["scope"] == refreshed["scope"] == token["scope"] == "ACCOUNT_BASIC TRANSACTIONS"
    assert tokens["access_token"] != refreshed["access_token"]
    assert tokens["refresh_token"] == refreshed["refresh_token"]
    assert (token["active"], record["id"], record["status"]) == (True, token["consent_id"], "ACTIVE")
    assert (revoked, refused["error"]) == ({}, "invalid_grant")
    assert (ended["status"], ended["revocation"]["initiator"]) == ("REVOKED", "DATA_RECIPIENT")


def test_its_five_values_are_the_demos(registry: Registry) -> None:
    values = dict(re.findall(r"^([A-Z_]+)=(\S+)$", COMMANDS[0], re.MULTILINE))
    client = registry.clients[values["CLIENT_ID"]]
    assert client.secret_hash == hash_secret(values["CLIENT_SECRET"])
    assert client.accepts_redirect_uri(values["REDIRECT_URI"])
    assert set(client.statuses) == set(registry.providers)
    for provider in registry.providers.values():
        assert f"`{provider.provider_id}` {provider.name.en}" in PAGE


def test_every_test_customer_is_named_and_what_goes_wrong_for_them(registry: Registry) -> None:
    section = PAGE.partition("## Test customers")[2].partition("\n## ")[0]
    for provider in registry.providers.values():
        for customer in provider.sandbox_customers:
            assert f"`{customer.user_name}`" in section, customer
            assert f"`{customer.password}`" in section
            assert (f"| `{customer.user_name}` |" in section) is (customer.trouble is not None)


def errors_in_the_code() -> Iterator[tuple[str, str]]:
    """The code and the words of everything that is refused to a recipient."""
    for path in sorted((ROOT / "app").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and len(node.args) >= 2 and isinstance(node.args[1], ast.Constant):
                called: Any = node.func
                error = node.args[0]
                if getattr(called, "id", "") in ("OAuthError", "UnsafeRequest", "UnreadableRequest"):
                    assert isinstance(error, ast.Attribute)
                    yield ErrorCode[error.attr], str(node.args[1].value)


def test_every_error_has_its_line() -> None:
    section = PAGE.partition("\n## Errors\n")[2].partition("\n## ")[0]
    table = set(re.findall(r"^\| `([a-z_]+)` \| ([^|]+) \|", section, re.MULTILINE))
    found = set(errors_in_the_code())
    assert len(found) > 30
    assert found <= table
    assert (ErrorCode.ACCESS_DENIED, ACCESS_DENIED_DESCRIPTION) in table
    assert {error for error, _ in table} == set(ErrorCode)


def test_every_driver_of_the_tests_is_named() -> None:
    for driver in (ROOT / "tests" / "clients").glob("with_*"):
        assert f"[{driver.name}](../tests/clients/{driver.name})" in PAGE
