"""Attempts count before anybody looks at a password, in windows of fixed length."""

from collections.abc import Sequence
from datetime import timedelta
from functools import partial

import pytest

from app.stores.redis.attempts import Allowance, AttemptStore
from app.stores.redis.client import Redis
from tests.support.parallel import all_at_once

WINDOW = timedelta(minutes=5)
ALEX = Allowance(("customer", "1000", "alex"), most=5)
ADDRESS = Allowance(("address", "192.0.2.1"), most=7)


@pytest.fixture
def attempts(redis_client: Redis) -> AttemptStore:
    return AttemptStore(redis_client, window=WINDOW)


def counted(attempts: AttemptStore, allowances: Sequence[Allowance], times: int) -> list[bool]:
    """Whether each of the attempts was allowed."""
    return [attempts.count(allowances) is None for _ in range(times)]


def test_five_attempts_are_allowed_and_the_sixth_has_to_wait(attempts: AttemptStore) -> None:
    assert counted(attempts, [ALEX], 7) == [True] * 5 + [False] * 2


def test_the_wait_ends_with_the_window_which_further_attempts_do_not_prolong(
    attempts: AttemptStore, redis_client: Redis
) -> None:
    counted(attempts, [ALEX], 6)
    (key,) = redis_client.scan_iter()
    redis_client.expire(key, 100)
    wait = attempts.count([ALEX])
    assert wait is not None
    assert timedelta(seconds=99) <= wait <= timedelta(seconds=100)
    redis_client.delete(key)  # the window is over
    assert counted(attempts, [ALEX], 6) == [True] * 5 + [False]


def test_every_allowance_counts_and_the_longest_wait_is_told(
    attempts: AttemptStore, redis_client: Redis
) -> None:
    counted(attempts, [ALEX], 6)
    for key in redis_client.scan_iter():
        redis_client.expire(key, 10)
    counted(attempts, [ADDRESS], 8)
    wait = attempts.count([ALEX, ADDRESS])
    assert wait is not None
    assert wait > timedelta(seconds=290)


def test_customers_and_addresses_are_counted_apart(attempts: AttemptStore) -> None:
    assert counted(attempts, [ALEX, ADDRESS], 6) == [True] * 5 + [False]
    sam = Allowance(("customer", "1000", "sam"), most=5)
    assert counted(attempts, [sam], 5) == [True] * 5
    assert counted(attempts, [ADDRESS], 2) == [True, False]


def test_no_two_are_taken_for_one_by_how_they_are_written(attempts: AttemptStore) -> None:
    counted(attempts, [Allowance(("customer", "1000", "alex"), most=1)], 2)
    for whom in (("customer", "1000alex", ""), ("customer1000", "alex"), ("customer", "1000", "Alex")):
        assert attempts.count([Allowance(whom, most=1)]) is None


def test_twenty_parallel_guesses_do_not_slip_past_the_count(attempts: AttemptStore) -> None:
    waits = all_at_once(*[partial(attempts.count, [ALEX])] * 20)
    assert sum(wait is None for wait in waits) == 5


def test_an_attempt_that_was_no_failure_is_taken_back(attempts: AttemptStore) -> None:
    for _ in range(10):
        assert attempts.count([ALEX, ADDRESS]) is None
        attempts.take_back([ALEX, ADDRESS])
    assert counted(attempts, [ALEX], 6) == [True] * 5 + [False]


def test_everything_that_is_counted_is_forgotten_with_its_window(
    attempts: AttemptStore, redis_client: Redis
) -> None:
    attempts.count([ALEX, ADDRESS])
    attempts.take_back([Allowance(("customer", "1000", "sam"), most=5)])  # its window ended in between
    keys = list(redis_client.scan_iter())
    assert len(keys) == 3
    assert all(0 < int(redis_client.ttl(key)) <= 300 for key in keys)


def test_a_count_that_lost_its_end_is_given_one(attempts: AttemptStore, redis_client: Redis) -> None:
    assert counted(attempts, [ALEX], 6) == [True] * 5 + [False]
    (key,) = redis_client.scan_iter()
    redis_client.persist(key)
    wait = attempts.count([ALEX])
    assert wait is not None
    assert timedelta(seconds=299) <= wait <= WINDOW
    assert 0 < int(redis_client.ttl(key)) <= 300


def test_nobodys_name_or_address_is_in_redis(attempts: AttemptStore, redis_client: Redis) -> None:
    attempts.count([ALEX, ADDRESS, Allowance(("customer", "\udcff"), most=1)])
    for key in redis_client.scan_iter():
        assert key.startswith("attempts:")
        assert "alex" not in key
        assert "192.0.2.1" not in key
