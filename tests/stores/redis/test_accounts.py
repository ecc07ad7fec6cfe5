"""The lists of accounts beside a session: sealed, for a quarter of an hour, and gone with the session."""

import json
from dataclasses import replace
from datetime import timedelta

import pytest

from app.domain.accounts import AccountList, Unshareable
from app.stores.redis.client import Redis
from app.stores.redis.requests import RequestStore
from app.stores.redis.sealed import SealedRecords
from app.stores.redis.sessions import SessionContent, SessionStore, forget_all
from tests.support.builders import NOON, RECORDS, an_account, an_account_list

CONTENT: SessionContent = {"browser": "b-1", "lang": "fr"}
MAPLE = AccountList(
    (
        an_account(name="Épargne \u2068«»"),
        an_account(account_id="acc-2", holder="Zoë", unshareable=Unshareable.CLOSED),
    ),
    fetched_at=NOON,
    left_out=2,
)
NORTHERN = an_account_list(an_account(account_id="other"))


@pytest.fixture
def sessions(redis_client: Redis) -> SessionStore:
    return SessionStore(
        redis_client, RECORDS, RequestStore(redis_client, RECORDS), idle=timedelta(minutes=30)
    )


def test_the_lists_of_two_banks_are_found_with_the_session(sessions: SessionStore) -> None:
    sessions.save("s-1", CONTENT, accounts={"1000": MAPLE}, now=NOON)
    sessions.keep_accounts("s-1", "2000", NORTHERN)
    content, _, kept = sessions.find_with_request("s-1", "r-1")
    assert content == CONTENT
    for found in (kept, sessions.find_session("s-1")[1]):
        assert found.find_list("1000") == MAPLE
        assert found.find_list("2000") == NORTHERN
        assert found.find_list("3000") is None


def test_a_list_is_kept_for_as_long_as_its_page_may_be_read(
    sessions: SessionStore, redis_client: Redis
) -> None:
    sessions.save("s-1", CONTENT, accounts={"1000": MAPLE}, now=NOON)
    assert redis_client.ttl("accounts:s-1") == 1800
    redis_client.expire("accounts:s-1", 10)
    sessions.keep_accounts("s-1", "2000", NORTHERN)
    assert redis_client.ttl("accounts:s-1") == 1800


def test_a_later_list_replaces_the_one_before(sessions: SessionStore) -> None:
    sessions.keep_accounts("s-1", "1000", MAPLE)
    later = replace(MAPLE, accounts=(an_account(name="Renamed"),), fetched_at=NOON + timedelta(minutes=1))
    sessions.keep_accounts("s-1", "1000", later)
    assert sessions.find_session("s-1")[1].find_list("1000") == later


def test_the_lists_end_with_the_session(sessions: SessionStore, redis_client: Redis) -> None:
    sessions.save("s-1", CONTENT, accounts={"1000": MAPLE}, now=NOON)
    sessions.forget("s-1")
    assert list(redis_client.scan_iter("*")) == []


def test_the_lists_end_with_a_session_that_the_operator_ends(
    sessions: SessionStore, redis_client: Redis
) -> None:
    sessions.save("s-1", CONTENT, accounts={"1000": MAPLE}, now=NOON)
    sessions.save("s-2", {"browser": "another"}, accounts={"1000": MAPLE}, now=NOON)
    assert forget_all(redis_client, lambda content: content["browser"] == "b-1") == 1
    assert sorted(redis_client.scan_iter("*")) == ["accounts:s-2", "session:s-2"]


def test_a_list_counts_for_its_session_and_its_bank_alone(
    sessions: SessionStore, redis_client: Redis
) -> None:
    sessions.keep_accounts("s-1", "1000", MAPLE)
    sealed = redis_client.hget("accounts:s-1", "1000")
    assert sealed is not None
    redis_client.hset("accounts:s-1", "2000", sealed)
    redis_client.hset("accounts:s-2", "1000", sealed)
    assert sessions.find_session("s-1")[1].find_list("2000") is None
    assert sessions.find_session("s-2")[1].find_list("1000") is None


@pytest.mark.parametrize("secret", ["", "another secret key, long enough"])
def test_what_somebody_else_has_written_is_no_list(
    sessions: SessionStore, redis_client: Redis, secret: str
) -> None:
    record = {"fetched": NOON.isoformat(), "left_out": 0, "accounts": []}
    text = SealedRecords([secret]).seal("accounts:s-1:1000", record) if secret else json.dumps(record)
    redis_client.hset("accounts:s-1", "1000", text)
    assert sessions.find_session("s-1")[1].find_list("1000") is None


@pytest.mark.parametrize(
    "record",
    [
        {},
        {"fetched": "noon", "left_out": 0, "accounts": []},
        {"fetched": NOON.isoformat(), "left_out": 0, "accounts": [{}]},
        {"fetched": NOON.isoformat(), "left_out": 0, "accounts": 5},
    ],
)
def test_a_record_of_another_version_is_no_list(
    sessions: SessionStore, redis_client: Redis, record: dict[str, object]
) -> None:
    redis_client.hset("accounts:s-1", "1000", RECORDS.seal("accounts:s-1:1000", record))
    assert sessions.find_session("s-1")[1].find_list("1000") is None
