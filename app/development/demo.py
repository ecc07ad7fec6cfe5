"""The demo (`make run`): starts Accord with its stores and its deliverer of notices, the example recipient, a
bank's sign-in and the banks' APIs.

It needs no configuration. It keeps its data in one private folder, `instance/`, and the next start continues
from there. The stores, keys and secrets are always the demo's own: it never touches those of a real
deployment that the environment names.
"""

import contextlib
import http.client
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from types import FrameType
from typing import TextIO

from app.clock import utc_now
from app.development.demo_bank import demo_banks
from app.development.demo_environment import (
    accord_env,
    bank_api_env,
    demo_registry,
    foreign_env,
    recipient_env,
)
from app.development.embedded import EmbeddedValkey, EmbeddedValkeyError, start_child, stop_child
from app.development.layout import ROOT, DemoError, Layout, check_ports, held, read_layout
from app.stores.ledger import migrations

# All of these are judgements: long enough for a slow laptop, and short enough not to be noticed.
_START_SECONDS = 60.0  # until every server must answer
_STOP_SECONDS = 5.0  # until a server that does not stop is killed
_POLL_SECONDS = 0.05  # between two looks at servers that start
_WATCH_SECONDS = 0.2  # between two looks at servers that run
_LAST_LINES = 5  # of a log, that are printed when its server has failed


@dataclass(slots=True)
class Interruption:
    """Whether a signal has asked the demo to stop. It is a flag, so that no signal interrupts a step."""

    requested: bool = False

    def request(self, _signal: int, _frame: FrameType | None) -> None:
        self.requested = True


@dataclass(slots=True)
class Servers:
    """The processes of the demo, by name."""

    layout: Layout
    valkey: EmbeddedValkey
    running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def start(self, name: str, application: str, env: Mapping[str, str]) -> None:
        self._start(name, ["gunicorn", "-c", str(ROOT / "gunicorn.conf.py"), application], env)

    def start_bank(self, env: Mapping[str, str]) -> None:
        """Starts the OpenID Connect server of the one bank that does not use the sandbox."""
        self._start("bank", ["examples.harbour", str(self.layout.bank_port)], env)

    def start_deliverer(self, env: Mapping[str, str]) -> None:
        """Starts what tells the recipient that a consent has ended."""
        self._start("notices", ["flask", "notices", "deliver"], env)

    def _start(self, name: str, module: Sequence[str], env: Mapping[str, str]) -> None:
        arguments = [sys.executable, "-m", *module]
        self.running[name] = start_child(arguments, log=self.layout.log(name), env=env, cwd=ROOT)

    def start_valkey(self) -> None:
        self.valkey.start()
        self.running["valkey"] = self.valkey.process

    def check(self) -> None:
        """Raises DemoError when one of the processes has ended by itself."""
        for name, process in self.running.items():
            if process.poll() is not None:
                log = self.layout.log(name)
                ending = log.read_text(encoding="utf-8", errors="replace").splitlines()[-_LAST_LINES:]
                raise DemoError("\n".join([f"{name} has stopped by itself; its log is {log}:", *ending]))

    def stop(self) -> None:
        """Stops the web servers, all at the same time, and then Valkey, which they use."""
        web = [process for name, process in self.running.items() if name != "valkey"]
        for process in web:
            process.terminate()
        for process in web:
            stop_child(process, seconds=_STOP_SECONDS)
        self.valkey.stop()
        self.running.clear()


def run_demo() -> int:
    """Runs the demo until Ctrl-C, SIGTERM or SIGHUP, and returns the exit code. No process stays behind."""
    try:
        with _interruption() as interruption, ExitStack() as stack:
            layout = read_layout(os.environ)
            was_cut_off = stack.enter_context(held(layout))
            check_ports(layout, patience=_STOP_SECONDS if was_cut_off else 0)
            servers = Servers(layout, EmbeddedValkey(layout.instance / "valkey", log=layout.log("valkey")))
            stack.callback(servers.stop)
            _start(servers, interruption)
            if not interruption.requested:
                _say(f"Accord is ready: {layout.issuer}/  (Ctrl-C stops it)")
            banks = stack.enter_context(demo_banks(demo_registry(layout), layout.ledger_url))
            while not interruption.requested:
                servers.check()
                banks.end_connections(now=utc_now())
                time.sleep(_WATCH_SECONDS)
    except (DemoError, EmbeddedValkeyError) as error:
        _say(str(error), sys.stderr)
        return 1
    return 0


def _start(servers: Servers, interruption: Interruption) -> None:
    """Starts all processes. Returns when every server answers, or when a signal asks the demo to stop."""
    layout = servers.layout
    for name in ("accord", "bank", "bank_api", "notices", "recipient", "valkey"):
        layout.log(name).write_bytes(b"")  # a log has one run only, so that it does not grow for ever
    servers.start_bank(foreign_env())
    servers.start("recipient", "examples.recipient.app:create_app()", recipient_env(layout))
    servers.start("bank_api", "examples.bank.app:create_app()", bank_api_env(layout))
    servers.start_valkey()
    migrations.upgrade(layout.ledger_url)
    env = accord_env(layout, redis_url=servers.valkey.url, ledger_url=layout.ledger_url)
    servers.start("accord", "wsgi:app", env)
    servers.start_deliverer(env)
    deadline = time.monotonic() + _START_SECONDS
    waiting = [
        (layout.port, "/readyz"),
        (layout.recipient_port, "/"),
        (layout.bank_port, "/.well-known/openid-configuration"),
        (layout.bank_api_port, "/"),
    ]
    while waiting and not interruption.requested:
        servers.check()
        if time.monotonic() > deadline:
            raise DemoError(f"Accord is not ready after {_START_SECONDS:.0f} s; see {layout.log('accord')}")
        waiting = [(port, path) for port, path in waiting if not _answers(port, path)]
        time.sleep(_POLL_SECONDS)


@contextmanager
def _interruption() -> Iterator[Interruption]:
    interruption = Interruption()
    signals = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.signal(number, interruption.request) for number in signals}
    try:
        yield interruption
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


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
    """Prints `text`. A terminal that is gone is ignored, since the demo must still stop its processes."""
    with contextlib.suppress(OSError):
        print(text, file=stream, flush=True)
