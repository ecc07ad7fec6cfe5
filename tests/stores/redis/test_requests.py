"""Pending requests: kept whole, and an hour longer than they live."""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.domain.clusters import DataCluster
from app.domain.language import Language
from app.domain.pending_request import PendingRequest
from app.stores.redis.client import Redis, ask
from app.stores.redis.requests import MOST_OPEN_REQUESTS, RequestStore
from tests.support.builders import BASIC, CHALLENGE, NOON, RECORDS, a_pending_request, a_request

Found = Callable[[str], PendingRequest | None]


@pytest.fixture
def requests(redis_client: Redis) -> RequestStore:
    return RequestStore(redis_client, RECORDS)


@pytest.fixture
def found(requests: RequestStore) -> Found:
    """Looks for a request."""
    return requests.find_request


@pytest.mark.parametrize(
    "pending",
    [
        a_pending_request(),
        a_pending_request(
            request=a_request(language=Language.FR, code_challenge=CHALLENGE, requested_scope=BASIC),
            language=Language.FR,
            checked_clusters=frozenset({DataCluster.TRANSACTIONS}),
        ),
    ],
    ids=["fresh", "half way"],
)
def test_a_request_is_found_as_it_was_saved(
    requests: RequestStore, found: Found, pending: PendingRequest
) -> None:
    requests.save(pending, now=NOON)
    assert found("request-1") == pending
    assert found("request-2") is None
    assert found("") is None


@pytest.mark.parametrize("is_extended_first", [True, False])
def test_who_saves_something_else_at_the_same_moment_takes_no_time_back(
    requests: RequestStore, found: Found, is_extended_first: bool
) -> None:
    """A language link and the button for more time, both from what the request was before."""
    pending = a_pending_request()
    extended = replace(pending, expires_at=pending.expires_at + timedelta(minutes=14))
    writing: list[Callable[[], None]] = [
        lambda: requests.extend(extended, now=NOON),
        lambda: requests.save(pending.in_language(Language.FR), now=NOON),
    ]
    for write in writing if is_extended_first else reversed(writing):
        write()
    kept = found(pending.request_id)
    assert kept is not None
    assert kept.expires_at == extended.expires_at


def test_an_end_that_nobody_here_has_sealed_extends_nothing(
    requests: RequestStore, found: Found, redis_client: Redis
) -> None:
    pending = a_pending_request()
    requests.save(pending, now=NOON)
    sealed = RECORDS.seal("request:another:until", {"expires": (NOON + timedelta(days=1)).isoformat()})
    redis_client.set(f"request:{pending.request_id}:until", sealed)
    assert found(pending.request_id) == pending


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=2048))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_any_state_survives_the_store(requests: RequestStore, found: Found, state: str) -> None:
    requests.save(a_pending_request(request=a_request(state=state)), now=NOON)
    kept = found("request-1")
    assert kept is not None
    assert kept.request.state == state


def test_a_later_save_replaces_the_whole(requests: RequestStore, found: Found) -> None:
    requests.save(a_pending_request(), now=NOON)
    changed = a_pending_request(language=Language.FR, checked_clusters=BASIC)
    requests.save(changed, now=NOON)
    assert found("request-1") == changed


def test_the_key_outlives_the_request_by_an_hour_however_late_it_is_saved(
    requests: RequestStore, redis_client: Redis
) -> None:
    pending = a_pending_request(expires_at=NOON + timedelta(minutes=15))
    requests.save(pending, now=NOON)
    assert redis_client.ttl("request:request-1") == 75 * 60
    requests.save(pending, now=NOON + timedelta(minutes=45))
    assert redis_client.ttl("request:request-1") == 30 * 60


def opened(requests: RequestStore, found: Found, numbers: Iterable[int]) -> list[int]:
    """Which of the requests of these numbers are still there."""
    return [number for number in numbers if found(f"request-{number}") is not None]


def test_the_oldest_of_a_browser_is_given_up_for_the_newest(requests: RequestStore, found: Found) -> None:
    requests.open(replace(a_pending_request(), request_id="another", browser_id="browser-2"), now=NOON)
    for number in range(MOST_OPEN_REQUESTS + 3):
        requests.open(replace(a_pending_request(), request_id=f"request-{number}"), now=NOON)
    assert opened(requests, found, range(23)) == list(range(3, 23))
    assert found("another") is not None


