"""Codes: signatures that only the key can make, and records that give them a short life."""

import hashlib
import re
import secrets
from datetime import timedelta
from typing import Any

import pytest
from itsdangerous import Signer

from app.domain.codes import AuthorizationCode, mint
from app.stores.redis import client as redis
from app.stores.redis.client import Redis
from app.stores.redis.codes import LONGEST_CODE, CodeStore
from tests.support.builders import CALLBACK, CHALLENGE, NOON, RECORDS, a_grant
from tests.support.ports import free_port

KEY = "a secret key of the tests, long enough"
OLD_KEY = "the secret key before that one, retired"
REQUEST_ID = secrets.token_urlsafe(24)
MINUTE = timedelta(seconds=60)
URL_SAFE = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"  # pragma: allowlist secret


@pytest.fixture
def code_store(redis_client: Redis) -> CodeStore:
    return CodeStore(redis_client, RECORDS, [KEY])


def without_a_store(*secret_keys: str) -> CodeStore:
    """Signs and verifies where no Redis answers."""
    nowhere = redis.connect(f"redis://127.0.0.1:{free_port()}/0", timeout=timedelta(seconds=1))
    return CodeStore(nowhere, RECORDS, secret_keys or [KEY])


def a_code(**changes: Any) -> AuthorizationCode:
    values: dict[str, Any] = {
        "redirect_uri": CALLBACK,
        "code_challenge": CHALLENGE,
        "now": NOON,
        "lifetime": MINUTE,
    }
    return mint(a_grant(), **{**values, **changes})


HOUR_LATER = NOON + timedelta(hours=1)


# The signature


def test_a_code_names_its_request_and_is_the_same_for_every_click() -> None:
    store = without_a_store()
    code = store.code_for(REQUEST_ID)
    assert store.request_id_of(code) == REQUEST_ID
    assert {store.code_for(REQUEST_ID) for _ in range(10)} == {code}
    assert without_a_store().code_for(REQUEST_ID) == code


def test_a_code_is_url_safe_and_short_and_its_secret_half_has_256_bits() -> None:
    code = without_a_store().code_for(REQUEST_ID)
    assert re.fullmatch(r"[A-Za-z0-9._~-]+", code)
    assert len(code) <= LONGEST_CODE == 128
    assert len(code.removeprefix(f"{REQUEST_ID}.")) == 43


def test_codes_outlive_the_rotation_of_the_secret_key_until_the_old_key_is_gone() -> None:
    before = without_a_store(OLD_KEY).code_for(REQUEST_ID)
    during = without_a_store(OLD_KEY, KEY)
    assert during.request_id_of(before) == REQUEST_ID
    after = during.code_for(REQUEST_ID)
    assert after != before
    assert without_a_store(KEY).request_id_of(after) == REQUEST_ID
    assert without_a_store(KEY).request_id_of(before) is None


def test_a_code_with_any_one_character_altered_is_refused() -> None:
    store = without_a_store()
    code = store.code_for(REQUEST_ID)
    for position, original in enumerate(code):
        for other in {*URL_SAFE, "."} - {original}:
            altered = code[:position] + other + code[position + 1 :]
            assert store.request_id_of(altered) is None, altered


def test_a_truncated_or_extended_code_is_refused() -> None:
    store = without_a_store()
    code = store.code_for(REQUEST_ID)
    for length in range(len(code)):
        assert store.request_id_of(code[:length]) is None
        assert store.request_id_of(code[-length:] if length else "") is None
    for suffix in ("=", "====", "A", ".", " ", "\n", "!!!!", "%", "\x00", f".{code}"):
        assert store.request_id_of(code + suffix) is None
        assert store.request_id_of(suffix + code) is None
    for position in range(len(code)):
        assert store.request_id_of(code[:position] + "!!!!" + code[position:]) is None


FORGED = {
    "nothing": "",
    "a dot": ".",
    "a request's id": REQUEST_ID,
    "no signature": f"{REQUEST_ID}.",
    "a made-up signature": f"{REQUEST_ID}.{'A' * 43}",
    "a signature alone": f".{'A' * 43}",
    "a letter outside ASCII": f"{REQUEST_ID}.é",
    "no text": "\udcff",
    "one letter too many": "a" * 129,
    "dots": "." * 128,
    "a session's id": secrets.token_urlsafe(24),
    "a refresh token": secrets.token_urlsafe(32),
}


@pytest.mark.parametrize("forged", FORGED.values(), ids=FORGED.keys())
def test_a_forged_code_is_refused_without_asking_a_store(forged: str) -> None:
    assert without_a_store().request_id_of(forged) is None


