"""What `make run` starts: Accord, the example recipient, a bank's sign-in server, a Valkey of their own.

It configures itself. All that lasts lies in one private folder, `instance/`, and a next start goes on from
there. The stores, keys and secrets are always its own: whatever the environment names for a real
deployment, a demo does not touch it.
"""

import contextlib
import fcntl
import http.client
import itertools
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import TextIO

from app.clock import utc_now
from app.development.demo_bank import demo_banks
from app.development.embedded import LOOPBACK, EmbeddedValkey, EmbeddedValkeyError, start_child, stop_child
from app.stores import keys
from app.stores.ledger import migrations

ROOT = Path(__file__).resolve().parent.parent.parent
DEMO_REGISTRY = ROOT / "registry" / "demo.toml"

# As registry/demo.toml has them.
REGISTERED_RECIPIENT = "http://localhost:8001/"
REGISTERED_BANK = "http://localhost:8002"

# The customers of the bank that has a sign-in server of its own. It asks for no password.
BANK_CUSTOMERS = (
    {"sub": "alex", "name": "Alex Tremblay"},
    {"sub": "sam", "name": "Sam Nguyen"},
)

_START_SECONDS = 60.0
_STOP_SECONDS = 5.0
_POLL_SECONDS = 0.05
_WATCH_SECONDS = 0.2
_LAST_LINES = 5

# What a demo decides for itself, or what would change how its servers start.
_NOT_INHERITED = (
    "SECRET_KEY_FALLBACKS",
    "ACCORD_TRUSTED_PROXIES",
    "GUNICORN_CMD_ARGS",
    "FORWARDED_ALLOW_IPS",
)


class DemoError(Exception):
    """Why the demo does not run, in a line for the terminal."""


