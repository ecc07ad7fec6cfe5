"""Metrics for Prometheus: consents, answers, latencies and failures, and never anything about a person.

Most counters follow the log: `count_event` is called with every event of the log. A label has only values
that are registered or written in the code; every other value becomes `unknown`, so that nobody can create new
time series by what they send.

No request fails because of its metrics: an error while counting is logged once and otherwise ignored.
"""

import os
from collections.abc import Callable, Collection, Mapping
from time import monotonic
from typing import Any, Final

import structlog
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from app.domain.clusters import DataCluster
from app.domain.consent import OptionalShare
from app.domain.errors import ErrorCode
from app.domain.history import EventKind
from app.domain.language import Language
from app.domain.notice_registration import NoticeType
from app.domain.registry import Registry
from app.domain.tokens import SecretUsed
from app.metrics_files import MetricsFiles
from app.sign_in import Cause

UNKNOWN: Final = "unknown"
Entry = Mapping[str, Any]

# The buckets of the histogram: from a page that uses no store, to a bank's server that answers at its timeout
# (ACCORD_BANK_TIMEOUT, 5 seconds at most).
_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5)
_STEPS = (EventKind.ASKED, "shown", EventKind.APPROVED, EventKind.DENIED, "request_expired")
_LATER = (
    *(EventKind.REDEEMED, EventKind.REFRESHED, EventKind.REPLAYED),
    *(EventKind.NARROWED, EventKind.WITHDRAWN, EventKind.REVOKED, EventKind.SUPERSEDED),
)
_ANSWERS_WITH_TOKENS = (EventKind.REDEEMED, EventKind.REFRESHED, "administered")
_SCOPE_OF: Final[dict[str, str]] = {EventKind.ASKED: "requested_scope", EventKind.APPROVED: "granted_scope"}
_NOTICE_TYPES = frozenset(NoticeType)
_NOTICE_OUTCOMES: Final = {
    "notice_acknowledged": "acknowledged",
    "notice_delivered": "delivered",
    "notice_refused": "refused",
    "notice_failed": "failed",
    "notice_given_up": "given_up",
}
_LIMITS = ("address", "sign_in", "authorize", "token", "notices", "client_authentication")
_SECRETS = frozenset(SecretUsed)
_STORES = ("redis", "ledger")
_LANGUAGES = frozenset(Language)
_CLUSTERS = frozenset(DataCluster)
_ERRORS = frozenset(ErrorCode)
_SHARES = frozenset(OptionalShare)
_OUTCOMES = frozenset({"ok", *Cause})
_LIST_OUTCOMES = ("ok", Cause.BUSY, Cause.UNAVAILABLE)
# A list of accounts comes over the network or not at all, by the timeout of its bank.
_LIST_SECONDS = (0.1, 0.25, 0.5, 1, 2.5, 5)
_LIST_SERIES = len(_LIST_OUTCOMES) + len(_LIST_SECONDS) + 2
"""Of each bank: its outcomes, and the buckets of a histogram with its sum and that without a bound."""
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
            self._files.reserve(len(registered.providers) * (len(_OUTCOMES) + _LIST_SERIES))
        self._clients = frozenset(registered.clients)
        self._providers = frozenset(registered.providers)
        self._own = own = CollectorRegistry()
        self._others: list[Collector] = []
        parties = ("client_id", "provider_id")
        self._consents = Counter(
            "accord_consents",
            "Steps of consents: asked, shown, approved, denied, request_expired",
            ["step", *parties, "language", "optional"],
            registry=own,
        )
        self._clusters = Counter(
            "accord_consent_clusters",
            "Data clusters asked for and granted",
            ["step", "cluster", "provider_id"],
            registry=own,
        )
        self._events = Counter(
            "accord_consent_events", "Events after the answer to a request", ["event", *parties], registry=own
        )
        self._tokens = Counter(
            "accord_token_answers",
            "Answers of the token endpoint: what was issued, or the error",
            ["outcome", "client_id"],
            registry=own,
        )
        self._secrets = Counter(
            "accord_client_secret_used",
            "Answers of the token endpoint by which of a client's two secrets was presented",
            ["which", "client_id"],
            registry=own,
        )
        self._sign_ins = Counter(
            "accord_sign_ins", "Sign-ins that ended, by outcome", ["outcome", "provider_id"], registry=own
        )
        self._lists = Counter(
            "accord_account_lists",
            "Lists of accounts that a bank was asked for, by outcome",
            ["outcome", "provider_id"],
            registry=own,
        )
        self._list_seconds = Histogram(
            "accord_account_list_seconds",
            "Time until a bank gave a list of accounts, or failed to",
            ["provider_id"],
            buckets=_LIST_SECONDS,
            registry=own,
        )
        self._no_accounts = Counter(
            "accord_accounts_none",
            "Pages for customers none of whose accounts can be shared",
            ["provider_id"],
            registry=own,
        )
        self._notices = Counter(
            "accord_notices",
            "Notices to recipients and banks, by what became of a try",
            ["type", "outcome"],
            registry=own,
        )
        self._limited = Counter(
            "accord_rate_limited", "Requests that exceeded a rate limit", ["limit"], registry=own
        )
        self._turned_away = Counter(
            "accord_turned_away", "Requests that were refused because the queue was full", registry=own
        )
        self._forms = Counter("accord_forms_refused", "Forms without a valid CSRF token", registry=own)
        self._unexpected = Counter("accord_unexpected_errors", "Answers with status 500", registry=own)
        self._lines_lost = Counter(
            "accord_log_lines_lost",
            "Lines that the log could not take, sampled once a second while requests come",
            registry=own,
        )
        self._store_errors = Counter(
            "accord_store_errors", "Requests that failed because of a store", ["store"], registry=own
        )
        self._requests = Histogram(
            "accord_http_request_seconds",
            "Time to answer, by route",
            ["route", "method", "status"],
            buckets=_SECONDS,
            registry=own,
        )
        self._begin_at_zero()
        in_use = Gauge(
            "accord_store_connections",
            "Connections in use, sampled once a second while requests come",
            ["store"],
            registry=own,
            multiprocess_mode="livesum",
        )
        self._samples = [(in_use.labels(store), sample) for store, sample in samples.items()]
        self._lost_lines = lost_lines
        self._lost_before = 0
        self._sampled_at = 0.0
        self._counts_as = os.getpid()
        self._can_count = True
        self._has_logged_failure = False
        # A cache of the histogram's children: finding one by its labels is slow.
        self._routes: dict[tuple[str, str, int], Histogram] = {}
        self._counted: dict[str, Callable[[Entry], None]] = {
            **dict.fromkeys(_STEPS, self._count_step),
            **dict.fromkeys(_LATER, self._count_event),
            "administered": self._count_answer,
            "refused": self._count_refusal,
            "store_unavailable": self._count_store_error,
            "signed_in": self._count_sign_in,
            "sign_in_failed": self._count_sign_in,
            "accounts_listed": self._count_list,
            "accounts_unavailable": self._count_list,
            "accounts_none": lambda entry: self._no_accounts.labels(self._provider(entry)).inc(),
            **dict.fromkeys(_NOTICE_OUTCOMES, self._count_notice),
            "rate_limited": lambda entry: self._limited.labels(_known(entry.get("limit"), _LIMITS)).inc(),
            "turned_away": lambda _: self._turned_away.inc(),
            "csrf_refused": lambda _: self._forms.inc(),
            "unexpected": lambda _: self._unexpected.inc(),
        }

    def _begin_at_zero(self) -> None:
        """Creates the series that alerts watch: `increase()` does not see a series that begins with 1."""
        for store in _STORES:
            self._store_errors.labels(store)
        for limit in _LIMITS:
            self._limited.labels(limit)
        for provider_id in self._providers:
            for outcome in _OUTCOMES:
                self._sign_ins.labels(outcome, provider_id)
            for outcome in _LIST_OUTCOMES:
                self._lists.labels(outcome, provider_id)

    def expose(self, collector: Collector) -> None:
        """Adds a collector whose values every process knows by itself and does not count."""
        self._own.register(collector)
        self._others.append(collector)

    def count_event(self, entry: Entry) -> None:
        """Counts one event of the log. Never raises."""
        count = self._counted.get(entry["event"])
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
                    self._files.reserve(len(self._providers) * (len(_OUTCOMES) + _LIST_SERIES))
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
            bound = self._requests.labels(route, method, _STATUSES.get(status // 100, UNKNOWN))
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
        self._lines_lost.inc(max(0, lost - before))
        if self._files is not None:
            self._files.make_room()

    def _count_step(self, entry: Entry) -> None:
        step: str = entry["event"]
        provider_id = self._provider(entry)
        spoken = _known(entry.get("language"), _LANGUAGES)
        share = entry.get("optional")  # only of an approval that could have left something out
        optional = "" if share is None else _known(share, _SHARES)
        self._consents.labels(step, self._client(entry), provider_id, spoken, optional).inc()
        for cluster in str(entry.get(_SCOPE_OF.get(step, ""), "")).split():
            self._clusters.labels(step, _known(cluster, _CLUSTERS), provider_id).inc()

    def _count_event(self, entry: Entry) -> None:
        self._events.labels(entry["event"], self._client(entry), self._provider(entry)).inc()
        if entry["event"] in _ANSWERS_WITH_TOKENS:
            self._count_answer(entry)

    def _count_answer(self, entry: Entry) -> None:
        self._tokens.labels(entry["event"], self._client(entry)).inc()
        self._count_secret(entry)

    def _count_refusal(self, entry: Entry) -> None:
        if entry.get("endpoint") == "token.token":
            self._tokens.labels(_known(entry.get("error"), _ERRORS), self._client(entry)).inc()
            self._count_secret(entry)

    def _count_secret(self, entry: Entry) -> None:
        which = _known(entry.get("secret_used"), _SECRETS)
        if which != UNKNOWN:  # a wrong secret is neither of the two
            self._secrets.labels(which, self._client(entry)).inc()

    def _count_store_error(self, entry: Entry) -> None:
        store = str(entry.get("store")).partition(":")[0]
        self._store_errors.labels(_known(store, _STORES)).inc()
        if entry.get("endpoint") == "token.token":
            self._tokens.labels(ErrorCode.TEMPORARILY_UNAVAILABLE, self._client(entry)).inc()

    def _count_sign_in(self, entry: Entry) -> None:
        outcome = _known(entry.get("outcome"), _OUTCOMES)
        self._sign_ins.labels(outcome, self._provider(entry)).inc()

    def _count_list(self, entry: Entry) -> None:
        provider_id = self._provider(entry)
        self._lists.labels(_known(entry.get("outcome"), _LIST_OUTCOMES), provider_id).inc()
        self._list_seconds.labels(provider_id).observe(float(entry["seconds"]))

    def _count_notice(self, entry: Entry) -> None:
        outcome = _NOTICE_OUTCOMES[entry["event"]]
        self._notices.labels(_known(entry.get("type"), _NOTICE_TYPES), outcome).inc()

    def _client(self, entry: Entry) -> str:
        return _known(entry.get("client_id"), self._clients)

    def _provider(self, entry: Entry) -> str:
        return _known(entry.get("provider_id"), self._providers)


def _known(value: object, known: Collection[str]) -> str:
    return value if isinstance(value, str) and value in known else UNKNOWN
