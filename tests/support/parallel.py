"""Calls that are made at the same moment."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import TypeVar

T = TypeVar("T")


def all_at_once(*calls: Callable[[], T]) -> list[T]:
    """What the calls return, each made in a thread of its own when all of them are ready."""
    ready = Barrier(len(calls))

    def call(one: Callable[[], T]) -> T:
        ready.wait(10)
        return one()

    with ThreadPoolExecutor(len(calls)) as threads:
        return list(threads.map(call, calls))
