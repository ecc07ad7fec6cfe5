"""Whatever collects logs: a process at the other end of a pipe, which may hang or die."""

import json
import os
import signal
import subprocess
from pathlib import Path
from typing import Self


class LogReader:
    """Reads the named pipe `pipe`, which it makes, into the file `kept`; as a context manager, inside the block."""

    def __init__(self, pipe: Path, kept: Path) -> None:
        self.pipe = pipe
        os.mkfifo(pipe)
        self.kept = kept
        with self.kept.open("wb") as output:
            self._process = subprocess.Popen(["cat", pipe], stdout=output)

    def hang(self) -> None:
        self._process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        self._process.send_signal(signal.SIGCONT)

    def end(self) -> None:
        self._process.kill()
        self._process.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.go_on()
        self.end()

    def events(self) -> list[str]:
        """What the lines that were read are about. Raises ValueError for a line that is not JSON."""
        whole, _, _ = self.kept.read_text().rpartition("\n")
        return [json.loads(line)["event"] for line in whole.splitlines()]
