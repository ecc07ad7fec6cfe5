"""Records in the ledger what became of a notice by its answer, and says so in the log."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

import structlog

from app.domain.notice_registration import log_fields
from app.notices.answers import (
    DAILY,
    POSTPONED_FOR,
    TRIED_FOR,
    Failed,
    Gone,
    Meaning,
    NotSent,
    next_try,
    pause_after,
)
from app.notices.ledger_retry import LedgerRetry
from app.stores.ledger.deliveries import (
    PAUSED_AFTER,
    Became,
    Delivered,
    DeliveryStore,
    GaveUp,
    Lease,
    Postponed,
    Refused,
    TryAgain,
)
from app.stores.unavailable import StoreUnavailable

_log = structlog.get_logger()


class Outcomes:
    """`jitter` gives random numbers from -1 to 1, as `next_try` takes them."""

    def __init__(
        self,
        store: DeliveryStore,
        ledger: LedgerRetry,
        *,
        clock: Callable[[], datetime],
        jitter: Callable[[], float],
    ) -> None:
        self._store = store
        self._ledger = ledger
        self._clock = clock
        self._jitter = jitter

    def record(self, lease: Lease, meaning: Meaning, *, failures_before: int) -> int:
        """Records it while the lease lasts; the failures of this receiver that are running now.

        Where the ledger does not answer in that time, the notice is sent again.
        """
        now = self._clock()
        became = self._became(lease, meaning, now)
        settled = self._settle(lease, became, now)
        _say(lease, became, settled=settled, now=now)
        match meaning:
            case Gone():
                self._disable(lease, now)
                return failures_before + 1
            case Failed():
                return self._count_failure(lease, meaning, failures_before + 1, now)
            case NotSent():
                return failures_before
            case _:
                return 0

    def _settle(self, lease: Lease, became: Became, now: datetime) -> bool | None:
        """Whether it was recorded; None where the ledger did not answer."""
        is_settled_perhaps = False

        def settle() -> bool:
            nonlocal is_settled_perhaps
            try:
                return self._store.settle(lease, became, now=now) or is_settled_perhaps
            except StoreUnavailable as error:
                is_settled_perhaps = is_settled_perhaps or error.is_committed_perhaps
                raise

        return self._ledger.until(lease.until, settle)

    def _became(self, lease: Lease, meaning: Meaning, now: datetime) -> Became:
        match meaning:
            case Delivered() | Refused():
                return meaning
            case Gone():
                return TryAgain("410", now + DAILY)
            case NotSent(outcome):
                return Postponed(outcome, now + POSTPONED_FOR)
            case Failed():
                return next_try(
                    meaning,
                    attempts=lease.attempts,
                    happened_at=lease.notice.happened_at,
                    now=now,
                    jitter=self._jitter(),
                )

    def _disable(self, lease: Lease, now: datetime) -> None:
        receiver = lease.notice.receiver

        def disable() -> bool:
            self._store.disable_endpoint(receiver, "410 Gone", now=now)
            return True

        self._ledger.until(lease.until, disable)
        _log.error("notice_endpoint_disabled", **log_fields(receiver))

    def _count_failure(self, lease: Lease, failed: Failed, failures: int, now: datetime) -> int:
        receiver = lease.notice.receiver
        pause = pause_after(failures, paused_after=PAUSED_AFTER, wait=failed.wait)
        counted = self._ledger.until(
            lease.until,
            lambda: self._store.endpoint_failed(receiver, now=now, pause=pause, wait=failed.wait),
        )
        failures = counted or failures
        lasts = pause if failures >= PAUSED_AFTER else failed.wait
        if lasts is not None:
            seconds = int(lasts.total_seconds())
            _log.warning("notice_endpoint_paused", **log_fields(receiver), failures=failures, seconds=seconds)
        if failures >= PAUSED_AFTER:
            self._give_up_old_ones(receiver, failed, now)
        return failures

    def _give_up_old_ones(self, receiver: str, failed: Failed, now: datetime) -> None:
        """What could not be sent for so long is sent no more; in portions, one after each failure."""
        given_up = self._ledger.once(
            lambda: self._store.give_up_older(receiver, now - TRIED_FOR, failed.outcome, now=now)
        )
        for notice in given_up or ():
            _log.error("notice_given_up", **notice.facts, outcome=failed.outcome)


def stops(meaning: Meaning, failures: int) -> bool:
    """Whether the receiver is paused or disabled after this answer, and so many failures running."""
    match meaning:
        case Gone():
            return True
        case Failed():
            return meaning.wait is not None or failures >= PAUSED_AFTER
        case _:
            return False


def _say(lease: Lease, became: Became, *, settled: bool | None, now: datetime) -> None:
    """One line for each try. `settled` is None where the ledger did not answer, and it will be sent again."""
    notice = lease.notice
    facts: dict[str, Any] = {
        **notice.facts,
        "attempts": lease.attempts,
        **({} if settled else {"is_recorded": settled}),
    }
    match became:
        case Delivered():
            age = round((now - notice.happened_at).total_seconds(), 3)
            _log.info("notice_delivered", **facts, seconds_after=age)
        case Refused(err):
            _log.warning("notice_refused", **facts, err=err)
        case TryAgain(outcome, at):
            _log.warning("notice_failed", **facts, outcome=outcome, next_try_at=at.isoformat())
        case GaveUp(outcome):
            _log.error("notice_given_up", **facts, outcome=outcome)
        case Postponed(outcome, at):
            _log.warning("notice_postponed", **facts, outcome=outcome, next_try_at=at.isoformat())
