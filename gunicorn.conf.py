"""How gunicorn serves Accord: behind a proxy that ends TLS and holds slow clients back.

Besides the settings, gunicorn's own answers and its own log. Neither repeats what a request contained: an
authorization request's line carries its state, and a callback's its code.
"""

import atexit
import gc
import json
import logging
import os
import re
import selectors
import shutil
import signal
import socket
import sys
import tempfile
import time
import traceback
import uuid
from collections import deque
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from http import HTTPStatus
from ipaddress import ip_network
from pathlib import Path
from typing import Any, cast

from gunicorn.arbiter import Arbiter
from gunicorn.config import Config
from gunicorn.glogging import Logger
from gunicorn.http.errors import (  # type: ignore[attr-defined]  # two are younger than the stubs
    ConfigurationProblem,
    ExpectationFailed,
    ForbiddenProxyRequest,
    InvalidResponseHeader,
    InvalidResponseHeaderName,
    LimitRequestHeaders,
    LimitRequestLine,
    ParseException,
    UnsupportedTransferCoding,
)
from gunicorn.systemd import SD_LISTEN_FDS_START, listen_fds
from gunicorn.util import write_nonblock
from gunicorn.workers.gthread import TConn, ThreadWorker

# As long as nginx gives a client for its headers. A proxy sends at once.
SECONDS_TO_FIRST_BYTE = 10
SECONDS_TO_LAST_BYTE = 2
LARGEST_READ = 64 * 1024

LARGEST_PORT = 65_535
# EX_CONFIG, as wsgi.py: starting again is of no use.
FAULTY_CONFIGURATION = 78
_ADDRESS = re.compile(r"unix:.+|fd://[0-9]+|.*:([0-9]{1,5})", re.ASCII)
_faults: list[str] = []
_before_reload: set[int] = set()
"""The workers that began before the latest reload and have not ended yet. (A reload reads this file anew.)"""

# A file system in memory, where there is one.
_MEMORY = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None  # noqa: S108  # folders of our own making in it

# What gunicorn answers for itself. Whatever else it cannot parse is 400.
_STATUS_OF: dict[type[BaseException], HTTPStatus] = {
    LimitRequestLine: HTTPStatus.REQUEST_URI_TOO_LONG,
    LimitRequestHeaders: HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
    ExpectationFailed: HTTPStatus.EXPECTATION_FAILED,
    UnsupportedTransferCoding: HTTPStatus.NOT_IMPLEMENTED,
    ForbiddenProxyRequest: HTTPStatus.FORBIDDEN,
    # These three are ours to answer for, not the sender's.
    ConfigurationProblem: HTTPStatus.INTERNAL_SERVER_ERROR,
    InvalidResponseHeader: HTTPStatus.INTERNAL_SERVER_ERROR,
    InvalidResponseHeaderName: HTTPStatus.INTERNAL_SERVER_ERROR,
}

_ANSWER = """\
HTTP/1.1 {status} {reason}\r
Content-Type: text/plain; charset=utf-8\r
Content-Length: {length}\r
Cache-Control: no-store\r
Content-Security-Policy: default-src 'none'; frame-ancestors 'none'\r
X-Content-Type-Options: nosniff\r
Referrer-Policy: same-origin\r
Cross-Origin-Resource-Policy: same-origin\r
ob-trace-id: {trace_id}\r
Connection: close\r
\r
{text}"""


class JsonLines(logging.Formatter):
    """One JSON object a line, in plain ASCII, whatever the message contains."""

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "timestamp": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "process": record.process,
            "event": record.getMessage(),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line)


class QuietLogger(Logger):
    """gunicorn's logger, writing JSON, which like the application's lines waits for a thread to write it."""

    def setup(self, cfg: Config) -> None:
        # Not before the folder of the counts is named, which is looked for on import.
        from app.log_output import OUTPUT

        super().setup(cfg)
        OUTPUT.queue_lines(sys.stderr.fileno())
        for handler in self.error_log.handlers:
            if isinstance(handler, logging.StreamHandler):
                handler.setStream(OUTPUT)
            handler.setFormatter(JsonLines())


