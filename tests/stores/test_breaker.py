"""A store that says nothing keeps one thread waiting; a store that answers lets everybody pass."""

import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta
from threading import Event

import pytest

from app.stores.breaker import Breaker
from app.stores.unavailable import StoreUnavailable

TIMEOUT = timedelta(seconds=0.2)


@pytest.fixture
def breaker() -> Breaker:
    return Breaker("redis", timeout=TIMEOUT)


def wait_in_vain(breaker: Breaker) -> None:
    with suppress(StoreUnavailable), breaker.guard():
        time.sleep(TIMEOUT.total_seconds())
        raise StoreUnavailable("redis: nothing came")


def is_answered(breaker: Breaker) -> bool:
    try:
        with breaker.guard():
            return True
    except StoreUnavailable:
        return False


def test_while_one_finds_out_whether_a_silent_store_answers_again_nobody_else_waits(breaker: Breaker) -> None:
    wait_in_vain(breaker)
    answers = Event()

    def find_out() -> None:
        with breaker.guard():
            answers.wait(10)

    with ThreadPoolExecutor(1) as pool:
        finding_out = pool.submit(find_out)
        while is_answered(breaker) and not finding_out.done():
            wait_in_vain(breaker)
        with pytest.raises(StoreUnavailable, match="redis: it has stopped answering"), breaker.guard():
            pytest.fail("the store was asked")
        answers.set()
        finding_out.result()
    assert is_answered(breaker)


def test_the_first_answer_opens_the_way_for_all(breaker: Breaker) -> None:
    wait_in_vain(breaker)
    assert is_answered(breaker)
    with breaker.guard():
        assert is_answered(breaker), "although somebody is still under way"


def test_a_store_that_refuses_at_once_is_asked_by_everybody(breaker: Breaker) -> None:
    with pytest.raises(StoreUnavailable), breaker.guard():
        raise StoreUnavailable("redis: connection refused")
    with breaker.guard():
        assert is_answered(breaker)


def test_a_statement_that_the_store_gave_up_is_an_answer_for_all_others(breaker: Breaker) -> None:
    for _ in range(2):
        with suppress(StoreUnavailable), breaker.guard():
            time.sleep(TIMEOUT.total_seconds())
            raise StoreUnavailable("ledger: QueryCanceled, 57014", has_answered=True)
    with breaker.guard():
        assert is_answered(breaker)
