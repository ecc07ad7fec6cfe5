"""Client libraries that recipients use, unmodified, each through whole consents against Accord as it is served."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests

from app.development.embedded import EmbeddedValkey
from tests.support.ports import free_port
from tests.support.repository import ROOT
from tests.support.running_accord import PATIENCE, RunningAccord, answer_at
from tools.checkers import CLIENTS, NODE

# What each makes of a customer who says no: the error of the callback, or what it asked for instead.
LIBRARIES = {
    "with_authlib.py": "invalid_scope",
    "with_requests_oauthlib.py": "access_denied",
    "with_requests_oauth2client.py": "access_denied",
    "with_openid_client.mjs": "access_denied",
    "with_oauth4webapi.mjs": "access_denied",
    "with_oauth4webapi_fapi.mjs": "access_denied",
    "with_requests_oauth2client_fapi.py": "access_denied",
    "with_simple_oauth2.mjs": "access_denied",
}
every_library = pytest.mark.parametrize("library", LIBRARIES)

# http on this machine, and a customer who shares less, which oauthlib takes for faults.
OAUTHLIB = {"OAUTHLIB_INSECURE_TRANSPORT": "1", "OAUTHLIB_RELAX_TOKEN_SCOPE": "1"}


@pytest.fixture(scope="module")
def accord(
    valkey: EmbeddedValkey, empty_ledger: Path, signing_keys: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningAccord]:
    folder = tmp_path_factory.mktemp("clients")
    ledger = folder / "ledger.sqlite3"
    ledger.write_bytes(empty_ledger.read_bytes())
    with RunningAccord(
        folder / "accord.log",
        redis_url=valkey.url,
        ledger_url=f"sqlite:///{ledger}",
        signing_keys=signing_keys,
        ACCORD_STORE_TIMEOUT="2",
    ) as running:
        yield running


class Driver:
    """A library in a process of its own, which tells what it does and holds."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def hear(self, what: str) -> Any:
        """The next thing it says, which must be about `what`."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, self._process.communicate(timeout=PATIENCE)[1]
        said = json.loads(line)
        assert what in said, said
        return said[what]

    def bring_back(self, url: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(url + "\n")
        self._process.stdin.flush()

    def end(self) -> None:
        rest, complaints = self._process.communicate(timeout=PATIENCE)
        assert (rest, self._process.returncode) == ("", 0), complaints


@contextmanager
def driven(library: str, issuer: str) -> Iterator[Driver]:
    """Runs the library's driver with the five values of a recipient; it must end well."""
    path = CLIENTS / library
    program = (
        [str(NODE), str(path)]
        if path.suffix == ".mjs"
        else [sys.executable, "-m", f"tests.clients.{path.stem}"]
    )
    values = {
        "ISSUER": issuer,
        "CLIENT_ID": "dc-fapi" if path.stem.endswith("_fapi") else "dc-own-app",
        "CLIENT_SECRET": "own-app-demo-secret",
        "REDIRECT_URI": f"http://127.0.0.1:{free_port()}/callback",
        "PROVIDER_ID": "1000",
    }
    with subprocess.Popen(
        program,
        cwd=ROOT,
        env=os.environ | OAUTHLIB | values,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            driver = Driver(process)
            yield driver
            driver.end()
        finally:
            process.kill()


def here(accord: RunningAccord, url: str) -> str:
    """The address that a library opens, by the one name that the customer's browser keeps to."""
    assert url.startswith(f"{accord.issuer}/api/v1/authorize?"), url
    return accord.address + url.removeprefix(accord.issuer)


def is_active(accord: RunningAccord, access_token: str) -> bool:
    """As the bank's own API would ask."""
    answer = requests.post(
        f"{accord.address}/api/v1/introspect",
        data={"token": access_token},
        auth=("maple-api", "maple-api-demo-secret"),
        timeout=PATIENCE,
    )
    return bool(answer.json()["active"])


@every_library
@pytest.mark.parametrize(
    ("boxes", "granted"),
    [
        (("TRANSACTIONS", "STATEMENTS"), "ACCOUNT_BASIC TRANSACTIONS STATEMENTS"),
        (("TRANSACTIONS",), "ACCOUNT_BASIC TRANSACTIONS"),
    ],
    ids=["all of it", "less than was asked for"],
)
def test_a_consent_lives_and_ends(
    accord: RunningAccord, library: str, boxes: tuple[str, ...], granted: str
) -> None:
    """Approved, refreshed twice with what the library holds, revoked; and then nothing works any more."""
    with driven(library, accord.issuer) as driver:
        driver.bring_back(answer_at(accord, here(accord, driver.hear("open")), "approve", *boxes))
        held = [driver.hear("tokens") for _ in range(3)]
        assert {
            tokens["scope"] if isinstance(tokens["scope"], str) else " ".join(tokens["scope"])
            for tokens in held
        } == {granted}
        assert len({tokens["access_token"] for tokens in held}) == 3
        assert len({tokens["refresh_token"] for tokens in held}) == 1, "it has lost its refresh token"
        assert driver.hear("revoked") is True
        assert driver.hear("error") == "invalid_grant"
    assert not is_active(accord, held[-1]["access_token"])


@every_library
def test_a_customer_who_says_no_is_an_error_and_never_a_token(accord: RunningAccord, library: str) -> None:
    with driven(library, accord.issuer) as driver:
        driver.bring_back(answer_at(accord, here(accord, driver.hear("open")), "deny"))
        assert driver.hear("error") == LIBRARIES[library]
