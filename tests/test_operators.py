"""What operators do to consents, sessions and keys, and that each of it is on record."""

import json
import stat
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from flask import Flask
from sqlalchemy import create_engine, text

from app.cli import keys
from app.embedded import EmbeddedValkey
from app.operators import connections, ledger, sessions
from app.stores.keys import LONGEST_TOKEN_LIFE, SigningKeys, generate_signing_keys, rotate_signing_keys
from tests.builders import NOON
from tests.conftest import make_app
from tests.customer import BrowserCustomer
from tests.page_contract import parse_page

Operate = Callable[..., Result]
GROUPS = {"connections": connections, "ledger": ledger, "sessions": sessions, "keys": keys}


@pytest.fixture
def operate(ledger_url: str, valkey: EmbeddedValkey) -> Operate:
    """Runs a command where the stores are configured."""
    variables = {"ACCORD_LEDGER_URL": ledger_url, "ACCORD_REDIS_URL": valkey.url}

    def run(group: str, *arguments: str) -> Result:
        return CliRunner().invoke(GROUPS[group], arguments, env=variables)

    return run


@pytest.fixture
def tokens(customer: BrowserCustomer) -> dict[str, str]:
    """What the recipient of an approved consent holds."""
    answer: dict[str, str] = customer.redeem(customer.approve("TRANSACTIONS")).get_json()
    return answer


def consent_of(app: Flask) -> str:
    (connection,) = app.extensions["accord"].connections.of_client("dc-budget")
    consent_id: str = connection.grant.consent_id
    return consent_id


# Connections


@pytest.mark.usefixtures("tokens")
@pytest.mark.parametrize("whose", [("--customer", "1000/maple-0001"), ("--client", "dc-budget")])
def test_connections_are_listed_by_customer_and_by_client(
    operate: Operate, app: Flask, whose: tuple[str, str]
) -> None:
    listed = operate("connections", "list", *whose)
    assert listed.exit_code == 0
    first, count = listed.stdout.splitlines()
    assert first.startswith(f"{consent_of(app)} ACTIVE 1000/maple-0001 dc-budget until ")
    assert first.endswith("ACCOUNT_BASIC TRANSACTIONS")
    assert count == "1 connections"


@pytest.mark.usefixtures("tokens")
def test_nobody_elses_connections_are_listed(operate: Operate) -> None:
    assert operate("connections", "list", "--customer", "1000/maple-0002").stdout == "0 connections\n"
    assert operate("connections", "list", "--client", "dc-loans").stdout == "0 connections\n"


@pytest.mark.parametrize("whose", [(), ("--customer", "alex"), ("--customer", "1000/x", "--client", "y")])
def test_a_list_of_nobody_in_particular_is_refused(operate: Operate, whose: tuple[str, ...]) -> None:
    assert operate("connections", "list", *whose).exit_code == 2


def test_an_ended_connection_gives_no_tokens_and_says_who_ended_it(
    operate: Operate, app: Flask, customer: BrowserCustomer, tokens: dict[str, str]
) -> None:
    consent_id = consent_of(app)
    ended = operate("connections", "end", consent_id)
    assert (ended.exit_code, ended.stdout) == (0, f"{consent_id}: ended\n")
    assert customer.refresh(tokens["refresh_token"]).get_json()["error"] == "invalid_grant"
    last = app.extensions["accord"].connections.history(consent_id)[-1]
    assert (last.kind, last.actor, last.reason) == ("withdrawn", "operator", "BUSINESS_RULE")


@pytest.mark.usefixtures("tokens")
def test_what_has_ended_or_never_was_cannot_be_ended(operate: Operate, app: Flask) -> None:
    operate("connections", "end", consent_of(app))
    for consent_id in (consent_of(app), "unknown"):
        result = operate("connections", "end", consent_id)
        assert result.exit_code == 1
        assert result.stderr == f"Error: {consent_id}: no such connection, or it had ended before\n"


def test_a_ledger_that_cannot_be_reached_is_one_line(tmp_path: Path) -> None:
    result = CliRunner().invoke(connections, ["end", "x", "--url", f"sqlite:///{tmp_path}/none/ledger"])
    assert result.exit_code == 1
    assert result.stderr == "Error: cannot be reached: ledger: OperationalError\n"


# What a customer saw


@pytest.mark.parametrize("lang", ["en", "fr"])
def test_the_page_is_shown_again_word_for_word(
    operate: Operate, app: Flask, customer: BrowserCustomer, lang: str
) -> None:
    request_id = customer.signed_in_request(lang=lang)
    heading = parse_page(customer.client.get(f"/consent/{request_id}").text).one("h1").text
    customer.answer(request_id, "approve")
    shown = operate("ledger", "show", consent_of(app))
    assert shown.exit_code == 0
    assert f"shown in: {lang}, catalogue " in shown.stdout
    assert f"\n{heading}\n" in shown.stdout.replace("\N{NO-BREAK SPACE}", " ")
    assert " approved by customer, USER_ACTION\n" in shown.stdout


