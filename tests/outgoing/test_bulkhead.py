"""The bulkhead of one bank: how many calls it lets through, and how long it waits for each."""

import threading
import time
from datetime import timedelta

import pytest

from app.outgoing import CallFailed
from app.outgoing.bulkhead import Bulkhead
from app.outgoing.deadline import Deadline
from tests.support.waiting import wait_until

SHORT = timedelta(milliseconds=50)
LONG = timedelta(seconds=10)


def failure_of(bulkhead: Bulkhead, *, held: threading.Event) -> str:
    with pytest.raises(CallFailed) as raised:
        bulkhead.wait_for(lambda _: held.wait(10))
    assert raised.value.is_busy == (raised.value.detail == "no_slot")
    return raised.value.detail


def test_what_is_found_and_what_is_raised_come_back() -> None:
    bulkhead = Bulkhead(slots=1, timeout=LONG)
    assert bulkhead.wait_for(lambda deadline: deadline.seconds_left() > 9)
    with pytest.raises(ZeroDivisionError):
        bulkhead.wait_for(lambda _: 1 // 0)
    assert bulkhead.wait_for(lambda _: "again") == "again"


def test_a_call_is_waited_for_no_longer_than_the_timeout_whatever_hangs() -> None:
    """Not even for what knows of no deadline, such as looking up a name."""
    bulkhead, held = Bulkhead(slots=1, timeout=SHORT), threading.Event()
    began = time.monotonic()
    assert failure_of(bulkhead, held=held) == "timeout"
    assert time.monotonic() - began < 5
    held.set()


def test_a_slot_is_taken_until_its_call_has_ended() -> None:
    bulkhead, held = Bulkhead(slots=2, timeout=SHORT), threading.Event()
    failures = [failure_of(bulkhead, held=held) for _ in range(4)]
    assert failures == ["timeout", "timeout", "no_slot", "no_slot"]
    held.set()
    wait_until(lambda: all(thread.name != "bulkhead" for thread in threading.enumerate()))
    assert [bulkhead.wait_for(lambda _: "a slot") for _ in range(4)] == ["a slot"] * 4


def test_a_deadline_that_has_come_leaves_no_time() -> None:
    with pytest.raises(TimeoutError):
        Deadline.after(timedelta(0)).seconds_left()
