"""The log: one JSON object for each line, whatever characters a header or a parameter contains.

Events name the client, the provider and the outcome. No code passes a code, token, secret, state, cookie,
query string or name of a person to a logger. Exceptions are logged without their messages, which may quote a
part of the request.
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


def set_up_logging(on_event: Callable[[EventDict], None] | None = None) -> None:
    """Sends all log lines of this process, those of libraries included, to standard error as JSON.

    `on_event` is called with each of our own events, before any is dropped; the metrics count there.
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
            *([] if on_event is None else [_calling(on_event)]),
            _Sampler(),
            structlog.processors.JSONRenderer(ensure_ascii=True, sort_keys=False),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        # Each line is one write, so that lines of several threads or processes do not mix.
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
    """The line of the log that says why the server does not start."""
    entry = {"event": "faulty_configuration", "fault": fault, "level": "error"}
    return json.dumps({**entry, "timestamp": datetime.now(UTC).isoformat()}) + "\n"


def operator_event(event: str, **facts: str | int) -> str:
    """The line of the log for an operator's command, with what it has done."""
    entry = {**facts, "event": event, "actor": "operator", "timestamp": datetime.now(UTC).isoformat()}
    return json.dumps(entry)


class _Sampler:
    """Drops lines of events that any caller can cause in any number, once there are many of them.

    The next line of the same kind that is written says how many were `left_out` before it. The metrics count
    all of them.
    """

    EVENTS: Final = frozenset({"rate_limited", "forwarded_for_unreadable", "turned_away"})
    MOST: Final = 20
    """Lines of one kind that are written in `SECONDS`: a judgement, some 3 MB of log an hour at most."""
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


def _calling(on_event: Callable[[EventDict], None]) -> structlog.typing.Processor:
    def call(_: WrappedLogger, __: str, entry: EventDict) -> EventDict:
        on_event(entry)
        return entry

    return call


def _without_messages_of_exceptions(_: WrappedLogger, __: str, entry: EventDict) -> EventDict:
    """Replaces an exception by its type and its traceback, without its message."""
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
