"""Requests of a minute, counted in several processes, and how seldom Redis hears of them."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import partial

import pytest

from app.stores.redis import client as redis
from app.stores.redis.client import Redis
from app.stores.redis.rates import Rates
from tests.support.applications import Clock
from tests.support.parallel import all_at_once
from tests.support.ports import free_port

BUDGET = ("authorize", "dc-budget", "192.0.2.1")
LOANS = ("authorize", "dc-loans", "192.0.2.1")
# Which can say what it was asked.
ON_ONE_SERVER = pytest.mark.parametrize("redis_client", ["single"], indirect=True)


@pytest.fixture
def rates(redis_client: Redis, clock: Clock) -> Rates:
    return Rates(redis_client, clock=clock)


@pytest.fixture
def without_redis(clock: Clock) -> Iterator[Rates]:
    client = redis.connect(f"redis://127.0.0.1:{free_port()}", timeout=timedelta(seconds=0.3))
    yield Rates(client, clock=clock)
    client.close()


def allowed(count: Callable[[], timedelta | None], times: int) -> int:
    """How many of the requests need not wait."""
    return sum(count() is None for _ in range(times))


def test_as_many_as_the_limit_are_allowed_in_a_minute(rates: Rates) -> None:
    assert allowed(partial(rates.count, BUDGET, most=7), 20) == 7


def test_the_wait_is_what_is_left_of_the_minute_and_then_everything_begins_anew(
    rates: Rates, clock: Clock
) -> None:
    clock.advance(timedelta(seconds=42))
    count = partial(rates.count, BUDGET, most=3)
    allowed(count, 3)
    assert count() == timedelta(seconds=18)
    clock.advance(timedelta(seconds=18))
    assert allowed(count, 5) == 3


def test_each_is_counted_apart(rates: Rates) -> None:
    assert allowed(partial(rates.count, BUDGET, most=3), 5) == 3
    assert allowed(partial(rates.count, LOANS, most=3), 5) == 3


@pytest.mark.parametrize("most", [5, 20, 100, 1000])
def test_several_processes_keep_to_the_limit_together(redis_client: Redis, clock: Clock, most: int) -> None:
    processes = [Rates(redis_client, clock=clock) for _ in range(4)]
    counts = [partial(process.count, BUDGET, most=most) for process in processes]
    served = sum(allowed(count, 1) for _ in range(most) for count in counts)
    a_part = -(-most // 20)
    assert most <= served <= most + a_part * len(processes)


@ON_ONE_SERVER
def test_redis_hears_of_a_twentieth_part_at_a_time(rates: Rates, redis_client: Redis) -> None:
    redis_client.config_resetstat()
    allowed(partial(rates.count, BUDGET, most=6000), 299)
    assert "cmdstat_incrby" not in redis_client.info("commandstats")
    allowed(partial(rates.count, BUDGET, most=6000), 301)
    assert redis_client.info("commandstats")["cmdstat_incrby"]["calls"] == 2


@ON_ONE_SERVER
def test_whoever_goes_on_asking_beyond_the_limit_costs_no_round_trip(
    rates: Rates, redis_client: Redis
) -> None:
    allowed(partial(rates.count, BUDGET, most=5), 6)
    redis_client.config_resetstat()
    assert allowed(partial(rates.count, BUDGET, most=5), 100) == 0
    assert "cmdstat_incrby" not in redis_client.info("commandstats")


def test_without_redis_each_process_keeps_to_the_limit_and_turns_nobody_else_away(
    without_redis: Rates,
) -> None:
    assert allowed(partial(without_redis.count, BUDGET, most=40), 60) == 40


def test_parallel_requests_do_not_slip_past_the_count(rates: Rates) -> None:
    waits = all_at_once(*[partial(rates.count, BUDGET, most=10)] * 40)
    assert sum(wait is None for wait in waits) == 10


def test_what_is_counted_is_forgotten_and_names_nobody(rates: Rates, redis_client: Redis) -> None:
    rates.count(BUDGET, most=5)
    (key,) = redis_client.scan_iter()
    assert key.startswith("rates:")
    assert "192.0.2.1" not in key
    assert 0 < int(redis_client.ttl(key)) <= 120


def test_many_addresses_do_not_fill_the_memory(rates: Rates) -> None:
    for number in range(21_000):
        rates.count(("authorize", str(number)), most=600)
    assert len(rates) <= 20_000
