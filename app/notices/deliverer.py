"""The loop of `flask notices deliver`: claims notices that are due, sends each, records what became of it.

No transaction is open while a notice is under way. A process that dies between sending and recording leaves
a lease that runs out, after which the notice is sent again: at least once. Receivers know it by its `jti`.
"""

import random
from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from threading import Condition
from typing import Final

import structlog

from app.domain.networks import Network, may_be_reached
from app.domain.notices import notice_claims
from app.domain.registry import Registry
from app.notices.answers import Failed, Meaning, NotSent, meaning_of
from app.notices.ledger_retry import IDLE, LedgerRetry
from app.notices.outcomes import Outcomes, stops
from app.notices.sending import push
from app.outgoing import CallFailed
from app.outgoing.bulkhead import Bulkhead
from app.stores.ledger.deliveries import Delivered, DeliveryStore, Lease, Refused
from app.stores.signing_keys import SigningKeys

# All but PUSH are judgements. docs/operating.md names THREADS and IN_FLIGHT.
THREADS: Final = 8
"""Notices under way at the same time."""
IN_FLIGHT: Final = 2
"""Of these, to one receiver: one that hangs leaves most threads to the others."""
AHEAD: Final = 16
"""Notices that are claimed at a time for a receiver that takes them: a claim costs as much as a notice."""
MOST_CLAIMED: Final = 50
"""Notices that a process holds at a time: what it cannot send soon, others may."""
LEASE: Final = timedelta(seconds=60)
"""How long nobody else sends what was claimed. A process that dies delays its notices by so much."""
PUSH: Final = timedelta(seconds=10)
"""For one notice, from the look-up of the name to the answer: docs/notices.md promises it."""
_TIME_TO_RECORD: Final = timedelta(seconds=5)  # of a lease, after the answer: a judgement

_log = structlog.get_logger()


@dataclass(slots=True)
class _Outbox:
    """What this process has claimed for one receiver. `failures` are those running that it knows of.

    It `is_stopped` from an answer after which the receiver is paused or disabled, until what waits has been
    given back: an answer to the other notice under way does not start it again.
    """

    bulkhead: Bulkhead
    waiting: deque[Lease] = field(default_factory=deque)
    in_flight: int = 0
    takes_notices: bool = False
    is_stopped: bool = False
    failures: int = 0

    def capacity(self) -> int:
        """How many more may be claimed: none before half of what it had is gone, so that claims are few."""
        if self.is_stopped:
            return 0
        most = AHEAD if self.takes_notices else IN_FLIGHT
        held = self.in_flight + len(self.waiting)
        return most - held if held <= most // 2 else 0


def _random_jitter() -> float:
    return random.uniform(-1, 1)  # noqa: S311  # nothing secret


