"""How gunicorn serves Accord: behind a proxy that ends TLS and holds slow clients back.

The worker, the log and the reload are in app/serving. They are imported by name or within functions: with the
package `app` comes the library for metrics, which must find PROMETHEUS_MULTIPROC_DIR set when it is imported.
"""

import atexit
import gc
import json
import os
import re
import shutil
import signal
import socket
import sys
import tempfile
from contextlib import suppress
from datetime import UTC, datetime
from ipaddress import ip_network
from pathlib import Path
from typing import Any

from gunicorn.arbiter import Arbiter
from gunicorn.workers.gthread import ThreadWorker

LARGEST_PORT = 65_535
SD_LISTEN_FDS_START = 3  # sd_listen_fds(3): the first socket that systemd passes
_ADDRESS = re.compile(r"unix:.+|fd://[0-9]+|.*:([0-9]{1,5})", re.ASCII)
_faults: list[str] = []

# A file system in memory, where there is one: what is written there waits for no disk.
_MEMORY = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None  # noqa: S108  # folders of our own making in it


def _from_environment(name: str, default: str) -> str:
    """The variable's value. Set but empty counts as not set."""
    return os.environ.get(name) or default


def _number(name: str, default: int, *, least: int, most: int) -> int:
    """The variable's value. Notes a fault for anything but a whole number from `least` to `most`."""
    text = _from_environment(name, str(default)).strip()
    # int() refuses more than 4,300 digits with an exception; no `most` has more than ten.
    if text.isascii() and text.isdecimal() and len(text) < 12 and least <= int(text) <= most:
        return int(text)
    _faults.append(f"{name} must be a whole number from {least} to {most}")
    return default


def _addresses() -> list[str]:
    """The addresses at which customers are served."""
    port = _number("ACCORD_PORT", 8000, least=1, most=LARGEST_PORT)
    addresses = _from_environment("ACCORD_BIND", f"127.0.0.1:{port}").split(",")
    found = [_ADDRESS.fullmatch(address) for address in addresses]
    if not all(match and int(match[1] or 0) <= LARGEST_PORT for match in found):
        _faults.append("ACCORD_BIND must list addresses such as 127.0.0.1:8000 or unix:/run/accord.socket")
    return addresses


def _trusted_proxies() -> str:
    parts = [part.strip() for part in os.environ.get("ACCORD_TRUSTED_PROXIES", "").split(",")]
    try:
        return ",".join(str(ip_network(part)) for part in parts if part)
    except ValueError:
        _faults.append(
            "ACCORD_TRUSTED_PROXIES must list addresses or networks, such as 127.0.0.1, 10.0.0.0/8"
        )
        return ""


def _ports_of_systemd() -> set[int] | None:
    """The ports of the sockets that systemd passes, for gunicorn then opens no others. None without any."""
    is_ours = os.environ.get("LISTEN_PID") == str(os.getpid())
    count = int(os.environ.get("LISTEN_FDS", "0")) if is_ours else 0
    if not count:
        return None
    ports = set()
    for number in range(SD_LISTEN_FDS_START, SD_LISTEN_FDS_START + count):
        with socket.socket(fileno=os.dup(number)) as given:
            address = given.getsockname()
        if isinstance(address, tuple):
            ports.add(address[1])
    return ports


def _check_metrics_address(address: str) -> None:
    port = address.rpartition(":")[2]
    given = _ports_of_systemd()
    if given is not None and port.isdecimal() and int(port) not in given:
        _faults.append(
            f"ACCORD_METRICS_ADDRESS is at no socket of accord.socket: it needs ListenStream={address}"
        )
    if port in {other.rpartition(":")[2] for other in bind}:
        _faults.append("ACCORD_METRICS_ADDRESS must have another port than customers come to")


def _metrics_directory() -> str:
    """The folder of this server's counts: new when it starts, the same when it reads this file again."""
    prefix = f"accord-metrics-{os.getpid()}-"
    standing = Path(os.environ.get("PROMETHEUS_MULTIPROC_DIR", ""))
    return str(standing) if standing.name.startswith(prefix) else tempfile.mkdtemp(prefix=prefix, dir=_MEMORY)


def post_fork(_: Arbiter, __: ThreadWorker) -> None:
    """Lets SIGTERM end a new worker at once, until it has set its own handler.

    The handler that it inherits is the master's, which would only queue the signal for the master.
    """
    signal.signal(signal.SIGTERM, signal.SIG_DFL)


def child_exit(arbiter: Arbiter, worker: ThreadWorker) -> None:
    """A worker has ended. What it counted stays, except the numbers that hold while a process lives."""
    from app.serving.reload import note_end_of

    pid: Any = worker.pid  # a number; the stubs say str
    note_end_of(pid, arbiter)
    if metrics_address:
        from prometheus_client.multiprocess import mark_process_dead

        with suppress(OSError):  # somebody has removed the folder, or one of its files
            mark_process_dead(pid)  # type: ignore[no-untyped-call]


def when_ready(_: Arbiter) -> None:
    """Exempts what is loaded from garbage collection, which would copy the memory that workers share."""
    gc.collect()
    gc.freeze()