@dataclass(frozen=True, slots=True)
class Places:
    """Where one demo keeps what it has, and on which ports it answers."""

    instance: Path
    port: int
    recipient_port: int
    bank_port: int

    @property
    def ports(self) -> dict[str, int]:
        """Every port, by the variable that chooses it."""
        return {
            "ACCORD_PORT": self.port,
            "ACCORD_RECIPIENT_PORT": self.recipient_port,
            "ACCORD_IDP_PORT": self.bank_port,
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
    def ledger_url(self) -> str:
        return f"sqlite:///{self.instance / 'ledger.sqlite3'}"

    def log(self, name: str) -> Path:
        return self.instance / "log" / f"{name}.log"


@dataclass(slots=True)
class Interruption:
    """Whether somebody has asked us to stop. A flag, so that no signal ever comes between two steps."""

    asked: bool = False

    def ask(self, _signal: int, _frame: FrameType | None) -> None:
        self.asked = True


@dataclass(slots=True)
class Servers:
    """The processes that we watch, by name."""

    places: Places
    valkey: EmbeddedValkey
    running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def start(self, name: str, application: str, env: Mapping[str, str]) -> None:
        self._start(name, ["gunicorn", "-c", str(ROOT / "gunicorn.conf.py"), application], env)

    def start_bank(self, env: Mapping[str, str]) -> None:
        """The sign-in server of the bank that has one."""
        customers = [f"--user-claims={json.dumps(customer)}" for customer in BANK_CUSTOMERS]
        port = str(self.places.bank_port)
        self._start("bank", ["oidc_provider_mock", "--host", LOOPBACK, "--port", port, *customers], env)

    def _start(self, name: str, module: Sequence[str], env: Mapping[str, str]) -> None:
        arguments = [sys.executable, "-m", *module]
        self.running[name] = start_child(arguments, log=self.places.log(name), env=env, cwd=ROOT)

    def start_valkey(self) -> None:
        self.valkey.start()
        self.running["valkey"] = self.valkey.process

    def check(self) -> None:
        """Raise DemoError when one has ended that should not have."""
        for name, process in self.running.items():
            if process.poll() is not None:
                log = self.places.log(name)
                ending = log.read_text(encoding="utf-8", errors="replace").splitlines()[-_LAST_LINES:]
                raise DemoError("\n".join([f"{name} has stopped by itself; its log is {log}:", *ending]))

    def stop(self) -> None:
        """Those that serve first, side by side; their store when nobody needs it any more."""
        web = [process for name, process in self.running.items() if name != "valkey"]
        for process in web:
            process.terminate()
        for process in web:
            stop_child(process, seconds=_STOP_SECONDS)
        self.valkey.stop()
        self.running.clear()


def run_demo() -> int:
    """Run until Ctrl-C, SIGTERM or SIGHUP; the exit code. Leaves no process behind."""
    try:
        with _interruption() as interruption, ExitStack() as stack:
            places = _read_places(os.environ)
            was_cut_off = stack.enter_context(_held(places))
            _check_ports(places, patience=_STOP_SECONDS if was_cut_off else 0)
            servers = Servers(places, EmbeddedValkey(places.instance / "valkey", log=places.log("valkey")))
            stack.callback(servers.stop)
            _start(servers, interruption)
            if not interruption.asked:
                _say(f"Accord is ready: {places.issuer}/  (Ctrl-C stops it)")
            banks = stack.enter_context(demo_banks(_registry(places), places.ledger_url))
            while not interruption.asked:
                servers.check()
                banks.end_connections(now=utc_now())
                time.sleep(_WATCH_SECONDS)
    except (DemoError, EmbeddedValkeyError) as error:
        _say(str(error), sys.stderr)
        return 1
    return 0


def _start(servers: Servers, interruption: Interruption) -> None:
    """Return when everything answers, or somebody has asked us to stop."""
    places = servers.places
    for name in ("accord", "bank", "recipient", "valkey"):
        places.log(name).write_bytes(b"")  # of the last run only, so that they do not grow for ever
    servers.start_bank(_foreign_env())
    servers.start("recipient", "examples.recipient.app:create_app()", _recipient_env(places))
    servers.start_valkey()
    migrations.upgrade(places.ledger_url)
    env = _accord_env(places, redis_url=servers.valkey.url, ledger_url=places.ledger_url)
    servers.start("accord", "wsgi:app", env)
    deadline = time.monotonic() + _START_SECONDS
    waiting = [
        (places.port, "/readyz"),
        (places.recipient_port, "/"),
        (places.bank_port, "/.well-known/openid-configuration"),
    ]
    while waiting and not interruption.asked:
        servers.check()
        if time.monotonic() > deadline:
            raise DemoError(f"Accord is not ready after {_START_SECONDS:.0f} s; see {places.log('accord')}")
        waiting = [(port, path) for port, path in waiting if not _answers(port, path)]
        time.sleep(_POLL_SECONDS)


def _read_places(environ: Mapping[str, str]) -> Places:
    instance = Path(environ.get("ACCORD_INSTANCE") or ROOT / "instance").absolute()
    places = Places(
        instance,
        port=_read_port(environ, "ACCORD_PORT", 8000),
        recipient_port=_read_port(environ, "ACCORD_RECIPIENT_PORT", 8001),
        bank_port=_read_port(environ, "ACCORD_IDP_PORT", 8002),
    )
    for (first, port), (second, other) in itertools.combinations(places.ports.items(), 2):
        if port == other:
            raise DemoError(f"{first} and {second} are both {port}: give them different ports.")
    return places


def _read_port(environ: Mapping[str, str], name: str, default: int) -> int:
    text = environ.get(name) or str(default)
    if not (text.isascii() and text.isdecimal() and 0 < int(text) < 65536):
        raise DemoError(f"{name} must be a port number, from 1 to 65535.")
    return int(text)


@contextmanager
def _interruption() -> Iterator[Interruption]:
    interruption = Interruption()
    signals = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.signal(number, interruption.ask) for number in signals}
    try:
        yield interruption
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _held(places: Places) -> Iterator[bool]:
    """Hold the instance folder, which only one demo may use. Yields whether the last one was cut off.

    The lock dies with its holder, however that ends; the text in the file only tells others who holds it.
    """
    places.instance.mkdir(mode=0o700, parents=True, exist_ok=True)
    places.instance.chmod(0o700)
    (places.instance / "log").mkdir(exist_ok=True)
    with (places.instance / "demo.lock").open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            holder = file.read().strip() or places.instance
            raise DemoError(f"Accord is running here already ({holder}).") from None
        file.seek(0)
        was_cut_off = bool(file.read())
        file.truncate(0)
        file.write(f"{places.issuer}/, process {os.getpid()}")
        file.flush()
        try:
            yield was_cut_off
        finally:
            file.truncate(0)


