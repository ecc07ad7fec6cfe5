"""A store that is not there is one line, and no password is in it."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from app.commands.connections import connections
from app.commands.sessions import sessions
from tests.commands.consents import GROUPS

WHY = ("--reason", "a breach at the recipient", "--by", "Robin Roy")


def test_a_ledger_that_cannot_be_reached_is_one_line(tmp_path: Path) -> None:
    result = CliRunner().invoke(connections, ["end", "x", *WHY, "--url", f"sqlite:///{tmp_path}/none/ledger"])
    assert result.exit_code == 1
    assert result.stderr == "Error: the store cannot be used: ledger: OperationalError, SQLITE_CANTOPEN\n"


@pytest.mark.parametrize(
    "url", ["nonsense", "sqlite:////no-such-folder/ledger", "postgresql+psycopg://x:secret@127.0.0.1:1/x"]
)
@pytest.mark.parametrize(
    "command", [("ledger", "upgrade"), ("ledger", "expire"), ("connections", "list", "--client", "x")]
)
def test_a_ledger_that_is_not_there_is_one_line_without_its_password(
    url: str, command: tuple[str, ...]
) -> None:
    result = CliRunner().invoke(GROUPS[command[0]], [*command[1:], "--url", url])
    assert (result.exit_code, result.stdout) == (1, "")
    assert len(result.stderr.splitlines()) == 1
    assert "secret" not in result.stderr


@pytest.mark.parametrize("url", ["nonsense", "redis://:secret@127.0.0.1:1", "unix:///no-such-folder/socket"])
def test_a_redis_that_is_not_there_is_one_line_without_its_password(url: str) -> None:
    result = CliRunner().invoke(sessions, ["end", "--customer", "1000/maple-0001", "--redis-url", url])
    assert (result.exit_code, result.stdout) == (1, "")
    assert len(result.stderr.splitlines()) == 1
    assert "secret" not in result.stderr
