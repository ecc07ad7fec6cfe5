"""Whether Accord lives, as a load balancer would find out: from a process that waits for nobody else.

`python -m tests.faults.health PORT` asks `/healthz` twenty times a second, on a connection of its own each time, until
its standard input is closed. Then it prints the seconds that each answer took, and how many were lost.
"""

import http.client
import json
import os
import select
import subprocess
import sys
import time
from contextlib import suppress
from typing import Self

from tests.support.repository import ROOT


class HealthWatch:
    """As a context manager: asking inside the block. Afterwards, `answers` in seconds, and how many were `lost`."""

    def __init__(self, port: int) -> None:
        self._command = [sys.executable, "-m", "tests.faults.health", str(port)]
        self.answers: list[float] = []
        self.lost = 0

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            self._command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        return self

    def __exit__(self, *_: object) -> None:
        found = self._process.communicate(timeout=60)[0]
        self.answers, self.lost = json.loads(found)


def main(port: int) -> None:
    with suppress(PermissionError):
        os.nice(-10)  # a load balancer has a machine of its own
    answers: list[float] = []
    lost = 0
    while not select.select([sys.stdin], [], [], 0.05)[0]:
        began = time.monotonic()
        if _is_well(port):
            answers.append(time.monotonic() - began)
        else:
            lost += 1
    sys.stdout.write(json.dumps([answers, lost]))


def _is_well(port: int) -> bool:
    try:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        connection.request("GET", "/healthz", headers={"Connection": "close"})
        is_well = connection.getresponse().status == http.client.OK
        connection.close()
    except (OSError, http.client.HTTPException):
        return False
    return is_well


if __name__ == "__main__":
    main(int(sys.argv[1]))
