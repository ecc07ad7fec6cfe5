"""What operators do to consents, sessions and keys, and that each of it is on record."""

import json
import os
import stat
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from flask import Flask
from itsdangerous import base64_decode
from sqlalchemy import create_engine, text

from app.commands.connections import connections
from app.commands.keys import keys
from app.commands.ledger import ledger as ledger_commands
from app.commands.sessions import sessions
from app.development.embedded import EmbeddedValkey
from app.stores.keys import (
    LONGEST_TOKEN_LIFE,
    PUBLISHED_BEFORE,
    SigningKeys,
    generate_signing_keys,
    rotate_signing_keys,
)
from app.stores.ledger.connections import AT_ONCE
from app.stores.ledger.ledger import Ledger
from tests.support.applications import a_browser, make_app, services_of
from tests.support.builders import NOON, a_decision, a_grant
from tests.support.customer import BrowserCustomer
from tests.support.ledger_tables import LedgerTables
from tests.support.page_contract import parse_page
from tests.support.parallel import all_at_once

Operate = Callable[..., Result]
WHY = ("--reason", "a breach at the recipient", "--by", "Robin Roy")
GROUPS = {"connections": connections, "ledger": ledger_commands, "sessions": sessions, "keys": keys}


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
    (connection,) = services_of(app).connections.of_client("dc-budget")
    return connection.grant.consent_id


# Stores that are not there


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


def test_more_than_one_portion_of_run_out_connections_gets_its_events(
    operate: Operate, ledger: Ledger
) -> None:
    long_ago = NOON - timedelta(days=1000)
    for number in range(AT_ONCE + 1):
        names = {"request_id": f"r-{number}", "consent_id": f"c-{number}", "subject": f"s-{number}"}
        decision = a_decision(**names, asked_at=long_ago, decided_at=long_ago)
        ledger.record_decision(
            decision, a_grant(**names, approved_at=long_ago, expires_at=long_ago + timedelta(days=1))
        )
    expired = operate("ledger", "expire")
    assert expired.stdout == f"{AT_ONCE + 1} connections had run out; each has its event now\n"


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


def test_of_a_connection_that_is_used_its_last_use_is_said_and_not_each_of_them(
    operate: Operate, app: Flask, customer: BrowserCustomer, tokens: dict[str, str]
) -> None:
    customer.refresh(tokens["refresh_token"])
    (connection,) = services_of(app).connections.of_client("dc-budget")
    assert connection.last_used_at is not None
    shown = operate("ledger", "show", consent_of(app)).stdout
    assert f"\nlast used: {connection.last_used_at.isoformat()}\n" in shown
    assert "refreshed" not in shown


@pytest.mark.usefixtures("tokens")
def test_what_was_agreed_is_shown_in_both_languages(operate: Operate, app: Flask) -> None:
    lines = operate("ledger", "show", consent_of(app)).stdout.splitlines()
    for line in (
        "agreed with: Budget Compass | Boussole Budget",
        "its legal name: Budget Compass Technologies Inc. | Technologies Boussole Budget inc.",
        "bank: Maple Credit Union | Caisse Érable",
        "look-back: 24 months",
    ):
        assert line in lines
    assert [line for line in lines if line.startswith("purpose: To show all your accounts")]


@pytest.mark.usefixtures("tokens")
def test_what_was_agreed_before_that_was_recorded_is_said_to_be_missing(
    operate: Operate, app: Flask, ledger_url: str
) -> None:
    engine = create_engine(ledger_url)
    with engine.begin() as connection:
        connection.execute(text("UPDATE decisions SET agreement_hash = NULL"))
    engine.dispose()
    shown = operate("ledger", "show", consent_of(app))
    assert shown.exit_code == 0
    assert "\nwhat was agreed is not on record\n" in shown.stdout


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


def test_what_a_customer_said_no_to_is_shown_too(
    operate: Operate, recorded: LedgerTables, customer: BrowserCustomer
) -> None:
    customer.answer(customer.signed_in_request(), "deny")
    (decision,) = recorded["decisions"]
    shown = operate("ledger", "show", decision["consent_id"])
    assert shown.exit_code == 0
    assert "\nanswer: deny\n" in shown.stdout
    assert " denied by customer, USER_ACTION\n" in shown.stdout
    assert "\nDo you want to share your data with Budget Compass?\n" in shown.stdout


def test_an_unknown_consent_is_one_line(operate: Operate) -> None:
    result = operate("ledger", "show", "unknown")
    assert (result.exit_code, result.stderr) == (1, "Error: unknown: no such consent\n")


def test_connections_that_have_run_out_get_their_event(
    operate: Operate, settings: object, customer: BrowserCustomer, app: Flask
) -> None:
    customer.approve()
    engine = create_engine(services_of(app).settings.ledger_url.get_secret_value())
    with engine.begin() as connection:
        connection.execute(text("UPDATE grants SET approved_at = '2020-01-01', expires_at = '2020-06-01'"))
    engine.dispose()
    assert operate("ledger", "expire").stdout == "1 connections had run out; each has its event now\n"
    assert operate("ledger", "expire").stdout == "0 connections had run out; each has its event now\n"
    assert services_of(app).connections.history(consent_of(app))[-1].kind == "expired"


# Sessions


