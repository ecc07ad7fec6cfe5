"""Whether Accord lives, as a load balancer would find out: from a process that waits for nobody else.

`python -m tests.faults.health PORT AUTHORITY` asks nginx for `/healthz` twenty times a second, on a TLS connection of its
own each time, until its standard input is closed. Then it prints the seconds that each answer took, and how many were lost.
"""

import http.client
import json
import os
import select
import ssl
import subprocess
import sys
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Self

from tests.support.repository import ROOT

if TYPE_CHECKING:
    from tests.support.nginx import Nginx


class HealthWatch:
    """As a context manager: asking inside the block. Afterwards, `answers` in seconds, and how many were `lost`."""

    def __init__(self, nginx: "Nginx") -> None:
        self._command = [sys.executable, "-m", "tests.faults.health", *nginx.way_in]
        self.answers: list[float] = []
        self.lost = 0

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            self._command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == "asking\n"
        return self

    def __exit__(self, *_: object) -> None:
        found = self._process.communicate(timeout=60)[0]
        self.answers, self.lost = json.loads(found)


def main(port: int, authority: str) -> None:
    with suppress(PermissionError):
        os.nice(-10)  # a load balancer has a machine of its own
    answers: list[float] = []
    lost = 0
    trust = ssl.create_default_context(cafile=authority)
    print("asking", flush=True)
    while not select.select([sys.stdin], [], [], 0.05)[0]:
        began = time.monotonic()
        if _is_well(port, trust):
            answers.append(time.monotonic() - began)
        else:
            lost += 1
    print(json.dumps([answers, lost]))


def _is_well(port: int, trust: ssl.SSLContext) -> bool:
    try:
        connection = http.client.HTTPSConnection("localhost", port, timeout=10, context=trust)
        connection.request("GET", "/healthz", headers={"Connection": "close"})
        is_well = connection.getresponse().status == http.client.OK
        connection.close()
    except (OSError, http.client.HTTPException):
        return False
    return is_well


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
