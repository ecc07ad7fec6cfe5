"""The one clock; everything that is told the time as `now` or `clock` is told by it, outside tests."""

from datetime import UTC, datetime


def utc_now() -> datetime:
    return datetime.now(UTC)