def on_reload(arbiter: Arbiter) -> None:
    """Makes the application anew after HUP, which gunicorn follows with new workers."""
    from app.serving.reload import remake_application

    gc.unfreeze()
    remake_application(arbiter)
    when_ready(arbiter)


def _remove_counts(owner: int) -> None:
    """Removes the folder of the counts when the master ends. Workers inherit this, and remove nothing."""
    if os.getpid() == owner:
        shutil.rmtree(os.environ["PROMETHEUS_MULTIPROC_DIR"], ignore_errors=True)


# Where to listen: addresses separated by commas. Loopback, because a proxy stands in front.
bind = _addresses()

# The metrics have an address of their own, which all workers serve. Each counts in files that all of them
# read, in memory where that can be had.
metrics_address = _from_environment("ACCORD_METRICS_ADDRESS", "")
if metrics_address:
    _check_metrics_address(metrics_address)
    bind = [*bind, metrics_address]
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = _metrics_directory()
    atexit.register(_remove_counts, os.getpid())

# Where its files are, whatever $PWD calls it: what runs stays in the release that it was started from, even
# if that is a link which leads to a newer one by now.
chdir = os.getcwd()  # noqa: PTH109  # gunicorn wants a text

# Processes. Two use two cores, and one can be replaced while the other serves.
workers = _number("ACCORD_WORKERS", 2, least=1, most=1000)

# In each worker ACCORD_THREADS requests work at a time: a thread waits for Redis or the ledger without
# holding up the others. For each there are fifteen threads more (THREADS_PER_SLOT in
# app/web/edge/concurrency.py), which hold requests that wait for their turn, and cost little.
threads = 16 * _number("ACCORD_THREADS", 8, least=1, most=64)

# gthread, with answers of our own to requests that cannot be read. Worker and logger are named, not imported:
# with the package `app` comes the library for metrics, which looks for the folder above on import.
worker_class = "app.serving.worker.QuietWorker"

# A worker whose main loop does not run for so many seconds is replaced: gunicorn's default. A request does
# not run in that loop; it is bounded by the timeouts of the stores.
timeout = 30

# The seconds that requests under way have when their worker is told to stop: gunicorn's default, and longer
# than any request takes. deploy/accord.service waits ten more.
graceful_timeout = 30

# The application is made once, before the workers fork. It connects to nothing until a request needs it. So
# the workers share its memory, a new one serves at once, and faults of the configuration are listed once.
preload_app = True

# A worker that has answered so many requests is replaced, so that a leak of a library does not add up; 50,000
# are some minutes at full load, and days for a small bank. Up to a tenth is added at random, so that not all
# workers are replaced at once. Requests under way are finished.
max_requests = _number("ACCORD_MAX_REQUESTS", 50_000, least=0, most=1_000_000_000)
max_requests_jitter = max_requests // 10

# Seconds that an idle connection is kept: longer than a proxy keeps one (60 s in nginx, where it is told to
# keep any). So the proxy closes first, and never sends a request into a connection that is being closed
# here. A connection that is idle after a request occupies no thread; one that is new does, for five seconds
# at most.
keepalive = 65

# The longest request line that gunicorn can be told to take: a state of 2,048 characters needs it when they
# are percent-encoded. The default, 4,094, cuts such requests off.
limit_request_line = 8190
# In bytes, as in nginx.conf (large_client_header_buffers): other sites of the bank may have left many
# cookies.
limit_request_field_size = 16_384

# The peers that are proxies: none unless configured. Over a Unix socket gunicorn trusts whoever could open
# it, hence the umask below.
forwarded_allow_ips = _trusted_proxies()

# No header says that the customer came by https, not even a proxy's: ACCORD_ISSUER does.
secure_scheme_headers: dict[str, str] = {}

# No header may become SCRIPT_NAME or PATH_INFO, trusted peer or not.
forwarder_headers = ""

# A Unix socket can be opened by our own user and group only.
umask = 0o007

# No access log: the request line holds state and code. The application logs what happened, in its own words.
accesslog = None

# gunicorn's own messages go to standard error.
errorlog = "-"

# As JSON, like all the other lines.
logger_class = "app.serving.log.QuietLogger"

# gunicorn 27 would open a control socket under $XDG_RUNTIME_DIR or $HOME. Signals are enough.
control_socket_disable = True

# Workers show that they live by touching a file, unlinked from the start: in memory where that can be had,
# because a busy disk would stall them.
worker_tmp_dir = _MEMORY

# What `ps` shows, where setproctitle is installed.
proc_name = "accord"

# All faults are said at once, with those of the application. It does not see the variables that are faulty
# here, so that none is named twice.
if _faults:
    for _fault in _faults:
        os.environ.pop(_fault.split()[0], None)
        _line = {"event": "faulty_configuration", "fault": _fault, "level": "error"}
        sys.stderr.write(f"{json.dumps({**_line, 'timestamp': datetime.now(UTC).isoformat()})}\n")
    if Path("wsgi.py").exists():
        sys.path.insert(0, chdir)
        import wsgi  # noqa: F401  # which ends this, where it has something to say
    raise SystemExit(os.EX_CONFIG)  # after which systemd does not restart (deploy/accord.service)
