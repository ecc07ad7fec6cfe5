"""Where the lines of the log go: to standard error, which may be full, closed or read by nobody.

A log is a by-product: it never fails a request and, in a server, never holds one up. What cannot be written
is left out and counted.
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

MOST_LINES: Final = 10_000  # a few MB, when nobody reads the log
"""How many lines may wait in one process: some five megabytes, or minutes of a busy server."""

_SECONDS_AT_EXIT = 2.0  # for what still waits when the process ends


class LogOutput:
    """A text stream of whole lines. `write` never raises.

    At first each line is written at once, to whatever `sys.stderr` is then. After `queue_lines` they wait for
    one thread that writes them: in each process of its own, since threads do not survive a fork.
    """

    def __init__(self, *, most_lines: int = MOST_LINES) -> None:
        self._most_lines = most_lines
        self._descriptor: int | None = None
        self._is_torn = False
        self._begin_anew()
        os.register_at_fork(after_in_child=self._begin_anew)

    def _begin_anew(self) -> None:
        """What waits in the process that has forked is written there."""
        self._lines: SimpleQueue[str | None] = SimpleQueue()
        self._writer: Thread | None = None
        self._lock = RLock()
        self._lost = self._told = 0

    @property
    def lost(self) -> int:
        """How many lines of this process were left out."""
        return self._lost

    def queue_lines(self, descriptor: int) -> None:
        """From now on lines wait for a thread that writes them to `descriptor`, in this process and its
        children. What waits when a process ends is still written, unless that takes too long.
        """
        if self._descriptor is None:
            atexit.register(self.close)
        self._descriptor = descriptor

    def write(self, text: str) -> None:
        """Takes whole lines, the last of which ends, too."""
        if self._descriptor is None:
            self._write_at_once(text)
        elif self._lines.qsize() >= self._most_lines:
            self._count_lost()
        else:
            self._lines.put(text)
            self._start_writing(self._descriptor)

    def flush(self) -> None:
        """Nothing: a line is on its way once it is taken."""

    def close(self, *, seconds: float = _SECONDS_AT_EXIT) -> None:
        """Waits until what was taken is written, for so many seconds at most."""
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
                with suppress(RuntimeError):  # the process is about to end, or can have no thread more
                    self._writer.start()

    def _write_all(self, lines: "SimpleQueue[str | None]", descriptor: int) -> None:
        while (text := lines.get()) is not None:
            if self._has_written(text, descriptor) and self._lost > self._told:
                lost, self._told = self._lost - self._told, self._lost
                self._has_written(_gap(lost), descriptor)

    def _has_written(self, text: str, descriptor: int) -> bool:
        """Whether all of it was. A full disk takes half a line: the next one does not go on where it ends."""
        whole = text.encode("ascii", "backslashreplace")
        rest = memoryview(b"\n" + whole if self._is_torn else whole)
        length = len(rest)
        try:
            while rest:
                rest = rest[os.write(descriptor, rest) :]
        except OSError:
            self._is_torn = self._is_torn or len(rest) < length
            self._count_lost()
            return False
        self._is_torn = False
        return True

    def _write_at_once(self, text: str) -> None:
        try:
            sys.stderr.write(text)
            sys.stderr.flush()
        except (OSError, ValueError):  # ValueError: it is closed
            self._count_lost()

    def _count_lost(self) -> None:
        with self._lock:
            self._lost += 1


def _gap(lines: int) -> str:
    """The line that says how many are missing before it."""
    entry = {"event": "log_lines_lost", "lines": lines, "level": "error"}
    return json.dumps({**entry, "timestamp": datetime.now(UTC).isoformat()}) + "\n"


OUTPUT: Final = LogOutput()
"""The output of this process."""
