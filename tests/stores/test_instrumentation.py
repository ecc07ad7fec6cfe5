"""Each call of a store happens inside what traces it, once that is switched on."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest

from app.development.embedded import EmbeddedValkey
from app.stores.instrumentation import store_span, trace_with
from app.stores.ledger.ledger import Ledger
from app.stores.redis import client as redis
from app.stores.unavailable import StoreUnavailable
from tests.support.builders import a_decision, a_grant


@pytest.fixture
def spans() -> Iterator[list[str]]:
    """What was begun and ended, in order."""
    seen: list[str] = []

    @contextmanager
    def watch(what: str) -> Iterator[None]:
        seen.append(f"{what} begins")
        try:
            yield
        except Exception as error:
            seen.append(type(error).__name__)
            raise
        finally:
            seen.append(f"{what} ends")

    trace_with(watch)
    yield seen
    trace_with(None)


def test_each_call_of_a_store_is_one_span(spans: list[str], ledger: Ledger, valkey: EmbeddedValkey) -> None:
    client = redis.connect(valkey.url, timeout=timedelta(seconds=1))
    redis.ask(client, ("SET", "a", 1), ("GET", "a"))
    client.close()
    ledger.record_decision(a_decision(), a_grant())
    ledger.find_answer("request-1")
    assert spans == [
        *("redis begins", "redis ends"),
        *("ledger write begins", "ledger write ends"),
        *("ledger read begins", "ledger read ends"),
    ]


def test_a_span_sees_what_the_store_raises(spans: list[str], valkey: EmbeddedValkey) -> None:
    client = redis.connect(valkey.url, timeout=timedelta(seconds=1))
    with pytest.raises(StoreUnavailable):
        redis.ask(client, ("NO-COMMAND",))
    client.close()
    assert spans == ["redis begins", "StoreUnavailable", "redis ends"]


def test_nothing_is_traced_unless_somebody_asks(spans: list[str], ledger: Ledger) -> None:
    trace_with(None)
    with store_span("redis"):
        ledger.find_answer("request-1")
    assert spans == []
