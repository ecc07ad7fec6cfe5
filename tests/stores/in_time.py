"""A store that cannot answer says so, and soon."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from app.stores.unavailable import StoreUnavailable

IN_TIME = 1.5  # a page must be there within two seconds


@contextmanager
def unavailable_in_time(store: str) -> Iterator[pytest.ExceptionInfo[StoreUnavailable]]:
    """Holds that what is inside raises StoreUnavailable, soon, naming the store."""
    begun = time.monotonic()
    with pytest.raises(StoreUnavailable) as raised:
        yield raised
    assert time.monotonic() - begun < IN_TIME
    assert str(raised.value).startswith(f"{store}: ")