class Connection(TConn):
    """A connection whose end nobody waits for, neither in a thread nor in the loop that serves all others."""

    def __init__(self, worker: "QuietWorker", client: socket.socket, address: Any, server: Any) -> None:
        super().__init__(worker.cfg, client, address, server)
        self._worker = worker
        self.leave_at = 0.0

    def close(self, graceful: bool = False) -> None:
        """`graceful`: not before the peer has read the answer and closes too (RFC 9112 9.6)."""
        if graceful:
            try:
                self.sock.shutdown(socket.SHUT_WR)
            except OSError:
                graceful = False  # the peer has gone
        if graceful:
            self._worker.linger(self)
        else:
            super().close()

    def has_ended(self) -> bool:
        """Reads what the peer still sends, to no end but its own."""
        try:
            return not self.sock.recv(LARGEST_READ)
        except BlockingIOError:
            return False
        except OSError:
            return True


class QuietWorker(ThreadWorker):
    """A gthread worker that repeats nothing of a request it refuses, and waits for no client.

    gthread has a thread wait for a client's first byte, for up to five seconds, and the loop that serves all
    the others for the end of a connection, for up to two.
    """

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._lingering: deque[Connection] = deque()

    def accept(self, listener: socket.socket) -> None:
        """Takes a connection in, and occupies a thread with it when there is something to read."""
        try:
            client, address = listener.accept()
        except (BlockingIOError, ConnectionAbortedError):
            return
        client.setblocking(False)
        connection = Connection(self, client, address, listener.getsockname())
        connection.timeout = time.monotonic() + SECONDS_TO_FIRST_BYTE
        self.nr_conns += 1
        self.pending_conns.append(connection)
        waiting = partial(self.on_pending_socket_readable, connection)
        self.poller.register(client, selectors.EVENT_READ, waiting)

    def linger(self, connection: Connection) -> None:
        """Keeps a connection that has had its answer, until the peer closes it or its time is over."""
        self.nr_conns += 1
        connection.sock.setblocking(False)
        connection.leave_at = time.monotonic() + SECONDS_TO_LAST_BYTE
        self._lingering.append(connection)
        self.poller.register(connection.sock, selectors.EVENT_READ, partial(self._leave_if_ended, connection))

    def murder_pending(self) -> None:
        """Ends what has waited for long enough; when the worker is to stop, that is not long."""
        now = time.monotonic()
        if not self.alive:
            soon = now + SECONDS_TO_LAST_BYTE
            for connection in self.pending_conns:
                connection.timeout = min(connection.timeout or soon, soon)
        super().murder_pending()
        while self._lingering and self._lingering[0].leave_at <= now:
            self._leave(self._lingering[0])

    def _leave_if_ended(self, connection: Connection, _: socket.socket) -> None:
        if connection.has_ended():
            self._leave(connection)

    def _leave(self, connection: Connection) -> None:
        self._lingering.remove(connection)
        self.poller.unregister(connection.sock)
        self.nr_conns -= 1
        connection.close()

    def handle_error(self, req: Any, client: socket.socket, addr: Any, exc: BaseException) -> None:
        """Answer what never reached the application, or came out of it broken."""
        otherwise = (
            HTTPStatus.BAD_REQUEST if isinstance(exc, ParseException) else HTTPStatus.INTERNAL_SERVER_ERROR
        )
        status = _STATUS_OF.get(type(exc), otherwise)
        trace_id = str(uuid.uuid4())
        # The places in the code are safe to log. The exception's text and the request's line are not.
        frames = traceback.extract_tb(exc.__traceback__) if status >= HTTPStatus.INTERNAL_SERVER_ERROR else []
        places = ", ".join(f"{frame.filename}:{frame.lineno}" for frame in frames)
        self.log.warning("answered %d: %s %s ob-trace-id=%s", status, type(exc).__name__, places, trace_id)
        text = f"{status} {status.phrase}\nReference / Référence : {trace_id}\n"
        answer = _ANSWER.format(
            status=status.value, reason=status.phrase, length=len(text.encode()), trace_id=trace_id, text=text
        )
        try:
            write_nonblock(client, answer.encode())
        except OSError:
            self.log.debug("the peer of an unreadable request has gone")


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

# gthread, with our own way of refusing.
worker_class = QuietWorker

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
logger_class = QuietLogger

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
