"""A store that cannot answer says so, and soon; and it heals."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest

from app.stores.redis.client import Redis, ask
from app.stores.unavailable import StoreUnavailable
from tests.support.builders import RECORDS
from tests.support.redis_servers import PATIENCE

IN_TIME = 1.5  # a page must be there within two seconds


@contextmanager
def unavailable_in_time(store: str) -> Iterator[pytest.ExceptionInfo[StoreUnavailable]]:
    """Holds that what is inside raises StoreUnavailable, soon, naming the store."""
    begun = time.monotonic()
    with pytest.raises(StoreUnavailable) as raised:
        yield raised
    assert time.monotonic() - begun < IN_TIME
    assert str(raised.value).startswith(f"{store}: ")


def put_until_it_works(client: Redis, key: str) -> int:
    """How often it did not work at first. Each try ends in time."""
    deadline = time.monotonic() + PATIENCE
    for failures in range(10_000):
        assert time.monotonic() < deadline, "it never healed"
        try:
            ask(client, RECORDS.put(key, {"try": failures}, timedelta(hours=1)))
        except StoreUnavailable:
            time.sleep(0.05)
        else:
            return failures
    raise AssertionError