class Deliverer:
    """Sends notices to the recipients and banks of `registry`, which may be replaced while it runs.

    `jitter` gives random numbers from -1 to 1.
    """

    def __init__(
        self,
        store: DeliveryStore,
        keys: SigningKeys,
        registry: Registry,
        *,
        issuer: str,
        opened: tuple[Network, ...],
        clock: Callable[[], datetime],
        jitter: Callable[[], float] = _random_jitter,
    ) -> None:
        self.registry = registry
        self._store = store
        self._keys = keys
        self._issuer = issuer
        self._may_connect = partial(may_be_reached, opened=opened)
        self._clock = clock
        self._ledger = LedgerRetry(clock)
        self._outcomes = Outcomes(store, self._ledger, clock=clock, jitter=jitter)
        self._outboxes: dict[str, _Outbox] = {}
        self._changed = Condition()

    def run(self, is_stopping: Callable[[], bool]) -> None:
        """Works until `is_stopping`, then waits for what is under way and gives back what has not begun."""
        self._ledger.is_over = False
        with ThreadPoolExecutor(THREADS, thread_name_prefix="notice") as pool:
            while not is_stopping():
                self._give_back(self._stale())
                claimed = self._claim()
                self._start(pool)
                if not claimed and not is_stopping():
                    with self._changed:
                        self._changed.wait(IDLE)
            self._ledger.is_over = True
            self._give_back(lease for outbox in self._outboxes.values() for lease in _emptied(outbox))

    # What is claimed

    def _claim(self) -> int:
        """Claims what there is capacity for; how many notices that were."""
        with self._changed:
            capacity = {receiver: self._outbox_of(receiver).capacity() for receiver in self._addressed()}
            held = sum(outbox.in_flight + len(outbox.waiting) for outbox in self._outboxes.values())
        capacity = {receiver: most for receiver, most in capacity.items() if most > 0}
        if not capacity or held >= MOST_CLAIMED:
            return 0
        now = self._clock()
        claimed = self._ledger.once(
            lambda: self._store.claim(capacity, now=now, limit=MOST_CLAIMED - held, lease=LEASE)
        )
        for lease in claimed or ():
            self._outbox_of(lease.notice.receiver).waiting.append(lease)
        return len(claimed or ())

    def _addressed(self) -> list[str]:
        """The receivers that are sent notices, each time beginning with another one."""
        found = self.registry.receivers_with_address()
        first = random.randrange(len(found)) if found else 0  # noqa: S311  # nothing secret
        return found[first:] + found[:first]

    def _outbox_of(self, receiver: str) -> _Outbox:
        outbox = self._outboxes.get(receiver)
        if outbox is None:
            outbox = self._outboxes[receiver] = _Outbox(Bulkhead(slots=IN_FLIGHT, timeout=PUSH))
        return outbox

    def _stale(self) -> list[Lease]:
        """Takes out what can no longer be sent within its lease, or to a receiver that takes nothing now."""
        last = self._clock() + PUSH + _TIME_TO_RECORD
        stale: list[Lease] = []
        for receiver, outbox in self._outboxes.items():
            was_stopped, is_gone = outbox.is_stopped, self.registry.notice_address_of(receiver) is None
            if was_stopped:
                outbox.is_stopped = False  # first: a thread that stops it from here on is seen the next time
            is_too_much = not outbox.takes_notices and len(outbox.waiting) > IN_FLIGHT
            is_late = bool(outbox.waiting) and outbox.waiting[0].until < last
            if was_stopped or is_gone or is_too_much or is_late:
                stale += _emptied(outbox)
        return stale

    def _give_back(self, leases: Iterable[Lease]) -> None:
        """Others may send these at once. Where the ledger does not answer, their leases run out."""
        leases = list(leases)
        if leases:
            self._ledger.once(lambda: self._store.release(leases))

    def _start(self, pool: ThreadPoolExecutor) -> None:
        """Begins to send as many as may be under way, of each receiver in turn."""
        with self._changed:
            free = THREADS - sum(outbox.in_flight for outbox in self._outboxes.values())
            while free > 0:
                able = [
                    outbox
                    for outbox in self._outboxes.values()
                    if outbox.waiting and outbox.in_flight < IN_FLIGHT and not outbox.is_stopped
                ]
                if not able:
                    return
                for outbox in able[:free]:
                    outbox.in_flight += 1
                    free -= 1
                    pool.submit(self._deliver, outbox, outbox.waiting.popleft())

    # What is sent: in a thread of the pool

    def _deliver(self, outbox: _Outbox, lease: Lease) -> None:
        try:
            meaning = self._send(outbox, lease)
            if not isinstance(meaning, NotSent):
                outbox.takes_notices = isinstance(meaning, Delivered | Refused)
            outbox.failures = self._outcomes.record(lease, meaning, failures_before=outbox.failures)
            if stops(meaning, outbox.failures):
                outbox.is_stopped = True
        except Exception as error:  # noqa: BLE001  # the lease runs out, and it is sent again
            _log.error("unexpected", exc_info=error)
        finally:
            with self._changed:
                outbox.in_flight -= 1
                self._changed.notify()

    def _send(self, outbox: _Outbox, lease: Lease) -> Meaning:
        notice = lease.notice
        address = self.registry.notice_address_of(notice.receiver)
        if address is None:
            return NotSent("no_address")
        token = self._keys.sign_event(notice_claims(notice, issuer=self._issuer, now=self._clock()))
        try:
            answer = outbox.bulkhead.wait_for(
                lambda deadline: push(address, token, deadline=deadline, may_connect=self._may_connect)
            )
        except CallFailed as failed:
            return NotSent(failed.detail) if failed.is_busy else Failed(failed.detail)
        return meaning_of(answer, now=self._clock())


def _emptied(outbox: _Outbox) -> list[Lease]:
    leases = list(outbox.waiting)
    outbox.waiting.clear()
    return leases
