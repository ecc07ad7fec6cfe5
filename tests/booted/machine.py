"""A machine in a container, booted by systemd-nspawn: this one's files, below a layer that is thrown away.

Its network is its own and has loopback alone. Only what systemd itself wants runs there, and what is enabled.
"""

import ctypes
import os
import subprocess
import sys
import sysconfig
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self

import psutil

from tests.support.running_accord import PATIENCE

CLONE_NEWNET = 0x40000000
PYTHON = "/opt/python"
"""Where this Python is inside: a service reads nothing in a home folder."""
PACKAGES = "/opt/packages"
"""Where the packages of our .venv are inside, of which /tmp and home folders are not ours."""


class Machine:
    """As a context manager, booted inside the block. `path` may be written to before and meanwhile."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._files = directory / "files"
        self._console = directory / "console.log"
        self._leader = 0

    def path(self, inside: str) -> Path:
        """Where the host finds the file `inside` as long as the machine has not booted."""
        return self._files / inside.removeprefix("/")

    def build(self) -> None:
        """Its files, in which nothing of this machine's services is enabled."""
        layers = [self._directory / name for name in ("changed", "work")]
        for folder in (*layers, self._files):
            folder.mkdir()
        options = f"lowerdir=/,upperdir={layers[0]},workdir={layers[1]}"
        subprocess.run(["mount", "-t", "overlay", "overlay", "-o", options, self._files], check=True)
        for wanted in self.path("/etc/systemd/system").glob("*.wants/*"):
            wanted.unlink()
        self.path("/etc/machine-id").write_text(f"{os.urandom(16).hex()}\n")
        # Otherwise nspawn mounts its own over it: resolving names is nobody's business here.
        self.path("/etc/hostname").write_text("accord-test\n")

    def __enter__(self) -> Self:
        with self._console.open("wb") as console:
            self._nspawn = subprocess.Popen(
                [
                    *(
                        "systemd-nspawn",
                        "--boot",
                        "--quiet",
                        "--register=no",
                        "--keep-unit",
                        "--private-network",
                    ),
                    *("--resolv-conf=off", "--timezone=off", "--link-journal=no", "--machine=accord-test"),
                    *(
                        f"--bind-ro={sys.base_prefix}:{PYTHON}",
                        f"--bind-ro={sysconfig.get_path('purelib')}:{PACKAGES}",
                        f"--directory={self._files}",
                        "systemd.unit=multi-user.target",
                    ),
                ],
                stdin=subprocess.DEVNULL,
                stdout=console,
                stderr=console,
            )
        try:
            self._wait_until_it_has_booted()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._nspawn.terminate()
        try:
            self._nspawn.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self._nspawn.kill()
            self._nspawn.wait()

    def remove(self) -> None:
        subprocess.run(["umount", self._files], check=True)

    def run(self, *command: str, cwd: str = "/") -> "subprocess.CompletedProcess[str]":
        """`command`, as root inside, with what it said."""
        within = [
            "nsenter",
            "--target",
            str(self._leader),
            "--mount",
            "--uts",
            "--ipc",
            "--net",
            "--pid",
            "--",
        ]
        clean = ["env", "-i", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C.UTF-8"]
        return subprocess.run(
            [*within, *clean, "sh", "-c", 'cd "$0" && exec "$@"', cwd, *command],
            check=False,
            capture_output=True,
            text=True,
            timeout=2 * PATIENCE,
        )

    def must(self, *command: str, cwd: str = "/") -> str:
        """The same, which has to end well; what it said."""
        done = self.run(*command, cwd=cwd)
        assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}{self.journal()[-4000:]}"
        return done.stdout

    def journal(self) -> str:
        return self.run("journalctl", "--identifier", "accord", "--output", "cat", "--no-pager").stdout

    @contextmanager
    def network(self) -> Iterator[None]:
        """Inside the block this thread, and those that it starts, are at the machine's loopback."""
        libc = ctypes.CDLL(None, use_errno=True)
        with Path("/proc/self/ns/net").open() as own, Path(f"/proc/{self._leader}/ns/net").open() as theirs:
            assert libc.setns(theirs.fileno(), CLONE_NEWNET) == 0, os.strerror(ctypes.get_errno())
            try:
                yield
            finally:
                assert libc.setns(own.fileno(), CLONE_NEWNET) == 0, os.strerror(ctypes.get_errno())

    def _wait_until_it_has_booted(self) -> None:
        deadline = time.monotonic() + 2 * PATIENCE
        said = ""
        while said not in ("running", "degraded"):
            assert time.monotonic() < deadline, f"{said} {self._console.read_text(errors='replace')}"
            assert self._nspawn.poll() is None, self._console.read_text(errors="replace")
            time.sleep(0.2)
            children = psutil.Process(self._nspawn.pid).children()
            if children:
                self._leader = children[0].pid
                said = self.run("systemctl", "is-system-running").stdout.strip()
