"""Sessions: JSON and nothing else, gone when idle, unguessable."""

import pickle
from dataclasses import replace
from datetime import timedelta

import pytest

from app.stores.redis.client import Redis
from app.stores.redis.requests import MOST_OPEN_REQUESTS, RequestStore
from app.stores.redis.sessions import SessionContent, SessionStore
from tests.support.builders import NOON, RECORDS, a_pending_request

IDLE = timedelta(minutes=30)
CONTENT: SessionContent = {
    "browser": "b-1",
    "lang": "fr",
    "customers": {"1000": {"display_name": "Zoë \u202e \x00"}},
}


@pytest.fixture
def sessions(redis_client: Redis) -> SessionStore:
    return SessionStore(redis_client, RECORDS, RequestStore(redis_client, RECORDS), idle=IDLE)


def test_a_session_is_found_as_it_was_saved(sessions: SessionStore) -> None:
    sessions.save("s-1", CONTENT, now=NOON)
    assert sessions.find_session("s-1")[0] == CONTENT
    assert sessions.find_session("s-2")[0] is None


def test_a_session_that_is_forgotten_is_gone_and_may_be_forgotten_again(sessions: SessionStore) -> None:
    sessions.save("s-1", CONTENT, now=NOON)
    sessions.forget("s-1")
    sessions.forget("s-1")
    assert sessions.find_session("s-1")[0] is None


def test_a_session_lives_for_the_idle_time_and_reading_begins_it_anew(
    sessions: SessionStore, redis_client: Redis
) -> None:
    sessions.save("s-1", CONTENT, now=NOON)
    assert redis_client.ttl("session:s-1") == 1800
    redis_client.expire("session:s-1", 10)
    sessions.find_session("s-1")
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
    assert sessions.find_session("s-1")[0] is None
    sessions.save("s-1", CONTENT, now=NOON)
    assert sessions.find_session("s-1")[0] == CONTENT


@pytest.mark.parametrize("session_id", ["", " ", "*", "s-1\r\nFLUSHALL", "é", "\x00", "s" * 10_000])
def test_a_strange_id_is_nobody(sessions: SessionStore, session_id: str) -> None:
    sessions.save("s-1", CONTENT, now=NOON)
    assert sessions.find_session(session_id)[0] is None
    assert sessions.find_session("s-1")[0] == CONTENT


def test_ids_have_192_random_bits() -> None:
    made = {SessionStore.new_id() for _ in range(1000)}
    assert len(made) == 1000
    assert {len(session_id) for session_id in made} == {32}
    assert all(session_id.isascii() for session_id in made)


def test_a_session_that_was_ended_is_not_brought_back(sessions: SessionStore) -> None:
    sessions.save("one", {"browser": "b"}, now=NOON)
    assert sessions.replace("one", {"browser": "c"}, now=NOON)
    assert sessions.find_session("one")[0] == {"browser": "c"}
    sessions.forget("one")
    assert not sessions.replace("one", {"browser": "d"}, now=NOON)
    assert sessions.find_session("one")[0] is None


# A session and a pending request


@pytest.fixture
def requests(redis_client: Redis) -> RequestStore:
    return RequestStore(redis_client, RECORDS)


def test_a_session_and_the_request_that_is_opened_are_saved_and_found_together(
    sessions: SessionStore, requests: RequestStore
) -> None:
    pending = a_pending_request()
    sessions.save("s-1", CONTENT, opened=pending, now=NOON)
    assert sessions.find_with_request("s-1", pending.request_id)[:2] == (CONTENT, pending)
    assert sessions.find_with_request("s-2", pending.request_id)[:2] == (None, pending)
    assert sessions.find_with_request("s-1", "request-2")[:2] == (CONTENT, None)
    assert sessions.find_request(pending.request_id) == requests.find_request(pending.request_id) == pending


def test_a_request_that_is_opened_for_a_session_that_was_ended_is_kept(sessions: SessionStore) -> None:
    pending = a_pending_request()
    assert not sessions.replace("s-1", CONTENT, opened=pending, now=NOON)
    assert sessions.find_with_request("s-1", pending.request_id)[:2] == (None, pending)


def test_requests_that_are_opened_with_their_session_push_out_the_oldest(
    sessions: SessionStore, requests: RequestStore
) -> None:
    sessions.save("s-1", CONTENT, now=NOON)
    numbers = range(MOST_OPEN_REQUESTS + 2)
    for number in numbers:
        opened = replace(a_pending_request(), request_id=f"request-{number}")
        assert sessions.replace("s-1", CONTENT, opened=opened, now=NOON)
    kept = [number for number in numbers if requests.find_request(f"request-{number}") is not None]
    assert kept == list(numbers)[2:]
