"""Declares the counters, gauges and histograms of one process, and label values that alerts watch."""

from collections.abc import Collection
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from app.sign_in import Cause

LIMITS: Final = ("address", "sign_in", "authorize", "token", "notices", "client_authentication")
STORES: Final = ("redis", "ledger")
OUTCOMES: Final = frozenset({"ok", *Cause})
LIST_OUTCOMES: Final = ("ok", Cause.BUSY, Cause.UNAVAILABLE)

# The buckets of the histogram: from a page that uses no store, to a bank's server that answers at its timeout
# (ACCORD_BANK_TIMEOUT, 5 seconds at most).
_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5)
# A list of accounts comes over the network or not at all, by the timeout of its bank.
_LIST_SECONDS = (0.1, 0.25, 0.5, 1, 2.5, 5)
SERIES_OF_A_BANK: Final = len(OUTCOMES) + len(LIST_OUTCOMES) + len(_LIST_SECONDS) + 2
"""The outcomes of its sign-ins and lists, and a histogram: its buckets, the unbounded one, and its sum."""

_PARTIES = ("client_id", "provider_id")


class Instruments:
    """Every metric that this process counts or samples, registered with `own`.

    The series that alerts watch begin at zero: `increase()` does not see a series that begins with 1.
    """

    def __init__(self, own: CollectorRegistry, providers: Collection[str]) -> None:
        def counter(name: str, documentation: str, *labels: str) -> Counter:
            return Counter(name, documentation, labels, registry=own)

        def histogram(name: str, documentation: str, *labels: str, buckets: tuple[float, ...]) -> Histogram:
            return Histogram(name, documentation, labels, buckets=buckets, registry=own)

        self.consents = counter(
            "accord_consents",
            "Steps of consents: asked, shown, approved, denied, request_expired",
            *("step", *_PARTIES, "language", "optional"),
        )
        self.clusters = counter(
            "accord_consent_clusters",
            "Data clusters asked for and granted",
            *("step", "cluster", "provider_id"),
        )
        self.events = counter(
            "accord_consent_events", "Events after the answer to a request", "event", *_PARTIES
        )
        self.tokens = counter(
            "accord_token_answers",
            "Answers of the token endpoint: what was issued, or the error",
            *("outcome", "client_id"),
        )
        self.secrets = counter(
            "accord_client_secret_used",
            "Answers of the token endpoint by which of a client's two secrets was presented",
            *("which", "client_id"),
        )
        self.sign_ins = counter(
            "accord_sign_ins", "Sign-ins that ended, by outcome", "outcome", "provider_id"
        )
        self.lists = counter(
            "accord_account_lists",
            "Lists of accounts that a bank was asked for, by outcome",
            *("outcome", "provider_id"),
        )
        self.list_seconds = histogram(
            "accord_account_list_seconds",
            "Time until a bank gave a list of accounts, or failed to",
            "provider_id",
            buckets=_LIST_SECONDS,
        )
        self.no_accounts = counter(
            "accord_accounts_none",
            "Pages for customers none of whose accounts can be shared",
            "provider_id",
        )
        self.notices = counter(
            "accord_notices", "Notices to recipients and banks, by what became of a try", "type", "outcome"
        )
        self.limited = counter("accord_rate_limited", "Requests that exceeded a rate limit", "limit")
        self.turned_away = counter(
            "accord_turned_away", "Requests that were refused because the queue was full"
        )
        self.forms = counter("accord_forms_refused", "Forms without a valid CSRF token")
        self.unexpected = counter("accord_unexpected_errors", "Answers with status 500")
        self.lines_lost = counter(
            "accord_log_lines_lost",
            "Lines that the log could not take, sampled once a second while requests come",
        )
        self.store_errors = counter("accord_store_errors", "Requests that failed because of a store", "store")
        self.requests = histogram(
            "accord_http_request_seconds",
            "Time to answer, by route",
            *("route", "method", "status"),
            buckets=_SECONDS,
        )
        self.connections = Gauge(
            "accord_store_connections",
            "Connections in use, sampled once a second while requests come",
            ["store"],
            registry=own,
            multiprocess_mode="livesum",
        )
        self._begin_at_zero(providers)

    def _begin_at_zero(self, providers: Collection[str]) -> None:
        for store in STORES:
            self.store_errors.labels(store)
        for limit in LIMITS:
            self.limited.labels(limit)
        for provider_id in providers:
            for outcome in OUTCOMES:
                self.sign_ins.labels(outcome, provider_id)
            for outcome in LIST_OUTCOMES:
                self.lists.labels(outcome, provider_id)
