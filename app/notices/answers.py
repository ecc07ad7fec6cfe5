"""What a receiver's answer to a notice means, and when the notice is sent again (RFC 8935 2.2 to 2.4)."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Final

from app.notices.sending import PushAnswer
from app.stores.ledger.deliveries import Delivered, GaveUp, Refused, TryAgain

# docs/notices.md promises all but POSTPONED_FOR and PAUSES, which are judgements.
BACK_OFF: Final = (
    timedelta(seconds=5),
    timedelta(minutes=1),
    timedelta(minutes=5),
    timedelta(minutes=30),
    timedelta(hours=2),
    timedelta(hours=6),
    timedelta(hours=12),
)
"""How long a notice waits after its first failure, its second, and so on; after that for a day each time."""
POSTPONED_FOR: Final = timedelta(seconds=5)
"""How long a notice waits that this process could not send."""
DAILY: Final = timedelta(days=1)
TRIED_FOR: Final = timedelta(days=7)
"""Since what it tells has happened. After that, and once it is tried daily, a notice is sent no more; and at
once where its receiver is paused, as notices are then tried one for all."""
SPREAD: Final = 0.2
"""The part of a wait by which it is longer or shorter, so that not all notices come back at once."""
LONGEST_RETRY_AFTER: Final = DAILY
"""The longest wait that a receiver can ask for."""
PAUSES: Final = (timedelta(minutes=1), timedelta(minutes=5), timedelta(minutes=30))
"""How long a receiver is left alone after each failure once it is paused; the last one from then on."""

_GONE: Final = 410
_ASK_FOR_TIME: Final = (429, 503)


@dataclass(frozen=True, slots=True)
class Gone:
    """There is no such address any more: nothing is sent there until an operator says so."""


@dataclass(frozen=True, slots=True)
class Failed:
    """It has not been taken, for this reason. `wait` is what the receiver has asked for."""

    outcome: str
    wait: timedelta | None = None


@dataclass(frozen=True, slots=True)
class NotSent:
    """This process could not send it, for this reason, which says nothing about the receiver."""

    outcome: str


Meaning = Delivered | Refused | Gone | Failed | NotSent


def meaning_of(answer: PushAnswer, *, now: datetime) -> Meaning:
    """What became of a notice by its answer."""
    if 200 <= answer.status < 300:
        return Delivered()
    if answer.status == 400 and answer.err is not None:
        return Refused(answer.err)
    if answer.status == _GONE:
        return Gone()
    wait = _parse_retry_after(answer.retry_after, now) if answer.status in _ASK_FOR_TIME else None
    return Failed(str(answer.status), wait)


def next_try(
    failed: Failed, *, attempts: int, happened_at: datetime, now: datetime, jitter: float
) -> TryAgain | GaveUp:
    """When it is sent again after `attempts` tries, this one included.

    `jitter`, from -1 to 1, makes the wait shorter or longer, by up to SPREAD of it. A wait that the receiver
    has asked for is kept exactly.
    """
    wait = failed.wait or _back_off(attempts) * (1 + SPREAD * jitter)
    if attempts > len(BACK_OFF) and now + wait > happened_at + TRIED_FOR:
        return GaveUp(failed.outcome)
    return TryAgain(failed.outcome, now + wait)


def pause_after(failures: int, *, paused_after: int, wait: timedelta | None) -> timedelta:
    """How long a receiver is paused that has failed so often running; at least the `wait` it asks for."""
    beyond = max(0, failures - paused_after)
    return max(PAUSES[min(beyond, len(PAUSES) - 1)], wait or timedelta())


def _back_off(attempts: int) -> timedelta:
    return BACK_OFF[attempts - 1] if attempts <= len(BACK_OFF) else DAILY


def _parse_retry_after(header: str | None, now: datetime) -> timedelta | None:
    """The wait of a Retry-After, a day at the most; None where it asks for none (RFC 9110 10.2.3).

    It is a number of seconds, or a moment.
    """
    text = (header or "").strip()
    if text.isascii() and text.isdecimal():
        wait = timedelta(seconds=min(int(text[:10]), LONGEST_RETRY_AFTER.total_seconds()))
    else:
        try:
            moment = parsedate_to_datetime(text)
        except (ValueError, OverflowError):
            return None
        wait = min((moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - now, LONGEST_RETRY_AFTER)
    return wait if wait > timedelta() else None
