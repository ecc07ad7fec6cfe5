"""The system clock.

All code gets the time from here, as a parameter `now` or `clock`; tests pass their own.
"""

from datetime import UTC, datetime


def utc_now() -> datetime:
    return datetime.now(UTC)
