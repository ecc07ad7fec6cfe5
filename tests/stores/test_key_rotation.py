"""The file of signing keys: private to its owner, never overwritten; keys are rotated, and revoked at once."""

import json
import os
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from app.stores.key_rotation import generate_signing_keys, revoke_signing_key, rotate_signing_keys
from app.stores.signing_keys import SigningKeys

CLAIMS = {
    "iss": "https://consent.bank.example",
    "sub": "maple-0001",
    "iat": 1_900_000_000,
    "exp": 2_000_000_000,
}
RETIRED = datetime(2030, 1, 1, 12, tzinfo=UTC)


# Made


def test_a_generated_key_is_for_its_owners_eyes_only(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    before = os.umask(0)
    try:
        generate_signing_keys(path)
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_generated_key_signs_and_differs_from_every_other(tmp_path: Path) -> None:
    for name in ("a.json", "b.json"):
        generate_signing_keys(tmp_path / name)
    first, second = SigningKeys(tmp_path / "a.json"), SigningKeys(tmp_path / "b.json")
    assert first.verify(first.sign(CLAIMS)) == CLAIMS
    assert second.verify(first.sign(CLAIMS)) is None
    assert first.public["keys"][0]["kid"] != second.public["keys"][0]["kid"]


def test_a_key_is_never_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    path.write_text("precious")
    with pytest.raises(FileExistsError):
        generate_signing_keys(path)
    assert path.read_text() == "precious"


def test_a_link_is_not_followed_to_write_somewhere_else(tmp_path: Path) -> None:
    (tmp_path / "keys.json").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(FileExistsError):
        generate_signing_keys(tmp_path / "keys.json")
    assert not (tmp_path / "elsewhere").exists()


# Rotated and revoked


def kids_in(path: Path) -> list[str]:
    return [key["kid"] for key in json.loads(path.read_text())["keys"]]


def test_a_key_that_became_known_is_out_at_once_with_its_tokens_and_a_new_one_signs(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    generate_signing_keys(path)
    (known,) = kids_in(path)
    keys = SigningKeys(path)
    token = keys.sign(CLAIMS)
    signing = revoke_signing_key(path, known, now=RETIRED)
    assert keys.verify(token) is None
    assert [key["kid"] for key in keys.public["keys"]] == [signing] == kids_in(path)
    assert keys.verify(keys.sign(CLAIMS)) == CLAIMS
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize("which", ["the one that signs", "the one that is to sign"])
def test_after_a_rotation_the_other_key_signs_at_once(tmp_path: Path, which: str) -> None:
    path = tmp_path / "keys.json"
    generate_signing_keys(path)
    rotate_signing_keys(path, now=RETIRED)
    new, old = kids_in(path)
    known, other = (old, new) if which == "the one that signs" else (new, old)
    assert revoke_signing_key(path, known, now=RETIRED) == other
    keys = SigningKeys(path)
    later = RETIRED + timedelta(hours=3)
    for moment in (RETIRED, later):
        claims = {"iat": int(moment.timestamp()), "exp": int(moment.timestamp()) + 300}
        assert keys.verify(keys.sign(claims)) == claims
    assert kids_in(path) == [other]


def test_a_retired_key_does_not_sign_again_when_its_successor_became_known(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    generate_signing_keys(path)
    rotate_signing_keys(path, now=RETIRED)
    new, old = kids_in(path)
    signing = revoke_signing_key(path, new, now=RETIRED + timedelta(minutes=30))
    assert signing not in (new, old)
    assert kids_in(path) == [signing, old]


def test_a_key_that_is_not_there_cannot_be_revoked(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    generate_signing_keys(path)
    with pytest.raises(ValueError, match="has no key nobody"):
        revoke_signing_key(path, "nobody", now=RETIRED)
