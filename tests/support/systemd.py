"""A service as systemd runs it: from the unit files that are shipped, with the parts of systemd that matter here.

It holds the socket, gives the environment of the file, waits for READY=1, reloads and stops as the unit says.
"""

import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Self

from app.development.embedded import kill_child

PATIENCE = 30

# Gives the process its socket as number 3, tells it that it is meant, and forbids memory that is writable and executable.
_EXECUTE = """
import ctypes, os, sys
os.dup2(int(sys.argv[1]), 3)
os.environ["LISTEN_PID"] = str(os.getpid())
if sys.argv[2] == "yes":
    ctypes.CDLL(None).prctl(65, 1, 0, 0, 0)  # PR_SET_MDWE, where the kernel knows it
os.execv(sys.argv[3], sys.argv[3:])
"""


def read_unit(path: Path) -> dict[str, list[str]]:
    """Every directive of a unit file, whatever its section, with its values in order."""
    directives: dict[str, list[str]] = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        name, equals, value = line.partition("=")
        if equals and not line.startswith(("#", ";")):
            directives.setdefault(name, []).append(value)
    return directives


def read_environment(path: Path) -> dict[str, str]:
    """The variables of an environment file, whose values may be quoted."""
    lines = [
        line for line in path.read_text(encoding="utf-8").splitlines() if line and not line.startswith("#")
    ]
    pairs = (line.split("=", 1) for line in lines)
    return {name: "".join(shlex.split(value)) for name, value in pairs}


class HasEnded(Exception):
    """A service ended when it should have become ready; its argument is the exit code."""


def _is_ready(notify: socket.socket) -> bool:
    try:
        return b"READY=1" in notify.recv(4096)
    except TimeoutError:
        return False


class Service:
    """`unit` with its paths below `root`; as a context manager, running inside the block.

    `environment` may be changed between a stop and a start. `socket_address` is where it listens.
    """

    def __init__(self, unit: Path, root: Path, environment: dict[str, str], *, directory: Path) -> None:
        self.unit = read_unit(unit)
        self.environment = environment
        self.log = directory / "accord.log"
        self._root = root
        self._runtime_directory = directory / "runtime"
        self._notify_path = directory / "notify"
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=2048)

    @property
    def port(self) -> int:
        port: int = self._listener.getsockname()[1]
        return port

    @property
    def pid(self) -> int:
        return self._process.pid

    def start(self) -> None:
        """Returns when the service has said that it is ready. Raises HasEnded when it ends instead."""
        (command,) = self.unit["ExecStart"]
        (denies_writing_code,) = self.unit["MemoryDenyWriteExecute"]
        arguments = self._expanded(command)
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify, self.log.open("ab") as log:
            self._notify_path.unlink(missing_ok=True)
            notify.bind(str(self._notify_path))
            notify.settimeout(0.1)
            descriptor = self._listener.fileno()
            self._process = subprocess.Popen(
                [sys.executable, "-c", _EXECUTE, str(descriptor), denies_writing_code, *arguments],
                cwd=self._root,
                env=self._environment() | {"NOTIFY_SOCKET": str(self._notify_path), "LISTEN_FDS": "1"},
                stdout=log,
                stderr=log,
                pass_fds=[descriptor],
                start_new_session=True,
            )
            deadline = time.monotonic() + PATIENCE
            while not _is_ready(notify):
                if self._process.poll() is not None:
                    raise HasEnded(self._process.returncode)
                assert time.monotonic() < deadline, self.log.read_text()

    def reload(self) -> list[int]:
        """Runs what the unit says, until something fails; the codes with which it ended."""
        codes: list[int] = []
        for command in self.unit["ExecReload"]:
            arguments = self._expanded(command.replace("$MAINPID", str(self.pid)))
            with self.log.open("ab") as log:
                done = subprocess.run(
                    arguments, cwd=self._root, env=self._environment(), stdout=log, stderr=log, check=False
                )
            codes.append(done.returncode)
            if done.returncode:
                break
        return codes

    def stop(self) -> int:
        """TERM to the main process (KillMode=mixed); its exit code."""
        assert self.unit["KillMode"] == ["mixed"]
        self._process.send_signal(signal.SIGTERM)
        return self._process.wait(int(self.unit["TimeoutStopSec"][0]))

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        if self._process.poll() is None:
            try:
                self.stop()
            except subprocess.TimeoutExpired:
                kill_child(self._process)
        self._listener.close()

    def _environment(self) -> dict[str, str]:
        """Nothing of ours but the way to the programs. The file's variables win over the unit's own."""
        self._runtime_directory.mkdir(exist_ok=True)
        own = dict(assignment.split("=", 1) for assignment in self.unit["Environment"])
        given = {
            "PATH": os.environ["PATH"],
            "LANG": "C.UTF-8",
            "RUNTIME_DIRECTORY": str(self._runtime_directory),
        }
        return {**given, **own, **self.environment}

    def _expanded(self, command: str) -> list[str]:
        named = re.sub(r"\$\{(\w+)\}", lambda name: self.environment[name[1]], command)
        return shlex.split(named.replace("/opt/accord/current", str(self._root)))