def test_of_many_that_are_opened_at_once_as_many_remain_as_may(
    requests: RequestStore, redis_client: Redis
) -> None:
    many = [replace(a_pending_request(), request_id=f"request-{number}") for number in range(60)]
    with ThreadPoolExecutor(20) as pool:
        list(pool.map(lambda pending: requests.open(pending, now=NOON), many))
    kept = {str(key) for key in redis_client.scan_iter("request:*")}
    listed = redis_client.lrange("opened:browser-1", 0, -1)
    assert len(kept) == MOST_OPEN_REQUESTS == 20
    assert kept == {f"request:{request_id!s}" for request_id in listed}


def test_one_that_is_opened_again_is_one_and_the_newest(
    requests: RequestStore, found: Found, redis_client: Redis
) -> None:
    for number in (0, 1, 0):
        requests.open(replace(a_pending_request(), request_id=f"request-{number}"), now=NOON)
    assert redis_client.lrange("opened:browser-1", 0, -1) == ["request-0", "request-1"]


def test_what_was_not_given_up_because_redis_failed_is_given_up_next_time(
    requests: RequestStore, found: Found, redis_client: Redis
) -> None:
    for number in range(25):
        pending = replace(a_pending_request(), request_id=f"request-{number}")
        ask(redis_client, *requests.opening(pending, now=NOON))  # and then nothing
    requests.open(replace(a_pending_request(), request_id="request-25"), now=NOON)
    assert opened(requests, found, range(26)) == list(range(6, 26))


def test_the_list_lives_as_long_as_the_newest_request(requests: RequestStore, redis_client: Redis) -> None:
    requests.open(a_pending_request(), now=NOON)
    assert redis_client.ttl("opened:browser-1") == redis_client.ttl("request:request-1") == 75 * 60


def record(requests: RequestStore, redis_client: Redis) -> dict[str, Any]:
    """What `save` writes."""
    requests.save(a_pending_request(), now=NOON)
    written = RECORDS.open("request:request-1", redis_client.get("request:request-1"))
    assert written is not None
    return written


@pytest.mark.parametrize(
    "changes",
    [
        {"scope": "openid"},
        {"scope": None},
        {"scope": ["ACCOUNT_BASIC"]},
        {"lang": "de"},
        {"shown_in": None},
        {"begun": "yesterday"},
        {"expires": 5},
        {"checked": {}},
    ],
)
def test_a_record_that_this_version_did_not_write_is_no_request(
    requests: RequestStore, found: Found, redis_client: Redis, changes: dict[str, Any]
) -> None:
    changed = {**record(requests, redis_client), **changes}
    redis_client.set("request:request-1", RECORDS.seal("request:request-1", changed))
    assert found("request-1") is None


def test_a_record_without_one_of_its_members_is_no_request(
    requests: RequestStore, found: Found, redis_client: Redis
) -> None:
    """But for those that the version before did not write."""
    complete = record(requests, redis_client)
    for name in complete.keys() - {"accounts", "has_chosen_accounts", "jkt", "pushed"}:
        incomplete = {other: value for other, value in complete.items() if other != name}
        redis_client.set("request:request-1", RECORDS.seal("request:request-1", incomplete))
        assert found("request-1") is None, name


@pytest.mark.parametrize("junk", [b"", b"{}", b"[]", b"\x80\x04\x95\x00.", b"[" * 100_000])
def test_junk_is_no_request(requests: RequestStore, found: Found, redis_client: Redis, junk: bytes) -> None:
    redis_client.set("request:request-1", junk)
    assert found("request-1") is None


def test_a_request_takes_less_than_a_kilobyte(requests: RequestStore, redis_client: Redis) -> None:
    requests.save(a_pending_request(request=a_request(state="s" * 64, code_challenge=CHALLENGE)), now=NOON)
    assert int(redis_client.strlen("request:request-1")) < 1000


def test_the_requests_of_one_browser_are_found_the_newest_first(requests: RequestStore) -> None:
    assert requests.opened_by("browser-1") == []
    for number in (1, 2, 3):
        requests.open(a_pending_request(request_id=f"request-{number}"), now=NOON)
    requests.open(a_pending_request(request_id="another", browser_id="browser-2"), now=NOON)
    requests.extend(a_pending_request(request_id="request-1", expires_at=NOON + timedelta(hours=1)), now=NOON)
    found = requests.opened_by("browser-1")
    assert [pending.request_id for pending in found] == ["request-1", "request-3", "request-2"]
    assert found[0].expires_at == NOON + timedelta(hours=1)


def test_a_request_that_was_bound_to_another_browser_is_no_longer_of_the_first(
    requests: RequestStore,
) -> None:
    pending = a_pending_request()
    requests.open(pending, now=NOON)
    requests.open(replace(pending, browser_id="browser-2"), now=NOON)
    assert requests.opened_by("browser-1") == []
    assert [found.request_id for found in requests.opened_by("browser-2")] == ["request-1"]
