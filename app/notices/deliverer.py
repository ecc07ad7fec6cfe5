"""The loop of `flask notices deliver`: claims notices that are due, sends each, records what became of it.

No transaction is open while a notice is under way. A process that dies between sending and recording leaves
a lease that runs out, after which the notice is sent again: at least once. Recipients know it by its `jti`.
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
from app.notices.outcomes import Outcomes, stops
from app.notices.patience import IDLE, Patience
from app.notices.sending import push
from app.outgoing import CallFailed
from app.outgoing.bulkhead import Bulkhead
from app.stores.ledger.deliveries import Delivered, DeliveryStore, Lease, Refused
from app.stores.signing_keys import SigningKeys

THREADS: Final = 8
"""Notices under way at the same time."""
IN_FLIGHT: Final = 2
"""Of these, to one receiver: one that hangs leaves most threads to the others."""
AHEAD: Final = 16
"""Notices that are claimed at a time for a receiver that takes them: a claim costs as much as a notice."""
MOST_CLAIMED: Final = 50
LEASE: Final = timedelta(seconds=60)
PUSH: Final = timedelta(seconds=10)
"""For one notice, from the look-up of the name to the answer."""
_TIME_TO_RECORD: Final = timedelta(seconds=5)  # of a lease, after the answer: a judgement

_log = structlog.get_logger()


@dataclass(slots=True)
class _Line:
    """What this process has claimed for one receiver. `failures` are those running that it knows of.

    It `is_stopped` from an answer after which the receiver is paused or disabled, until more is claimed.
    """

    bulkhead: Bulkhead
    waiting: deque[Lease] = field(default_factory=deque)
    in_flight: int = 0
    takes_notices: bool = False
    is_stopped: bool = False
    failures: int = 0

    def room(self) -> int:
        """How many more may be claimed: none before half of what it had is gone, so that claims are few."""
        most = AHEAD if self.takes_notices else IN_FLIGHT
        held = self.in_flight + len(self.waiting)
        return most - held if held <= most // 2 else 0


def _by_lot() -> float:
    return random.uniform(-1, 1)  # noqa: S311  # nothing secret


class Deliverer:
    """Sends notices to the recipients and banks of `registry`, which may be replaced while it runs.

    `draw` gives numbers from -1 to 1 by lot.
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
        draw: Callable[[], float] = _by_lot,
    ) -> None:
        self.registry = registry
        self._store = store
        self._keys = keys
        self._issuer = issuer
        self._may_connect = partial(may_be_reached, opened=opened)
        self._clock = clock
        self._patience = Patience(clock)
        self._outcomes = Outcomes(store, self._patience, clock=clock, draw=draw)
        self._lines: dict[str, _Line] = {}
        self._changed = Condition()

    def run(self, is_stopping: Callable[[], bool]) -> None:
        """Works until `is_stopping`, then waits for what is under way and gives back what has not begun."""
        self._patience.is_over = False
        with ThreadPoolExecutor(THREADS, thread_name_prefix="notice") as pool:
            while not is_stopping():
                self._give_back(self._stale())
                claimed = self._claim()
                self._start(pool)
                if not claimed and not is_stopping():
                    with self._changed:
                        self._changed.wait(IDLE)
            self._patience.is_over = True
            self._give_back(lease for line in self._lines.values() for lease in _emptied(line))

    # What is claimed

    def _claim(self) -> int:
        """Claims what there is room for; how many notices that were."""
        with self._changed:
            room = {receiver: self._line(receiver).room() for receiver in self._addressed()}
            held = sum(line.in_flight + len(line.waiting) for line in self._lines.values())
        room = {receiver: most for receiver, most in room.items() if most > 0}
        if not room or held >= MOST_CLAIMED:
            return 0
        now = self._clock()
        claimed = self._patience.ask(
            lambda: self._store.claim(room, now=now, limit=MOST_CLAIMED - held, lease=LEASE)
        )
        for lease in claimed or ():
            line = self._line(lease.notice.receiver)
            line.is_stopped = False
            line.waiting.append(lease)
        return len(claimed or ())

    def _addressed(self) -> list[str]:
        """The receivers that are sent notices, each time beginning with another one."""
        found = self.registry.receivers_with_address()
        first = random.randrange(len(found)) if found else 0  # noqa: S311  # nothing secret
        return found[first:] + found[:first]

    def _line(self, receiver: str) -> _Line:
        line = self._lines.get(receiver)
        if line is None:
            line = self._lines[receiver] = _Line(Bulkhead(slots=IN_FLIGHT, timeout=PUSH))
        return line

    def _stale(self) -> list[Lease]:
        """Takes out what can no longer be sent within its lease, or to a receiver that takes nothing now."""
        last = self._clock() + PUSH + _TIME_TO_RECORD
        stale: list[Lease] = []
        for receiver, line in self._lines.items():
            is_too_much = not line.takes_notices and len(line.waiting) > IN_FLIGHT
            is_late = bool(line.waiting) and line.waiting[0].until < last
            if line.is_stopped or is_too_much or is_late or self.registry.notice_address_of(receiver) is None:
                stale += _emptied(line)
        return stale

    def _give_back(self, leases: Iterable[Lease]) -> None:
        """Others may send these at once. Where the ledger does not answer, their leases run out."""
        leases = list(leases)
        if leases:
            self._patience.ask(lambda: self._store.release(leases))

    def _start(self, pool: ThreadPoolExecutor) -> None:
        """Begins to send as many as may be under way, of each receiver in turn."""
        with self._changed:
            free = THREADS - sum(line.in_flight for line in self._lines.values())
            while free > 0:
                able = [
                    line
                    for line in self._lines.values()
                    if line.waiting and line.in_flight < IN_FLIGHT and not line.is_stopped
                ]
                if not able:
                    return
                for line in able[:free]:
                    line.in_flight += 1
                    free -= 1
                    pool.submit(self._deliver, line, line.waiting.popleft())

    # What is sent: in a thread of the pool

    def _deliver(self, line: _Line, lease: Lease) -> None:
        try:
            meaning = self._send(line, lease)
            if not isinstance(meaning, NotSent):
                line.takes_notices = isinstance(meaning, Delivered | Refused)
            line.failures = self._outcomes.record(lease, meaning, failures_before=line.failures)
            line.is_stopped = stops(meaning, line.failures)
        except Exception as error:  # noqa: BLE001  # the lease runs out, and it is sent again
            _log.error("unexpected", exc_info=error)
        finally:
            with self._changed:
                line.in_flight -= 1
                self._changed.notify()

    def _send(self, line: _Line, lease: Lease) -> Meaning:
        notice = lease.notice
        address = self.registry.notice_address_of(notice.receiver)
        if address is None:
            return NotSent("no_address")
        token = self._keys.sign_event(notice_claims(notice, issuer=self._issuer, now=self._clock()))
        try:
            answer = line.bulkhead.wait_for(
                lambda deadline: push(address, token, deadline=deadline, may_connect=self._may_connect)
            )
        except CallFailed as failed:
            return NotSent(failed.detail) if failed.is_busy else Failed(failed.detail)
        return meaning_of(answer, now=self._clock())


def _emptied(line: _Line) -> list[Lease]:
    leases = list(line.waiting)
    line.waiting.clear()
    return leases
