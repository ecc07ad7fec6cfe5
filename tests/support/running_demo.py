"""The demo as a person starts it, in a process of its own, on free ports and in a folder of its own."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Self

import psutil

from app.development.layout import Layout
from tests.support.ports import free_port
from tests.support.repository import ROOT

COMMAND = [sys.executable, "-m", "flask", "demo"]


class RunningDemo:
    """As a context manager: running and ready inside the block, stopped after it."""

    def __init__(self, instance: Path, **variables: str) -> None:
        ports = ("port", "recipient_port", "bank_port", "bank_api_port")
        layout = Layout(instance, **{name: free_port() for name in ports})
        self.instance, self.recipient_port, self.bank_api_port = (
            instance,
            layout.recipient_port,
            layout.bank_api_port,
        )
        self.issuer, self.recipient = layout.issuer, layout.recipient
        self.bank, self.bank_api = layout.bank, layout.bank_api
        self.variables = {
            "ACCORD_INSTANCE": str(instance),
            **{name: str(port) for name, port in layout.ports.items()},
            "ACCORD_STORE_TIMEOUT": "2",  # browsers take what a small machine has
            **variables,
        }
        self.announcement = ""
        self._process: subprocess.Popen[str] | None = None

    @property
    def has_started(self) -> bool:
        return self._process is not None

    @property
    def process(self) -> subprocess.Popen[str]:
        assert self._process is not None, "not started"
        return self._process

    def launch(self) -> None:
        self._process = subprocess.Popen(
            COMMAND,
            cwd=ROOT,
            env=os.environ | self.variables,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def start(self) -> None:
        """Launch it, and return when it has announced its address or has ended."""
        self.launch()
        assert self.process.stdout is not None
        self.announcement = self.process.stdout.readline()

    def children(self) -> list[psutil.Process]:
        """Everything it has started, and what that has started."""
        return psutil.Process(self.process.pid).children(recursive=True)

    def end(self, how: signal.Signals = signal.SIGINT) -> tuple[int, str]:
        """Send the signal and wait; the exit code, and what it said on its standard error."""
        if self.process.poll() is None:
            self.process.send_signal(how)
        _, complaints = self.process.communicate(timeout=30)
        return self.process.returncode, complaints

    def __enter__(self) -> Self:
        self.start()
        if self.process.poll() is not None or not self.announcement:
            raise AssertionError(self.end())
        return self

    def __exit__(self, *_: object) -> None:
        self.end()