def _check_ports(places: Places, *, patience: float) -> None:
    """Raise DemoError when a port is taken. A run that was cut off gets `patience` seconds to let go."""
    deadline = time.monotonic() + patience
    for variable, port in places.ports.items():
        while not _is_free(port):
            if time.monotonic() >= deadline:
                raise DemoError(
                    f"Port {port} is in use. Stop what uses it, or choose another with {variable}."
                )
            time.sleep(_POLL_SECONDS)


def _is_free(port: int) -> bool:
    return all(_can_bind(family, address, port) for family, address in _loopback())


def _loopback() -> list[tuple[socket.AddressFamily, str]]:
    """What `localhost` may mean here: on some machines there is no IPv6."""
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


def _bind(port: int) -> str:
    return ",".join(
        f"[{address}]:{port}" if family is socket.AF_INET6 else f"{address}:{port}"
        for family, address in _loopback()
    )


def _inherited_env() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name not in _NOT_INHERITED}


def _accord_env(places: Places, *, redis_url: str, ledger_url: str) -> dict[str, str]:
    signing_keys = places.instance / "signing_keys.json"
    _make_once(signing_keys, keys.generate_signing_keys)
    return _inherited_env() | {
        "ACCORD_ENVIRONMENT": "development",
        "ACCORD_ISSUER": places.issuer,
        "ACCORD_REDIS_URL": redis_url,
        "ACCORD_LEDGER_URL": ledger_url,
        "ACCORD_REGISTRY": str(_registry(places)),
        "ACCORD_SIGNING_KEYS": str(signing_keys),
        "ACCORD_RECIPIENT_PORT": str(places.recipient_port),
        "ACCORD_BIND": _bind(places.port),
        "SECRET_KEY": _secret(places.instance / "secret_key"),
    }


def _foreign_env() -> dict[str, str]:
    """The environment less what is Accord's: the bank and the recipient are somebody else."""
    ours = ("ACCORD_", "SECRET_KEY")
    return {name: value for name, value in _inherited_env().items() if not name.startswith(ours)}


def _recipient_env(places: Places) -> dict[str, str]:
    """The recipient is told nothing of Accord's but its address."""
    return _foreign_env() | {
        "ACCORD_ISSUER": places.issuer,
        "ACCORD_RECIPIENT_PORT": str(places.recipient_port),
        "ACCORD_BIND": _bind(places.recipient_port),
        "ACCORD_WORKERS": "1",  # what it holds, it holds in one process
        "RECIPIENT_SECRET_KEY": _secret(places.instance / "recipient_secret_key"),
    }


def _registry(places: Places) -> Path:
    """The demo's registry; where the recipient or the bank has moved, a copy that says so."""
    text = DEMO_REGISTRY.read_text(encoding="utf-8")
    moved = text.replace(REGISTERED_RECIPIENT, f"{places.recipient}/").replace(
        f'"{REGISTERED_BANK}"', f'"{places.bank}"'
    )
    if moved == text:
        return DEMO_REGISTRY
    path = places.instance / "registry.toml"
    path.write_text(moved, encoding="utf-8")
    return path


def _secret(path: Path) -> str:
    _make_once(path, _write_secret)
    return path.read_text(encoding="ascii")


def _write_secret(path: Path) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(secrets.token_urlsafe(48))


def _make_once(path: Path, make: Callable[[Path], None]) -> None:
    """Make `path` unless it is there. It appears whole, or not at all."""
    if path.exists():
        return
    unfinished = path.with_name(f"{path.name}.unfinished")
    unfinished.unlink(missing_ok=True)
    make(unfinished)
    unfinished.rename(path)


def _answers(port: int, path: str) -> bool:
    connection = http.client.HTTPConnection("localhost", port, timeout=2)
    try:
        connection.request("GET", path, headers={"Connection": "close"})
        return connection.getresponse().status == http.client.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _say(text: str, stream: TextIO | None = None) -> None:
    """A terminal that has gone is no reason to leave anything running."""
    with contextlib.suppress(OSError):
        print(text, file=stream, flush=True)
