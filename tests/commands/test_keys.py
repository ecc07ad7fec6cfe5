"""Signing keys are made, and rotated under running servers."""

import json
import os
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from flask import Flask
from itsdangerous import base64_decode

from app.commands.keys import keys
from app.stores.key_rotation import PUBLISHED_BEFORE, generate_signing_keys, rotate_signing_keys
from app.stores.signing_keys import LONGEST_TOKEN_LIFE, SigningKeys
from tests.support.applications import a_browser, make_app, services_of
from tests.support.builders import NOON
from tests.support.customer import BrowserCustomer
from tests.support.parallel import all_at_once


def run(command: str, *arguments: str, **variables: str) -> Result:
    assert command == "keys"
    return CliRunner().invoke(keys, arguments, env=variables)


# Made


def test_a_signing_key_is_made_for_its_owners_eyes_only(tmp_path: Path) -> None:
    file = tmp_path / "keys.json"
    result = run("keys", "generate", str(file))
    assert result.exit_code == 0
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert len(SigningKeys(file).public["keys"]) == 1
    assert result.stdout == f"{file}: one signing key, for the owner's eyes only\n"


def test_a_signing_key_is_never_overwritten(tmp_path: Path) -> None:
    file = tmp_path / "keys.json"
    file.write_text("precious")
    result = run("keys", "generate", str(file))
    assert result.exit_code == 1
    assert result.stderr == f"Error: {file}: File exists\n"
    assert file.read_text() == "precious"


def test_a_signing_key_in_a_folder_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    result = run("keys", "generate", str(tmp_path / "nowhere" / "keys.json"))
    assert result.exit_code == 1
    assert result.stderr.endswith("keys.json: No such file or directory\n")


# Rotated


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
