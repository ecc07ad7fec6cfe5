"""Waits for what happens elsewhere: in a server, in another thread."""

import time
from collections.abc import Callable
from typing import Any

import redis

PATIENCE = 20.0


def wait_until(condition: Callable[[], Any]) -> None:
    """Returns when `condition` holds, and raises TimeoutError when it does not in 20 seconds.

    A Redis that cannot answer yet is waited for.
    """
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        try:
            if condition():
                return
        except redis.RedisError:
            pass
        time.sleep(0.005)
    raise TimeoutError(f"never came true: {condition}")
