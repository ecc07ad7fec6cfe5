"""Records: JSON that only the secret keys can sign, each for the key that it stands under."""

import json
import pickle
from datetime import timedelta
from typing import Any

import pytest

from app.signatures import make_signer
from app.stores.redis import client as redis
from app.stores.redis.client import Redis
from app.stores.redis.sealed import SealedRecords, parse
from tests.support.builders import RECORDS, SECRET_KEY

HOUR = timedelta(hours=1)
OLD_KEY = "the secret key before that one, retired"
RECORD = {"subject": "maple-0001", "name": "Zoë \u202e \x00", "n": 1}


def test_a_record_is_read_as_it_was_written() -> None:
    assert RECORDS.open("session:a", RECORDS.seal("session:a", RECORD)) == RECORD


def test_an_operator_can_read_it() -> None:
    text, _, signature = RECORDS.seal("session:a", {"lang": "fr"}).rpartition(".")
    assert json.loads(text) == {"lang": "fr"}
    assert len(signature) == 43, "256 bits"


def test_a_record_counts_under_its_own_key_only() -> None:
    sealed = RECORDS.seal("session:a", RECORD)
    for key in ("session:b", "session:", "session", "code:a", "session:a\n", ""):
        assert RECORDS.open(key, sealed) is None, key


def test_a_record_of_which_any_one_character_was_altered_is_none() -> None:
    sealed = RECORDS.seal("session:a", {"n": 1})
    for position, original in enumerate(sealed[:-1]):  # of the last one, base64 counts four bits
        for other in {"A", "1", ".", "}", "é"} - {original}:
            altered = sealed[:position] + other + sealed[position + 1 :]
            assert RECORDS.open("session:a", altered) is None, altered
    for length in range(len(sealed)):
        assert RECORDS.open("session:a", sealed[:length]) is None


def test_what_is_signed_for_something_else_is_no_record() -> None:
    text = '{"n":1}'
    for purpose in ("session", "form", "authorization-code"):
        signature = make_signer([SECRET_KEY], purpose).get_signature(f"a\n{text}").decode()
        assert RECORDS.open("a", f"{text}.{signature}") is None


@pytest.mark.parametrize(
    "junk",
    [
        None,
        "",
        ".",
        "{}",
        "{}.",
        '{"a": 1}',
        "null",
        "[1]",
        "\x80\x04\x95",
        "9" * 5000,
        "[" * 100_000,
        '{"a":' * 100_000,
        b"\xff\xfe",
        pickle.dumps({"subject": "maple-0001"}),
        pickle.dumps({"subject": "maple-0001"}, protocol=0),
    ],
)
def test_junk_or_a_pickle_is_no_record(junk: str | bytes | None) -> None:
    assert RECORDS.open("session:a", junk) is None


def test_records_outlive_the_rotation_of_the_secret_key_until_the_old_key_is_gone() -> None:
    before = SealedRecords([OLD_KEY]).seal("a", RECORD)
    during = SealedRecords([OLD_KEY, SECRET_KEY])
    assert during.open("a", before) == RECORD
    after = during.seal("a", RECORD)
    assert RECORDS.open("a", after) == RECORD
    assert RECORDS.open("a", before) is None


def test_everything_written_has_a_time_to_live_and_only_new_leaves_what_is_there(redis_client: Redis) -> None:
    for n in (1, 2):
        redis.ask(
            redis_client,
            RECORDS.put("a", {"n": n}, HOUR),
            RECORDS.put("b", {"n": n}, HOUR, only_new=True),
        )
    found = {key: RECORDS.open(key, redis_client.get(key)) for key in ("a", "b")}
    assert found == {"a": {"n": 2}, "b": {"n": 1}}
    assert all(0 < int(redis_client.pttl(key)) <= 3_600_000 for key in ("a", "b"))


@pytest.mark.parametrize("time_to_live", [timedelta(0), -HOUR, timedelta(microseconds=1)])
def test_what_should_be_gone_already_is_gone_at_once_and_no_fault(
    redis_client: Redis, time_to_live: timedelta
) -> None:
    redis.ask(redis_client, RECORDS.put("a", {}, time_to_live))
    assert int(redis_client.pttl("a")) <= 1


@pytest.mark.parametrize(
    ("sealed", "record"),
    [
        (RECORDS.seal("a", RECORD), RECORD),
        (SealedRecords([OLD_KEY]).seal("b", {}), {}),
        ('{"a": 1}.signature', {"a": 1}),
        ('{"a": 1}', None),
        (None, None),
        ("", None),
        ("null.x", None),
        ("[1].x", None),
        ('{"a": 1.x', None),
        ("9" * 5000 + ".x", None),
        ("[" * 100_000 + ".x", None),
        (b"\xff\xfe", None),
    ],
)
def test_to_end_a_record_it_is_enough_what_it_says(
    sealed: str | bytes | None, record: dict[str, Any] | None
) -> None:
    assert parse(sealed) == record
