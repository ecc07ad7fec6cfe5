"""Writes the lines of the log to standard error, without ever failing or delaying a request.

Standard error may be a full disk, a closed pipe, or a pipe that nobody reads. Lines that cannot be written
are dropped and counted (docs/adr/0017).
"""

import atexit
import json
import os
import sys
from contextlib import suppress
from datetime import UTC, datetime
from queue import SimpleQueue
from threading import RLock, Thread
from typing import Final

MOST_LINES: Final = 10_000
"""How many lines may wait in one process: a judgement, about 5 MB or some minutes of a busy server."""

_SECONDS_AT_EXIT = 2.0  # for writing the lines that still wait when the process ends: a judgement


class LogOutput:
    """A text stream of whole lines. `write` never raises.

    At first each line is written at once, to the current `sys.stderr`. After `queue_lines` the lines wait in
    a queue for a thread that writes them. Each process has its own thread, since threads do not survive a
    fork.
    """

    def __init__(self, *, most_lines: int = MOST_LINES) -> None:
        self._most_lines = most_lines
        self._descriptor: int | None = None
        self._has_partial_line = False
        self._begin_anew()
        os.register_at_fork(after_in_child=self._begin_anew)

    def _begin_anew(self) -> None:
        """A child begins with an empty queue: its parent writes the lines that waited before the fork."""
        self._lines: SimpleQueue[str | None] = SimpleQueue()
        self._writer: Thread | None = None
        self._lock = RLock()
        self._lost = self._reported = 0

    @property
    def lost(self) -> int:
        """How many lines of this process were dropped."""
        return self._lost

    def queue_lines(self, descriptor: int) -> None:
        """From now on a thread writes the lines to `descriptor`, in this process and in its children.

        Lines that wait when a process ends are still written, for up to two seconds.
        """
        if self._descriptor is None:
            atexit.register(self.close)
        self._descriptor = descriptor

    def write(self, text: str) -> None:
        """Takes one or more whole lines: `text` ends with a line break."""
        if self._descriptor is None:
            self._write_at_once(text)
        elif self._lines.qsize() >= self._most_lines:
            self._count_lost()
        else:
            self._lines.put(text)
            self._start_writing(self._descriptor)

    def flush(self) -> None:
        """Does nothing, since `write` queues or writes a line at once. Streams must have this method."""

    def close(self, *, seconds: float = _SECONDS_AT_EXIT) -> None:
        """Waits until all lines are written, for `seconds` at most."""
        writer = self._writer
        if writer is not None:
            self._lines.put(None)
            writer.join(seconds)

    def _start_writing(self, descriptor: int) -> None:
        if self._writer is not None and self._writer.is_alive():
            return
        with self._lock:
            if self._writer is None or not self._writer.is_alive():
                arguments = (self._lines, descriptor)
                self._writer = Thread(target=self._write_all, args=arguments, name="log", daemon=True)
                with suppress(RuntimeError):  # the process is about to end, or has its maximum of threads
                    self._writer.start()

    def _write_all(self, lines: "SimpleQueue[str | None]", descriptor: int) -> None:
        while (text := lines.get()) is not None:
            if self._write_line(text, descriptor) and self._lost > self._reported:
                lost, self._reported = self._lost - self._reported, self._lost
                self._write_line(_lost_lines_entry(lost), descriptor)

    def _write_line(self, text: str, descriptor: int) -> bool:
        """Writes `text`; whether that succeeded.

        A disk that becomes full may take a part of a line. The next line that can be written then begins with
        a line break.
        """
        whole = text.encode("ascii", "backslashreplace")
        rest = memoryview(b"\n" + whole if self._has_partial_line else whole)
        length = len(rest)
        try:
            while rest:
                rest = rest[os.write(descriptor, rest) :]
        except OSError:
            self._has_partial_line = self._has_partial_line or len(rest) < length
            self._count_lost()
            return False
        self._has_partial_line = False
        return True

    def _write_at_once(self, text: str) -> None:
        try:
            sys.stderr.write(text)
            sys.stderr.flush()
        except (OSError, ValueError):  # ValueError: the stream is closed
            self._count_lost()

    def _count_lost(self) -> None:
        with self._lock:
            self._lost += 1


def _lost_lines_entry(lines: int) -> str:
    """The line of the log that says how many lines were dropped before it."""
    entry = {"event": "log_lines_lost", "lines": lines, "level": "error"}
    return json.dumps({**entry, "timestamp": datetime.now(UTC).isoformat()}) + "\n"


OUTPUT: Final = LogOutput()
"""The output of the log of this process."""
