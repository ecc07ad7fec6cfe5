"""Logs: one JSON object a line, whatever a header or parameter contains.

Events name the client, the provider and the outcome. A code, token, secret, state, cookie, query string or
name of a person is never handed to a logger, and exceptions are logged without their messages, which may
quote what was sent.
"""

import json
import logging
import sys
import traceback
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from threading import Lock
from time import monotonic
from typing import Any, Final, TextIO, cast

import structlog
from structlog.typing import EventDict, WrappedLogger

from app.log_output import OUTPUT


def set_up_logging(note: Callable[[EventDict], None] | None = None) -> None:
    """Sends every log line of this process, the libraries' included, to standard error as JSON.

    `note` is told of each of our own.
    """
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _without_messages_of_exceptions,
    ]
    structlog.configure(
        processors=[
            *shared,
            *([] if note is None else [_telling(note)]),
            _Sampler(),
            structlog.processors.JSONRenderer(ensure_ascii=True, sort_keys=False),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        # Each line is one write: threads and processes that log at once do not write into each other's lines.
        logger_factory=structlog.WriteLoggerFactory(cast("TextIO", OUTPUT)),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(OUTPUT)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.JSONRenderer(ensure_ascii=True),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)


def fault_line(fault: str) -> str:
    """The line of the log that says why nothing starts."""
    entry = {"event": "faulty_configuration", "fault": fault, "level": "error"}
    return json.dumps({**entry, "timestamp": datetime.now(UTC).isoformat()}) + "\n"


def operator_event(event: str, **facts: str | int) -> str:
    """The line of the log that says what an operator's command has done, outside any consent."""
    entry = {**facts, "event": event, "actor": "operator", "timestamp": datetime.now(UTC).isoformat()}
    return json.dumps(entry)


class _Sampler:
    """Leaves out lines that anybody can cause in any number, once there are many. Metrics count all.

    The next line that is written of the kind says how many were `left_out` before it.
    """

    EVENTS: Final = frozenset({"rate_limited", "forwarded_for_unreadable", "turned_away"})
    MOST: Final = 20
    """Lines of one kind that are written in `SECONDS`: enough to see who and what, 700 kB an hour at most."""
    SECONDS: Final = 10.0

    def __init__(self) -> None:
        self._lock = Lock()
        self._since = monotonic()
        self._written: Counter[tuple[Any, Any]] = Counter()
        self._left_out: Counter[tuple[Any, Any]] = Counter()

    def __call__(self, _: WrappedLogger, __: str, entry: EventDict) -> EventDict:
        if entry.get("event") not in self.EVENTS:
            return entry
        kind = (entry["event"], entry.get("limit"))
        with self._lock:
            now = monotonic()
            if now - self._since >= self.SECONDS:
                self._since = now
                self._written.clear()
            self._written[kind] += 1
            if self._written[kind] > self.MOST:
                self._left_out[kind] += 1
                raise structlog.DropEvent
            left_out = self._left_out.pop(kind, 0)
        return {**entry, "left_out": left_out} if left_out else entry


def _telling(note: Callable[[EventDict], None]) -> structlog.typing.Processor:
    def tell(_: WrappedLogger, __: str, entry: EventDict) -> EventDict:
        note(entry)
        return entry

    return tell


def _without_messages_of_exceptions(_: WrappedLogger, __: str, entry: EventDict) -> EventDict:
    """Says where an exception came from and of what type it is, not what it says."""
    exception = entry.pop("exc_info", None)
    if exception is True:
        exception = sys.exc_info()[1]
    if isinstance(exception, tuple):
        exception = exception[1]
    if isinstance(exception, BaseException):
        entry["exception"] = type(exception).__name__
        entry["at"] = _places(exception)
    return entry


def _places(exception: BaseException) -> list[str]:
    frames: list[Any] = traceback.extract_tb(exception.__traceback__)
    return [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames[-8:]]
