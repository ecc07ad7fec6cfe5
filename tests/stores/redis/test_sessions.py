"""Sessions: JSON and nothing else, gone when idle, unguessable."""

import pickle
from datetime import timedelta

import pytest

from app.stores.redis.client import Redis
from app.stores.redis.sessions import SessionStore
from tests.support.builders import RECORDS

IDLE = timedelta(minutes=30)
CONTENT = {"browser": "b-1", "lang": "fr", "customers": {"1000": {"display_name": "Zoë \u202e \x00"}}}


@pytest.fixture
def sessions(redis_client: Redis) -> SessionStore:
    return SessionStore(redis_client, RECORDS, idle=IDLE)


def test_a_session_is_found_as_it_was_saved(sessions: SessionStore) -> None:
    sessions.save("s-1", CONTENT)
    assert sessions.find("s-1") == CONTENT
    assert sessions.find("s-2") is None


def test_a_session_that_is_forgotten_is_gone_and_may_be_forgotten_again(sessions: SessionStore) -> None:
    sessions.save("s-1", CONTENT)
    sessions.forget("s-1")
    sessions.forget("s-1")
    assert sessions.find("s-1") is None


def test_a_session_lives_for_the_idle_time_and_reading_begins_it_anew(
    sessions: SessionStore, redis_client: Redis
) -> None:
    sessions.save("s-1", CONTENT)
    assert redis_client.ttl("session:s-1") == 1800
    redis_client.expire("session:s-1", 10)
    sessions.find("s-1")
    assert redis_client.ttl("session:s-1") == 1800


@pytest.mark.parametrize(
    "junk",
    [
        pickle.dumps({"browser": "b-1"}),
        pickle.dumps({"browser": "b-1"}, protocol=0),
        b"\xff\xfe",
        b"",
        b"null",
        b"[1, 2]",
        b'"text"',
        b'{"browser": "b-1"',
        b'{"browser": "\xff"',
        b"[" * 100_000,
    ],
)
def test_junk_or_a_pickle_is_nobody(sessions: SessionStore, redis_client: Redis, junk: bytes) -> None:
    redis_client.set("session:s-1", junk)
    assert sessions.find("s-1") is None
    sessions.save("s-1", CONTENT)
    assert sessions.find("s-1") == CONTENT


@pytest.mark.parametrize("session_id", ["", " ", "*", "s-1\r\nFLUSHALL", "é", "\x00", "s" * 10_000])
def test_a_strange_id_is_nobody(sessions: SessionStore, session_id: str) -> None:
    sessions.save("s-1", CONTENT)
    assert sessions.find(session_id) is None
    assert sessions.find("s-1") == CONTENT


def test_ids_have_192_random_bits() -> None:
    made = {SessionStore.new_id() for _ in range(1000)}
    assert len(made) == 1000
    assert {len(session_id) for session_id in made} == {32}
    assert all(session_id.isascii() for session_id in made)


def test_a_session_that_was_ended_is_not_brought_back(redis_client: Redis) -> None:
    store = SessionStore(redis_client, RECORDS, idle=timedelta(minutes=30))
    store.save("one", {"browser": "b"})
    assert store.replace("one", {"browser": "c"}) is not None
    assert store.find("one") == {"browser": "c"}
    store.forget("one")
    assert store.replace("one", {"browser": "d"}) is None
    assert store.find("one") is None