@pytest.mark.parametrize("salt", ["accord.session", "accord.form", "itsdangerous.Signer", "accord"])
def test_a_value_signed_for_something_else_with_the_same_key_is_no_code(salt: str) -> None:
    other = Signer(KEY, salt=salt, key_derivation="hmac", digest_method=hashlib.sha256)
    assert without_a_store().request_id_of(other.sign(REQUEST_ID).decode()) is None
    assert without_a_store().request_id_of(other.get_signature(REQUEST_ID).decode()) is None


def test_the_secret_key_itself_signs_nothing() -> None:
    """Every kind of value has a key of its own, derived from the secret key."""
    underived = Signer(KEY, key_derivation="none", digest_method=hashlib.sha256)
    assert without_a_store().request_id_of(underived.sign(REQUEST_ID).decode()) is None


def test_codes_of_other_requests_and_other_keys_have_nothing_in_common() -> None:
    codes = {without_a_store(key).code_for(request_id) for key in (KEY, OLD_KEY) for request_id in ("a", "b")}
    assert len({code.partition(".")[2] for code in codes}) == 4


# The record


def test_a_code_lives_as_long_as_its_record(code_store: CodeStore, redis_client: Redis) -> None:
    assert code_store.find_code("request-1") is None
    code_store.save(a_code(), now=NOON, remembered_until=HOUR_LATER)
    assert code_store.find_code("request-1") == a_code()
    assert 59_000 < int(redis_client.pttl("code:request-1")) <= 60_000


def test_a_code_without_a_challenge_is_found_without_one(code_store: CodeStore) -> None:
    code_store.save(a_code(code_challenge=None), now=NOON, remembered_until=HOUR_LATER)
    assert code_store.find_code("request-1") == a_code(code_challenge=None)


def test_the_first_record_stands_and_keeps_its_deadline(code_store: CodeStore, redis_client: Redis) -> None:
    code_store.save(a_code(), now=NOON, remembered_until=HOUR_LATER)
    redis_client.pexpire("code:request-1", 30_000)
    later = NOON + timedelta(seconds=30)
    code_store.save(
        a_code(now=later, redirect_uri="https://evil.example/"), now=later, remembered_until=HOUR_LATER
    )
    assert code_store.find_code("request-1") == a_code()
    assert int(redis_client.pttl("code:request-1")) <= 30_000


def test_that_a_code_was_minted_is_remembered_when_it_has_died(
    code_store: CodeStore, redis_client: Redis
) -> None:
    assert not code_store.was_minted("request-1")
    code_store.save(a_code(), now=NOON, remembered_until=HOUR_LATER)
    redis_client.delete("code:request-1")
    assert code_store.was_minted("request-1")
    assert not code_store.was_minted("request-2")
    assert 3_590_000 < int(redis_client.pttl("minted:request-1")) <= 3_600_000


def test_nothing_in_redis_can_be_turned_into_the_code(code_store: CodeStore, redis_client: Redis) -> None:
    code_store.save(a_code(), now=NOON, remembered_until=HOUR_LATER)
    kept = repr([(key, redis_client.get(key)) for key in redis_client.scan_iter()])
    assert code_store.code_for("request-1") not in kept
    assert code_store.code_for("request-1").partition(".")[2] not in kept


@pytest.mark.parametrize(
    "changes",
    [
        {"scope": "openid"},
        {"scope": None},
        {"expires": "tomorrow"},
        {"expires": None},
        {"consent": ...},
        {"client": ...},
        {"redirect_uri": ...},
        {"challenge": ...},
        {"subject": ...},
        {"provider": ...},
    ],
)
def test_a_record_that_this_version_did_not_write_is_no_code(
    code_store: CodeStore, redis_client: Redis, changes: dict[str, Any]
) -> None:
    code_store.save(a_code(), now=NOON, remembered_until=HOUR_LATER)
    record = {**(RECORDS.open("code:request-1", redis_client.get("code:request-1")) or {}), **changes}
    written = {name: value for name, value in record.items() if value is not ...}
    redis_client.set("code:request-1", RECORDS.seal("code:request-1", written))
    assert code_store.find_code("request-1") is None


@pytest.mark.parametrize("junk", [b"", b"{}", b"[]", b"\x80\x04\x95\x00.", b"[" * 100_000])
def test_junk_is_no_code(code_store: CodeStore, redis_client: Redis, junk: bytes) -> None:
    redis_client.set("code:request-1", junk)
    assert code_store.find_code("request-1") is None


def test_a_record_that_is_replaced_says_what_went_unanswered_and_lives_longer(code_store: CodeStore) -> None:
    code = a_code()
    code_store.save(code, now=NOON, remembered_until=HOUR_LATER)
    after = code.with_unanswered("hash", NOON + MINUTE / 2)
    code_store.replace(after, now=NOON + MINUTE / 2)
    assert code_store.find_code(code.request_id) == after
