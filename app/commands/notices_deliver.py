"""`flask notices deliver`: sends notices to recipients and banks, as a service beside the web server."""

import os
import signal
from contextlib import nullcontext
from dataclasses import dataclass
from types import FrameType

import click
import structlog

from app.clock import utc_now
from app.commands.notices_metrics import Address, MetricsServer, metrics_served
from app.log_output import OUTPUT
from app.logs import fault_line, set_up_logging
from app.metrics import Metrics
from app.notices.deliverer import Deliverer
from app.notices.waiting import WaitingNotices
from app.registration.file import RegistryError, read_registry
from app.settings import ConfigurationError, Settings
from app.startup import Parts, open_parts
from app.stores.ledger.deliveries import DeliveryStore
from app.stores.ledger.notices import NoticeStore

_log = structlog.get_logger()


@dataclass(slots=True)
class _Signals:
    """What was asked of this process. These are flags, so that no signal interrupts a step."""

    is_stopping: bool = False
    is_changed: bool = False

    def stop(self, _signal: int, _frame: FrameType | None) -> None:
        self.is_stopping = True

    def read_anew(self, _signal: int, _frame: FrameType | None) -> None:
        self.is_changed = True


@click.command()
@click.option("--metrics", "address", type=Address(), help="Serves metrics, such as at 127.0.0.1:9101.")
def deliver(address: tuple[str, int] | None) -> None:
    """Sends notices to the recipients and banks that have registered an address, until SIGTERM or Ctrl-C.

    It is configured as the server is, by the same environment, and any number may run at the same time. On
    SIGHUP it reads the registration file again; a faulty one changes nothing. Asked to stop, it finishes what
    is under way, for ten seconds at the most, and gives the rest back.
    """
    set_up_logging()
    try:
        settings = Settings()
        parts = open_parts(settings)
        server = None if address is None else _listen(address)
    except ConfigurationError as error:
        for fault in str(error).splitlines():
            OUTPUT.write(fault_line(fault))
        # After this code systemd does not restart (deploy/accord-notices.service).
        raise SystemExit(os.EX_CONFIG) from None
    deliverer = Deliverer(
        DeliveryStore(parts.ledger.database),
        parts.keys,
        parts.registry,
        issuer=settings.issuer,
        opened=settings.networks_of_recipients,
        clock=utc_now,
    )
    signals = _Signals()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signals.stop)
    signal.signal(signal.SIGHUP, signals.read_anew)

    def is_stopping() -> bool:
        if signals.is_changed:
            signals.is_changed = False
            _read_anew(settings, deliverer)
        return signals.is_stopping

    _say_what_was_loaded(deliverer)
    with nullcontext() if server is None else metrics_served(_counting(parts, deliverer), server):
        deliverer.run(is_stopping)
    parts.ledger.close()
    _log.info("deliverer_stopped")


def _listen(address: tuple[str, int]) -> MetricsServer:
    """Raises ConfigurationError."""
    try:
        return MetricsServer(address)
    except (OSError, UnicodeError) as error:  # UnicodeError: the part of a name between two dots is too long
        host, port = address
        reason = getattr(error, "strerror", None) or "no such name"
        raise ConfigurationError(f"--metrics: cannot listen at {host}, port {port}: {reason}") from error


def _counting(parts: Parts, deliverer: Deliverer) -> Metrics:
    """The metrics of this process, which count events of the log from now on."""
    database = parts.ledger.database
    metrics = Metrics(parts.registry, {"ledger": database.connections_in_use}, lost_lines=lambda: OUTPUT.lost)
    # The registry of now: it may be read again while the process runs.
    metrics.expose(
        WaitingNotices(NoticeStore(database), lambda: deliverer.registry.receivers_with_address(), utc_now)
    )
    set_up_logging(metrics.count_event)
    return metrics


def _read_anew(settings: Settings, deliverer: Deliverer) -> None:
    try:
        deliverer.registry = read_registry(settings.registry, allow_demo=settings.is_development)
    except RegistryError as error:
        for fault in str(error).splitlines():
            _log.error("faulty_configuration", fault=fault)
    else:
        _say_what_was_loaded(deliverer)


def _say_what_was_loaded(deliverer: Deliverer) -> None:
    registry = deliverer.registry
    _log.info("deliverer_loaded", registry=registry.digest, receivers=len(registry.receivers_with_address()))
