"""Readiness is found out once a second, whoever asks how often."""

from datetime import timedelta
from threading import Barrier, Thread

import pytest

from app.stores.readiness import Readiness
from app.stores.unavailable import StoreUnavailable


def test_a_flood_of_questions_asks_the_stores_once() -> None:
    asked = []
    ready = Readiness(lambda: asked.append(1))
    start = Barrier(8)

    def ask() -> None:
        start.wait()
        for _ in range(50):
            ready.require()

    threads = [Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert 1 <= len(asked) <= 2  # two, if a second passes meanwhile


def test_what_was_found_is_found_anew_afterwards() -> None:
    faults: list[str | None] = ["redis: gone", None]

    def check() -> None:
        fault = faults.pop(0)
        if fault is not None:
            raise StoreUnavailable(fault)

    ready = Readiness(check, kept=timedelta(0))
    with pytest.raises(StoreUnavailable, match="redis: gone"):
        ready.require()
    ready.require()
    assert faults == []
