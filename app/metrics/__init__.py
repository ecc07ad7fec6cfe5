"""Metrics for Prometheus: consents, answers, latencies and failures, and never anything about a person.

Most counters follow the log: `count_event` is called with every event of the log. No request fails because of
its metrics: an error while counting is logged once and otherwise ignored.
"""

import os
from collections.abc import Callable, Mapping
from time import monotonic

import structlog
from prometheus_client import CollectorRegistry, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from app.domain.registry import Registry
from app.metrics.counting import UNKNOWN, Entry, EventCounts
from app.metrics.files import MetricsFiles
from app.metrics.instruments import SERIES_OF_A_BANK, Instruments

_STATUSES = {hundreds: f"{hundreds}xx" for hundreds in range(1, 6)}
_BETWEEN_SAMPLES = 1.0  # second, a judgement: Prometheus scrapes less often than that

_log = structlog.get_logger()


class Metrics:
    """The metrics of one process; under gunicorn, those of all its workers together."""

    def __init__(
        self,
        registered: Registry,
        samples: Mapping[str, Callable[[], int]],
        lost_lines: Callable[[], int],
    ) -> None:
        """`samples` has, for each store, a function that returns how many connections are in use now.

        `lost_lines` returns how many lines of this process's log could not be written. Raises OSError where
        several processes count together and the files for that cannot be made.
        """
        self._files = MetricsFiles.from_environment()
        if self._files is not None:
            self._files.reserve(len(registered.providers) * SERIES_OF_A_BANK)
        self._providers = frozenset(registered.providers)
        self._own = CollectorRegistry()
        self._others: list[Collector] = []
        self._instruments = Instruments(self._own, self._providers)
        self._counts = EventCounts(
            self._instruments, clients=frozenset(registered.clients), providers=self._providers
        )
        in_use = self._instruments.connections
        self._samples = [(in_use.labels(store), sample) for store, sample in samples.items()]
        self._lost_lines = lost_lines
        self._lost_before = 0
        self._sampled_at = 0.0
        self._counts_as = os.getpid()
        self._can_count = True
        self._has_logged_failure = False
        # A cache of the histogram's children: finding one by its labels is slow.
        self._routes: dict[tuple[str, str, int], Histogram] = {}

    def expose(self, collector: Collector) -> None:
        """Adds a collector whose values every process knows by itself and does not count."""
        self._own.register(collector)
        self._others.append(collector)

    def count_event(self, entry: Entry) -> None:
        """Counts one event of the log. Never raises."""
        count = self._counts.find(entry["event"])
        if count is not None:
            self._attempt(lambda: count(entry))

    def observe(self, route: str, method: str, status: int, seconds: float) -> None:
        """Records the duration of one answer. Never raises.

        `route` is the template of a route, `method` one of the known methods: not what the caller sent.
        """
        self._attempt(lambda: self._observe(route, method, status, seconds))

    def _attempt(self, count: Callable[[], object]) -> None:
        try:
            if self._is_able():
                count()
        except Exception as error:  # noqa: BLE001  # no error here may fail the request that is counted
            self._log_failure(error)

    def _is_able(self) -> bool:
        """Whether this process has a file to count in. After a fork it makes one of its own."""
        if self._counts_as != (process := os.getpid()):
            try:
                if self._files is not None:
                    self._files.reserve(len(self._providers) * SERIES_OF_A_BANK)
                self._can_count = True
            except OSError as error:
                self._can_count = False
                self._log_failure(error)
            self._lost_before, self._counts_as = 0, process
        return self._can_count

    def _log_failure(self, error: Exception) -> None:
        if not self._has_logged_failure:
            self._has_logged_failure = True
            _log.error("counting_failed", exc_info=error)

    def _observe(self, route: str, method: str, status: int, seconds: float) -> None:
        key = (route, method, status // 100)
        bound = self._routes.get(key)
        if bound is None:
            bound = self._instruments.requests.labels(route, method, _STATUSES.get(status // 100, UNKNOWN))
            self._routes[key] = bound
        bound.observe(seconds)
        self._sample(monotonic())

    def exposition(self) -> bytes:
        """All metrics in Prometheus' text format; with several workers, their sums."""
        if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
            return generate_latest(self._own)
        together = CollectorRegistry()
        MultiProcessCollector(together)  # type: ignore[no-untyped-call]
        for collector in self._others:
            together.register(collector)
        return generate_latest(together)

    def _sample(self, now: float) -> None:
        if now - self._sampled_at < _BETWEEN_SAMPLES:
            return
        self._sampled_at = now
        for gauge, sample in self._samples:
            gauge.set(sample())
        lost, before = self._lost_lines(), self._lost_before
        self._lost_before = lost
        self._instruments.lines_lost.inc(max(0, lost - before))
        if self._files is not None:
            self._files.make_room()
