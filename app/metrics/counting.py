"""Finds what each event of the log adds to, and with which labels.

A label has only values that are registered or written in the code; every other value becomes `unknown`, so
that nobody can create new time series by what they send.
"""

from collections.abc import Callable, Collection, Mapping
from typing import Any, Final

from app.domain.clusters import DataCluster
from app.domain.consent import OptionalShare
from app.domain.errors import ErrorCode
from app.domain.history import EventKind
from app.domain.language import Language
from app.domain.notice_registration import NoticeType
from app.domain.tokens import SecretUsed
from app.metrics.instruments import LIMITS, LIST_OUTCOMES, OUTCOMES, STORES, Instruments

UNKNOWN: Final = "unknown"
Entry = Mapping[str, Any]

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
_SECRETS = frozenset(SecretUsed)
_LANGUAGES = frozenset(Language)
_CLUSTERS = frozenset(DataCluster)
_ERRORS = frozenset(ErrorCode)
_SHARES = frozenset(OptionalShare)


class EventCounts:
    """Adds events of the log to `instruments`, for the registered `clients` and `providers`."""

    def __init__(
        self, instruments: Instruments, *, clients: Collection[str], providers: Collection[str]
    ) -> None:
        self._to = instruments
        self._clients = clients
        self._providers = providers
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
            "accounts_none": lambda entry: self._to.no_accounts.labels(self._provider(entry)).inc(),
            **dict.fromkeys(_NOTICE_OUTCOMES, self._count_notice),
            "rate_limited": lambda entry: self._to.limited.labels(_known(entry.get("limit"), LIMITS)).inc(),
            "turned_away": lambda _: self._to.turned_away.inc(),
            "csrf_refused": lambda _: self._to.forms.inc(),
            "unexpected": lambda _: self._to.unexpected.inc(),
        }

    def find(self, event: str) -> Callable[[Entry], None] | None:
        """The function that counts an event of this name; None for an event that is not counted."""
        return self._counted.get(event)

    def _count_step(self, entry: Entry) -> None:
        step: str = entry["event"]
        provider_id = self._provider(entry)
        spoken = _known(entry.get("language"), _LANGUAGES)
        share = entry.get("optional")  # only of an approval that could have left something out
        optional = "" if share is None else _known(share, _SHARES)
        self._to.consents.labels(step, self._client(entry), provider_id, spoken, optional).inc()
        for cluster in str(entry.get(_SCOPE_OF.get(step, ""), "")).split():
            self._to.clusters.labels(step, _known(cluster, _CLUSTERS), provider_id).inc()

    def _count_event(self, entry: Entry) -> None:
        self._to.events.labels(entry["event"], self._client(entry), self._provider(entry)).inc()
        if entry["event"] in _ANSWERS_WITH_TOKENS:
            self._count_answer(entry)

    def _count_answer(self, entry: Entry) -> None:
        self._to.tokens.labels(entry["event"], self._client(entry)).inc()
        self._count_secret(entry)

    def _count_refusal(self, entry: Entry) -> None:
        if entry.get("endpoint") == "token.token":
            self._to.tokens.labels(_known(entry.get("error"), _ERRORS), self._client(entry)).inc()
            self._count_secret(entry)

    def _count_secret(self, entry: Entry) -> None:
        which = _known(entry.get("secret_used"), _SECRETS)
        if which != UNKNOWN:  # a wrong secret is neither of the two
            self._to.secrets.labels(which, self._client(entry)).inc()

    def _count_store_error(self, entry: Entry) -> None:
        store = str(entry.get("store")).partition(":")[0]
        self._to.store_errors.labels(_known(store, STORES)).inc()
        if entry.get("endpoint") == "token.token":
            self._to.tokens.labels(ErrorCode.TEMPORARILY_UNAVAILABLE, self._client(entry)).inc()

    def _count_sign_in(self, entry: Entry) -> None:
        outcome = _known(entry.get("outcome"), OUTCOMES)
        self._to.sign_ins.labels(outcome, self._provider(entry)).inc()

    def _count_list(self, entry: Entry) -> None:
        provider_id = self._provider(entry)
        self._to.lists.labels(_known(entry.get("outcome"), LIST_OUTCOMES), provider_id).inc()
        self._to.list_seconds.labels(provider_id).observe(float(entry["seconds"]))

    def _count_notice(self, entry: Entry) -> None:
        """What is not recorded was settled in another way, or is sent again, and is counted then."""
        if entry.get("is_recorded", True):
            outcome = _NOTICE_OUTCOMES[entry["event"]]
            self._to.notices.labels(_known(entry.get("type"), _NOTICE_TYPES), outcome).inc()

    def _client(self, entry: Entry) -> str:
        return _known(entry.get("client_id"), self._clients)

    def _provider(self, entry: Entry) -> str:
        return _known(entry.get("provider_id"), self._providers)


def _known(value: object, known: Collection[str]) -> str:
    return value if isinstance(value, str) and value in known else UNKNOWN
