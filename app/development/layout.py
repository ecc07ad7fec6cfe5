"""Where one demo keeps its files, and the ports on which its servers answer."""

import fcntl
import itertools
import os
import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

_POLL_SECONDS = 0.05  # between two looks at a port


class DemoError(Exception):
    """The demo cannot run. The text says why, in one line for the terminal."""


@dataclass(frozen=True, slots=True)
class Layout:
    """The folder in which one demo keeps its files, and the ports on which its servers answer."""

    instance: Path
    port: int
    recipient_port: int
    bank_port: int
    bank_api_port: int

    @property
    def ports(self) -> dict[str, int]:
        """The ports, by the environment variables that choose them."""
        return {
            "ACCORD_PORT": self.port,
            "ACCORD_RECIPIENT_PORT": self.recipient_port,
            "ACCORD_IDP_PORT": self.bank_port,
            "ACCORD_BANK_PORT": self.bank_api_port,
        }

    @property
    def issuer(self) -> str:
        return f"http://localhost:{self.port}"

    @property
    def recipient(self) -> str:
        return f"http://localhost:{self.recipient_port}"

    @property
    def bank(self) -> str:
        return f"http://localhost:{self.bank_port}"

    @property
    def bank_api(self) -> str:
        """The address below which each bank has its data API."""
        return f"http://localhost:{self.bank_api_port}"

    @property
    def ledger_url(self) -> str:
        return f"sqlite:///{self.instance / 'ledger.sqlite3'}"

    def log(self, name: str) -> Path:
        return self.instance / "log" / f"{name}.log"


def read_layout(environ: Mapping[str, str]) -> Layout:
    instance = Path(environ.get("ACCORD_INSTANCE") or ROOT / "instance").absolute()
    layout = Layout(
        instance,
        port=_read_port(environ, "ACCORD_PORT", 8000),
        recipient_port=_read_port(environ, "ACCORD_RECIPIENT_PORT", 8001),
        bank_port=_read_port(environ, "ACCORD_IDP_PORT", 8002),
        bank_api_port=_read_port(environ, "ACCORD_BANK_PORT", 8003),
    )
    for (first, port), (second, other) in itertools.combinations(layout.ports.items(), 2):
        if port == other:
            raise DemoError(f"{first} and {second} are both {port}: give them different ports.")
    return layout


def _read_port(environ: Mapping[str, str], name: str, default: int) -> int:
    text = environ.get(name) or str(default)
    if not (text.isascii() and text.isdecimal() and 0 < int(text) < 65536):
        raise DemoError(f"{name} must be a port number, from 1 to 65535.")
    return int(text)


@contextmanager
def held(layout: Layout) -> Iterator[bool]:
    """Locks the instance folder, which only one demo may use; yields whether the demo before was killed.

    The kernel releases the lock when its process ends, in whatever way. The text in the file is for the error
    message of another demo.
    """
    layout.instance.mkdir(mode=0o700, parents=True, exist_ok=True)
    layout.instance.chmod(0o700)
    (layout.instance / "log").mkdir(exist_ok=True)
    with (layout.instance / "demo.lock").open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            holder = file.read().strip() or layout.instance
            raise DemoError(f"Accord is running here already ({holder}).") from None
        file.seek(0)
        was_cut_off = bool(file.read())
        file.truncate(0)
        file.write(f"{layout.issuer}/, process {os.getpid()}")
        file.flush()
        try:
            yield was_cut_off
        finally:
            file.truncate(0)


def check_ports(layout: Layout, *, patience: float) -> None:
    """Raises DemoError when a port is in use after `patience` seconds.

    The servers of a demo that was killed need some time to end.
    """
    deadline = time.monotonic() + patience
    for variable, port in layout.ports.items():
        while not _is_free(port):
            if time.monotonic() >= deadline:
                raise DemoError(
                    f"Port {port} is in use. Stop what uses it, or choose another with {variable}."
                )
            time.sleep(_POLL_SECONDS)


def _is_free(port: int) -> bool:
    return all(_can_bind(family, address, port) for family, address in _loopback())


def _loopback() -> list[tuple[socket.AddressFamily, str]]:
    """The addresses that `localhost` may stand for. Some machines have no IPv6."""
    candidates = [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")]
    return [(family, address) for family, address in candidates if _can_bind(family, address, 0)]


def _can_bind(family: socket.AddressFamily, address: str, port: int) -> bool:
    try:
        with socket.socket(family) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as gunicorn does
            probe.bind((address, port))
            probe.listen()
    except OSError:
        return False
    return True


def bind(port: int) -> str:
    return ",".join(
        f"[{address}]:{port}" if family is socket.AF_INET6 else f"{address}:{port}"
        for family, address in _loopback()
    )