def test_a_customer_is_signed_out_of_every_browser_and_nobody_else_is(operate: Operate, app: Flask) -> None:
    alexes = [BrowserCustomer(a_browser(app)) for _ in range(2)]
    sam = BrowserCustomer(a_browser(app))
    requests = [alex.signed_in_request() for alex in alexes]
    sams_request = sam.begin()
    sam.sign_in(sams_request, "sam")
    ended = operate("sessions", "end", "--customer", "1000/maple-0001")
    assert (ended.exit_code, ended.stdout) == (0, "1000/maple-0001: 2 sessions ended\n")
    event = json.loads(ended.stderr)
    assert (event["event"], event["actor"], event["sessions"]) == ("sessions_ended", "operator", 2)
    assert "maple-0001" not in ended.stderr
    for alex, request_id in zip(alexes, requests, strict=True):
        assert alex.client.get(f"/consent/{request_id}").status_code == 404
    assert sam.client.get(f"/consent/{sams_request}").status_code == 200


# Keys


def claims_at(moment: datetime) -> dict[str, int]:
    """Those of a token of five minutes."""
    issued_at = int(moment.timestamp())
    return {"iat": issued_at, "exp": issued_at + 300}


def signer_of(token: str) -> str:
    kid: str = json.loads(base64_decode(token.partition(".")[0]))["kid"]
    return kid


def test_a_rotated_key_is_published_at_once_and_signs_when_every_cache_has_it(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    generate_signing_keys(path)
    serving = SigningKeys(path)
    [old] = (key["kid"] for key in serving.public["keys"])
    made, signs_from, _ = rotate_signing_keys(path, now=NOON)
    assert [key["kid"] for key in serving.public["keys"]] == [made, old]
    assert signs_from == NOON + PUBLISHED_BEFORE
    moments = (NOON, signs_from - timedelta(seconds=1), signs_from, signs_from + timedelta(days=1))
    signed = [serving.sign(claims_at(moment)) for moment in moments]
    assert [signer_of(token) for token in signed] == [old, old, made, made]
    assert all(serving.verify(token) for token in signed)
    assert not any({"d", "signs_from", "retired_at"} & key.keys() for key in serving.public["keys"])


def test_a_rotation_says_what_it_did(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    generate_signing_keys(path)
    rotated = CliRunner().invoke(keys, ["rotate", str(path)])
    made = SigningKeys(path).public["keys"][0]["kid"]
    assert rotated.exit_code == 0
    assert rotated.stdout.startswith(f"{path}: {made} is published now and signs from 20")
    event = json.loads(rotated.stderr)
    assert (event["event"], event["actor"], event["kid"]) == ("keys_rotated", "operator", made)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [entry.name for entry in tmp_path.iterdir()] == ["keys.json"]


def test_a_rotated_file_stays_its_owners_and_where_a_link_leads(tmp_path: Path) -> None:
    """Root rotates, another user serves."""
    (tmp_path / "real").mkdir()
    path, link = tmp_path / "real" / "keys.json", tmp_path / "keys.json"
    generate_signing_keys(path)
    link.symlink_to(path)
    if os.geteuid() == 0:
        os.chown(path, 65534, 65534)
    owner = path.stat().st_uid
    rotate_signing_keys(link, now=NOON)
    assert link.is_symlink()
    assert (path.stat().st_uid, stat.S_IMODE(path.stat().st_mode)) == (owner, 0o600)


def test_of_rotations_at_the_same_moment_none_is_lost(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    generate_signing_keys(path)
    made = all_at_once(*[lambda: rotate_signing_keys(path, now=NOON)[0]] * 5)
    assert {key["kid"] for key in SigningKeys(path).public["keys"]} > set(made)
    assert len(SigningKeys(path).public["keys"]) == 6


def test_a_key_is_dropped_by_a_rotation_after_its_tokens_are_dead(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    generate_signing_keys(path)
    oldest = SigningKeys(path).public["keys"][0]["kid"]
    last_token_dies_at = NOON + PUBLISHED_BEFORE + LONGEST_TOKEN_LIFE
    moments = (NOON, last_token_dies_at - timedelta(seconds=1), last_token_dies_at)
    assert [rotate_signing_keys(path, now=moment)[2] for moment in moments] == [[], [], [oldest]]
    assert len(SigningKeys(path).public["keys"]) == 3


def test_a_file_that_breaks_while_serving_leaves_the_keys_as_they_were(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    generate_signing_keys(path)
    serving = SigningKeys(path)
    token = serving.sign(claims_at(NOON))
    path.write_text("{")
    assert serving.verify(token) == claims_at(NOON)
    path.unlink()
    assert serving.verify(serving.sign(claims_at(NOON))) is not None


@pytest.mark.parametrize("content", ["{", json.dumps({"keys": []}), json.dumps({"keys": [{"kty": "EC"}]})])
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
    own = services_of(app).settings.model_copy(update={"signing_keys": path})
    rotating = BrowserCustomer(a_browser(make_app(own, lambda: datetime.now(UTC))))
    code = rotating.approve()
    tokens = rotating.redeem(code).get_json()
    rotate_signing_keys(path, now=datetime.now(UTC))
    published = [key["kid"] for key in rotating.client.get("/.well-known/jwks.json").get_json()["keys"]]
    assert len(published) == 2
    assert rotating.refresh(tokens["refresh_token"]).status_code == 200
