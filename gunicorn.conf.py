"""How gunicorn serves Accord: behind a proxy that ends TLS and holds slow clients back.

The worker and the log are in app/serving. Neither repeats what a request contained: an authorization
request's line carries its state, and a callback's its code.
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
from typing import TYPE_CHECKING, Any, cast

from gunicorn.arbiter import Arbiter
from gunicorn.systemd import SD_LISTEN_FDS_START, listen_fds
from gunicorn.workers.gthread import ThreadWorker

if TYPE_CHECKING:
    from gunicorn.glogging import Logger

LARGEST_PORT = 65_535
# EX_CONFIG, as wsgi.py: starting again is of no use.
FAULTY_CONFIGURATION = 78
_ADDRESS = re.compile(r"unix:.+|fd://[0-9]+|.*:([0-9]{1,5})", re.ASCII)
_faults: list[str] = []
_before_reload: set[int] = set()
"""The workers that began before the latest reload and have not ended yet. (A reload reads this file anew.)"""

# A file system in memory, where there is one.
_MEMORY = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None  # noqa: S108  # folders of our own making in it


def _from_environment(name: str, default: str) -> str:
    """The variable's value. Set but empty counts as not set."""
    return os.environ.get(name) or default


def _number(name: str, default: int, *, least: int, most: int) -> int:
    """The variable's value, or a fault. So many digits are enough for every `most`."""
    text = _from_environment(name, str(default)).strip()
    if text.isascii() and text.isdecimal() and len(text) < 12 and least <= int(text) <= most:
        return int(text)
    _faults.append(f"{name} must be a whole number from {least} to {most}")
    return default


def _addresses() -> list[str]:
    """Where customers come to."""
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
    """The ports of the sockets that systemd has given us: there are no others then. None where it has not."""
    count = listen_fds(unset_environment=False)
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
    """A worker that is told to stop before it listens for that stops. (The master's handler, which it has
    inherited, would make a note for the master.)
    """
    signal.signal(signal.SIGTERM, signal.SIG_DFL)


def child_exit(arbiter: Arbiter, worker: ThreadWorker) -> None:
    """A worker has ended: it has no connections in use any more. What it has counted, stays."""
    pid: Any = worker.pid  # a number, whatever the stubs say
    if pid in _before_reload:
        _before_reload.discard(pid)
        if not _before_reload:
            _tell_outcome(arbiter, "in force")
    if metrics_address:
        # Not before the folder is named: on import it decides that there are several processes.
        from prometheus_client.multiprocess import mark_process_dead

        with suppress(OSError):  # somebody has removed the folder, or one of its files
            mark_process_dead(worker.pid)  # type: ignore[no-untyped-call]


def when_ready(_: Arbiter) -> None:
    """What is loaded stays: a worker's collector looks at none of it, and copies none of its memory."""
    gc.collect()
    gc.freeze()


def on_reload(arbiter: Arbiter) -> None:
    """HUP: the application is made anew, from the registration as it is now.

    Where that is refused, which it says itself, or fails, the one that serves goes on serving. What is new is
    in force when the last worker that began before has ended.
    """
    gc.unfreeze()
    app: Any = arbiter.app
    serving, app.callable = app.callable, None
    sys.modules.pop(app.app_uri.partition(":")[0], None)
    try:
        app.wsgi()
    except (Exception, SystemExit) as error:  # noqa: BLE001  # whatever it is, it must not end the server
        app.callable = serving
        log, name = cast("Logger", arbiter.log), type(error).__name__
        log.warning("the new configuration is faulty (%s): the one before stays in force", name)
        _tell_outcome(arbiter, "faulty")
    else:
        _before_reload.update(arbiter.WORKERS)
    when_ready(arbiter)


def _tell_outcome(arbiter: Arbiter, outcome: str) -> None:
    """Into the log, and into the RuntimeDirectory= of the unit, where deploy/reload waits for it."""
    cast("Logger", arbiter.log).info("reload: %s", outcome)
    folder = os.environ.get("RUNTIME_DIRECTORY")
    if folder:
        written = Path(folder) / "reload.new"
        written.write_text(outcome)
        written.rename(Path(folder) / "reload")


def _remove_counts(owner: int) -> None:
    """The server has ended, and with it what it has counted. Its workers end earlier, and remove nothing."""
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

# Requests at a time in each, ACCORD_THREADS of them: a thread waits for Redis or the ledger without holding
# up the others. Most threads only hold a request that waits for its turn (app/web/edge/concurrency.py), and
# cost little.
threads = 16 * _number("ACCORD_THREADS", 8, least=1, most=64)

# gthread, with answers of our own to requests that cannot be read. Worker and logger are named, not imported:
# with the package `app` comes the library for metrics, which looks for the folder above on import.
worker_class = "app.serving.worker.QuietWorker"

# A worker whose main loop is silent for so many seconds is replaced. (What bounds a request is the timeouts
# of the stores.)
timeout = 30

# The seconds that a request under way has when its worker is told to stop: a restart loses nobody's answer.
graceful_timeout = 30

# The application is made once, before the workers fork: nothing is connected to until a request needs it. The
# workers share its memory, a new one serves at once, and what is missing or faulty is listed once.
# `on_reload` makes it anew.
preload_app = True

# A worker that has answered so many requests is replaced, so that what some library leaks never adds up. Up
# to a tenth more is drawn by lot: not all are replaced at once. Requests under way are finished.
max_requests = _number("ACCORD_MAX_REQUESTS", 50_000, least=0, most=1_000_000_000)
max_requests_jitter = max_requests // 10

# Longer than a proxy keeps its idle connections (60 s in nginx): the proxy closes first, so it never sends a
# request into a connection that is being closed here. An idle connection occupies no thread.
keepalive = 65

# The longest request line that gunicorn can be told to take: a state of 2,048 characters needs it when they
# are percent-encoded. The default, 4,094, cuts such requests off.
limit_request_line = 8190
# As much as nginx passes: other sites of the bank may have left many cookies.
limit_request_field_size = 16_384

# Which peers are proxies: nobody unless configured. (Over a Unix socket gunicorn trusts whoever could open
# it, hence the umask below.)
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

# All of them at once, with those of the application: a variable that is said here it need not say again.
if _faults:
    for _fault in _faults:
        os.environ.pop(_fault.split()[0], None)
        _line = {"event": "faulty_configuration", "fault": _fault, "level": "error"}
        sys.stderr.write(f"{json.dumps({**_line, 'timestamp': datetime.now(UTC).isoformat()})}\n")
    if Path("wsgi.py").exists():
        sys.path.insert(0, chdir)
        import wsgi  # noqa: F401  # which ends this, where it has something to say
    raise SystemExit(FAULTY_CONFIGURATION)
