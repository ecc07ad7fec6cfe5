"""nginx from the system's packages, with the configuration that is shipped, on loopback ports."""

import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Self

from app.development.embedded import start_child, stop_child
from tests.support.certificates import certify
from tests.support.ports import free_port
from tests.support.repository import ROOT
from tools.programs import NGINX

SHIPPED = ROOT / "deploy" / "nginx.conf"
NAME = "consent.bank.example"


class Nginx:
    """In front of the instances at `ports`; as a context manager, running inside the block.

    Only names, ports and paths are changed in what is shipped, and what `changes` says: the name is localhost.
    """

    def __init__(self, *ports: int, changes: Mapping[str, str] = MappingProxyType({})) -> None:
        # Not below pytest's own folder, which only its owner may enter: the workers are somebody else.
        self.directory = Path(tempfile.mkdtemp(prefix="accord-nginx-"))
        self.directory.chmod(0o755)
        self.port, self.plain_port = free_port(), free_port()
        self._changes = changes
        self.certificates = certify(self.directory, "localhost")
        self.access_log = self.directory / "access.log"
        self.error_log = self.directory / "error.log"
        self._configuration = self.directory / "nginx.conf"
        self.write(*ports)

    @property
    def address(self) -> str:
        return f"https://localhost:{self.port}"

    @property
    def way_in(self) -> list[str]:
        """The port and the authority's certificate, for a command that asks it."""
        return [str(self.port), str(self.certificates.authority)]

    def write(self, *ports: int) -> None:
        """Writes the configuration anew, for these instances."""
        text = SHIPPED.read_text(encoding="utf-8")
        instances = "\n".join(f"server 127.0.0.1:{port} max_fails=0 max_conns=224;" for port in ports)
        probes = "\n".join(f"server 127.0.0.1:{port} max_fails=0;" for port in ports)
        for shipped, here in {
            "server 127.0.0.1:8000 max_fails=0 max_conns=224;": instances,
            "server 127.0.0.1:8000 max_fails=0;": probes,
            "listen 443 ": f"listen 127.0.0.1:{self.port} ",
            "listen [::]:443 ": f"listen [::1]:{self.port} ",
            "listen 80;": f"listen 127.0.0.1:{self.plain_port};",
            "listen [::]:80;": f"listen [::1]:{self.plain_port};",
            f"https://{NAME}$request_uri": f"{self.address}$request_uri",
            NAME: "localhost",
            "/etc/nginx/tls/fullchain.pem": str(self.certificates.server),
            "/etc/nginx/tls/privkey.pem": str(self.certificates.key),
            "/var/log/nginx": str(self.directory),
            "/var/cache/nginx-accord": str(self.directory / "cache"),
            "/run/nginx.pid": str(self.directory / "nginx.pid"),
            **self._changes,
        }.items():
            assert shipped in text, f"the configuration has no {shipped}"
            text = text.replace(shipped, here)
        self._configuration.write_text(text, encoding="utf-8")

    def check(self) -> "subprocess.CompletedProcess[str]":
        """What nginx says of the configuration."""
        return subprocess.run(self._command("-t"), capture_output=True, text=True, check=False)

    def reload(self) -> None:
        """The configuration as it was written last is used for new connections."""
        self._process.send_signal(signal.SIGHUP)

    def __enter__(self) -> Self:
        self._process = start_child(self._command("-g", "daemon off;"), log=self.directory / "start.log")
        while not self._is_listening():
            time.sleep(0.02)
        return self

    def _is_listening(self) -> bool:
        """Whether it takes connections. Raises RuntimeError once it has ended instead."""
        if self._process.poll() is not None:
            raise RuntimeError((self.directory / "start.log").read_text())
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def __exit__(self, *_: object) -> None:
        stop_child(self._process, seconds=20)
        shutil.rmtree(self.directory)

    def _command(self, *options: str) -> list[str]:
        program = NGINX.executable
        return [program, "-p", str(self.directory), "-c", str(self._configuration), *options]
