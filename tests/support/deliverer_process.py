"""`flask notices deliver` in a process of its own."""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Self

from app.development.embedded import kill_child, start_child, stop_child
from tests.support.repository import ROOT

_SECONDS_TO_STOP = 20.0


class DelivererProcess:
    """As a context manager: running inside the block. `environment` is the server's; `log` gets its lines."""

    def __init__(self, log: Path, environment: Mapping[str, str]) -> None:
        self._log = log
        self._environment = environment

    def start(self) -> None:
        command = [sys.executable, "-m", "flask", "notices", "deliver"]
        self._process = start_child(command, log=self._log, env=self._environment, cwd=ROOT)
        self.pid = self._process.pid

    def kill(self) -> None:
        """As a crash would: whatever it has claimed stays claimed until its lease is over."""
        kill_child(self._process)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        stop_child(self._process, seconds=_SECONDS_TO_STOP)