@pytest.mark.usefixtures("tokens")
def test_a_text_that_was_changed_is_not_passed_off_as_what_was_shown(
    operate: Operate, app: Flask, ledger_url: str
) -> None:
    engine = create_engine(ledger_url)
    with engine.begin() as connection:
        connection.execute(text("UPDATE screens SET text = text || 'and more'"))
    engine.dispose()
    shown = operate("ledger", "show", consent_of(app))
    assert shown.exit_code == 1
    assert shown.stderr == "Error: the text on record is not the one that was shown: its hash differs\n"


def test_an_unknown_consent_is_one_line(operate: Operate) -> None:
    result = operate("ledger", "show", "unknown")
    assert (result.exit_code, result.stderr) == (1, "Error: unknown: no such consent\n")


def test_connections_that_have_run_out_get_their_event(
    operate: Operate, settings: object, customer: BrowserCustomer, app: Flask
) -> None:
    customer.approve()
    engine = create_engine(app.extensions["accord"].settings.ledger_url.get_secret_value())
    with engine.begin() as connection:
        connection.execute(text("UPDATE grants SET approved_at = '2020-01-01', expires_at = '2020-06-01'"))
    engine.dispose()
    assert operate("ledger", "expire").stdout == "1 connections had run out; each has its event now\n"
    assert operate("ledger", "expire").stdout == "0 connections had run out; each has its event now\n"
    assert app.extensions["accord"].connections.history(consent_of(app))[-1].kind == "expired"


# Sessions


def test_a_customer_is_signed_out_of_every_browser_and_nobody_else_is(operate: Operate, app: Flask) -> None:
    alexes = [BrowserCustomer(app.test_client()) for _ in range(2)]  # type: ignore[arg-type]  # the contract client
    sam = BrowserCustomer(app.test_client())  # type: ignore[arg-type]  # the same
    requests = [alex.signed_in_request() for alex in alexes]
    sams_request = sam.begin()
    sam.sign_in(sams_request, "sam")
    ended = operate("sessions", "end", "--customer", "1000/maple-0001")
    assert (ended.exit_code, ended.stdout) == (0, "1000/maple-0001: 2 sessions ended\n")
    for alex, request_id in zip(alexes, requests, strict=True):
        assert alex.client.get(f"/consent/{request_id}").status_code == 404
    assert sam.client.get(f"/consent/{sams_request}").status_code == 200


# Keys


def test_a_rotated_key_signs_at_once_and_the_old_one_still_verifies(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    generate_signing_keys(path)
    serving = SigningKeys(path)
    claims = {"sub": "maple-0001", "exp": 2_000_000_000}
    before = serving.sign(claims)
    rotated = CliRunner().invoke(keys, ["rotate", str(path)])
    assert rotated.exit_code == 0
    after = serving.sign(claims)
    first, second = (key["kid"] for key in serving.public["keys"])
    assert rotated.stdout == f"{path}: {first} signs from now on\n"
    assert first != second
    assert before.split(".")[0] != after.split(".")[0]
    assert serving.verify(before) == serving.verify(after) == claims
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert not any("d" in key or "retired_at" in key for key in serving.public["keys"])


def test_a_key_is_dropped_by_a_rotation_after_its_tokens_are_dead(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    generate_signing_keys(path)
    oldest = SigningKeys(path).public["keys"][0]["kid"]
    _, dropped = rotate_signing_keys(path, now=NOON)
    assert dropped == []
    _, dropped = rotate_signing_keys(path, now=NOON + LONGEST_TOKEN_LIFE - timedelta(seconds=1))
    assert dropped == []
    _, dropped = rotate_signing_keys(path, now=NOON + LONGEST_TOKEN_LIFE)
    assert dropped == [oldest]
    assert len(SigningKeys(path).public["keys"]) == 3


def test_a_file_that_breaks_while_serving_leaves_the_keys_as_they_were(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    generate_signing_keys(path)
    serving = SigningKeys(path)
    token = serving.sign({"exp": 2_000_000_000})
    path.write_text("{")
    assert serving.verify(token) == {"exp": 2_000_000_000}
    path.unlink()
    assert serving.verify(serving.sign({"exp": 2_000_000_000})) is not None


@pytest.mark.parametrize("content", ["{", json.dumps({"keys": []})])
def test_what_holds_no_keys_is_not_rotated(tmp_path: Path, content: str) -> None:
    path = tmp_path / "keys.json"
    path.write_text(content)
    rotated = CliRunner().invoke(keys, ["rotate", str(path)])
    assert rotated.exit_code == 1
    assert path.read_text() == content


def test_tokens_work_across_a_rotation(
    settings: object, customer: BrowserCustomer, app: Flask, tmp_path: Path
) -> None:
    path = tmp_path / "keys.json"
    generate_signing_keys(path)
    own = app.extensions["accord"].settings.model_copy(update={"signing_keys": path})
    rotating = BrowserCustomer(make_app(own, lambda: datetime.now(UTC)).test_client())  # type: ignore[arg-type]  # the contract client
    code = rotating.approve()
    tokens = rotating.redeem(code).get_json()
    rotate_signing_keys(path, now=datetime.now(UTC))
    published = [key["kid"] for key in rotating.client.get("/.well-known/jwks.json").get_json()["keys"]]
    assert len(published) == 2
    assert rotating.refresh(tokens["refresh_token"]).status_code == 200
